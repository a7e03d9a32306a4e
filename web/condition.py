"""How the product is: readings of what may go wrong, each with the limit where it does.

One list for the page, for `/metrics` and for alerts, so that none of them knows more. A reading
that cannot be had is itself a finding: what cannot be seen is not well.

| key | holds |
|---|---|
| `{health}:keys` | hash: when each version of the master keys was first seen |
| `{health}:audit` | hash: at, place, entries, bad: how far the checking of the audit has come |
"""

from __future__ import annotations

import dataclasses
import enum
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from credentials.connection import guard
from credentials.errors import CredentialError
from credentials.store import ADMINISTRATION, BUCKETS, bucket

if TYPE_CHECKING:
    import redis

    from credentials.audit import Audit
    from credentials.keyring import Keyring

CHAINS_A_TURN = 64
KEPT = "kept:"
QUOTA_CODES = ("45009", "45015", "45047")  # the day's calls, the window, its messages
KEYS = "{health}:keys"
AUDIT = "{health}:audit"
DAY_S = 86400.0
log = structlog.get_logger("web.condition")


class State(enum.StrEnum):
    """How a reading is."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """One figure: its name, what of it, and how it stands to its limits."""

    name: str
    value: float | None
    of: str = ""
    state: State = State.GOOD

    @property
    def alert(self) -> str:
        """The name of its alert."""
        return f"{self.name}:{self.of}" if self.of else self.name


@dataclasses.dataclass(frozen=True, slots=True)
class Gauge:
    """Where readings come from.

    Attributes:
        name: the key `health.<name>` says what it is.
        read: one figure, or several by what they are of; None is unknown.
        unit: `s`, `bytes`, `count`, `share` or `yes` (1 for yes, 0 for no).
        warn: from here on it is noted.
        bad: from here on it is an alert.
        low: whether being low is what is bad.
    """

    name: str
    read: Callable[[], float | Mapping[str, float] | None]
    unit: str = "count"
    warn: float | None = None
    bad: float | None = None
    low: bool = False

    def readings(self) -> Iterator[Reading]:
        """The figures now."""
        try:
            found = self.read()
        except (CredentialError, OSError, ValueError, KeyError) as error:
            log.warning("no reading", gauge=self.name, reason=type(error).__name__)
            found = None
        if found is None:
            yield Reading(self.name, None, state=State.UNKNOWN)
        elif isinstance(found, Mapping):
            for of, value in found.items():
                yield Reading(self.name, value, of, self._state(value))
        else:
            yield Reading(self.name, float(found), state=self._state(float(found)))

    def _state(self, value: float) -> State:
        for limit, state in ((self.bad, State.BAD), (self.warn, State.WARN)):
            if limit is not None and (value <= limit if self.low else value >= limit):
                return state
        return State.GOOD


class Condition(Collector):
    """All readings; also what `/metrics` collects."""

    def __init__(self, gauges: Sequence[Gauge]) -> None:
        self.gauges = gauges

    def readings(self) -> list[Reading]:
        """Every figure now, in the order of the gauges."""
        return [reading for gauge in self.gauges for reading in gauge.readings()]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The same for Prometheus: `card_<name>`, with the label `of` where there are several."""
        for gauge in self.gauges:
            family = GaugeMetricFamily(f"card_{gauge.name}", f"See {gauge.name}", labels=["of"])
            for reading in gauge.readings():
                if reading.value is not None:
                    family.add_metric([reading.of], reading.value)
            yield family


def of_redis(database: redis.Redis) -> list[Gauge]:
    """What Redis says of itself; of a cluster, its worst node."""

    def info(section: str, field: str) -> list[Any]:
        with guard():
            answer: Any = database.info(section)
        nodes = [each for each in answer.values() if isinstance(each, dict)] or [answer]
        return [node.get(field, 0) for node in nodes]

    def memory() -> float | None:
        used, most = info("memory", "used_memory"), info("memory", "maxmemory")
        shares = [float(u) / float(m) for u, m in zip(used, most, strict=True) if m]
        return max(shares) if shares else 0.0

    def persists() -> float:
        kept = info("persistence", "aof_enabled")
        written = info("persistence", "aof_last_write_status")
        return float(all(kept) and all(status in {"ok", 0} for status in written))

    return [
        Gauge("redis_memory_bytes", lambda: float(sum(info("memory", "used_memory"))), "bytes"),
        Gauge("redis_memory_share", memory, "share", warn=0.7, bad=0.85),
        Gauge("redis_persists", persists, "yes", bad=0.0, low=True),
    ]


def of_deliveries(figures: Callable[[int], Mapping[str, int]]) -> list[Gauge]:
    """What the platform answered, and what became of the messages.

    Args:
        figures: how often which code was answered in so many hours; `kept:<code>` for messages
            that had to be kept, and `dead` for those that never arrived.
    """

    def errors() -> dict[str, float]:
        found = figures(24).items()
        return {code: float(n) for code, n in found if code != "dead" and not code.startswith(KEPT)}

    def kept() -> dict[str, float]:
        found = figures(24).items()
        return {name.removeprefix(KEPT): float(n) for name, n in found if name.startswith(KEPT)}

    def refusals() -> dict[str, float]:
        found = figures(2)  # this hour and the one before
        return {code: float(found.get(code, 0)) for code in QUOTA_CODES}

    return [
        Gauge("platform_errors", errors, warn=50, bad=500),
        Gauge("quota_refusals", refusals, warn=20, bad=200),
        Gauge("messages_kept", kept, warn=50, bad=500),
        Gauge("dead_letters", lambda: float(figures(0)["dead"]), warn=1, bad=100),
    ]


def of_keys(database: redis.Redis, keyring: Keyring) -> list[Gauge]:
    """How old the current master key is; it should be changed within a year."""

    def ages() -> float:
        now = time.time()
        with guard():
            for version in keyring.versions:
                database.hsetnx(KEYS, str(version), f"{now:.0f}")
            began = database.hget(KEYS, str(keyring.current))
        return now - float(began or now)

    return [Gauge("key_age_seconds", ages, "s", warn=330 * DAY_S, bad=365 * DAY_S)]


def of_audit(database: redis.Redis) -> list[Gauge]:
    """What the checking of the audit found, and when it last came by."""

    def fields() -> Mapping[bytes, bytes]:
        with guard():
            found: Any = database.hgetall(AUDIT)
        return found if isinstance(found, Mapping) else {}

    def age() -> float | None:
        at = fields().get(b"at")
        return time.time() - float(at) if at else None

    return [
        Gauge("audit_faults", lambda: float(fields().get(b"bad", b"0")), bad=1),
        Gauge("audit_checked_seconds_ago", age, "s", warn=3600, bad=6 * 3600),
    ]


def check_audit(database: redis.Redis, audit: Audit) -> int:
    """Check the administration's chain and the next few buckets'; gives how many are bad.

    A full round takes a couple of hours at one call every two minutes; `app.py audit verify`
    checks everything at once.
    """
    with guard():
        at = int(database.hget(AUDIT, "place") or 0)
    places = [ADMINISTRATION]
    places += [bucket(number % BUCKETS) for number in range(at, at + CHAINS_A_TURN)]
    bad = [finding for place in places if (finding := audit.verify_chain(place)[1])]
    for finding in bad:
        log.error("audit_broken", place=finding.place, number=finding.number, fault=finding.fault)
    with guard():
        if bad:  # a fault stays on until somebody has looked: `{health}:audit` is then deleted
            database.hset(AUDIT, "bad", len(bad))
        at = (at + CHAINS_A_TURN) % BUCKETS
        database.hset(AUDIT, mapping={"at": f"{time.time():.0f}", "place": at})
    return len(bad)
