"""A worker process for `test_jobs.py`: it notes what it does, and takes long about it.

Arguments: the address of the jobs, how many seconds a job takes.
"""

from __future__ import annotations

import sys
import threading
import time

from bot.jobs import Jobs, build_broker, run_worker

jobs = Jobs(build_broker(sys.argv[1]))


def do(number: int) -> None:
    jobs.broker.client.rpush("began", number)
    time.sleep(float(sys.argv[2]))
    jobs.broker.client.rpush("done", number)


run_worker(jobs, {"deliver": do}, threading.Event(), threads=1)
