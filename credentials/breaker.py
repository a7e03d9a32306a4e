"""A circuit breaker: who was unavailable several times running is not asked for a while.

Closed: every call goes through. After `failures` in a row it opens: for `pause_s` seconds calls
are refused at once, so that nobody waits and what is ill is left to recover. Then it is half
open: one call goes through, and tells whether it closes again or opens for another pause.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, Literal

from credentials.errors import UnavailableError

FAILURES: Final = 5
PAUSE_SECONDS: Final = 5.0
State = Literal["closed", "half open", "open"]


class Breaker:
    """The circuit to one thing outside, of one process; safe to share between threads."""

    def __init__(
        self,
        what: str,
        *,
        failures: int = FAILURES,
        pause_s: float = PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._failures = failures
        self._pause_s = pause_s
        self._clock = clock
        self._lock = threading.Lock()
        self._failed = 0
        self._opened: float | None = None
        self._trying = False

    @property
    def state(self) -> State:
        """How it stands now."""
        with self._lock:
            if self._opened is None:
                return "closed"
            return "open" if self._clock() < self._opened + self._pause_s else "half open"

    @contextlib.contextmanager
    def call(self) -> Iterator[None]:
        """A call through the circuit; only `UnavailableError` counts as a failure.

        Raises:
            UnavailableError: why is "circuit open", and nothing was asked.
        """
        tries = self._enter()
        try:
            yield
        except UnavailableError:
            self._leave(failed=True, tried=tries)
            raise
        except BaseException:
            self._leave(failed=False, tried=tries)
            raise
        self._leave(failed=False, tried=tries)

    def _enter(self) -> bool:
        """Whether this call is the one that tries."""
        with self._lock:
            if self._opened is None:
                return False
            left = self._opened + self._pause_s - self._clock()
            if left > 0 or self._trying:
                raise UnavailableError(
                    what=self._what, why="circuit open", wait_s=round(max(left, 1.0), 1)
                )
            self._trying = True
            return True

    def _leave(self, *, failed: bool, tried: bool) -> None:
        with self._lock:
            if tried:
                self._trying = False
            if not failed:
                self._failed, self._opened = 0, None
                return
            self._failed += 1
            if tried or (self._opened is None and self._failed >= self._failures):
                self._opened = self._clock()
