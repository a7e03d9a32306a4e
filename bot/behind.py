"""What is written behind people's backs: gathered for a moment, then sent in one pipeline.

Counts of the same thing become one command, so the busier the talk, the less a turn costs. A
process that is killed loses the figures of a fifth of a second, and nothing else; one that ends
in order loses nothing.
"""

from __future__ import annotations

import atexit
import collections
import threading
from collections.abc import Callable, Mapping
from typing import Any

import redis
import structlog

from credentials.connection import guard
from credentials.errors import UnavailableError

EVERY_SECONDS = 0.2
MOST_WAITING = 5_000
"""So many commands wait while Redis is out; what comes then is not counted."""
log = structlog.get_logger(__name__)


class Behind:
    """A pipeline that sends itself; safe to share between threads.

    It has the few commands of a pipeline that figures need, and gathers them.
    """

    def __init__(self, database: redis.Redis, every_s: float = EVERY_SECONDS) -> None:
        self._redis = database
        self._every = every_s
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._counts: collections.Counter[tuple[str, str]] = collections.Counter()
        self._lives: dict[str, int] = {}
        self._scores: dict[str, dict[str, float]] = {}
        self._calls: list[Callable[[Any], object]] = []

    def hincrby(self, key: str, field: str, number: int) -> None:
        """Count something."""
        with self._lock:
            self._counts[key, field] += number
        self._start()

    def expire(self, key: str, seconds: int) -> None:
        """Let a key of counts live so long."""
        with self._lock:
            self._lives[key] = seconds

    def sadd(self, key: str, member: str) -> None:
        """Add to a set."""
        self.call(lambda pipeline: pipeline.sadd(key, member))

    def zadd(self, key: str, members: Mapping[str, float]) -> None:
        """Add to a sorted set; of several scores of a member the last counts."""
        with self._lock:
            self._scores.setdefault(key, {}).update(members)
        self._start()

    def zrem(self, key: str, member: str) -> None:
        """Take out of a sorted set, also what was only going to be added."""
        with self._lock:
            self._scores.get(key, {}).pop(member, None)
        self.call(lambda pipeline: pipeline.zrem(key, member))

    def call(self, write: Callable[[Any], object]) -> None:
        """Have something else written, in its order."""
        with self._lock:
            if len(self._calls) < MOST_WAITING:
                self._calls.append(write)
        self._start()

    def flush(self) -> None:
        """Send what was gathered; what cannot be sent is not counted."""
        with self._lock:
            counts, self._counts = self._counts, collections.Counter()
            lives, self._lives = self._lives, {}
            scores, self._scores = self._scores, {}
            calls, self._calls = self._calls, []
        if not counts and not calls and not scores:
            return
        pipeline: Any = self._redis.pipeline(transaction=False)
        for (key, field), number in counts.items():
            pipeline.hincrby(key, field, number)
        for key, seconds in lives.items():
            pipeline.expire(key, seconds)
        for write in calls:
            try:
                write(pipeline)
            except Exception:  # it takes nothing along, least of all the thread
                log.exception("not written behind")
        for key, members in scores.items():
            if members:
                pipeline.zadd(key, members)
        try:
            with guard():
                pipeline.execute()
        except UnavailableError as error:
            log.warning("not written behind", reason=str(error))

    def _start(self) -> None:
        self._wake.set()
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, daemon=True, name="behind")
                    self._thread.start()
                    atexit.register(self.flush)

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            self._wake.wait()
            pause.wait(self._every)
            self._wake.clear()
            self.flush()
