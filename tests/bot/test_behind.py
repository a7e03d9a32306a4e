"""What is gathered behind turns: merged, in order, sent, and never in the way."""

from __future__ import annotations

import time

import redis

from bot.behind import MOST_WAITING, Behind
from credentials.connection import connect


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
    deadline = time.monotonic() + 5
    while database.hget("{f}:x", "a") is None:
        assert time.monotonic() < deadline


def test_who_left_is_not_added_after_all(database: redis.Redis) -> None:
    behind = Behind(database, every_s=60)
    database.zadd("{f}:z", {"old": 1})
    behind.zadd("{f}:z", {"new": 2})
    behind.zrem("{f}:z", "new")
    behind.zrem("{f}:z", "old")
    behind.flush()
    assert database.zrange("{f}:z", 0, -1) == []


def test_without_redis_it_is_quiet_and_bounded() -> None:
    behind = Behind(connect("unix:///nowhere/redis.sock"), every_s=60)
    for _ in range(MOST_WAITING + 10):
        behind.sadd("{f}:s", "x")
    assert len(behind._calls) == MOST_WAITING
    behind.flush()
    assert behind._calls == []
