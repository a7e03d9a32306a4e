"""Alerts: told once when they begin and once when they end, to a webhook and on every page.

The body is JSON: `alert`, `state` (`firing` or `resolved`), `value`, `since`, `product`. What
could not be told is told the next time. An alert holds no personal data.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import httpx
import structlog

from credentials.connection import guard
from web.condition import Condition, State

if TYPE_CHECKING:
    import redis

ALERTS = "{health}:alerts"
TURN = "{health}:turn"
TURN_S = 100
WAIT_S = 3.0
Tell = Callable[[Mapping[str, object]], None]
log = structlog.get_logger("web.alerts")


class Alerts:
    """The alerts of one product.

    Args:
        database: where it is kept which are on.
        condition: the readings.
        tell: sends one alert; raises OSError or httpx.HTTPError when it did not arrive.
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
        """Tell of what began and what ended; the alerts that are on, with when they began."""
        now = time.time()
        found = {
            reading.alert: reading
            for reading in self._condition.readings()
            if reading.state is State.BAD
        }
        known = on(self._redis)
        for name, reading in found.items():
            if name not in known and self._told(name, "firing", reading.value, now):
                known[name] = now
                with guard():
                    self._redis.hset(ALERTS, name, f"{now:.0f}")
        for name in [name for name in known if name not in found]:
            if self._told(name, "resolved", None, known[name]):
                del known[name]
                with guard():
                    self._redis.hdel(ALERTS, name)
        return known

    def _told(self, name: str, state: str, value: float | None, since: float) -> bool:
        body = {"alert": name, "state": state, "value": value, "since": round(since)}
        log.warning("alert", **body)
        try:
            self._tell({**body, "product": "virtual-identity-card"})
        except (OSError, httpx.HTTPError) as error:
            log.error("alert_not_told", alert=name, reason=type(error).__name__)  # noqa: TRY400
            return False
        return True


def on(database: redis.Redis) -> dict[str, float]:
    """The alerts that are on, with when they began."""
    with guard():
        found: Any = database.hgetall(ALERTS)
    return {name.decode(): float(since) for name, since in found.items()}


def webhook(address: str) -> Tell:
    """Tells by a POST to this address; does nothing without one.

    Raises (when told): httpx.HTTPError for anything but a 2xx.
    """

    def tell(body: Mapping[str, object]) -> None:
        if address:
            httpx.post(address, json=dict(body), timeout=WAIT_S).raise_for_status()

    return tell
