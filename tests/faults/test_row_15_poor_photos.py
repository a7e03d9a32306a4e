"""Row 15. No face, two faces, too dark, blurred, too small, covered: each its own guidance, no
attempt lost for quality alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis
from PIL import Image

from tests.bot.talking import EILEEN, GRACE, Phone, World, landscape, make_world
from tests.faces import warping
from tests.faults.faces import asked, at_the_face


def two() -> Image.Image:
    both = Image.new("RGB", (1024, 512))
    both.paste(warping.fitted(warping.portrait(EILEEN), (512, 512)), (0, 0))
    both.paste(warping.fitted(warping.portrait(GRACE), (512, 512)), (512, 0))
    return both


def small() -> Image.Image:
    room = Image.new("RGB", (1400, 1400), (120, 120, 120))
    room.paste(warping.portrait(EILEEN).resize((360, 360)), (500, 500))
    return room


POOR: list[tuple[str, Callable[[], bytes], str]] = [
    ("no_face", landscape, "没有找到脸"),
    ("many_faces", lambda: warping.jpeg(two()), "不止一张脸"),
    ("too_dark", lambda: warping.jpeg(warping.lit(warping.portrait(EILEEN), 0.12)), "太暗"),
    ("blurred", lambda: warping.jpeg(warping.blurred(warping.portrait(EILEEN), 5)), "模糊"),
    ("too_small", lambda: warping.jpeg(small()), "太小"),
]


@pytest.fixture
def world(database: redis.Redis, redis_url: str) -> World:
    return make_world(database, redis_url, liveness="challenge")


@pytest.fixture
def phone(world: World) -> Phone:
    return at_the_face(world, world.register())


@pytest.mark.parametrize(("code", "make", "advice"), POOR, ids=[each[0] for each in POOR])
def test_has_its_own_advice_and_costs_nothing(
    world: World, phone: Phone, code: str, make: Callable[[], bytes], advice: str
) -> None:
    for _ in asked(phone):
        phone.send_photo(make())
    told = phone.hears()
    assert advice in told, code
    assert "不计入次数" in told
    assert world.services.limits.look("face", phone.holder.tag, 5).left == 5


def test_a_covered_face_is_told_so(database: redis.Redis, redis_url: str) -> None:
    world = make_world(database, redis_url)
    phone, person = world.phone(), world.register(face=GRACE)
    assert "遮住" in phone.enrols(person, warping.jpeg(warping.covered(GRACE, "sunglasses")))
    assert world.services.limits.look("face", phone.holder.tag, 5).left == 5
