"""An authority behind a circuit breaker: ill, it is left alone for a while, and everybody told so.

An answer, also one that says no, shows that the authority is well; only `UnavailableError`
counts against it. The states of all processes are on the dashboard.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from credentials.authority.base import Authority
from credentials.breaker import Breaker
from credentials.errors import UnavailableError
from credentials.model import Person

_OPENNESS = {"closed": 0.0, "half open": 0.5, "open": 1.0}


class GuardedAuthority:
    """An `Authority` that asks another one through a circuit breaker."""

    def __init__(self, inner: Authority, breaker: Breaker | None = None) -> None:
        self._inner = inner
        self.breaker = breaker or Breaker("authority")
        registry = CollectorRegistry()  # the values of all processes meet in shared files
        self._state = Gauge(
            "card_authority_circuit",
            "0 closed, 0.5 half open, 1 open; of the worst process",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._asked = Counter(
            "card_authority_checks", "Questions to the authority", ("outcome",), registry=registry
        )

    def check(self, name: str, id_number: str) -> Person:
        """Who is registered under this name and ID number; see `Authority.check`."""
        outcome = "answered"
        try:
            with self.breaker.call():
                return self._inner.check(name, id_number)
        except UnavailableError as error:
            outcome = "refused" if error.details.get("why") == "circuit open" else "unavailable"
            raise
        finally:
            self._asked.labels(outcome).inc()
            self._state.set(_OPENNESS[self.breaker.state])
