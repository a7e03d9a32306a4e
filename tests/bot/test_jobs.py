from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping

import pytest
import redis

from bot.jobs import (
    FACES,
    TALK,
    Jobs,
    JobsError,
    all_of,
    build_broker,
    build_worker,
    jobs_address,
    run_worker,
    start_beside,
)
from credentials.errors import UnavailableError


@pytest.fixture
def address(database: redis.Redis, redis_url: str) -> str:
    return jobs_address("", redis_url)


@pytest.fixture
def jobs(address: str) -> Jobs:
    return Jobs(build_broker(address))


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    stopped = threading.Event()
    yield stopped
    stopped.set()


def test_a_job_is_done_once(jobs: Jobs, stop: threading.Event) -> None:
    done: list[object] = []
    finished = threading.Event()

    def deliver(channel: str, openid: str) -> None:
        done.append((channel, openid))
        finished.set()

    jobs.enqueue("deliver", channel="wechat", openid="o1")
    worker = threading.Thread(target=run_worker, args=(jobs, {"deliver": deliver}, stop))
    worker.start()
    assert finished.wait(60)
    stop.set()
    worker.join(60)
    assert done == [("wechat", "o1")]
    assert all(figure.length == 0 for figure in jobs.figures())


def test_a_job_that_fails_is_tried_again_and_then_given_up(jobs: Jobs) -> None:
    tried: list[str] = []
    given_up: list[object] = []
    finished = threading.Event()

    def fail(job_id: str) -> None:
        tried.append(job_id)
        raise RuntimeError("told to")

    def give_up(message: dict[str, object], retries: dict[str, object]) -> None:
        given_up.append((message["actor_name"], message["kwargs"]))
        finished.set()

    worker = build_worker(jobs, {"work": fail, "give_up": give_up}, threads=1)
    jobs.enqueue("work", job_id="j1")
    worker.start()
    assert finished.wait(120)
    worker.stop()
    assert tried == ["j1"] * 5
    assert given_up == [("work", {"job_id": "j1"})]


def test_a_job_that_finds_redis_out_is_tried_until_another_primary_is_there(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.jobs.FIRST_PAUSE_MS", 1)
    monkeypatch.setattr("bot.jobs.LONGEST_PAUSE_MS", 1)
    jobs = Jobs(build_broker(address))
    tried: list[str] = []
    given_up: list[object] = []
    finished = threading.Event()

    def out(job_id: str) -> None:
        tried.append(job_id)
        if len(tried) < 15:
            raise UnavailableError(what="redis")
        finished.set()

    def give_up(*message: object) -> None:
        given_up.append(message)
        finished.set()

    worker = build_worker(jobs, {"errand": out, "give_up": give_up}, threads=1)
    jobs.enqueue("errand", job_id="j1")
    worker.start()
    assert finished.wait(120)
    worker.stop()
    assert (len(tried), given_up) == (15, [])


def test_a_delayed_job_waits(jobs: Jobs, stop: threading.Event) -> None:
    done: dict[str, float] = {}
    finished = threading.Event()

    def deliver(name: str) -> None:
        done[name] = time.time()
        if len(done) == 2:
            finished.set()

    began = time.time()
    jobs.enqueue("deliver", delay_s=0.6, name="later")
    jobs.enqueue("deliver", name="now")
    worker = threading.Thread(target=run_worker, args=(jobs, {"deliver": deliver}, stop))
    worker.start()
    assert finished.wait(60)
    stop.set()
    worker.join(60)
    assert set(done) == {"now", "later"}
    assert done["later"] - began > 0.6 - 0.01  # the broker counts in whole milliseconds


def test_faces_that_take_long_hold_up_no_talk(
    jobs: Jobs, address: str, stop: threading.Event
) -> None:
    looked_at, answered = threading.Event(), threading.Event()
    faces = []

    def look(number: int) -> None:
        faces.append(number)
        looked_at.wait(120)

    for number in range(20):
        jobs.enqueue("face", number=number)
    functions: Mapping[str, Callable[..., None]] = {"face": look, "deliver": answered.set}
    looking = start_beside(Jobs(build_broker(address)), functions, stop, queue=FACES)
    talking = start_beside(Jobs(build_broker(address)), functions, stop, queue=TALK)
    jobs.enqueue("deliver")
    assert answered.wait(60)
    assert len(faces) < 20
    stop.set()
    looked_at.set()
    for thread in (looking, talking):
        thread.join(60)
        assert not thread.is_alive()


def test_kill_9_in_mid_job_and_the_next_worker_does_it(jobs: Jobs, address: str) -> None:
    client = redis.Redis.from_url(address, socket_timeout=60)
    command = [sys.executable, "-m", "tests.bot.crashing_worker", address]
    first = subprocess.Popen([*command, "60"])
    jobs.enqueue("deliver", number=1)
    assert client.blpop("began", timeout=50)
    first.kill()
    first.wait()
    second = subprocess.Popen([*command, "0"])
    try:
        assert client.blpop("done", timeout=50) == (b"done", b"1")
    finally:
        second.terminate()
        second.wait()
    assert client.lrange("began", 0, -1) == [b"1"]
    assert client.llen("done") == 0
    client.close()


def test_figures_tell_length_and_age(jobs: Jobs) -> None:
    assert [(figure.queue, figure.length, figure.age_s) for figure in jobs.figures()] == [
        ("faces", 0, 0.0),
        ("talk", 0, 0.0),
        ("webhooks", 0, 0.0),
    ]
    for number in range(3):
        jobs.enqueue("face", number=number)
    faces, talk, _ = jobs.figures()
    assert (faces.length, talk.length) == (3, 0)
    assert 0 <= faces.age_s < 5


def test_tending_happens_at_the_start(jobs: Jobs) -> None:
    stop, tended = threading.Event(), threading.Event()
    worker = threading.Thread(target=run_worker, args=(jobs, {}, stop), kwargs={"tend": tended.set})
    worker.start()
    assert tended.wait(60)
    stop.set()
    worker.join(60)


def test_tending_that_fails_stops_nothing(jobs: Jobs) -> None:
    stop, tended = threading.Event(), threading.Event()

    def tend() -> None:
        tended.set()
        raise UnavailableError(what="redis")

    worker = threading.Thread(target=run_worker, args=(jobs, {}, stop), kwargs={"tend": tend})
    worker.start()
    assert tended.wait(60)
    assert worker.is_alive()
    stop.set()
    worker.join(60)
    assert not worker.is_alive()


def test_what_cannot_be_done_keeps_nothing_else_from_being_done() -> None:
    done: list[str] = []

    def out(what: str) -> Callable[[], None]:
        def fail() -> None:
            done.append(what)
            raise UnavailableError(what=what)

        return fail

    with pytest.raises(UnavailableError) as error:
        all_of(out("jobs"), out("redis"), lambda: done.append("alerts"))()
    assert done == ["jobs", "redis", "alerts"]
    assert error.value.details["what"] == "jobs"
    all_of(lambda: done.append("again"))()
    assert done[-1] == "again"


def test_an_unknown_job_is_a_mistake(jobs: Jobs) -> None:
    with pytest.raises(KeyError):
        jobs.enqueue("dance")


def test_a_broker_that_is_out_is_said(redis_url: str) -> None:
    gone = Jobs(build_broker("unix:///nowhere/redis.sock"))
    with pytest.raises(UnavailableError):
        gone.enqueue("deliver")
    with pytest.raises(UnavailableError):
        gone.figures()


@pytest.mark.parametrize(
    ("jobs_url", "redis_url", "where"),
    [
        ("redis://jobs/3", "redis://data/0", "redis://jobs/3"),
        ("", "redis://data:6379", "redis://data:6379/1"),
        ("", "redis://data:6379/4", "redis://data:6379/4"),
        ("", "unix:///run/redis.sock", "unix:///run/redis.sock?db=1"),
        ("", "unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2"),
        ("redis://jobs", "redis+cluster://data", "redis://jobs"),
    ],
)
def test_where_jobs_are_kept(jobs_url: str, redis_url: str, where: str) -> None:
    assert jobs_address(jobs_url, redis_url) == where


def test_a_cluster_needs_a_broker_beside_it() -> None:
    with pytest.raises(JobsError, match="JOBS_URL"):
        jobs_address("", "redis+cluster://data")


@pytest.mark.parametrize("address", ["kafka://host", "http://host", "", "redis"])
def test_other_brokers_are_not_known(address: str) -> None:
    with pytest.raises(JobsError, match="JOBS_URL"):
        build_broker(address)


def test_a_queue_that_is_too_long_takes_no_more(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.jobs.LONGEST", {"talk": 3, "faces": 2})
    monkeypatch.setattr("bot.jobs.LOOK_SECONDS", 0.0)
    for _ in range(2):
        jobs.enqueue("face", job_id="x")
    with pytest.raises(UnavailableError) as refused:
        jobs.enqueue("hint", job_id="x")
    assert refused.value.details == {"what": "jobs", "why": "full", "queue": "faces"}
    jobs.enqueue("turn", job_id="x")  # the other queue has room
    jobs.broker.client.flushdb()
    jobs.enqueue("face", job_id="x")


def test_a_queue_is_looked_at_once_a_second(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.jobs.LONGEST", {"talk": 1})
    monkeypatch.setattr("bot.jobs.time.monotonic", lambda: 100.0)
    for _ in range(3):
        jobs.enqueue("turn", job_id="x")
    monkeypatch.setattr("bot.jobs.time.monotonic", lambda: 101.0)
    with pytest.raises(UnavailableError):
        jobs.enqueue("turn", job_id="x")
