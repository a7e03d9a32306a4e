"""What is gathered behind turns: merged, in order, sent, and never in the way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis
import structlog

from bot.behind import MOST_WAITING, Behind
from credentials.connection import connect
from credentials.keyring import KeyringError
from tests.product.actors import wait_until


def wait_for(seen: Callable[[], bool]) -> None:
    assert wait_until(seen, 60)


def test_the_same_counts_become_one(database: redis.Redis) -> None:
    behind = Behind(database, every_s=60)
    for _ in range(5):
        behind.hincrby("{f}:x", "a", 1)
    behind.expire("{f}:x", 100)
    assert database.hgetall("{f}:x") == {}
    behind.flush()
    assert database.hgetall("{f}:x") == {b"a": b"5"}
    assert 0 < database.ttl("{f}:x") <= 100
    behind.flush()
    assert database.hget("{f}:x", "a") == b"5"  # counted once


def test_it_sends_itself(database: redis.Redis) -> None:
    behind = Behind(database, every_s=0.01)
    behind.hincrby("{f}:x", "a", 1)
    wait_for(lambda: database.hget("{f}:x", "a") is not None)


def test_who_left_is_not_added_after_all(database: redis.Redis) -> None:
    behind = Behind(database, every_s=60)
    database.zadd("{f}:z", {"old": 1})
    behind.zadd("{f}:z", {"new": 2})
    behind.zrem("{f}:z", "new")
    behind.zrem("{f}:z", "old")
    behind.flush()
    assert database.zrange("{f}:z", 0, -1) == []


@pytest.mark.parametrize("failure", [KeyringError("no key"), ValueError("no"), KeyError("x")])
def test_a_write_that_fails_takes_nothing_along(database: redis.Redis, failure: Exception) -> None:
    def fails(_: object) -> None:
        raise failure

    behind = Behind(database, every_s=0.01)
    with structlog.testing.capture_logs() as logged:
        behind.call(fails)
        behind.sadd("{f}:s", "beside")
        wait_for(lambda: database.scard("{f}:s") == 1)
        behind.hincrby("{f}:x", "later", 1)  # by the same thread, which lives on
        wait_for(lambda: database.hget("{f}:x", "later") == b"1")
    assert [entry["event"] for entry in logged] == ["not written behind"]


def test_what_redis_refuses_does_not_end_it(database: redis.Redis) -> None:
    database.set("{f}:x", "no hash")
    behind = Behind(database, every_s=60)
    behind.hincrby("{f}:x", "a", 1)
    behind.sadd("{f}:s", "x")
    with structlog.testing.capture_logs() as logged:
        behind.flush()
    assert [entry["event"] for entry in logged] == ["not written behind"]
    assert database.scard("{f}:s") == 1


def test_without_redis_it_is_quiet_and_bounded() -> None:
    behind = Behind(connect("unix:///nowhere/redis.sock"), every_s=60)
    for _ in range(MOST_WAITING + 10):
        behind.sadd("{f}:s", "x")
    assert len(behind._calls) == MOST_WAITING
    behind.flush()
    assert behind._calls == []
