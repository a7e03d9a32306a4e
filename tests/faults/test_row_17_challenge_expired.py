"""Row 17. The challenge expired: the step starts again, and no attempt is lost."""

from __future__ import annotations

import pytest
import redis

from handlers.turn import Kind
from tests.bot.talking import EILEEN, Phone, World, make_world
from tests.faces import warping
from tests.faults.faces import asked, at_the_face, doing, passes


@pytest.fixture
def world(database: redis.Redis, redis_url: str) -> World:
    return make_world(database, redis_url, liveness="challenge")


@pytest.fixture
def phone(world: World) -> Phone:
    return at_the_face(world, world.register())


def test_a_late_photo_starts_it_again(world: World, phone: Phone) -> None:
    gestures = asked(phone)
    phone.send_photo(doing(gestures[0]))
    world.later_s = 121
    told = phone.send_photo(doing(gestures[1]))
    assert "2 分钟已过" in told
    assert "第 1/" in told
    assert world.services.limits.look("face", phone.holder.tag, 5).left == 5


def test_a_late_video_starts_it_again(world: World, phone: Phone) -> None:
    order = [None, *asked(phone), None]
    world.later_s = 121
    film = warping.film([warping.gesture(EILEEN, each) for each in order])
    assert "2 分钟已过" in phone.send_photo(film, Kind.VIDEO)
    assert world.services.cards.of(phone.holder) is None


def test_the_next_one_passes(world: World, phone: Phone) -> None:
    world.later_s = 121
    phone.send_photo(doing(asked(phone)[0]))
    assert "办好了" in passes(phone)


def test_what_was_taken_in_time_may_be_checked_later(world: World, phone: Phone) -> None:
    """A full queue is not the person's fault."""
    for gesture in asked(phone):
        phone.send_photo(doing(gesture))
    world.later_s = 600
    assert "办好了" in phone.hears()
