"""How many pushes came in, of which kind; what the product does not know is one kind, `unknown`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

UNKNOWN = "unknown"


class Pushes:
    """Counts the pushes of one channel for `/metrics`.

    A kind is whatever somebody pushed, so only known ones become a label: every label is a
    series that the dashboard keeps for ever.
    """

    def __init__(self, channel: str, kinds: frozenset[str]) -> None:
        # A registry of its own: in a run of several processes the values meet in shared files,
        # and several apps in one process (tests) do not collide.
        self._counter = Counter(
            "card_pushes", "Pushes taken", ("channel", "kind"), registry=CollectorRegistry()
        )
        self._channel = channel
        self._kinds = kinds

    def count(self, kind: str) -> None:
        """Count one push."""
        known = kind if kind in self._kinds else UNKNOWN
        self._counter.labels(self._channel, known).inc()

    def so_far(self, kind: str) -> float:
        """How many of a kind this process has counted."""
        for metric in self._counter.collect():
            for sample in metric.samples:
                if sample.name.endswith("_total") and sample.labels["kind"] == kind:
                    return sample.value
        return 0.0
