"""What every test can ask for: a real Redis, emptied before each use, and a ring of keys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from benchmarks import nodes
from commands import embedded
from credentials.connection import connect


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a redis-server of this test process's own, or of a cluster (CARD_CLUSTER)."""
    if os.environ.get("CARD_CLUSTER"):
        with nodes.cluster("--appendonly", "no") as made:
            yield made.url
        return
    var_dir: Path = tmp_path_factory.mktemp("redis")
    server = embedded.start(var_dir)
    yield embedded.url(var_dir)
    embedded.stop(server)


@pytest.fixture
def database(redis_url: str) -> Iterator[redis.Redis]:
    """A client of that Redis, emptied; replies are bytes."""
    client = connect(redis_url) if "+cluster" in redis_url else redis.Redis.from_url(redis_url)
    client.flushall()
    yield client
    client.close()
