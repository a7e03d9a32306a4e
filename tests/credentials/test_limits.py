"""Attempts run out, wait, and come back; by Redis's clock, however many ask at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from credentials.errors import UnavailableError
from credentials.limits import Limits

MINUTE = 60.0


@pytest.fixture
def limits(database: redis.Redis) -> Limits:
    return Limits(database)


def test_three_attempts_then_a_pause(limits: Limits) -> None:
    left = [limits.attempt("face", "wechat:oA", 3, MINUTE, 2 * MINUTE).left for _ in range(3)]
    assert left == [2, 1, 0]
    refused = limits.attempt("face", "wechat:oA", 3, MINUTE, 2 * MINUTE)
    assert not refused.allowed
    assert MINUTE < refused.wait_s <= 2 * MINUTE
    assert refused.wait_minutes == 2


def test_the_last_attempt_itself_is_allowed(limits: Limits) -> None:
    assert limits.attempt("face", "a", 1, MINUTE, MINUTE).allowed
    assert not limits.attempt("face", "a", 1, MINUTE, MINUTE).allowed


def test_people_and_scopes_are_counted_apart(limits: Limits) -> None:
    limits.attempt("face", "a", 1, MINUTE, MINUTE)
    assert limits.attempt("face", "b", 1, MINUTE, MINUTE).allowed
    assert limits.attempt("name", "a", 1, MINUTE, MINUTE).allowed


def test_looking_counts_nothing(limits: Limits) -> None:
    assert [limits.look("face", "a", 2).left for _ in range(3)] == [2, 2, 2]
    limits.attempt("face", "a", 2, MINUTE, MINUTE)
    assert limits.look("face", "a", 2).left == 1
    limits.attempt("face", "a", 2, MINUTE, MINUTE)
    assert not limits.look("face", "a", 2).allowed


def test_a_bad_photo_costs_no_attempt(limits: Limits) -> None:
    for _ in range(20):
        assert limits.attempt("face", "a", 2, MINUTE, MINUTE).allowed
        limits.give_back("face", "a", 2)
    assert limits.attempt("face", "a", 2, MINUTE, MINUTE).left == 1


def test_giving_back_the_last_attempt_ends_its_pause(limits: Limits) -> None:
    limits.attempt("face", "a", 1, MINUTE, MINUTE)
    limits.give_back("face", "a", 1)
    assert limits.attempt("face", "a", 1, MINUTE, MINUTE).allowed


def test_giving_back_what_was_never_taken_adds_nothing(limits: Limits) -> None:
    assert limits.give_back("face", "a", 2).left == 2
    assert limits.attempt("face", "a", 2, MINUTE, MINUTE).left == 1


def test_success_forgets_the_attempts(limits: Limits) -> None:
    limits.attempt("face", "a", 1, MINUTE, MINUTE)
    limits.forget("face", "a")
    assert limits.attempt("face", "a", 1, MINUTE, MINUTE).allowed


def test_after_the_pause_all_attempts_are_back(limits: Limits, database: redis.Redis) -> None:
    limits.attempt("face", "a", 1, MINUTE, MINUTE)
    (key,) = database.scan_iter()
    # The pause and the window, set back as if both had passed.
    database.hset(key, mapping={"w": 1, "c": 1})
    assert limits.attempt("face", "a", 2, MINUTE, MINUTE).left == 1


def test_nothing_stays_behind(limits: Limits, database: redis.Redis) -> None:
    limits.attempt("face", "a", 1, MINUTE, 5 * MINUTE)
    (key,) = database.scan_iter()
    assert 4 * MINUTE < database.ttl(key) <= 5 * MINUTE


def test_a_hundred_at_once_have_five_attempts_between_them(limits: Limits) -> None:
    with ThreadPoolExecutor(16) as pool:
        tries = pool.map(lambda _: limits.attempt("pin", "a", 5, MINUTE, MINUTE), range(100))
        assert sum(allowance.allowed for allowance in tries) == 5


def test_without_redis_nothing_may_be_tried() -> None:
    limits = Limits(redis.Redis(port=1, socket_connect_timeout=0.2))
    for ask in (
        lambda: limits.attempt("face", "a", 1, MINUTE, MINUTE),
        lambda: limits.look("face", "a", 1),
        lambda: limits.forget("face", "a"),
    ):
        with pytest.raises(UnavailableError):
            ask()
