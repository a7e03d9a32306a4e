"""Background jobs: what may be slow is done by workers, and a killed worker's job by the next.

dramatiq over Redis. A worker shows it is alive with everything it asks of the broker, several
times a second; after six seconds of silence its unfinished jobs go back to the queue, which
another worker notices within a few seconds more. So a job may be done twice, and every job is
written so that twice means once.

| key | holds |
|---|---|
| `jobs:<queue>`, `jobs:<queue>.msgs` | ids of waiting jobs, oldest first; the jobs |
| `jobs:__acks__.…`, `jobs:__heartbeats__` | what each worker holds; when each was heard |

The broker looks for a dead worker's keys by a pattern over its database, so it is given a
database of its own where the address leaves it open.
"""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import dramatiq
import structlog
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Middleware, Retries

from credentials.connection import connect, guard
from credentials.errors import UnavailableError

NAMESPACE: Final = "jobs"
HEARTBEAT_MS: Final = 6_000
MAINTENANCE_PER_MILLION: Final = 100_000
POLL_MS: Final = 100
RETRIES: Final = 4
FIRST_PAUSE_MS: Final = 300
LONGEST_PAUSE_MS: Final = 5_000
STOP_MS: Final = 20_000
TEND_SECONDS: Final = 120.0
FIRST, LAST = 0, 10
OWN_DATABASE: Final = 1

TALK, FACES, WEBHOOKS = "talk", "faces", "webhooks"
QUEUES: Final[Mapping[str, str]] = {
    "turn": TALK,
    "work": TALK,
    "errand": TALK,
    "deliver": TALK,
    "notify_approval": TALK,
    "notify_receipt": TALK,
    "news": TALK,
    "give_up": TALK,
    "aftermath": TALK,
    "webhook": WEBHOOKS,
    "face": FACES,
    "hint": FACES,
    "review_decided": TALK,
}
"""Each job by its name, and the queue it waits in."""


log = structlog.get_logger(__name__)


class JobsError(Exception):
    """The broker's address is of no kind that is known here."""


@dataclasses.dataclass(frozen=True, slots=True)
class QueueFigures:
    """How many jobs wait in a queue, and how long the oldest has waited, in seconds."""

    queue: str
    length: int
    age_s: float


def jobs_address(jobs_url: str, redis_url: str) -> str:
    """Where jobs are kept: `JOBS_URL`, or a database of its own beside everything else.

    Raises:
        JobsError: for a Redis Cluster without a JOBS_URL: the broker needs one plain Redis.
    """
    if jobs_url:
        return jobs_url
    parts = urlsplit(redis_url)
    if parts.scheme == "redis+cluster":
        raise JobsError("with a Redis Cluster set JOBS_URL to a plain Redis")
    if parts.scheme == "unix":
        return redis_url if "db=" in parts.query else f"{redis_url}?db={OWN_DATABASE}"
    if parts.path.strip("/"):
        return redis_url
    return urlunsplit(parts._replace(path=f"/{OWN_DATABASE}"))


def build_broker(address: str) -> RedisBroker:
    """A broker over the Redis at `address`; nothing is asked of it yet.

    Raises:
        JobsError: when it is not a Redis's address.
    """
    if not address.startswith(("redis://", "rediss://", "unix://")):
        scheme = address.partition("://")[0]
        raise JobsError(f"JOBS_URL must be redis://, rediss:// or unix://, not {scheme}://")
    retries = Retries(max_retries=RETRIES, min_backoff=FIRST_PAUSE_MS, max_backoff=LONGEST_PAUSE_MS)
    middleware: list[Middleware] = [retries]
    return RedisBroker(  # type: ignore[no-untyped-call]
        client=connect(address),
        namespace=NAMESPACE,
        heartbeat_timeout=HEARTBEAT_MS,
        maintenance_chance=MAINTENANCE_PER_MILLION,
        middleware=middleware,
    )


class Jobs:
    """Jobs to be done, by their names in `QUEUES`."""

    def __init__(self, broker: RedisBroker) -> None:
        self.broker = broker

    @classmethod
    def at(cls, jobs_url: str, redis_url: str) -> Jobs:
        """The jobs that these two settings mean."""
        return cls(build_broker(jobs_address(jobs_url, redis_url)))

    def enqueue(self, name: str, /, *, delay_s: float = 0.0, **arguments: object) -> str:
        """Have a job done; the arguments are JSON values without personal data.

        Args:
            name: one of `QUEUES`.
            delay_s: how many seconds to wait first.
            arguments: what the job's function takes.

        Returns:
            What `ahead` knows it by.

        Raises:
            UnavailableError: when the broker cannot take it: it will not be done.
            KeyError: when no job has this name.
        """
        message: dramatiq.Message[Any] = dramatiq.Message(
            queue_name=QUEUES[name], actor_name=name, args=(), kwargs=arguments, options={}
        )
        with guard():
            put = self.broker.enqueue(message, delay=round(delay_s * 1000) if delay_s > 0 else None)
        return str(put.options["redis_message_id"])

    def ahead(self, queue: str, job: str) -> int:
        """How many jobs will be begun before this one; 0 when its turn has come.

        Raises:
            UnavailableError: when the broker cannot be asked.
        """
        with guard():
            place = self.broker.client.lpos(f"{NAMESPACE}:{queue}", job)
        return place if isinstance(place, int) else 0

    def figures(self) -> list[QueueFigures]:
        """The queues' lengths and ages, for the dashboard.

        Raises:
            UnavailableError: when the broker cannot be asked.
        """
        found = []
        with guard():
            for queue in sorted(set(QUEUES.values())):
                place = f"{NAMESPACE}:{queue}"
                length = self.broker.client.llen(place)
                oldest = self.broker.client.lindex(place, 0)
                job = self.broker.client.hget(f"{place}.msgs", oldest) if oldest else None
                age = time.time() - json.loads(job)["message_timestamp"] / 1000 if job else 0.0
                found.append(QueueFigures(queue, int(length), max(0.0, age)))
        return found


def build_worker(
    jobs: Jobs,
    functions: Mapping[str, Callable[..., None]],
    *,
    threads: int = 2,
    queues: set[str] | None = None,
) -> dramatiq.Worker:
    """A worker that does jobs by these functions, not started yet.

    Args:
        jobs: where they wait.
        functions: by the names of `QUEUES`; each takes the job's arguments.
        threads: how many jobs at once. Faces hold the interpreter's lock, so more than two help
            only jobs that wait for the network.
        queues: only these; all by default.
    """
    for name, function in functions.items():
        options: dict[str, Any] = {"on_retry_exhausted": "give_up"}
        if name == "give_up":
            options = {}
        queue = QUEUES[name]
        declare = dramatiq.actor(
            broker=jobs.broker,
            actor_name=name,
            queue_name=queue,
            priority=LAST if queue == FACES else FIRST,
            **options,
        )
        declare(function)
    return dramatiq.Worker(
        jobs.broker, queues=queues, worker_threads=threads, worker_timeout=POLL_MS
    )


def run_worker(
    jobs: Jobs,
    functions: Mapping[str, Callable[..., None]],
    stop: threading.Event,
    *,
    tend: Callable[[], None] | None = None,
    threads: int = 2,
    queues: set[str] | None = None,
) -> None:
    """Do jobs until `stop` is set; what is being done then is finished first.

    Args:
        jobs: where they wait.
        functions: as in `build_worker`.
        stop: set it to end.
        tend: called at the start and every two minutes, to find what was left lying.
        threads: as in `build_worker`.
        queues: as in `build_worker`.
    """
    worker = build_worker(jobs, functions, threads=threads, queues=queues)
    worker.start()
    try:
        while True:
            if tend is not None:
                try:
                    tend()
                except UnavailableError as error:
                    log.warning("nothing tended", reason=str(error))
            if stop.wait(TEND_SECONDS):
                return
    finally:
        worker.stop(timeout=STOP_MS)
