"""A worker on RabbitMQ as a process: writes what it did into a Redis; "die" kills it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import redis

from bot import jobs
from bot.jobs import Jobs, build_broker, run_worker

jobs.RABBIT_ANSWER_SECONDS = float(sys.argv[3])  # type: ignore[misc]  # the tests are patient
broker, database = sys.argv[1:3]
kept = redis.Redis.from_url(database)


def work(job_id: str, pause: float = 0.0) -> None:
    if job_id == "die" and kept.incr("deaths") == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    kept.sadd("begun", job_id)
    time.sleep(pause)
    kept.hincrby("done", job_id)
    kept.sadd("workers", os.getpid())


stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
run_worker(Jobs(build_broker(broker)), {"work": work}, stop)
