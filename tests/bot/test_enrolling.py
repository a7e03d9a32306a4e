from __future__ import annotations

import pytest
import redis

from bot.enrolling import Enrolling
from tests.bot.talking import Phone, World, make_world


@pytest.fixture
def world(database: redis.Redis, redis_url: str) -> World:
    return make_world(database, redis_url, liveness="challenge")


@pytest.fixture
def phone(world: World) -> Phone:
    """Somebody who is asked for the first gesture."""
    phone, person = world.phone(), world.register()
    for text in ("申请", "同意", person.name, person.id_number):
        phone.say(text)
    phone.hears()
    return phone


@pytest.fixture
def page(world: World, phone: Phone) -> Enrolling:
    return Enrolling(world.talk, world.conversations, world.services, world.jobs, clock=world.clock)


def test_the_page_shows_the_gesture_that_the_chat_asks_for(page: Enrolling, phone: Phone) -> None:
    state = page.state(phone.holder)
    assert state["step"] == phone.step() == "gesture"
    assert state["place"] == 1


def test_a_page_opened_days_later_leads_to_the_chat(
    world: World, page: Enrolling, phone: Phone
) -> None:
    world.database.delete("{wechat:oPhone}:given")  # its two days are over
    assert page.state(phone.holder)["step"] == "chat"
    assert phone.say("你好") == world.services.texts.say("zh_CN", "chat.lost")
