"""Starts the product's processes, keeps them running, and stops every one of them.

The order is the order of need: what is started first is stopped last, so that web and workers
find Redis until they have finished what they hold.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

LONGEST_PAUSE = 10.0
STEADY_SECONDS = 30.0


def leash() -> Sequence[str]:
    """What, put before a command, ends it when the thread that started it is killed (Linux).

    A supervisor that was killed cannot stop its children; without this they would go on, and
    hold the port. util-linux has the program; elsewhere nothing is put before the command.
    """
    program = shutil.which("setpriv")
    return (program, "--pdeathsig", "TERM") if program else ()


@dataclasses.dataclass(slots=True)
class Child:
    """One process: how it is started, how long it may take to finish its work when stopped."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    patience: float = 20.0
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    next_start: float = 0.0

    def start(self) -> None:
        """Start it, apart from the terminal's Ctrl-C, which the supervisor alone receives."""
        there = shutil.which(self.command[0])  # one that is not must fail here
        self.process = subprocess.Popen(
            [*(leash() if there else ()), *self.command],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.started = time.monotonic()

    def stop(self) -> None:
        """Ask it to finish; after its patience, end it with all that it started."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(self.patience)
        with contextlib.suppress(ProcessLookupError):
            # Its own session: whatever it left behind goes too.
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Supervisor:
    """Runs children until it is told to stop by SIGINT or SIGTERM, or its terminal is closed.

    A child that ends is started again: at once the first time, then after a pause that doubles
    up to 10 seconds, and anew from nothing once it has run for 30 seconds.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._children: list[Child] = []
        self._stop = threading.Event()

    def listen(self) -> None:
        """From now on SIGINT and SIGTERM mean stop, and so does SIGHUP, a closed terminal."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):  # a terminal that was closed hears nothing any more
            self._say(f"{signal.Signals(number).name}: finishing what is under way …")

    @property
    def stopping(self) -> bool:
        """Whether a signal said to stop."""
        return self._stop.is_set()

    def add(self, child: Child) -> None:
        """Start a child and look after it from now on."""
        child.start()
        self._children.append(child)

    def watch(self, interval: float = 0.2) -> None:
        """Look after the children until a signal says to stop."""
        while not self._stop.wait(interval):
            self.watch_once()

    def watch_once(self) -> None:
        """Start again whichever child has ended and is due."""
        for child in self._children:
            self._revive(child)

    def _revive(self, child: Child) -> None:
        if child.process is None or child.process.poll() is None:
            return
        now = time.monotonic()
        if child.next_start <= child.started:
            child.failures = 0 if now - child.started > STEADY_SECONDS else child.failures + 1
            pause = min(LONGEST_PAUSE, 0.25 * 2**child.failures) if child.failures > 1 else 0.0
            child.next_start = now + pause
            self._say(f"{child.name} ended with {child.process.returncode}; starting it again")
        if now >= child.next_start:
            child.start()

    def stop_all(self) -> None:
        """Stop every child, the last started first."""
        for child in reversed(self._children):
            child.stop()
