"""Alerts: told once when they begin and once when they end, to a webhook and on every page.

The body is JSON: `alert`, `state` (`firing` or `resolved`), `value`, `since`, `product`. An alert
holds no personal data. It is on the pages at once, whether or not its receiver answers; what could
not be told is told the next time. A reading that cannot be had ends no alert.

| key | holds |
|---|---|
| `{health}:alerts` | hash: the alerts that are on, with when they began |
| `{health}:told` | hash: the alerts that the receiver knows to be on, with when they began |
| `{health}:turn` | there while a process has taken the two-minute turn |
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

import structlog

from credentials.connection import guard
from credentials.posting import Poster, PostError
from web.condition import Condition, Reading, State

if TYPE_CHECKING:
    import redis

ALERTS = "{health}:alerts"
TOLD = "{health}:told"
TURN = "{health}:turn"
TURN_S = 100
WAIT_S = 5.0
HEADERS = {"Content-Type": "application/json"}
Tell = Callable[[Mapping[str, object]], None]
log = structlog.get_logger("web.alerts")


class NotToldError(Exception):
    """An alert did not arrive; the text says why, without the receiver's address."""


class Alerts:
    """The alerts of one product.

    Args:
        database: where it is kept which are on.
        condition: the readings.
        tell: sends one alert; raises NotToldError when it did not arrive.
    """

    def __init__(self, database: redis.Redis, condition: Condition, tell: Tell) -> None:
        self._redis = database
        self._condition = condition
        self._tell = tell

    def mine(self) -> bool:
        """Whether this process takes the two-minute turn; one of them does."""
        with guard():
            return bool(self._redis.set(TURN, "1", nx=True, ex=TURN_S))

    def check(self) -> dict[str, float]:
        """Note and tell what began and what ended; the alerts that are on, with when they began.

        The first alert that does not arrive ends the telling until the next time, so that a
        receiver that hangs takes no more than `WAIT_S` of a turn.
        """
        readings = self._condition.readings()
        found = {reading.alert: reading for reading in readings if reading.state is State.BAD}
        unseen = {reading.name for reading in readings if reading.state is State.UNKNOWN}
        known = self._noted(found, unseen)
        told = _hash(self._redis, TOLD)
        try:
            for name, since in known.items():
                if name not in told:
                    value = found[name].value if name in found else None
                    self._say(name, "firing", value, since)
                    with guard():
                        self._redis.hset(TOLD, name, f"{since:.0f}")
            for name, since in told.items():
                if name not in known:
                    self._say(name, "resolved", None, since)
                    with guard():
                        self._redis.hdel(TOLD, name)
        except NotToldError as error:
            log.error("alert_not_told", reason=str(error))  # noqa: TRY400 - told, not traced
        return known

    def _noted(self, found: Mapping[str, Reading], unseen: set[str]) -> dict[str, float]:
        """Which alerts are on now; kept for the pages."""
        now, before = time.time(), on(self._redis)
        over = [name for name in before if name not in found and name.split(":")[0] not in unseen]
        with guard():
            for name in found:
                if name not in before:
                    log.warning("alert", alert=name, state="firing", value=found[name].value)
                    self._redis.hset(ALERTS, name, f"{now:.0f}")
            if over:
                log.warning("alert", alerts=over, state="resolved")
                self._redis.hdel(ALERTS, *over)
        known = {name: since for name, since in before.items() if name not in over}
        return {**dict.fromkeys(found, now), **known}

    def _say(self, name: str, state: str, value: float | None, since: float) -> None:
        self._tell(
            {
                "alert": name,
                "state": state,
                "value": value,
                "since": round(since),
                "product": "virtual-identity-card",
            }
        )


def on(database: redis.Redis) -> dict[str, float]:
    """The alerts that are on, with when they began."""
    return _hash(database, ALERTS)


def webhook(address: str, poster: Poster | None = None) -> Tell:
    """Tells by a POST to this address, over TLS and in bounded time; does nothing without one.

    Args:
        address: the operators' own, so that it may be inside their network.
        poster: posts; by default one that waits `WAIT_S` for the whole exchange.
    """
    post = poster or Poster(allowed=lambda _: True, check=_https, deadline_s=WAIT_S)

    def tell(body: Mapping[str, object]) -> None:
        if not address:
            return
        try:
            status = post.post(address, json.dumps(dict(body)).encode(), HEADERS)
        except PostError as error:
            raise NotToldError(error.code) from error
        if not 200 <= status < 300:
            raise NotToldError(str(status))

    return tell


def _https(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise PostError("bad_url") from None
    if parts.scheme != "https" or not parts.hostname:
        raise PostError("bad_url")
    return parts


def _hash(database: redis.Redis, key: str) -> dict[str, float]:
    with guard():
        found: Any = database.hgetall(key)
    return {name.decode(): float(since) for name, since in found.items()}
