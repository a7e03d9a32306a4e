"""The console's health page: every reading with its limit, and the alerts that are on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Blueprint
from werkzeug.wrappers import Response as BaseResponse

from credentials.errors import UnavailableError
from web import alerts
from web.console_shared import listed

if TYPE_CHECKING:
    import redis

    from web.condition import Condition

OF_LETTERS = ("dead_letters", "messages_kept", "platform_errors", "quota_refusals")


def register(database: redis.Redis, condition: Condition) -> Callable[[Blueprint], None]:
    """What adds `/console/health`, and tells every page of the console how many alerts are on."""

    def add(routes: Blueprint) -> None:
        @routes.context_processor
        def warn() -> dict[str, object]:
            try:
                return {"alerts_on": len(alerts.on(database))}
            except UnavailableError:
                return {"alerts_on": 0}

        @routes.get("/health")
        def health() -> BaseResponse:
            """Show every reading."""
            units = {gauge.name: gauge for gauge in condition.gauges}
            return listed(
                "console_health.html",
                "health",
                readings=condition.readings(),
                gauges=units,
                alerts=alerts.on(database),
                of_letters=OF_LETTERS,
                show=shown,
            )

    return add


def shown(value: float | None, unit: str) -> str:
    """A figure as people read it."""
    if value is None:
        return "—"
    if unit == "share":
        return f"{value:.0%}"
    if unit == "bytes":
        return f"{value / 1024**2:,.1f} MB"
    if unit == "s":
        return _duration(value)
    return f"{value:,.0f}"


def _duration(seconds: float) -> str:
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {name}"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
