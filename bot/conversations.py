"""Each person's place in the talk, in Redis: lock, then read; write once, at the end.

| key | holds |
|---|---|
| `{wechat:<openid>}:talk` | hash, no personal data; its fields are below |
| `{wechat:<openid>}:given` | what the person gave, sealed; lives for two days after the last turn |
| `{wechat:<openid>}:lock` | the token of whoever works on it |
| `{talk}:at:<step>` | sorted set: who is at a step (holders' names), since when |
| `{talk}:steps` | set: the steps that have had somebody |
| `{talk}:human`, `{talk}:stuck` | sorted sets: who asked for a human; who cannot get past a step |
| `{talk}:flow:<day>` | hash: how often somebody went from one step to another, `name>id_number` |

Fields of a talk: s step, a aside, l language, t since when, m last heard, n answers that led
nowhere, j job waited for, h human asked for, v dialog version, g 1 while something is given,
d marks of the last turns.
Of whoever is at home nothing is kept but the language and the marks, for 30 days.
The three scripts touch one hash tag. The figures lie under a tag of their own and are written
behind the person's back, when a step changes: they are for operators and decide nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import redis

from bot.engine import Conversation
from credentials.connection import guard
from credentials.errors import UnavailableError
from credentials.model import Holder
from credentials.sealing import Sealer

LOCK_SECONDS = 10.0
SPIN_SECONDS = 0.005
TALK_SECONDS = 30 * 24 * 3600
GIVEN_SECONDS = 48 * 3600
FLOW_SECONDS = 400 * 24 * 3600
MARKS = 16
SCRIPTS = Path(__file__).parent / "scripts"


class HeardBeforeError(Exception):
    """The platform delivered this turn again: there is nothing to do."""


class BusyError(Exception):
    """Another turn of the same person is still worked on."""


class LostError(Exception):
    """The work took so long that the lock went to somebody else: nothing was kept."""


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """A conversation that is locked for one worker, with what unlocks it.

    `kept` tells whether the outbox has messages that were kept for this person's next turn:
    asked on the way, because most turns find none.
    """

    conversation: Conversation
    token: str
    mark: str = ""
    kept: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where one person is, for operators: no personal data but the account itself."""

    holder: Holder
    step: str
    since: float
    human: bool = False
    stuck: bool = False


class Conversations:
    """The conversations of one Redis; every method raises UnavailableError when it is out."""

    def __init__(self, database: redis.Redis, sealer: Sealer, *, home: str = "home") -> None:
        self._redis = database
        self._sealer = sealer
        self._home = home
        self._take, self._keep, self._leave = (
            database.register_script((SCRIPTS / f"{name}.lua").read_text())
            for name in ("take", "keep", "leave")
        )

    def take(self, holder: Holder, turn_key: str = "", *, wait_s: float = 1.5) -> Taken:
        """Lock and read a conversation; a new one is at home.

        Args:
            holder: whose conversation.
            turn_key: what makes the turn recognisable, kept with it by `keep`.
            wait_s: how long to wait for another turn of the same person.

        Raises:
            HeardBeforeError: when a turn with this key was kept already.
            BusyError: when the other turn takes longer than that.
        """
        token = secrets.token_hex(8)
        mark = hashlib.blake2b(turn_key.encode(), digest_size=8).hexdigest() if turn_key else ""
        deadline = time.monotonic() + wait_s
        while True:
            with guard():
                answer = self._take(
                    keys=[*_keys(holder), f"{holder.tag}:outbox:kept"],
                    args=[mark, token, round(LOCK_SECONDS * 1000)],
                )
            if answer[0] == b"heard":
                raise HeardBeforeError
            if answer[0] == b"taken":
                conversation = self._read(holder, answer[1], answer[2])
                return Taken(conversation, token, mark, kept=bool(answer[3]))
            if time.monotonic() >= deadline:
                raise BusyError
            time.sleep(SPIN_SECONDS)

    def keep(self, taken: Taken, conversation: Conversation) -> None:
        """Write a taken conversation and unlock it.

        Raises:
            LostError: when the lock was lost; nothing was written.
        """
        holder = conversation.holder
        given = b""
        if conversation.given:
            given = self._sealer.seal_json(f"{holder.tag}:given", dict(conversation.given))
        fields = [part for pair in _fields(conversation).items() for part in pair]
        with guard():
            kept = self._keep(
                keys=_keys(holder),
                args=[taken.token, taken.mark, MARKS, TALK_SECONDS, GIVEN_SECONDS, given, *fields],
            )
        if not kept:
            raise LostError
        self._count(taken.conversation, conversation)

    def leave(self, taken: Taken) -> None:
        """Unlock a taken conversation as it was."""
        self._let_go(taken, "leave")

    def erase(self, taken: Taken) -> None:
        """Erase a taken conversation: its place, its language, everything that was given."""
        self._let_go(taken, "erase")
        gone = Conversation(taken.conversation.holder)
        self._count(taken.conversation, gone)

    def hand_back(self, holder: Holder) -> None:
        """An operator has helped: the person no longer waits for a human.

        Raises:
            BusyError: when the person is writing just now; try again.
        """
        taken = self.take(holder)
        self.keep(taken, dataclasses.replace(taken.conversation, human=0.0, attempts=0))

    def look(self, holder: Holder) -> Conversation:
        """A conversation as it stands, without locking it."""
        talk, given, _ = _keys(holder)
        with guard():
            return self._read(holder, self._redis.hgetall(talk), self._redis.get(given))

    def live(self, limit: int = 200) -> list[Place]:
        """Who is in the middle of something, waiting longest first."""
        with guard():
            steps = sorted(_text(step) for step in self._redis.smembers("{talk}:steps"))
            pipeline = self._redis.pipeline(transaction=False)
            oldest = time.time() - TALK_SECONDS
            for step in steps:
                pipeline.zremrangebyscore(f"{{talk}}:at:{step}", 0, oldest)
                pipeline.zrange(f"{{talk}}:at:{step}", 0, limit - 1, withscores=True)
            for name in ("human", "stuck"):
                pipeline.zremrangebyscore(f"{{talk}}:{name}", 0, oldest)
                pipeline.zrange(f"{{talk}}:{name}", 0, -1, withscores=True)
            answers = pipeline.execute()
        human, stuck = dict(answers[-3]), dict(answers[-1])
        places = [
            Place(_holder(name), step, since, name in human, name in stuck)
            for step, rows in zip(steps, answers[1:-4:2], strict=True)
            for name, since in rows
        ]
        found = {place.holder for place in places}
        waiting = ((_holder(name), since) for name, since in human.items())
        places += [
            Place(holder, "", since, human=True) for holder, since in waiting if holder not in found
        ]
        return sorted(places, key=lambda place: place.since)[:limit]

    def counts(self) -> dict[str, int]:
        """How many people are at each step now."""
        with guard():
            steps = sorted(_text(step) for step in self._redis.smembers("{talk}:steps"))
            pipeline = self._redis.pipeline(transaction=False)
            for step in steps:
                pipeline.zcard(f"{{talk}}:at:{step}")
            return dict(zip(steps, pipeline.execute(), strict=True))

    def flow(self, day: str) -> dict[tuple[str, str], int]:
        """How often somebody went from one step to another on a day (`2026-11-23`, UTC)."""
        with guard():
            rows = self._redis.hgetall(f"{{talk}}:flow:{day}")
        edges = {}
        for name, count in rows.items():
            start, _, end = _text(name).partition(">")
            edges[start, end] = int(count)
        return edges

    def _let_go(self, taken: Taken, how: str) -> None:
        with guard():
            self._leave(keys=_keys(taken.conversation.holder), args=[taken.token, how])

    def _read(self, holder: Holder, fields: object, given: object) -> Conversation:
        kept = {_text(key): _text(value) for key, value in _pairs(fields)}
        opened: Mapping[str, object] = {}
        if isinstance(given, bytes):
            opened = self._sealer.unseal_json(f"{holder.tag}:given", given)
        return Conversation(
            holder,
            step=kept.get("s", ""),
            aside=kept.get("a", ""),
            language=kept.get("l", ""),
            since=float(kept.get("t") or 0),
            last=float(kept.get("m") or 0),
            attempts=int(kept.get("n") or 0),
            job=kept.get("j", ""),
            human=float(kept.get("h") or 0),
            version=kept.get("v", ""),
            given=opened,
            lost=kept.get("g") == "1" and not opened,
        )

    def _count(self, before: Conversation, after: Conversation) -> None:
        """Move a person in the operators' figures, where anything changed there."""
        name = f"{after.holder.channel}:{after.holder.openid}"
        pipeline = self._redis.pipeline(transaction=False)
        if before.step != after.step:
            if before.step not in ("", self._home):
                pipeline.zrem(f"{{talk}}:at:{before.step}", name)
            if after.step not in ("", self._home):
                pipeline.sadd("{talk}:steps", after.step)
                pipeline.zadd(f"{{talk}}:at:{after.step}", {name: after.since})
            flow = f"{{talk}}:flow:{time.strftime('%Y-%m-%d', time.gmtime())}"
            pipeline.hincrby(flow, f"{before.step}>{after.step}", 1)
            pipeline.expire(flow, FLOW_SECONDS)
        for key, was, now in (
            ("{talk}:human", bool(before.human), after.human),
            ("{talk}:stuck", before.stuck, after.since if after.stuck else 0.0),
        ):
            if now and not was:
                pipeline.zadd(key, {name: now})
            elif was and not now:
                pipeline.zrem(key, name)
        if len(pipeline):
            try:
                with guard():
                    pipeline.execute()
            except UnavailableError:
                return  # the turn itself is kept; the figures will be short of one


def _keys(holder: Holder) -> list[str]:
    return [f"{holder.tag}:{name}" for name in ("talk", "given", "lock")]


def _fields(conversation: Conversation) -> dict[str, str]:
    return {
        "s": conversation.step,
        "a": conversation.aside,
        "l": conversation.language,
        "t": f"{conversation.since:.3f}",
        "m": f"{conversation.last:.3f}",
        "n": str(conversation.attempts),
        "j": conversation.job,
        "h": f"{conversation.human:.3f}" if conversation.human else "",
        "v": conversation.version,
        "g": "1" if conversation.given else "",
    }


def _pairs(fields: object) -> Iterator[tuple[object, object]]:
    """Fields of a hash, as a script gives them (a list) or as a command does (a dict)."""
    if isinstance(fields, Mapping):
        yield from fields.items()
    elif isinstance(fields, list):
        yield from zip(fields[::2], fields[1::2], strict=True)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _holder(name: bytes) -> Holder:
    channel, _, openid = name.decode().partition(":")
    return Holder(channel, openid)
