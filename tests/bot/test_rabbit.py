"""Jobs on a real RabbitMQ: several workers that share nothing but it, Redis and the keys."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pika
import pytest
import redis

from bot.jobs import RABBIT_ANSWER_SECONDS, Jobs, build_broker, build_worker
from credentials.errors import UnavailableError
from tests.bot.rabbit import Rabbit, running
from tests.product.actors import wait_until

ANSWER_SECONDS = 30.0


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rabbit]:
    with running(tmp_path_factory.mktemp("rabbit")) as server:
        yield server


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker on a busy machine is slow, not gone."""
    monkeypatch.setattr("bot.jobs.RABBIT_ANSWER_SECONDS", ANSWER_SECONDS)


@pytest.fixture
def jobs(rabbit: Rabbit) -> Iterator[Jobs]:
    made = Jobs(build_broker(rabbit.url))
    yield made
    del made.broker.connection  # it may have been idle for too long
    made.broker.flush_all()
    made.broker.close()


def consumers(jobs: Jobs) -> int:
    """How many workers take jobs of the talk."""
    return int(jobs.broker._declare_queue("talk").method.consumer_count)


def counted(patched: pytest.MonkeyPatch) -> list[object]:
    """Every try to connect to a broker from now on."""
    tries: list[object] = []
    connect = pika.BlockingConnection

    def noted(parameters: pika.URLParameters) -> pika.BlockingConnection:
        tries.append(parameters)
        return connect(parameters=parameters)

    patched.setattr(pika, "BlockingConnection", noted)
    return tries


Start = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def worker(rabbit: Rabbit, redis_url: str, database: redis.Redis) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        told = (rabbit.url, redis_url, str(ANSWER_SECONDS))
        started.append(subprocess.Popen([sys.executable, "-m", "tests.bot.rabbit_worker", *told]))
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        process.wait(60)


def test_two_workers_share_the_jobs_and_do_each_once(
    jobs: Jobs, worker: Start, database: redis.Redis
) -> None:
    worker()
    worker()
    assert wait_until(lambda: consumers(jobs) == 2, 120)  # or the first might do all of them
    for number in range(40):
        jobs.enqueue("work", job_id=f"j{number}", pause=0.05)
    assert wait_until(lambda: database.hlen("done") == 40, 120)
    assert wait_until(lambda: database.scard("workers") == 2, 60)  # noted after the last is done
    assert set(database.hvals("done")) == {b"1"}


def test_a_killed_workers_jobs_are_done_by_the_next(
    jobs: Jobs, worker: Start, database: redis.Redis
) -> None:
    first = worker()
    jobs.enqueue("work", job_id="die")
    jobs.enqueue("work", job_id="other")
    first.wait(120)
    worker()
    assert wait_until(lambda: database.hlen("done") == 2, 120)


def test_a_worker_told_to_stop_finishes_what_it_holds(
    jobs: Jobs, worker: Start, database: redis.Redis
) -> None:
    process = worker()
    jobs.enqueue("work", job_id="long", pause=1.0)
    assert wait_until(lambda: bool(database.sismember("begun", "long")), 120)
    process.terminate()
    assert process.wait(60) == 0
    assert database.hget("done", "long") == b"1"


def test_figures_and_places_in_the_queue(jobs: Jobs) -> None:
    for _ in range(3):
        last = jobs.enqueue("face", job_id="x")
    assert {each.queue: each.length for each in jobs.figures()} == {
        "faces": 3, "talk": 0, "webhooks": 0,
    }  # fmt: skip
    assert jobs.ahead("faces", last) == 2


def test_a_delayed_job_waits(jobs: Jobs) -> None:
    done: dict[str, float] = {}
    finished = threading.Event()

    def work(name: str) -> None:
        done[name] = time.time()
        if len(done) == 2:
            finished.set()

    doing = build_worker(jobs, {"work": work})
    doing.start()
    began = time.time()
    jobs.enqueue("work", delay_s=0.8, name="late")
    jobs.enqueue("work", name="now")
    assert finished.wait(120)
    doing.stop()
    assert set(done) == {"now", "late"}
    assert done["late"] - began > 0.8 - 0.01  # the broker counts in whole milliseconds


def test_a_broker_that_is_gone_is_said_at_once_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path) as rabbit:
        jobs = Jobs(build_broker(rabbit.url))
        jobs.enqueue("work", job_id="kept")
        rabbit.stop()
        with monkeypatch.context() as patched:
            tries = counted(patched)
            for _ in range(3):
                tries.clear()
                with pytest.raises(UnavailableError):
                    jobs.enqueue("work", job_id="not")
                assert len(tries) * RABBIT_ANSWER_SECONDS <= 3
        with pytest.raises(UnavailableError):
            jobs.figures()
        rabbit.start()

        def taken() -> bool:
            try:
                jobs.enqueue("work", job_id="again")
            except UnavailableError:
                return False
            return True

        assert wait_until(taken, 60)
        assert {each.queue: each.length for each in jobs.figures()}["talk"] == 2  # none was lost
        jobs.broker.close()


def test_a_wrong_password_is_no_broker(rabbit: Rabbit) -> None:
    jobs = Jobs(build_broker(rabbit.url.replace("guest:guest", "guest:wrong")))
    with pytest.raises(UnavailableError):
        jobs.enqueue("work", job_id="not")
