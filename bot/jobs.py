"""Background jobs: what may be slow is done by workers, and a killed worker's job by the next.

dramatiq over Redis, or over RabbitMQ where one machine is outgrown.

Over Redis a worker shows it is alive with everything it asks of the broker, several times a second;
after six seconds of silence its unfinished jobs go back to the queue, which another worker notices
within a few seconds more. So a job may be done twice, and every job is written so that twice means
once.

| key | holds |
|---|---|
| `jobs:<queue>`, `jobs:<queue>.msgs` | ids of waiting jobs, oldest first; the jobs |
| `jobs:__acks__.…`, `jobs:__heartbeats__` | what each worker holds; when each was heard |

The broker looks for a dead worker's keys by a pattern over its database, so it is given a
database of its own where the address leaves it open.

Over RabbitMQ the queues are durable, every job is confirmed by the broker before it counts as
taken, and a dead worker's jobs go back as soon as its connection is gone.

Queues are bounded: a process that sees one too long (it looks once a second) takes nothing more
for it, and says so, instead of promising what nobody can do in time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import dramatiq
import pika
import structlog
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerError
from dramatiq.middleware import Middleware, Retries

from credentials.breaker import Breaker
from credentials.connection import connect, guard
from credentials.errors import UnavailableError

NAMESPACE: Final = "jobs"
HEARTBEAT_MS: Final = 6_000
MAINTENANCE_PER_MILLION: Final = 100_000
POLL_MS: Final = 100
RETRIES: Final = 4
OUT_RETRIES: Final = 20
"""Of a job that cannot reach what it needs: a minute, in which a cluster has a new primary."""
FIRST_PAUSE_MS: Final = 300
LONGEST_PAUSE_MS: Final = 5_000
STOP_MS: Final = 20_000
TEND_SECONDS: Final = 120.0
OWN_DATABASE: Final = 1
TALK_THREADS: Final = 8

TALK, FACES, WEBHOOKS = "talk", "faces", "webhooks"
QUEUES: Final[Mapping[str, str]] = {
    "turn": TALK,
    "work": TALK,
    "errand": TALK,
    "deliver": TALK,
    "news": TALK,
    "give_up": TALK,
    "webhook": WEBHOOKS,
    "face": FACES,
    "hint": FACES,
    "review_decided": TALK,
}
"""Each job by its name, and the queue it waits in."""


REDIS, RABBIT = ("redis://", "rediss://", "unix://"), ("amqp://", "amqps://")
LONGEST: Final[Mapping[str, int]] = {TALK: 20_000, FACES: 2_000, WEBHOOKS: 20_000}
"""How many jobs may wait in each queue: what its workers do in about ten minutes."""
LOOK_SECONDS: Final = 1.0
RABBIT_ANSWER_SECONDS: Final = 0.5

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


def build_broker(address: str) -> RedisBroker | RabbitmqBroker:
    """A broker over the Redis or the RabbitMQ at `address`; nothing is asked of it yet.

    Raises:
        JobsError: when it is the address of neither.
    """
    if not address.startswith((*REDIS, *RABBIT)):
        scheme = address.partition("://")[0]
        raise JobsError(
            f"JOBS_URL must be redis://, rediss://, unix://, amqp:// or amqps://, not {scheme}://"
        )
    retries = Retries(
        retry_when=_is_tried_again, min_backoff=FIRST_PAUSE_MS, max_backoff=LONGEST_PAUSE_MS
    )
    middleware: list[Middleware] = [retries]
    if address.startswith(RABBIT):
        where = pika.URLParameters(address)
        where.socket_timeout = where.stack_timeout = RABBIT_ANSWER_SECONDS
        where.blocked_connection_timeout = RABBIT_ANSWER_SECONDS
        where.connection_attempts = 1
        rabbit = RabbitmqBroker(confirm_delivery=True, middleware=middleware)
        rabbit.parameters = where
        return rabbit
    return RedisBroker(  # type: ignore[no-untyped-call]
        client=connect(address),
        namespace=NAMESPACE,
        heartbeat_timeout=HEARTBEAT_MS,
        maintenance_chance=MAINTENANCE_PER_MILLION,
        middleware=middleware,
    )


def _is_tried_again(retries: int, error: BaseException) -> bool:
    """Whether a job that failed for this reason, after so many retries, is tried once more."""
    return retries < (OUT_RETRIES if isinstance(error, UnavailableError) else RETRIES)


class Jobs:
    """Jobs to be done, by their names in `QUEUES`."""

    def __init__(self, broker: RedisBroker | RabbitmqBroker) -> None:
        self.broker: Any = broker
        self._breaker = Breaker("jobs", failures=2, pause_s=1.0)
        self._looked: dict[str, float] = {}
        self._full: set[str] = set()

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
            UnavailableError: when the broker cannot take it, or too many wait: it will not be
                done.
            KeyError: when no job has this name.
        """
        message: dramatiq.Message[Any] = dramatiq.Message(
            queue_name=QUEUES[name], actor_name=name, args=(), kwargs=arguments, options={}
        )
        delay = round(delay_s * 1000) if delay_s > 0 else None
        with self._asked():
            self._check_room(QUEUES[name])
            put = self.broker.enqueue(message, delay=delay)
        return str(put.options.get("redis_message_id", put.message_id))

    def ahead(self, queue: str, job: str) -> int:
        """How many jobs will be begun before this one; 0 when its turn has come.

        RabbitMQ does not know one job's place: there it is how many wait behind the first.

        Raises:
            UnavailableError: when the broker cannot be asked.
        """
        if isinstance(self.broker, RabbitmqBroker):
            with self._asked():
                return max(0, self._length(queue) - 1)
        with guard():
            place = self.broker.client.lpos(f"{NAMESPACE}:{queue}", job)
        return place if isinstance(place, int) else 0

    def figures(self) -> list[QueueFigures]:
        """The queues' lengths and ages, for the dashboard.

        Raises:
            UnavailableError: when the broker cannot be asked.
        """
        found = []
        if isinstance(self.broker, RabbitmqBroker):  # which does not tell how old a job is
            with self._asked():
                return [
                    QueueFigures(queue, self._length(queue), 0.0)
                    for queue in sorted(set(QUEUES.values()))
                ]
        with guard():
            for queue in sorted(set(QUEUES.values())):
                place = f"{NAMESPACE}:{queue}"
                length = self.broker.client.llen(place)
                oldest = self.broker.client.lindex(place, 0)
                job = self.broker.client.hget(f"{place}.msgs", oldest) if oldest else None
                age = time.time() - json.loads(job)["message_timestamp"] / 1000 if job else 0.0
                found.append(QueueFigures(queue, int(length), max(0.0, age)))
        return found

    def _check_room(self, queue: str) -> None:
        """Refuse what would wait too long.

        Raises:
            UnavailableError: when the queue is full, as seen a second ago at most.
        """
        now = time.monotonic()
        if now - self._looked.get(queue, -LOOK_SECONDS) >= LOOK_SECONDS:
            self._looked[queue] = now
            if self._length(queue) >= LONGEST[queue]:
                self._full.add(queue)
            else:
                self._full.discard(queue)
        if queue in self._full:
            raise UnavailableError(what="jobs", why="full", queue=queue)

    def _length(self, queue: str) -> int:
        if isinstance(self.broker, RabbitmqBroker):
            try:
                return self.broker.get_queue_message_counts(queue)[0]
            except pika.exceptions.AMQPError:  # the broker hung up on a thread that was idle
                del self.broker.connection
                return self.broker.get_queue_message_counts(queue)[0]
        return int(self.broker.client.llen(f"{NAMESPACE}:{queue}"))

    @contextlib.contextmanager
    def _asked(self) -> Iterator[None]:
        """Whatever is wrong with the broker is `UnavailableError`, at once after it was twice."""
        if not isinstance(self.broker, RabbitmqBroker):
            with guard():
                yield
            return
        with self._breaker.call(), guard():
            try:
                yield
            except (BrokerError, pika.exceptions.AMQPError) as error:
                del self.broker.connection
                raise UnavailableError(what="jobs", why=type(error).__name__) from error


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
        threads: how many jobs at once. Faces hold the interpreter's lock: of more than two
            they gain nothing. Talk waits for the platform and the authority: with two threads
            and a platform that takes 2 s for each message, ten people waited 9 s for theirs.
        queues: only these; all by default.
    """
    for name, function in functions.items():
        options: dict[str, Any] = {"on_retry_exhausted": "give_up"}
        if name == "give_up":
            options = {}
        declare = dramatiq.actor(
            broker=jobs.broker, actor_name=name, queue_name=QUEUES[name], **options
        )
        declare(function)
    return dramatiq.Worker(
        jobs.broker, queues=queues, worker_threads=threads, worker_timeout=POLL_MS
    )


def all_of(*steps: Callable[[], object]) -> Callable[[], None]:
    """Does each of these, also where one before it could not be done.

    Raises:
        UnavailableError: the first of those that could not be done; the others are logged.
    """

    def do() -> None:
        failed: list[UnavailableError] = []
        for step in steps:
            try:
                step()
            except UnavailableError as error:
                failed.append(error)
        for other in failed[1:]:
            log.warning("nothing tended", reason=str(other))
        if failed:
            raise failed[0]

    return do


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


def start_beside(
    jobs: Jobs,
    functions: Mapping[str, Callable[..., None]],
    stop: threading.Event,
    *,
    queue: str,
    threads: int = 2,
) -> threading.Thread:
    """Do one queue's jobs in threads of their own until `stop` is set; the thread to join.

    What is slow in one queue then holds up nothing in another: a registry's answer of
    milliseconds does not wait behind faces of seconds.

    Args:
        jobs: for this alone; two workers cannot share one.
        functions: as in `build_worker`; what belongs to other queues is left out, but for
            `give_up`, which any queue's jobs may end in.
        stop: set it to end.
        queue: the queue.
        threads: as in `build_worker`.
    """
    ours = {
        name: function
        for name, function in functions.items()
        if QUEUES[name] == queue or name == "give_up"
    }

    def work() -> None:
        run_worker(jobs, ours, stop, threads=threads, queues={queue})

    thread = threading.Thread(target=work, name=queue)
    thread.start()
    return thread
