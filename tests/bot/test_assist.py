from __future__ import annotations

from typing import Any

import pytest
import redis

from bot.assist import Assist, AssistError
from bot.conversations import BusyError, Taken
from credentials.model import Holder
from tests.bot.talking import Phone, World, make_world


@pytest.fixture
def world(database: redis.Redis, redis_url: str) -> World:
    return make_world(database, redis_url)


@pytest.fixture
def phone(world: World) -> Phone:
    """Somebody who is asked for the ID number."""
    phone = world.phone()
    for text in ("申请", "同意", "张三丰"):
        phone.say(text)
    return phone


@pytest.fixture
def assist(world: World) -> Assist:
    return world.assist()


def test_of_two_operators_at_once_one_has_the_talk(
    world: World, phone: Phone, assist: Assist, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = world.conversations.take

    def overtaken(holder: Holder, *more: Any, **named: Any) -> Taken:
        monkeypatch.setattr(world.conversations, "take", take)
        assist.take_over(holder, "ben")
        return take(holder, *more, **named)

    monkeypatch.setattr(world.conversations, "take", overtaken)
    with pytest.raises(AssistError) as refused:
        assist.take_over(phone.holder, "anna")
    assert refused.value.code == "taken"
    assert world.conversations.look(phone.holder).helper == "ben"
    assert assist.person(phone.holder).about.assigned == "ben"


def test_what_could_not_be_sent_just_then_is_not_sent_twice(
    world: World, phone: Phone, assist: Assist
) -> None:
    assist.take_over(phone.holder, "anna")
    writing = world.conversations.take(phone.holder)
    with pytest.raises(BusyError):
        assist.send(phone.holder, "anna", "请把证件号码再发一次")
    world.conversations.leave(writing)
    assert phone.hears() == ""
    assist.send(phone.holder, "anna", "请把证件号码再发一次")
    assert phone.hears() == "请把证件号码再发一次"
    said = [entry.text for entry in assist.person(phone.holder).transcript if entry.by == "anna"]
    assert said == ["请把证件号码再发一次"]


def test_whoever_lost_the_talk_sends_nothing(world: World, phone: Phone, assist: Assist) -> None:
    assist.take_over(phone.holder, "anna")
    assist.hand_back(phone.holder)
    phone.hears()
    with pytest.raises(AssistError) as refused:
        assist.send(phone.holder, "anna", "你好")
    assert refused.value.code == "not_helping"
    assert phone.hears() == ""
    conversation = world.conversations.look(phone.holder)
    assert (conversation.helper, conversation.helped_until) == ("", 0.0)


def test_a_move_that_took_too_long_may_be_tried_again(
    world: World, phone: Phone, assist: Assist
) -> None:
    def slow(*_: object) -> None:
        world.database.delete("{wechat:oPhone}:lock")  # it ran out

    assist._withdraw = slow
    with pytest.raises(BusyError):
        assist.move(phone.holder, "name")
    assert phone.step() == "id_number"
