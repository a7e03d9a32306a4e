"""What every test can ask for: a real Redis, emptied before each use, and a ring of keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from commands import embedded


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a redis-server of this test process's own."""
    var_dir: Path = tmp_path_factory.mktemp("redis")
    server = embedded.start(var_dir)
    yield embedded.url(var_dir)
    embedded.stop(server)


@pytest.fixture
def database(redis_url: str) -> Iterator[redis.Redis]:
    """A client of that Redis, emptied; replies are bytes."""
    client = redis.Redis.from_url(redis_url)
    client.flushall()
    yield client
    client.close()
