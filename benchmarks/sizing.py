"""docs/sizing.md: machines for 400 thousand, 10 million and 980 million holders.

    python -m benchmarks.sizing

Nothing but arithmetic on what `make bench` measured last (results/bench.json and units.json); the
assumptions stand in the page, and here by their names.
"""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks import sheet, units
from benchmarks.sheet import Row

PAGE = Path(__file__).parent.parent / "docs" / "sizing.md"
HOLDERS = (400_000, 10_000_000, 980_000_000)
NAMES = ("400 thousand", "10 million", "980 million")
EVENING = 0.02  # of all holders check in in the busiest hour
PEAK = 3  # times that hour's mean, in its busiest seconds
CODES, QUESTIONS = 4, 40  # of a card page that is open for a minute around each scan
BUSY = 0.5  # of a processor at the peak
PORTRAIT = 9_000  # bytes; a real one is 6 to 12 KB
KEPT_SCANS = 30 / 7  # each holder's in Redis: one a week, 30 days
TURNS = 12  # chat turns of an enrolment
ENROLLING = 365 * 12 * 3600  # seconds in which everybody enrols: a year of 12-hour days


@dataclasses.dataclass(frozen=True, slots=True)
class Costs:
    """What one of each takes: milliseconds of a core (web, Redis), bytes, seconds of a core."""

    web: Mapping[str, float]
    redis: Mapping[str, float]
    card: float
    entries: float
    selfie_s: float
    cluster: float

    @property
    def scan(self) -> tuple[float, float]:
        """Milliseconds of a scan with the minute that its page is open: web, Redis."""
        counts = ((units.VERIFICATION, 1), (units.FRESH_CODE, CODES), (units.QUESTION, QUESTIONS))
        of = [sum(many * kind[name] for name, many in counts) for kind in (self.web, self.redis)]
        return of[0], of[1]


def costs(rows: Sequence[Row], kept: Mapping[str, Sequence[float]]) -> Costs:
    """The unit costs among the rows of `make bench`.

    Raises:
        LookupError: when a group was not measured yet.
    """
    found = {row.what: row for row in rows}

    def median(what: str) -> float:
        return statistics.median(pair[0] for pair in found[what].pairs)

    card = median("a light card with its log's head, portrait apart")
    in_cluster = "cluster: verifications for each second of its primaries' processors"
    return Costs(
        web={name: pair[0] for name, pair in kept.items()},
        redis={name: pair[1] for name, pair in kept.items()},
        card=card,
        entries=median("the same with its first two log entries") - card,
        selfie_s=median("face step for a 12-megapixel photo") / 1000,
        cluster=found[in_cluster].ratio.median,
    )


def page(costs: Costs) -> str:
    """The page, from unit costs."""
    web_ms, redis_ms = costs.scan
    scan_bytes = costs.entries / 2

    def scans(holders: int) -> float:
        return holders * EVENING / 3600 * PEAK

    def cores(holders: int, ms: float) -> float:
        return scans(holders) * ms / 1000 / BUSY

    enrolling_ms = TURNS * costs.web[units.TURN]
    lines: tuple[tuple[str, Callable[[int], str]], ...] = (
        ("scans a second at the peak", lambda n: _count(scans(n))),
        ("Redis: cards and first entries", lambda n: _size(n * (costs.card + costs.entries))),
        ("Redis: portraits, sealed", lambda n: _size(n * PORTRAIT)),
        ("Redis: 30 days of scans", lambda n: _size(n * KEPT_SCANS * scan_bytes)),
        ("Redis: cores at the peak, one server", lambda n: _count(cores(n, redis_ms))),
        ("Redis: the same in a cluster", lambda n: _count(cores(n, redis_ms / costs.cluster))),
        ("web: cores at the peak", lambda n: _count(cores(n, web_ms))),
        ("web: cores to enrol everybody in a year",
         lambda n: _count(n / ENROLLING * enrolling_ms / 1000 / BUSY)),
        ("faces: cores to enrol everybody in a year",
         lambda n: _count(n / ENROLLING * costs.selfie_s / BUSY)),
        ("**web machines of 32 cores**", lambda n: _machines(cores(n, web_ms) / 32)),
        ("**Redis primaries (64 GB, half used), and as many replicas**",
         lambda n: _machines(
             max(n * (costs.card + costs.entries + KEPT_SCANS * scan_bytes) / 32e9,
                 cores(n, redis_ms / costs.cluster)))),
    )  # fmt: skip
    unit_rows = [
        *(
            f"| {name} | {costs.web[name]:.2f} ms a core | {costs.redis[name]:.2f} ms a core |"
            for name in costs.web
        ),
        f"| a scan with its page | {web_ms:.0f} ms a core | {redis_ms:.1f} ms a core |",
        f"| a selfie check | {costs.selfie_s:.2f} s a core (faces' workers) | |",
        f"| a light card with its log's head | | {costs.card:.0f} B |",
        f"| its first two log entries | | {costs.entries:.0f} B |",
        f"| a scan in the log | | {scan_bytes:.0f} B |",
    ]
    table = ["| | " + " | ".join(NAMES) + " |", "|" + " --- |" * (1 + len(NAMES))]
    table += [f"| {what} | " + " | ".join(map(of, HOLDERS)) + " |" for what, of in lines]
    return TEXT.format(
        evening=f"{EVENING:.0%}", peak=PEAK, codes=CODES, questions=QUESTIONS, busy=f"{BUSY:.0%}",
        portrait=f"{PORTRAIT / 1000:.0f}", turns=TURNS, cluster=f"{costs.cluster:.2f}",
        units="\n".join(unit_rows), table="\n".join(table),
    )  # fmt: skip


def write() -> bool:
    """Write the page anew, if everything that it rests on was measured."""
    try:
        known = costs(sheet.read(), json.loads(units.KEPT.read_text("utf-8")))
    except (LookupError, OSError):
        return False
    PAGE.write_text(page(known), encoding="utf-8")
    return True


def _count(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def _machines(number: float) -> str:
    return f"{max(1, math.ceil(number)):,}"


def _size(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


TEXT = """\
# Sizing: 400 thousand, 10 million, 980 million holders

Written by `python -m benchmarks.sizing`, and at the end of each `make bench`, from the unit costs
that were measured last: run it on your own machine and read your own page. The assumptions come
first, because they matter more than the second digit of any cost; they are the constants at the
head of `benchmarks/sizing.py`.

## Assumptions

| what | value |
| --- | --- |
| check-ins in the evening's busiest hour | {evening} of all holders |
| busiest seconds of that hour | {peak} times its mean |
| a card page open for each scan | 60 s: {codes} fresh codes, {questions} questions for changes |
| processors busy at the peak | {busy}, so that one of two places may fail |
| a portrait | {portrait} KB, sealed |
| scans kept in Redis until archived to signed files | 30 days, one a holder each week |
| an enrolment | {turns} chat turns and one selfie check; everybody within a year of 12-hour days |

## Unit costs

From `benchmarks/results/` (`units.md`, `bytes.md`, `faces.md`), as processor time, which does not
depend on how busy the machine was. In a cluster a core of Redis does {cluster} of what it does
alone.

| one | web, workers | Redis |
| --- | --- | --- |
{units}

## What that makes

{table}

One machine of 4 cores and 16 GB, and one to take over, carries 400 thousand. From 10 million on use
Redis Cluster (`REDIS_URL=redis+cluster://…`), RabbitMQ (`JOBS_URL=amqps://…`, three nodes), and at
least three web machines, whatever the arithmetic says, so that one may fail. Beyond some hundred
million the portraits belong on disks, and two things grow with everybody: the stream that the
console reads all scans from (`{{recent}}`), and each bucket's index of ends, about 100 B a card
more since buckets are 4096. Divide the country into regions, each with a cluster of its own, as the
rollout by division does already.

The busiest hour of faces is the one after an announcement, not the yearly mean: face jobs wait in a
queue of their own, bounded at 2000, and people are told how many are before them.
"""

if __name__ == "__main__":
    sys.exit(0 if write() else "not everything was measured yet: make bench")
