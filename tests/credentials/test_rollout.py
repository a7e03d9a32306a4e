"""Where cards are issued: prefixes of the registered residence, changed while running."""

import pytest
import redis

from credentials.errors import UnavailableError
from credentials.rollout import Rollout, RolloutError

NANSHA, SHENZHEN, WUHAN = "440115", "440300", "420100"


def test_the_setting_holds_until_it_is_changed(database: redis.Redis) -> None:
    rollout = Rollout(database, ["440115"])
    assert [rollout.covers(place) for place in (NANSHA, SHENZHEN, WUHAN)] == [True, False, False]


def test_a_change_holds_at_once_in_every_process(database: redis.Redis) -> None:
    here, there = Rollout(database, ["440115"]), Rollout(database, ["440115"])
    here.set(["44"])
    assert there.covers(SHENZHEN)
    assert not there.covers(WUHAN)
    here.set([])
    assert there.covers(WUHAN)
    assert there.current() == ()


def test_no_prefix_means_everyone(database: redis.Redis) -> None:
    assert Rollout(database).covers(WUHAN)


def test_a_prefix_within_another_is_dropped(database: redis.Redis) -> None:
    assert Rollout(database).set(["440115", "44", "31", "44"]) == ("31", "44")


@pytest.mark.parametrize("division", ["", "4", "abc", "0440115"])
def test_an_odd_division_is_outside(database: redis.Redis, division: str) -> None:
    assert not Rollout(database, ["440115"]).covers(division)


@pytest.mark.parametrize("prefix", ["", "44*", "4401150", "广东", "４４", "-44"])
def test_what_is_no_prefix_changes_nothing(database: redis.Redis, prefix: str) -> None:
    rollout = Rollout(database, ["44"])
    with pytest.raises(RolloutError) as caught:
        rollout.set(["31", prefix])
    assert caught.value.details["prefix"] == prefix
    assert rollout.current() == ("44",)


def test_without_redis_nobody_is_covered() -> None:
    with pytest.raises(UnavailableError):
        Rollout(redis.Redis(port=1, socket_connect_timeout=0.2)).covers(NANSHA)
