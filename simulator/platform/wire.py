"""What went over the wire, newest last: pushes, replies and API calls, for engineers."""

from __future__ import annotations

import collections
import dataclasses
import threading
from typing import Any

from simulator.platform.world import World

KEPT = 500
LONGEST = 4000


@dataclasses.dataclass(slots=True)
class Entry:
    """One exchange: `kind` is push, reply or api."""

    id: int
    at: float
    kind: str
    title: str
    openid: str
    good: bool
    took_ms: int
    sent: str
    received: str


class Wire:
    """The last exchanges, in memory only."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._entries: collections.deque[Entry] = collections.deque(maxlen=KEPT)
        self._last = 0

    def record(
        self,
        kind: str,
        title: str,
        *,
        openid: str = "",
        good: bool = True,
        took: float = 0.0,
        sent: str = "",
        received: str = "",
    ) -> None:
        """Note an exchange; long bodies are cut."""
        with self._lock:
            self._last += 1
            self._entries.append(
                Entry(
                    self._last,
                    self._world.now(),
                    kind,
                    title,
                    openid,
                    good,
                    round(took * 1000),
                    _cut(sent),
                    _cut(received),
                )
            )

    def after(self, entry_id: int, limit: int = 100) -> list[dict[str, Any]]:
        """The last entries newer than one, oldest first."""
        with self._lock:
            fresh = [entry for entry in self._entries if entry.id > entry_id]
        return [dataclasses.asdict(entry) for entry in fresh[-limit:]]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + f"… ({len(text)} characters)"
