"""Row 14. Pixel bomb, polyglot, truncated, oversize, EXIF with position: refused before decoding,
or decoded and stripped."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import pytest
import redis
from PIL import Image

from faces import photo, selfie
from faces.errors import PhotoError
from tests.bot.talking import EILEEN, Phone, World, make_world
from tests.bot.wechat.pushes import cost_s
from tests.faces import warping
from tests.faults.faces import asked, at_the_face


@pytest.fixture
def phone(database: redis.Redis, redis_url: str) -> Phone:
    world: World = make_world(database, redis_url, liveness="challenge")
    return at_the_face(world, world.register())


def bomb() -> bytes:
    """A PNG of a few hundred bytes that says it has 60,000 by 60,000 pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def oversize() -> bytes:
    return warping.jpeg(warping.portrait(EILEEN)) + b"\0" * photo.MAX_BYTES


def truncated() -> bytes:
    whole = warping.jpeg(warping.portrait(EILEEN))
    return whole[: len(whole) // 3]


def zipped() -> bytes:
    return b"PK\x03\x04" + warping.jpeg(warping.portrait(EILEEN))


def page() -> bytes:
    return b"<html><script>alert(1)</script>" + warping.jpeg(warping.portrait(EILEEN))


FILES: list[Callable[[], bytes]] = [bomb, oversize, truncated, zipped, page, bytes]


@pytest.mark.parametrize("make", FILES)
def test_is_refused_with_advice_and_costs_no_attempt(
    phone: Phone, make: Callable[[], bytes]
) -> None:
    data = make()
    for _ in asked(phone):
        phone.send_photo(data)
    told = phone.hears()
    assert "不计入次数" in told
    assert "第 1/" in told
    assert phone.world.services.cards.of(phone.holder) is None


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    def refuse() -> None:
        with pytest.raises(PhotoError) as refused:
            selfie.measure(bomb())
        assert refused.value.code == "too_many_pixels"

    assert cost_s(refuse) < 0.5


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_is_a_photo_is_taken(kind: str) -> None:
    file = io.BytesIO()
    warping.portrait(EILEEN).save(file, kind)
    assert selfie.measure(file.getvalue()).template.shape == (128,)


def test_a_position_in_the_file_goes_nowhere(phone: Phone) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (23.0, 6.0, 59.123)
    file = io.BytesIO()
    warping.portrait(EILEEN).save(file, "JPEG", exif=exif)
    opened = photo.open_photo(file.getvalue())
    assert not hasattr(opened.pixels, "info")
    for key in phone.world.database.keys("*"):
        if phone.world.database.type(key) == b"string":
            assert b"59.123" not in (phone.world.database.get(key) or b"")
