"""Jobs on a real RabbitMQ: several workers that share nothing but it, Redis and the keys."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from bot.jobs import Jobs, build_broker, build_worker
from credentials.errors import UnavailableError
from tests.bot.rabbit import Rabbit, running
from tests.product.actors import wait_until


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rabbit]:
    with running(tmp_path_factory.mktemp("rabbit")) as server:
        yield server


@pytest.fixture
def jobs(rabbit: Rabbit) -> Iterator[Jobs]:
    made = Jobs(build_broker(rabbit.url))
    yield made
    made.broker.flush_all()
    made.broker.close()


Start = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def worker(rabbit: Rabbit, redis_url: str, database: redis.Redis) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.bot.rabbit_worker", rabbit.url, redis_url]
        started.append(subprocess.Popen(command))
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        process.wait(20)


def test_two_workers_share_the_jobs_and_do_each_once(
    jobs: Jobs, worker: Start, database: redis.Redis
) -> None:
    worker()
    worker()
    for number in range(40):
        jobs.enqueue("work", job_id=f"j{number}", pause=0.05)
    assert wait_until(lambda: database.hlen("done") == 40, 30)
    assert set(database.hvals("done")) == {b"1"}
    assert database.scard("workers") == 2


def test_a_killed_workers_jobs_are_done_by_the_next(
    jobs: Jobs, worker: Start, database: redis.Redis
) -> None:
    first = worker()
    jobs.enqueue("work", job_id="die")
    jobs.enqueue("work", job_id="other")
    first.wait(20)
    worker()
    assert wait_until(lambda: database.hlen("done") == 2, 30)


def test_a_worker_told_to_stop_finishes_what_it_holds(
    jobs: Jobs, worker: Start, database: redis.Redis
) -> None:
    process = worker()
    jobs.enqueue("work", job_id="warm")
    assert wait_until(lambda: database.hexists("done", "warm"), 20)
    jobs.enqueue("work", job_id="long", pause=1.0)
    assert wait_until(lambda: jobs.figures()[1].length == 0, 10)
    process.terminate()
    assert process.wait(20) == 0
    assert database.hget("done", "long") == b"1"


def test_figures_and_places_in_the_queue(jobs: Jobs) -> None:
    for _ in range(3):
        last = jobs.enqueue("face", job_id="x")
    assert {each.queue: each.length for each in jobs.figures()} == {
        "faces": 3, "talk": 0, "webhooks": 0,
    }  # fmt: skip
    assert jobs.ahead("faces", last) == 2


def test_a_delayed_job_waits(jobs: Jobs) -> None:
    order: list[str] = []
    finished = threading.Event()

    def work(name: str) -> None:
        order.append(name)
        if len(order) == 2:
            finished.set()

    doing = build_worker(jobs, {"work": work})
    doing.start()
    jobs.enqueue("work", delay_s=0.8, name="late")
    jobs.enqueue("work", name="now")
    assert finished.wait(15)
    doing.stop()
    assert order == ["now", "late"]


def test_a_broker_that_is_gone_is_said_at_once_and_found_again(tmp_path: Path) -> None:
    with running(tmp_path) as rabbit:
        jobs = Jobs(build_broker(rabbit.url))
        jobs.enqueue("work", job_id="kept")
        rabbit.stop()
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(UnavailableError):
                jobs.enqueue("work", job_id="not")
            assert time.monotonic() - began < 3
        with pytest.raises(UnavailableError):
            jobs.figures()
        rabbit.start()

        def taken() -> bool:
            try:
                jobs.enqueue("work", job_id="again")
            except UnavailableError:
                return False
            return True

        assert wait_until(taken, 20)
        assert {each.queue: each.length for each in jobs.figures()}["talk"] == 2  # none was lost
        jobs.broker.close()


def test_a_wrong_password_is_no_broker(rabbit: Rabbit) -> None:
    jobs = Jobs(build_broker(rabbit.url.replace("guest:guest", "guest:wrong")))
    with pytest.raises(UnavailableError):
        jobs.enqueue("work", job_id="not")
