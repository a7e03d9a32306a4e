"""`make soak`: mixed load at half of what it can do, for an hour: does anything grow or slow down?

    python -m benchmarks.soak [--minutes 60]

The web with one worker process and the worker of jobs run as `serve` starts them, with a Redis of
their own and a platform that grants everything. What they can do is what they finish: requests sent
as fast as they are answered, over the time until every holder was told as well. Each sample is
their memory and descriptors, Redis's memory and keys, the receipts and jobs that wait, and the
latencies since the last one. The first fifth is warming up and counts for nothing; what is left is
judged by the slope of a line through it. A run of less than ten minutes says so on its page: it can
find a leak, not rule one out.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil

from benchmarks import stage
from benchmarks.harness import RESULTS, await_port, drive, machine, post, publish
from benchmarks.pages import code_pages
from bot.jobs import Jobs
from commands.player.product import free_port
from credentials.model import Holder

HOLDERS = 200
CHUNK = 40  # requests between two looks at the clock
EVERY = (1.0, 5.0)  # seconds between two samples, at least and at most
SAMPLES = 180
TRIAL_MINUTES = 10
TRIED_SECONDS = 5.0  # how long it is driven to find what it can do
DRAINED_SECONDS = 300.0
LOOK_SECONDS = 0.1  # between two looks at what still waits: it is not part of the load
SHARE = 0.5
SETTLING = 3.0  # descriptors times minutes: a connection made late tilts the line of a short run
BYTES_PER_REQUEST = 1500  # a scan's log entry and a day's record of it; a new person's talk


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """The product at one moment."""

    minute: float
    web_mb: float
    worker_mb: float
    descriptors: int
    redis_mb: float
    keys: int
    waiting: int
    requests: int
    p50_ms: float
    p99_ms: float
    failures: int


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What is judged: a sentence, the figure, the limit, and whether it holds."""

    what: str
    found: float
    limit: float

    @property
    def holds(self) -> bool:
        """Whether the figure is within the limit."""
        return self.found <= self.limit


class Mix:
    """Chunks of mixed requests: scans, repeated ones, forged codes, fresh codes, chat turns."""

    def __init__(self, scene: stage.Stage) -> None:
        self._scene = scene
        self._holders: list[Holder] = scene.holders(HOLDERS)
        self._key = scene.services.verifiers.add("soak", ["internet_cafe"])[1]
        self._dice = random.Random(1)
        self._pages = code_pages(scene, self._holders)

    def chunk(self) -> list[bytes]:
        """So many requests that can be sent now."""
        shown = self._dice.sample(self._holders, CHUNK * 2 // 5)
        scans = self._scene.verifications(shown, self._key, "internet_cafe")
        forged = post(
            "/api/v1/verifications",
            b'{"code": "%s", "purpose": "internet_cafe"}' % (b"A" * 52),
            "application/json",
            {"Authorization": f"Bearer {self._key}"},
        )
        made = [*scans, *scans[:4], forged, *self._dice.sample(self._pages, CHUNK // 5)]
        made += stage.text_turns(stage.strangers(CHUNK - len(made)), "帮助")
        self._dice.shuffle(made)
        return made


def soak(minutes: float, say: Callable[[str], None] = print) -> list[Sample]:
    """Run the load and sample; the list is complete at the end, and all that was left is done.

    Raises:
        TimeoutError: when what it leaves to do is not done in five minutes.
    """
    with stage.stage() as scene, _product(scene) as (port, processes):
        mix, jobs = Mix(scene), Jobs.at("", scene.environment["REDIS_URL"])
        _most(port, mix, scene, jobs, 1.0)  # the first of everything is slow
        fastest = _most(port, mix, scene, jobs, TRIED_SECONDS)
        pause = CHUNK / (SHARE * fastest)
        say(f"{fastest:.0f} requests a second at most here; the soak runs at half of it")
        began = time.monotonic()
        samples: list[Sample] = []
        every = min(max(EVERY[0], minutes * 60 / SAMPLES), EVERY[1])
        latencies: list[float] = []
        count = failures = 0
        following = began + every
        told = began + 60
        while time.monotonic() < began + minutes * 60:
            due = time.monotonic() + pause
            load = drive(port, mix.chunk())
            latencies += load.latencies
            count += len(load.latencies)
            failures += sum(many for status, many in load.statuses.items() if status >= 500)
            if time.monotonic() >= following:
                following += every
                samples.append(_sample(scene, processes, jobs, began, latencies, count, failures))
                latencies = []
                if time.monotonic() >= told:
                    told += 60
                    say(_line(samples[-1], minutes))
            time.sleep(max(0.0, due - time.monotonic()))
        _drain(scene, jobs)
        return samples


def _most(port: int, mix: Mix, scene: stage.Stage, jobs: Jobs, seconds: float) -> float:
    """How many requests a second are answered and done with, when they come as fast as they may.

    Raises:
        TimeoutError: when what they left to do is not done in five minutes.
    """
    began, count = time.monotonic(), 0
    while time.monotonic() < began + seconds:
        count += len(drive(port, mix.chunk()).latencies)
    _drain(scene, jobs)
    return count / (time.monotonic() - began)


def _drain(scene: stage.Stage, jobs: Jobs) -> None:
    """Wait until nothing waits.

    Raises:
        TimeoutError: when that is not so in five minutes.
    """
    until = time.monotonic() + DRAINED_SECONDS
    while _waiting(scene, jobs):
        if time.monotonic() > until:
            raise TimeoutError(f"{_waiting(scene, jobs)} jobs and receipts are still waiting")
        time.sleep(LOOK_SECONDS)


def _waiting(scene: stage.Stage, jobs: Jobs) -> int:
    """How many receipts and jobs wait."""
    told = scene.services.receipts.figures()[0]
    return told + sum(queue.length for queue in jobs.figures())


def judge(samples: Sequence[Sample]) -> list[Verdict]:
    """What the samples after the warming up say."""
    kept = samples[len(samples) // 5 :]
    minutes = kept[-1].minute - kept[0].minute
    hours = max(minutes / 60, 1e-9)
    scans = max(1, kept[-1].requests - kept[0].requests)

    def grows(value: Callable[[Sample], float]) -> float:
        slope = np.polyfit([each.minute for each in kept], [value(each) for each in kept], 1)[0]
        return float(slope) * minutes

    half = len(kept) // 2
    early = float(np.median([each.p99_ms for each in kept[:half]]))
    late = float(np.median([each.p99_ms for each in kept[half:]]))
    return [
        Verdict("MB the web processes grow by", grows(lambda s: s.web_mb), max(5.0, 10 * hours)),
        Verdict("MB the worker grows by", grows(lambda s: s.worker_mb), max(5.0, 10 * hours)),
        Verdict(
            "descriptors they grow by", grows(lambda s: s.descriptors),
            3 + SETTLING / max(minutes, 0.1),
        ),
        Verdict(
            "receipts and jobs that wait grow by", grows(lambda s: s.waiting),
            max(100.0, 0.01 * scans),
        ),
        Verdict(
            "bytes in Redis for each request", grows(lambda s: s.redis_mb) * 1e6 / scans,
            BYTES_PER_REQUEST,
        ),
        Verdict("keys without an end grow by", grows(lambda s: s.keys), max(20.0, 0.01 * scans)),
        Verdict("p99 of the second half, times the first's", late / early, 1.5),
        Verdict("answers of 5xx", float(samples[-1].failures), 0),
    ]  # fmt: skip


def plot(samples: Sequence[Sample]) -> None:
    """The curves, in `benchmarks/results/soak.png`."""
    import matplotlib as mpl  # noqa: PLC0415 - slow to load, and only for the plot

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    minutes = [each.minute for each in samples]
    curves: dict[str, dict[str, list[float]]] = {
        "MB": {
            "web processes": [each.web_mb for each in samples],
            "worker": [each.worker_mb for each in samples],
            "Redis": [each.redis_mb for each in samples],
        },
        "descriptors": {"web and worker": [float(each.descriptors) for each in samples]},
        "waiting": {"receipts and jobs": [float(each.waiting) for each in samples]},
        "keys without an end": {"Redis": [float(each.keys) for each in samples]},
        "ms": {
            "p50": [each.p50_ms for each in samples],
            "p99": [each.p99_ms for each in samples],
        },
    }
    figure, places = plt.subplots(len(curves), 1, figsize=(8, 11), sharex=True)
    for place, (unit, lines) in zip(places, curves.items(), strict=True):
        for name, values in lines.items():
            place.plot(minutes, values, label=name)
        place.set_ylabel(unit)
        place.set_ylim(bottom=0)
        place.legend(loc="lower right")
        place.grid(alpha=0.3)
    places[-1].set_xlabel("minutes")
    figure.tight_layout()
    RESULTS.mkdir(parents=True, exist_ok=True)
    figure.savefig(RESULTS / "soak.png", dpi=100)
    plt.close(figure)


def page(samples: Sequence[Sample], verdicts: Sequence[Verdict], minutes: float) -> str:
    """The page of results."""
    return "\n".join([
        "# Soak",
        "",
        ("" if minutes >= TRIAL_MINUTES else "**A trial, not the hour.** ")
        + (f"{minutes:g} minutes of scans (half of the requests; a fifth of them repeated), forged "
         "codes, fresh codes and chat turns, at half of what the same load did at most, on one web "
         f"process and one worker. {machine()}. {samples[-1].requests:,} requests, "
         f"{len(samples)} samples. The log of scans and what a day keeps "
         "of each grow with the requests, as they must; nothing else may."),
        "",
        "| what | found | limit | |",
        "| --- | --- | --- | --- |",
        *(
            f"| {each.what} | {each.found:.2f} | {each.limit:g} | "
            f"{'holds' if each.holds else '**does not hold**'} |"
            for each in verdicts
        ),
        "",
        "![memory, descriptors, keys and latencies over time](soak.png)",
        "",
    ])  # fmt: skip


Processes = tuple[psutil.Process, psutil.Process]


@contextlib.contextmanager
def _product(scene: stage.Stage) -> Iterator[tuple[int, Processes]]:
    """Web (one process) and worker as `serve` starts them; the web's port, and both."""
    port, platform = free_port(), free_port()
    app = str(Path(__file__).parent.parent / "app.py")
    with tempfile.TemporaryDirectory() as figures, contextlib.ExitStack() as stack:
        settings = {
            "PORT": str(port), "WEB_WORKERS": "1", "PROMETHEUS_MULTIPROC_DIR": figures,
            "WECHAT_API_BASE": f"http://127.0.0.1:{platform}",
        }  # fmt: skip

        def start(*words: str) -> psutil.Process:
            process = subprocess.Popen(
                [sys.executable, *words], env={**os.environ, **scene.environment, **settings}
            )
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
            return psutil.Process(process.pid)

        start("-m", "benchmarks.platform", str(platform))
        await_port(platform)
        web, worker = start(app, "web"), start(app, "worker")
        await_port(port)
        yield port, (web, worker)


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _line(sample: Sample, minutes: float) -> str:
    """How it is going, for whoever watches."""
    return (
        f"{sample.minute:5.1f} of {minutes:g} min: {sample.requests:,} requests, p99 "
        f"{sample.p99_ms:.0f} ms, web {sample.web_mb:.0f} MB, worker {sample.worker_mb:.0f} MB, "
        f"{sample.descriptors} descriptors, {sample.waiting} waiting, "
        f"{sample.failures} answers of 5xx"
    )


def _sample(  # noqa: PLR0917 - one look at everything
    scene: stage.Stage,
    processes: Processes,
    jobs: Jobs,
    began: float,
    latencies: Sequence[float],
    count: int,
    failures: int,
) -> Sample:
    web, worker = (_family(each) for each in processes)
    ordered = sorted(latencies)
    said, keys = scene.services.redis.info("memory"), scene.services.redis.info("keyspace")["db0"]
    return Sample(
        minute=(time.monotonic() - began) / 60,
        web_mb=sum(each.memory_info().rss for each in web) / 1e6,
        worker_mb=sum(each.memory_info().rss for each in worker) / 1e6,
        descriptors=sum(each.num_fds() for each in (*web, *worker)),
        redis_mb=said["used_memory"] / 1e6,
        keys=int(keys["keys"]) - int(keys["expires"]),
        waiting=_waiting(scene, jobs),
        requests=count,
        p50_ms=1000 * ordered[len(ordered) // 2],
        p99_ms=1000 * ordered[int(0.99 * len(ordered))],
        failures=failures,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Soak, publish, and end with status 1 when something grows."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=60)
    minutes = parser.parse_args(arguments).minutes
    samples = soak(minutes)
    verdicts = judge(samples)
    plot(samples)
    publish("soak", page(samples, verdicts, minutes))
    if not all(each.holds for each in verdicts):
        sys.exit("something grows or slows down: see the table")


if __name__ == "__main__":
    main()
