"""An office whose console has every place, also those that the wiring adds for health and texts."""

from __future__ import annotations

from collections.abc import Iterator

import redis

from credentials.wording import LiveTexts
from tests.web.office import Office
from web import console_cases, console_health, console_letters, console_texts
from web.condition import Condition, Gauge
from web.console_shared import Register


class Readings:
    """What is read; a test sets it, and may make it unreadable."""

    def __init__(self) -> None:
        self.values: dict[str, float | dict[str, float] | None] = {}
        self.broken: set[str] = set()

    def gauge(self, name: str, unit: str = "count", **limits: float | bool) -> Gauge:
        """A gauge of this reading."""

        def read() -> float | dict[str, float] | None:
            if name in self.broken:
                raise OSError(name)
            return self.values.get(name)

        return Gauge(name, read, unit, **limits)  # type: ignore[arg-type]


class WholeOffice(Office):
    """An office with cases, texts and health."""

    def _console_places(self, database: redis.Redis) -> Iterator[Register]:
        yield from super()._console_places(database)
        self.readings = Readings()
        self.texts = LiveTexts(database)
        self.condition = Condition(
            [
                self.readings.gauge("queue_age_seconds", "s", warn=30, bad=120),
                self.readings.gauge("platform_errors", warn=50, bad=500),
                self.readings.gauge("quota_left", "share", warn=0.2, bad=0.05, low=True),
                self.readings.gauge("redis_persists", "yes", bad=0.0, low=True),
                self.readings.gauge("redis_memory_bytes", "bytes"),
            ]
        )
        yield console_cases.register(self.services)
        yield console_letters.register(self.services, self.outbox)
        yield console_texts.register(self.services, self.texts)
        yield console_health.register(database, self.condition)
