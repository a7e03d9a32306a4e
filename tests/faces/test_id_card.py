"""ID cards that never existed are read; what contradicts itself is said, not mended."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
from PIL import Image

from faces import compare, id_card, photo, selfie
from faces.errors import CardPhotoError, PhotoError
from faces.id_card import Reading
from faces.photo import Photo
from tests.faces import drawing, warping
from tests.faces.drawing import MadeUpCard

CARD = MadeUpCard()
WANTED = {
    "name": "张晓明",
    "sex": "女",
    "ethnicity": "汉",
    "birth": "1988-03-05",
    "address": "广东省广州市南沙区进港大道12号3栋402房",
    "id_number": "440115198803050027",
}


@functools.cache
def face_side() -> Image.Image:
    return drawing.front(CARD, warping.portrait("grace"))


def read(image: Image.Image) -> Reading:
    return id_card.read_card(warping.jpeg(image))


def values(reading: Reading) -> dict[str, str]:
    return {name: field.value for name, field in reading.fields.items()}


@pytest.mark.parametrize("degrees", [0, 8, 45, 90, 180, 262])
def test_the_front_whichever_way_it_lies(degrees: float) -> None:
    reading = read(drawing.photographed(face_side(), degrees=degrees))
    assert reading.side == "front"
    assert values(reading) == WANTED
    assert reading.problems == ()
    assert reading.confidence > 0.8


@pytest.mark.parametrize(("tilt", "shade"), [(0.25, 0.0), (0.0, 0.75), (0.15, 0.5)])
def test_the_front_tilted_or_half_in_shadow(tilt: float, shade: float) -> None:
    photo_of = drawing.photographed(face_side(), degrees=-6, tilt=tilt, shade=shade)
    assert values(read(photo_of)) == WANTED


def test_the_cards_own_portrait_can_be_compared() -> None:
    portrait = read(drawing.photographed(face_side(), degrees=180)).portrait
    assert portrait is not None
    height, width = portrait.shape[:2]
    measured = selfie.measure_photo(Photo(portrait, width, height, "JPEG"))
    grace = selfie.measure(warping.jpeg(warping.portrait("grace")))
    eileen = selfie.measure(warping.jpeg(warping.portrait("eileen")))
    assert compare.compare(measured.template, grace.template).match
    assert not compare.compare(measured.template, eileen.template).match


@pytest.mark.parametrize("degrees", [0, 90])
def test_the_back(degrees: float) -> None:
    reading = read(drawing.photographed(drawing.back(CARD), degrees=degrees))
    assert reading.side == "back"
    assert values(reading) == {
        "authority": "广州市公安局南沙分局",
        "valid_from": "2017-12-25",
        "valid_until": "2037-12-25",
    }
    assert reading.portrait is None


def test_a_card_without_an_end() -> None:
    card = dataclasses.replace(CARD, validity="2010.01.02-长期")
    assert values(read(drawing.back(card)))["valid_until"] == "long_term"


def test_a_long_name_with_a_dot_and_a_number_that_ends_in_x() -> None:
    seventeen = next(
        digits
        for digits in (f"65010219791130{i:03d}" for i in range(1, 999, 2))
        if drawing.check_character(digits) == "X"
    )
    card = MadeUpCard(
        name="买买提·吐尔逊江",
        sex="男",
        ethnicity="维吾尔",
        birth=(1979, 11, 30),
        address=("新疆维吾尔自治区乌鲁木齐市", "天山区解放南路1号"),
        id_number=seventeen + "X",
    )
    found = values(read(drawing.photographed(drawing.front(card))))
    assert found["name"] == "买买提·吐尔逊江"
    assert found["ethnicity"] == "维吾尔"
    assert found["id_number"] == seventeen + "X"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"sex": "男"}, "sex_differs"),
        ({"birth": (1988, 3, 6)}, "birth_differs"),
        ({"id_number": "440115198803050021"}, "id_number_checksum"),
    ],
)
def test_what_contradicts_itself_is_said_and_not_mended(
    change: dict[str, object], problem: str
) -> None:
    card = dataclasses.replace(CARD, **change)  # type: ignore[arg-type]  # the fields of a literal
    reading = read(drawing.front(card))
    assert problem in reading.problems
    assert values(reading)["id_number"] == card.id_number


def test_a_field_that_is_not_there() -> None:
    reading = read(drawing.front(dataclasses.replace(CARD, name="")))
    assert "missing_name" in reading.problems
    assert reading.confidence == 0
    assert reading.advice


def test_a_validity_that_ends_before_it_begins() -> None:
    card = dataclasses.replace(CARD, validity="2037.12.25-2017.12.25")
    assert "validity_order" in read(drawing.back(card)).problems


@pytest.mark.parametrize("what", ["face", "wall", "letter"])
def test_what_is_no_card(what: str) -> None:
    if what == "face":
        image = warping.portrait("grace")
    elif what == "wall":
        image = Image.new("RGB", (800, 600), (150, 140, 130))
    else:
        image = drawing.back(dataclasses.replace(CARD, authority="", validity=""))
        image.paste((230, 236, 240), (0, 0, 1011, 300))
        image.paste((230, 236, 240), (140, 400, 320, 638))
    with pytest.raises(CardPhotoError) as caught:
        read(image)
    assert caught.value.code == "no_card"


def test_a_file_that_is_no_picture() -> None:
    with pytest.raises(PhotoError) as caught:
        id_card.read_card(b"%PDF-1.4")
    assert caught.value.code == "not_an_image"


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        ("440115198803050027", True),
        ("440115198803050028", False),
        ("44011519880305002", False),
        ("440115198802300026", False),
        ("44011519880305002X", False),
        ("", False),
    ],
)
def test_numbers(number: str, *, valid: bool) -> None:
    assert id_card.valid_number(number) is valid


def test_json_holds_what_was_read_and_no_picture() -> None:
    answer = read(face_side()).as_json()
    assert set(answer) == {"side", "confidence", "fields", "problems", "advice"}
    assert answer["fields"]["name"]["value"] == "张晓明"
    assert 0 < answer["fields"]["name"]["confidence"] <= 1


def test_a_photo_is_read_at_the_size_that_cards_need() -> None:
    large = drawing.photographed(face_side()).resize((3200, 2400))
    opened = photo.open_photo(warping.jpeg(large), longest=id_card.LONGEST)
    assert max(opened.pixels.shape) == id_card.LONGEST
    assert isinstance(opened.pixels, np.ndarray)
