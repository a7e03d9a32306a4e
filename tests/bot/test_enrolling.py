from __future__ import annotations

import pytest
import redis

from bot.enrolling import Enrolling
from credentials.model import Holder
from tests.bot.talking import Phone, World, make_world
from tests.bot.test_talk_faces import doing, gestures


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


def test_a_picture_that_another_overtook_answers_no_later_gesture(
    world: World, page: Enrolling, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = gestures(phone)[0]
    media_id = page.look(phone.holder, doing(first))
    get = world.services.frames.get

    def overtaken(holder: Holder, name: str) -> bytes | None:
        monkeypatch.setattr(world.services.frames, "get", get)
        page.send(holder, doing(first))
        return get(holder, name)

    monkeypatch.setattr(world.services.frames, "get", overtaken)
    whose = {"channel": phone.holder.channel, "openid": phone.holder.openid}
    page.functions()["hint"](holder=whose, media_id=media_id)
    assert page.state(phone.holder)["place"] == 2
    assert page.state(phone.holder)["hint"] == (media_id, "over")


def test_a_picture_of_the_gesture_is_taken(page: Enrolling, phone: Phone) -> None:
    media_id = page.look(phone.holder, doing(gestures(phone)[0]))
    whose = {"channel": phone.holder.channel, "openid": phone.holder.openid}
    page.functions()["hint"](holder=whose, media_id=media_id)
    assert page.state(phone.holder)["place"] == 2
    assert page.state(phone.holder)["hint"] == (media_id, "taken")
