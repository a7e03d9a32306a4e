"""What is left of the platform's quota: asked seldom, shared, honest about what is not known."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from bot.wechat.channel import WeChatChannel
from bot.wechat.quota import CALLS, Quotas
from credentials.connection import connect
from credentials.errors import UnavailableError
from tests.bot.platform import FakePlatform

PATH = "openapi/quota/get"
KEY = "{quota:wxapp}"


@pytest.fixture
def quotas(channel: WeChatChannel, database: redis.Redis) -> Quotas:
    return Quotas(channel.api, database, "wxapp")


@pytest.fixture
def tells(wechat: FakePlatform) -> Callable[..., None]:
    def told(*quotas: object) -> None:
        wechat.next(PATH, *({"errcode": 0, "quota": quota} for quota in quotas))

    return told


def test_the_share_that_is_left_of_each_call(
    wechat: FakePlatform, quotas: Quotas, tells: Callable[..., None]
) -> None:
    tells(*({"daily_limit": 1000, "used": 750, "remain": 250} for _ in CALLS))
    quotas.renew()
    assert quotas.left() == {"stable_token": 0.25, "send": 0.25, "upload": 0.25}
    assert [call.body["cgi_path"] for call in wechat.asked(PATH)] == list(CALLS)


def test_asked_once_in_half_an_hour_by_all(
    wechat: FakePlatform, database: redis.Redis, channel: WeChatChannel, quotas: Quotas
) -> None:
    for each in (quotas, quotas, Quotas(channel.api, database, "wxapp")):
        each.renew()
    assert len(wechat.asked(PATH)) == len(CALLS)
    assert 0 < database.ttl(f"{KEY}:asked") <= 1800


def test_not_known_before_it_was_asked(quotas: Quotas) -> None:
    assert quotas.left() is None


@pytest.mark.parametrize(
    "quota",
    [
        None,
        [],
        "many",
        {},
        {"daily_limit": 1000},
        {"daily_limit": 0, "remain": 0},
        {"daily_limit": "1000", "remain": "250"},
        {"daily_limit": -1, "remain": 5},
    ],
)
def test_what_tells_nothing_is_no_reading(
    quotas: Quotas, tells: Callable[..., None], quota: object
) -> None:
    tells(quota, quota, quota)
    quotas.renew()
    assert quotas.left() == {}


@pytest.mark.parametrize("code", [48001, 40066, 76003])
def test_a_platform_that_does_not_tell_is_no_fault(
    wechat: FakePlatform, quotas: Quotas, code: int
) -> None:
    wechat.next(PATH, *(code for _ in CALLS))
    quotas.renew()
    assert quotas.left() == {}


@pytest.mark.parametrize("code", [-1, 45009, 45011])
def test_a_busy_one_changes_nothing_that_is_known(
    wechat: FakePlatform,
    database: redis.Redis,
    quotas: Quotas,
    tells: Callable[..., None],
    code: int,
) -> None:
    tells(*({"daily_limit": 10, "remain": 1} for _ in CALLS))
    quotas.renew()
    database.delete(f"{KEY}:asked")
    wechat.next(PATH, code)
    quotas.renew()
    assert quotas.left() == {"stable_token": 0.1, "send": 0.1, "upload": 0.1}
    database.delete(KEY)  # two hours later
    assert quotas.left() is None


def test_without_redis_it_is_not_asked(wechat: FakePlatform, channel: WeChatChannel) -> None:
    gone = Quotas(channel.api, connect("unix:///nowhere/redis.sock"), "wxapp")
    with pytest.raises(UnavailableError):
        gone.renew()
    with pytest.raises(UnavailableError):
        gone.left()
    assert wechat.asked(PATH) == []
