"""Faults that can be switched on, each for so many times or until it is switched off."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from typing import Any

KINDS = {
    "api_error": "the endpoint answers `code` and does nothing",
    "api_latency": "the endpoint takes `seconds` longer",
    "api_lost": "the endpoint does its work, and its answer is lost (502)",
    "push_drop": "a push is never delivered",
    "push_duplicate": "a push is delivered twice at once, with one MsgId",
    "push_reorder": "a push is delivered after the next one of the same phone",
    "push_latency": "a push is delivered `seconds` later",
    "push_forged": "a push comes with a wrong signature",
    "reply_lost": "the webhook's answer is lost, so the push is tried again",
}


class FaultError(Exception):
    """A fault that cannot be switched on as described."""


@dataclasses.dataclass(slots=True)
class Fault:
    """One fault: `target` is an API path, a MsgType or Event, or `*`; `times` None: for ever."""

    id: int
    kind: str
    target: str = "*"
    code: int = -1
    seconds: float = 0.0
    times: int | None = None
    used: int = 0


class Faults:
    """The faults that are switched on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._on: list[Fault] = []

    def switch_on(
        self,
        kind: str,
        *,
        target: str = "*",
        code: int = -1,
        seconds: float = 0.0,
        times: int | None = None,
    ) -> Fault:
        """Switch a fault on.

        Raises:
            FaultError: for an unknown kind or a number out of its range.
        """
        if kind not in KINDS:
            raise FaultError(f"{kind!r} is none of {', '.join(KINDS)}")
        if not 0 <= seconds <= 600 or (times is not None and times < 1):
            raise FaultError("seconds must be 0 to 600 and times at least 1")
        fault = Fault(next(self._ids), kind, target or "*", code, seconds, times)
        with self._lock:
            self._on.append(fault)
        return fault

    def switch_off(self, fault_id: int | None = None) -> None:
        """Switch one fault off, or all."""
        with self._lock:
            self._on = [] if fault_id is None else [f for f in self._on if f.id != fault_id]

    def take(self, kind: str, target: str) -> Fault | None:
        """The fault of a kind that strikes this target now, if one is on; it is counted."""
        with self._lock:
            for fault in self._on:
                if fault.kind == kind and fault.target in {"*", target}:
                    fault.used += 1
                    if fault.times is not None:
                        fault.times -= 1
                        if fault.times == 0:
                            self._on.remove(fault)
                    return fault
        return None

    def all(self) -> list[dict[str, Any]]:
        """What is on, as JSON."""
        with self._lock:
            return [dataclasses.asdict(fault) for fault in self._on]
