"""`make soak`: mixed load at half of what it can do, for an hour: does anything grow or slow down?

    python -m benchmarks.soak [--minutes 60]

Each sample is the product's memory and descriptors (web and its workers), Redis's memory and
keys, and the latencies since the last sample. The first fifth is warming up and counts for
nothing; what is left is judged by the slope of a line through it.
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
from benchmarks.harness import RESULTS, await_port, drive, free_port, machine, post, publish
from credentials.model import Holder

HOLDERS = 200
CHUNK = 40  # requests between two looks at the clock
SAMPLES = 120
SHARE = 0.5
BYTES_PER_REQUEST = 1500  # a scan's log entry and a day's record of it; a new person's talk


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """The product at one moment."""

    minute: float
    web_mb: float
    descriptors: int
    redis_mb: float
    keys: int
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
    """Chunks of mixed requests: scans, repeated scans, chat turns, forged codes, pictures."""

    def __init__(self, scene: stage.Stage) -> None:
        self._scene = scene
        self._holders: list[Holder] = scene.holders(HOLDERS)
        self._key = scene.services.verifiers.add("soak", ["internet_cafe"])[1]
        self._dice = random.Random(1)

    def chunk(self) -> list[bytes]:
        """So many requests that can be sent now."""
        shown = self._dice.sample(self._holders, CHUNK // 2)
        scans = self._scene.verifications(shown, self._key, "internet_cafe")
        forged = post(
            "/api/v1/verifications",
            b'{"code": "%s", "purpose": "internet_cafe"}' % (b"A" * 52),
            "application/json",
            {"Authorization": f"Bearer {self._key}"},
        )
        made = [*scans, *scans[:4], forged, *stage.text_turns(CHUNK - len(scans) - 5, "帮助")]
        self._dice.shuffle(made)
        return made


def soak(minutes: float, say: Callable[[str], None] = print) -> list[Sample]:
    """Run the load and sample; the list is complete at the end."""
    with stage.stage() as scene, _web(scene) as (port, process):
        mix = Mix(scene)
        fastest = max(drive(port, mix.chunk()).rate for _ in range(5))
        pause = CHUNK / (SHARE * fastest)
        say(f"{fastest:.0f} requests a second at most here; the soak runs at half of it")
        began = time.monotonic()
        samples: list[Sample] = []
        every = max(1.0, minutes * 60 / SAMPLES)
        latencies: list[float] = []
        count = failures = 0
        following = began + every
        while time.monotonic() < began + minutes * 60:
            due = time.monotonic() + pause
            load = drive(port, mix.chunk())
            latencies += load.latencies
            count += len(load.latencies)
            failures += sum(many for status, many in load.statuses.items() if status >= 500)
            if time.monotonic() >= following:
                following += every
                samples.append(_sample(scene, process, began, latencies, count, failures))
                latencies = []
            time.sleep(max(0.0, due - time.monotonic()))
        return samples


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
        Verdict("descriptors they grow by", grows(lambda s: s.descriptors), 3),
        Verdict(
            "bytes in Redis for each request", grows(lambda s: s.redis_mb) * 1e6 / scans,
            BYTES_PER_REQUEST,
        ),
        Verdict("keys without an end, for each request", grows(lambda s: s.keys) / scans, 0.01),
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
            "Redis": [each.redis_mb for each in samples],
        },
        "descriptors": {"web processes": [float(each.descriptors) for each in samples]},
        "keys without an end": {"Redis": [float(each.keys) for each in samples]},
        "ms": {
            "p50": [each.p50_ms for each in samples],
            "p99": [each.p99_ms for each in samples],
        },
    }
    figure, places = plt.subplots(len(curves), 1, figsize=(8, 9), sharex=True)
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
        (f"{minutes:g} minutes of scans (half of the requests; a tenth of them repeated), forged "
         "codes and chat turns, at half of what the same load did at most, on one web worker. "
         f"{machine()}. {samples[-1].requests:,} requests. The log of scans and what a day keeps "
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


@contextlib.contextmanager
def _web(scene: stage.Stage) -> Iterator[tuple[int, psutil.Process]]:
    """The product's web server as `serve` starts it, with one worker; its port and process."""
    port = free_port()
    with tempfile.TemporaryDirectory() as figures:
        settings = {
            "PORT": str(port), "WEB_WORKERS": "1", "PROMETHEUS_MULTIPROC_DIR": figures,
        }  # fmt: skip
        program = [sys.executable, str(Path(__file__).parent.parent / "app.py"), "web"]
        process = subprocess.Popen(program, env={**os.environ, **scene.environment, **settings})
        try:
            await_port(port)
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(20)


def _sample(  # noqa: PLR0917 - one look at everything
    scene: stage.Stage,
    process: psutil.Process,
    began: float,
    latencies: Sequence[float],
    count: int,
    failures: int,
) -> Sample:
    family = [process, *process.children(recursive=True)]
    ordered = sorted(latencies)
    said, keys = scene.services.redis.info("memory"), scene.services.redis.info("keyspace")["db0"]
    return Sample(
        minute=(time.monotonic() - began) / 60,
        web_mb=sum(each.memory_info().rss for each in family) / 1e6,
        descriptors=sum(each.num_fds() for each in family),
        redis_mb=said["used_memory"] / 1e6,
        keys=int(keys["keys"]) - int(keys["expires"]),
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
