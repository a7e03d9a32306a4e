"""One face, one ID at 400,000 people: reading all templates at a worker's start, and a search.

The templates are random (128 numbers of a face's length), sealed and kept as real ones are, in a
Redis of its own. `python -m benchmarks.search [COUNT]`.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import redis

from benchmarks.harness import publish, table
from commands import embedded
from credentials.connection import connect
from credentials.keyring import Keyring
from credentials.sealing import BlindIndex, Sealer
from credentials.templates import CHUNK, IDS, Templates
from faces import encode
from handlers.twins import Twins

PEOPLE = 400_000
SEARCHES = 40
RESULT = "search"


def fill(database: redis.Redis, sealer: Sealer, count: int) -> None:
    """Put sealed random templates, as `Templates.put` would, many at a time."""
    dice = np.random.default_rng(1)
    for start in range(0, count, CHUNK):
        pipe = database.pipeline(transaction=False)
        for number in range(start, min(start + CHUNK, count)):
            template = dice.normal(0, 0.12, encode.SIZE)
            key = f"{{t:{number:022d}}}"
            pipe.set(key, sealer.seal(key, encode.pack(template) + b"p" * 22))
            pipe.sadd(IDS, f"{number:022d}")
        pipe.execute()


def main(count: int = PEOPLE) -> None:
    """Measure, print and keep."""
    with tempfile.TemporaryDirectory() as folder:
        server = embedded.start(Path(folder), appendfsync="everysec")
        try:
            database = connect(embedded.url(Path(folder)))
            sealer = Sealer(Keyring.from_entries((f"1:{'A' * 43}=",)))
            templates = Templates(database, sealer, BlindIndex(database, sealer))
            fill(database, sealer, count)
            rows = _measure(templates, count, database.info("memory")["used_memory"])
        finally:
            embedded.stop(server)
    note = "Random templates, sealed and kept as real ones are, in a Redis of its own; one worker."
    publish(RESULT, table("One face, one ID", note, ("what", "figure"), rows))


def _measure(templates: Templates, count: int, redis_bytes: int) -> list[tuple[str, str]]:
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss
    twins = Twins(templates)
    began = time.perf_counter()
    twins.prepare()
    reading = time.perf_counter() - began
    grown = process.memory_info().rss - before
    dice = np.random.default_rng(2)
    took = []
    for number in range(SEARCHES):
        template = dice.normal(0, 0.12, encode.SIZE)
        began = time.perf_counter()
        twins.keep_and_find(f"44011519900307{number:04d}", template)
        took.append((time.perf_counter() - began) * 1000)
    return [
        ("people", f"{count:,}"),
        ("Redis, all templates sealed", f"{redis_bytes / 2**20:.0f} MB"),
        ("reading and opening all at a worker's start", f"{reading:.1f} s"),
        ("a worker's memory for them", f"{grown / 2**20:.0f} MB"),
        ("put, follow the changes and search, median", f"{statistics.median(took):.1f} ms"),
        ("the same, slowest of 40", f"{max(took):.1f} ms"),
    ]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PEOPLE)
