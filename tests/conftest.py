"""What every test can ask for: a real Redis, emptied before each use, and a ring of keys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, settings
from playwright.sync_api import expect

from benchmarks import nodes
from commands import embedded
from credentials.connection import connect

# How long an example takes says something of the machine, and of what else it does just then.
# The examples are the same each time; `pytest --hypothesis-profile search` looks for others.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("tests", settings.get_profile("search"), derandomize=True)
settings.load_profile("tests")
expect.set_options(timeout=90_000)  # milliseconds; an end, not a wait, on a machine that does more


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: those that start the product or a browser.

    `make test` gives files to two processes in this order; a long file at the end would leave one
    of them with nothing to do meanwhile. Files stay whole and in their own order.
    """
    long = {item.path for item in items if item.get_closest_marker("browser")}

    def place(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return 0 if item.path in long or folder == "product" else 1 if folder == "faults" else 2

    items.sort(key=place)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a redis-server of this test process's own, or of a cluster (CARD_CLUSTER)."""
    if os.environ.get("CARD_CLUSTER"):
        with nodes.cluster(*nodes.CALM) as made:
            yield made.url
        return
    var_dir: Path = tmp_path_factory.mktemp("redis")
    server = embedded.start(var_dir, appendfsync="no")  # or a busy disk would hold up answers
    yield embedded.url(var_dir)
    embedded.stop(server)


@pytest.fixture
def database(redis_url: str) -> Iterator[redis.Redis]:
    """A client of that Redis, emptied; replies are bytes, and are waited for on a busy machine."""
    if "+cluster" in redis_url:
        client = connect(redis_url)
    else:
        client = redis.Redis.from_url(redis_url, socket_timeout=60, socket_connect_timeout=60)
    client.flushall()
    yield client
    client.close()
