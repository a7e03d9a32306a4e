"""How the talk flows, counted as it happens: which steps, how long, which sentences in the way.

Whoever operates the product asks about days and months; nothing is recounted for them. Each turn
that changes something adds a few ones to two hashes, of its hour and of its day, in the one
pipeline that is written behind the turn anyway (`Conversations.keep`). Demo and test runs are
counted apart, so the real figures never contain them.

| key | holds |
|---|---|
| `{flow}:<runs>:h:<YYYYMMDDHH>` | hash of counts of an hour (UTC), 16 days; runs: real or test |
| `{flow}:<runs>:d:<YYYYMMDD>` | hash of counts of a day (UTC), 400 days |
| the same with `:sum` | JSON of a day that is over, summed over what stands before the first bar |
| the same with `:<division>` | the same of people of one division, from the ID number on |
| `{flow}:divisions` | set: the divisions that have counts |

A field is `<language>/<channel>/<version>|<kind>|…`:

| kind | counts |
|---|---|
| `m|<step>|<step>` | somebody went from one step to the other; home is an empty name |
| `s|<step>|<band>` | somebody left a step after so long; a band is a quarter of a doubling |
| `k|<step>|<key>` | a sentence that turned somebody back, or away, at a step |
| `e|<step>|issued`, `e|<step>|ended` | a conversation ended here, with a card or not |
"""

from __future__ import annotations

import calendar
import dataclasses
import functools
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import redis

from bot.engine import Conversation
from credentials.connection import guard
from handlers.steps import Dialog, Work, places_of

HOUR_SECONDS = 16 * 24 * 3600  # a week, and the week before to compare it with
DAY_SECONDS = 400 * 24 * 3600
DAY = 24 * 3600
LATE_SECONDS = 3600
BANDS = 4
LONGEST_BAND = 4 * 22
ISSUED = "chat.issued"
OTHERWISE = "chat.otherwise"
REAL, TEST = "real", "test"
DIVISION = 6
DIVISIONS = "{flow}:divisions"


@dataclasses.dataclass(frozen=True, slots=True)
class Slice:
    """Which conversations: an empty field means all."""

    language: str = ""
    channel: str = ""
    version: str = ""
    division: str = ""
    runs: str = REAL


@dataclasses.dataclass(slots=True)
class Flow:
    """The figures of one period.

    Attributes:
        moves: how often somebody went from one step to another; "" is home.
        stays: how often somebody left a step after so long, by band.
        turned: how often a sentence turned somebody back or away at a step.
        ends: how often a conversation ended from a step: with `issued` or `ended`.
        seen: the values of language, channel and version that have counts.
    """

    moves: dict[tuple[str, str], int] = dataclasses.field(default_factory=dict)
    stays: dict[str, dict[int, int]] = dataclasses.field(default_factory=dict)
    turned: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    ends: dict[tuple[str, str], int] = dataclasses.field(default_factory=dict)
    seen: dict[str, set[str]] = dataclasses.field(
        default_factory=lambda: {"language": set(), "channel": set(), "version": set()}
    )

    @property
    def begun(self) -> int:
        """How many conversations left home."""
        return sum(n for (start, end), n in self.moves.items() if not start and end)

    def entered(self, step: str) -> int:
        """How often somebody came to a step from another."""
        return sum(n for (start, end), n in self.moves.items() if end == step != start)

    def left(self, step: str) -> int:
        """How often somebody left a step for another, or for good."""
        return sum(n for (start, end), n in self.moves.items() if start == step != end)

    def ended(self, how: str, step: str = "") -> int:
        """How many conversations ended `issued` or `ended`, from one step or from any."""
        return sum(n for (at, way), n in self.ends.items() if way == how and step in ("", at))

    def median(self, step: str) -> float | None:
        """The median seconds at a step, within an eighth of a doubling; None without any."""
        bands = self.stays.get(step, {})
        left = sum(bands.values()) / 2
        for band in sorted(bands):
            left -= bands[band]
            if left <= 0:
                return seconds_of(band)
        return None


class Figures:
    """The counts of one Redis.

    Args:
        database: where they are.
        demo: whether every conversation here is a demo's or a test's.
        steps: the dialog's steps in their order; the first is home, where nobody waits.
    """

    def __init__(
        self, database: redis.Redis, *, demo: bool = False, steps: Iterable[str] = ("home",)
    ) -> None:
        self._redis = database
        self._demo = demo
        self._order = {name: place for place, name in enumerate(steps)}
        self._home = next(iter(self._order))

    def count(
        self, pipeline: Any, before: Conversation, after: Conversation, said: Sequence[str]
    ) -> None:
        """Add what a turn changed to a pipeline; `said` are the keys of what was answered.

        An erased conversation (`after.last` is 0) ends without a card.
        """
        fields = list(self._fields(before, after, said))
        if not fields:
            return
        about = before if not after.version else after
        language = after.language or before.language or "-"
        mark = f"{language}/{about.holder.channel}/{about.version or '-'}"
        runs = TEST if self._demo or before.test else REAL
        now = after.last or time.time()
        hour = _hour(int(now // 3600))
        places = [
            (f"{{flow}}:{runs}:h:{hour}", HOUR_SECONDS),
            (f"{{flow}}:{runs}:d:{hour[:8]}", DAY_SECONDS),
        ]
        division = _division(after) or _division(before)
        if division:
            places += [(f"{key}:{division}", life) for key, life in places]
            pipeline.sadd(DIVISIONS, division)
        for key, life in places:
            for field in fields:
                pipeline.hincrby(key, f"{mark}|{field}", 1)
            pipeline.expire(key, life)

    def read(self, begin: float, end: float, **chosen: str) -> Flow:
        """The figures from `begin` to `end`, in seconds since 1970; `chosen` as in `Slice`.

        Up to eight days are read in whole hours, more in whole days (UTC); the hour or day that
        `begin` falls into counts, the one that `end` falls into does not, unless it has begun.
        """
        which = Slice(**chosen)
        tail = f":{which.division}" if which.division else ""
        # Summed before they are understood: the days say the same few things again and again.
        whole: dict[str, int] = {}
        every = not (which.language or which.channel or which.version)
        keys = [key + tail for key in _keys(begin, end, which.runs)]
        for counts in self._sums(keys) if every else self._counts(keys):
            for field, number in counts.items():
                whole[field] = whole.get(field, 0) + number
        flow = Flow()
        _add(flow, whole, which)
        return flow

    def _counts(self, keys: Sequence[str]) -> list[dict[str, int]]:
        with guard():
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.hgetall(key)
            answers = pipeline.execute()
        return [{_text(name): int(number) for name, number in each.items()} for each in answers]

    def _sums(self, keys: Sequence[str]) -> list[dict[str, int]]:
        """The same over all languages, channels and versions; a day that is over is kept so."""
        over = [_is_over(key) for key in keys]
        with guard():
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.get(f"{key}:sum")
            kept = pipeline.execute()
        missing = [key for key, sealed in zip(keys, kept, strict=True) if sealed is None]
        fresh = dict(zip(missing, map(_summed, self._counts(missing)), strict=True))
        with guard():
            pipeline = self._redis.pipeline(transaction=False)
            for key, done in zip(keys, over, strict=True):
                if done and key in fresh:
                    pipeline.set(f"{key}:sum", json.dumps(fresh[key]), ex=DAY_SECONDS)
            pipeline.execute()
        return [
            fresh[key] if found is None else json.loads(found)
            for key, found in zip(keys, kept, strict=True)
        ]

    @property
    def demo(self) -> bool:
        """Whether everything here is a demo's or a test's."""
        return self._demo

    def divisions(self) -> list[str]:
        """The divisions that have counts."""
        with guard():
            return sorted(_text(name) for name in self._redis.smembers(DIVISIONS))

    def _fields(
        self, before: Conversation, after: Conversation, said: Sequence[str]
    ) -> Iterator[str]:
        start, end = self._name(before.step), self._name(after.step)
        key = said[0] if said else ""
        again = after.since > before.since > 0 and start == end and start != ""
        if start != end or again:
            yield f"m|{start}|{end}"
            if start and before.since > 0 and after.since >= before.since:
                yield f"s|{start}|{band_of(after.since - before.since)}"
        if start and not end:
            yield f"e|{start}|{'issued' if ISSUED in said else 'ended'}"
        if key and start and key != ISSUED:
            failed = after.attempts > before.attempts or key.startswith(OTHERWISE)
            back = start != end and self._order.get(end, 0) <= self._order.get(start, 0)
            if failed or back:
                yield f"k|{start}|{key}"

    def _name(self, step: str) -> str:
        return "" if step == self._home else step


def ways(dialog: Dialog) -> dict[str, tuple[str, ...]]:
    """The steps where people wait, in the dialog's order, each with those that may follow it.

    What is done at once is no place to wait: where it leads is where the step before it leads.
    """

    def waits(name: str) -> bool:
        step = dialog.steps[name]
        return step.slow if isinstance(step, Work) else not step.aside

    def ends(name: str, seen: frozenset[str]) -> Iterator[str]:
        for _, target in places_of(dialog, name):
            if waits(target):
                yield target
            elif target not in seen:
                yield from ends(target, seen | {target})

    starts: dict[str, tuple[str, ...]] = {}
    for name in filter(waits, dialog.steps):
        starts[name] = tuple(dict.fromkeys(ends(name, frozenset({name}))))
    return starts


def band_of(seconds: float) -> int:
    """The band of a duration: quarters of a doubling, from a second on."""
    return min(LONGEST_BAND, max(0, round(BANDS * math.log2(max(seconds, 1.0)))))


def seconds_of(band: int) -> float:
    """The duration in the middle of a band."""
    return float(2 ** (band / BANDS))


def _keys(begin: float, end: float, runs: str) -> Iterator[str]:
    hours = end - begin <= 8 * 86400
    size, name, form = (3600, "h", "%Y%m%d%H") if hours else (86400, "d", "%Y%m%d")
    at = begin // size * size
    while at < end:
        yield f"{{flow}}:{runs}:{name}:{time.strftime(form, time.gmtime(at))}"
        at += size


def _is_over(key: str) -> bool:
    """Whether a day is over, and an hour more: what is counted late goes to the day it began."""
    _, _, kind, moment, *_ = key.split(":")
    if kind != "d":
        return False
    return calendar.timegm(time.strptime(moment, "%Y%m%d")) + DAY + LATE_SECONDS < time.time()


def _summed(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts without their marks; which marks there were stays, with a count of none."""
    whole: dict[str, int] = {}
    for field, number in counts.items():
        mark, _, rest = field.partition("|")
        whole[f"|{rest}"] = whole.get(f"|{rest}", 0) + number
        whole[f"{mark}|m||"] = 0
    return whole


def _add(flow: Flow, counts: Mapping[str, int], which: Slice) -> None:
    wanted = (which.language, which.channel, which.version)
    for field, n in counts.items():
        mark, kind, first, second = field.split("|", 3)
        values = mark.split("/", 2) if mark else ("", "", "")
        for name, value in zip(("language", "channel", "version"), values, strict=True):
            if value:
                flow.seen[name].add(value)
        if not n:
            continue
        if any(want and want != value for want, value in zip(wanted, values, strict=True)):
            continue
        if kind == "m":
            flow.moves[first, second] = flow.moves.get((first, second), 0) + n
        elif kind == "e":
            flow.ends[first, second] = flow.ends.get((first, second), 0) + n
        elif kind == "s":
            stays = flow.stays.setdefault(first, {})
            stays[int(second)] = stays.get(int(second), 0) + n
        else:
            turned = flow.turned.setdefault(first, {})
            turned[second] = turned.get(second, 0) + n


@functools.lru_cache(maxsize=64)
def _hour(number: int) -> str:
    return time.strftime("%Y%m%d%H", time.gmtime(number * 3600))


def _division(conversation: Conversation) -> str:
    """The division that a person's ID number was first given in, once it is known."""
    number = conversation.given.get("id_number")
    return number[:DIVISION] if isinstance(number, str) and number[:DIVISION].isdigit() else ""


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
