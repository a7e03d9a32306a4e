"""`/healthz`, `/readyz` and `/metrics`: alive, able to work, and the figures of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog
from flask import Blueprint, Flask, Response, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

Probe = Callable[[], object]
log = structlog.get_logger("web.health")


def blueprint(probes: Mapping[str, Probe], collectors: tuple[Collector, ...] = ()) -> Blueprint:
    """The three addresses.

    Args:
        probes: what the product needs in order to work, by name; a probe raises when it is missing.
        collectors: figures that are read when asked for (queue length, conversations by step).
    """
    pages = Blueprint("health", __name__)

    @pages.get("/healthz")
    def alive() -> Response:
        return jsonify(status="alive")

    @pages.get("/readyz")
    def ready() -> tuple[Response, int]:
        missing = [name for name, probe in probes.items() if not _works(name, probe)]
        state = {name: "missing" if name in missing else "ready" for name in probes}
        return jsonify(
            status="unavailable" if missing else "ready", **state
        ), 503 if missing else 200

    @pages.get("/metrics")
    def metrics() -> Response:
        registry = CollectorRegistry()
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # untyped library
        for collector in collectors:
            registry.register(collector)
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return pages


def _works(name: str, probe: Probe) -> bool:
    try:
        probe()
    except Exception as reason:  # noqa: BLE001 - whatever a probe raises means: not ready
        log.warning("not_ready", probe=name, reason=type(reason).__name__)
        return False
    return True


def latency(app: Flask | None, route: str, share: float) -> float | None:
    """The seconds under which `share` of a route's requests were answered since the start.

    As exact as the histogram's buckets; None before the first request.
    """
    registry = app.extensions.get("requests") if app else None
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # untyped library
    if registry is None:
        return None
    below = {
        float(sample.labels["le"]): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "card_http_request_seconds_bucket" and sample.labels["route"] == route
    }
    whole = max(below.values(), default=0.0)
    if not whole:
        return None
    return min(edge for edge, count in below.items() if count >= share * whole)


def forget_dead() -> None:
    """Strike the live figures of processes that are gone: a killed one cannot do it itself.

    Else an authority that was ill when its worker was killed would be shown as ill for ever.
    """
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
    for file in Path(folder).glob("gauge_live*_*.db") if folder else ():
        number = file.stem.rpartition("_")[2]
        if number.isdigit() and not _is_alive(int(number)):
            file.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Measures:
    """Requests and how long they took, by route and status class.

    A registry of its own: in a run of several processes the values meet in shared files, and
    several apps in one process (tests) do not collide.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "card_http_requests",
            "Requests answered",
            ("route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "card_http_request_seconds",
            "Seconds until the answer",
            ("route",),
            registry=self.registry,
        )
        self._found: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count one request; routes are few, so their counters are looked up once."""
        kind = status // 100
        found = self._found.get((route, kind))
        if found is None:
            found = (self._requests.labels(route, f"{kind}xx"), self._seconds.labels(route))
            self._found[route, kind] = found
        found[0].inc()
        found[1].observe(seconds)


def measure(app: Flask) -> Measures:
    """Count every request that Flask answers; gives what others count theirs with."""
    measures = Measures()
    app.extensions["requests"] = measures.registry

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        began = g.pop("began", None)
        seconds = 0.0 if began is None else time.perf_counter() - began
        measures.count(route, response.status_code, seconds)
        return response

    return measures
