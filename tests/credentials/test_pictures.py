"""What is drawn can be read, wherever it is drawn."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest
import zxingcpp
from PIL import Image

from credentials import pictures
from credentials.codes import Codes, Payload
from credentials.errors import UnavailableError
from credentials.model import Card, Holder, Level, Status
from tests.credentials.issuer import ADDRESS, picture, ring
from tests.web.card.phone import read_qr

CODE = Codes(ring(), ADDRESS).rotating(Payload("00112233445566ff", 1_700_000_000_000_000), None)
VERSION_4 = 33  # modules a side, ISO/IEC 18004
LIGHT_BYTES = 2400  # two packets on a slow line; zxing-cpp's own has 3400


def card(level: Level = Level.LIGHT, name: str = "张**") -> Card:
    return Card(
        credential_id="0" * 16,
        holder=Holder("wechat", "oAnna"),
        status=Status.ACTIVE,
        level=level,
        name_masked=name,
        id_number_masked="4401**********0019",
        issued_at=0.0,
        valid_until=None,
        change=1,
    )


@pytest.fixture
def no_chinese_font(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without any font of its own."""
    monkeypatch.setattr(pictures, "_chinese_font", lambda: None)
    pictures._font.cache_clear()
    yield
    pictures._font.cache_clear()


def read(image: bytes) -> str:
    with Image.open(io.BytesIO(image)) as opened:
        found = zxingcpp.read_barcode(opened.convert("L"))
    assert found is not None
    return found.text


def test_a_qr_of_a_typical_address_stays_small() -> None:
    with Image.open(io.BytesIO(pictures.qr_png(CODE.address, scale=1))) as drawn:
        assert drawn.size == (VERSION_4 + 8, VERSION_4 + 8)
        assert drawn.mode == "1"
        quiet = [drawn.getpixel((place, 3)) for place in range(drawn.width)]
        assert set(quiet) == {255}


def test_a_qr_png_is_read_back() -> None:
    assert read(pictures.qr_png(CODE.address)) == CODE.address


def test_a_qr_svg_is_one_element_that_runs_nothing() -> None:
    drawn = pictures.qr_svg(CODE.address)
    root = ET.fromstring(drawn)
    assert root.tag.endswith("svg")
    assert root.get("viewBox") == "0 0 41 41"
    assert "script" not in drawn
    assert "style" not in drawn


@pytest.mark.parametrize("text", ["12345678", CODE.address, CODE.address.lower(), "字" * 120])
@pytest.mark.parametrize("random", [False, True])
def test_a_qr_svg_is_read_back(text: str, random: bool) -> None:
    assert read_qr(pictures.qr_svg(text, random=random)) == text


def test_a_qr_svg_of_a_code_is_light() -> None:
    assert len(pictures.qr_svg(CODE.address, random=True)) < LIGHT_BYTES


def test_a_qr_svg_of_a_text_that_is_not_random_has_the_mask_that_suits_it() -> None:
    texts = [digit * 8 for digit in "0123456789"]
    assert any(pictures.qr_svg(text) != pictures.qr_svg(text, random=True) for text in texts)


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("language", ["zh_CN", "en", "id"])
def test_a_card_picture_is_read_back(level: Level, language: str) -> None:
    drawn = pictures.card_picture(card(level), CODE.address, language=language)
    assert read(drawn) == CODE.address
    with Image.open(io.BytesIO(drawn)) as opened:
        assert opened.size == pictures.CARD_SIZE
        assert opened.width / opened.height == pytest.approx(85.60 / 53.98, rel=0.002)


@pytest.mark.usefixtures("no_chinese_font")
@pytest.mark.parametrize("language", ["zh_CN", "en"])
def test_without_a_chinese_font_no_name_is_drawn_rather_than_boxes(language: str) -> None:
    named = pictures.card_picture(card(), CODE.address, language=language)
    nameless = pictures.card_picture(card(name=""), CODE.address, language=language)
    assert named == nameless
    assert read(named) == CODE.address


@pytest.mark.usefixtures("no_chinese_font")
def test_without_a_chinese_font_a_latin_name_is_drawn() -> None:
    named = pictures.card_picture(card(name="A*** B***"), CODE.address)
    assert named != pictures.card_picture(card(name=""), CODE.address)


def test_a_character_that_no_font_has_leaves_the_name_out() -> None:
    private = pictures.card_picture(card(name="\ue000**"), CODE.address)
    assert private == pictures.card_picture(card(name=""), CODE.address)


@pytest.mark.parametrize("size", [(480, 640), (3000, 4000), (100, 100), (1, 1), (4000, 30)])
def test_a_portrait_is_kept_small(size: tuple[int, int]) -> None:
    kept = pictures.portrait(picture(size) if size[0] >= 100 and size[1] >= 100 else flat(size))
    assert len(kept) <= pictures.PORTRAIT_BYTES
    with Image.open(io.BytesIO(kept)) as opened:
        assert opened.format == "JPEG"
        assert opened.width <= 240
        assert opened.height <= 300


def flat(size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "grey").save(buffer, "PNG")
    return buffer.getvalue()


def test_a_portrait_leaves_its_comment_behind() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (240, 300)).save(buffer, "JPEG", comment=b"source: somewhere")
    assert b"somewhere" in buffer.getvalue()
    assert b"somewhere" not in pictures.portrait(buffer.getvalue())


def test_a_portrait_leaves_its_place_and_time_behind() -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    buffer = io.BytesIO()
    Image.new("RGB", (300, 400)).save(buffer, "JPEG", exif=exif)
    assert b"taken at home" in buffer.getvalue()
    assert b"taken at home" not in pictures.portrait(buffer.getvalue())


@pytest.mark.parametrize("image", [b"", b"GIF89a", b"<svg/>", picture()[:500], b"\xff\xd8\xff"])
def test_what_is_no_portrait(image: bytes) -> None:
    with pytest.raises(UnavailableError):
        pictures.portrait(image)


def test_a_pixel_bomb_is_refused_before_it_is_decoded() -> None:
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    with pytest.raises(UnavailableError):
        pictures.portrait(buffer.getvalue())
