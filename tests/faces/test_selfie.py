"""A selfie from bytes to template: decoded small where that suffices, once more where not."""

from __future__ import annotations

import pytest
from PIL import Image

from faces import compare, photo, selfie
from faces.errors import PhotoError
from tests.faces import warping


def phone_photo(name: str, *, near: bool) -> bytes:
    """A 12-megapixel photo with the face close to the camera or at a distance."""
    picture = warping.portrait(name)
    if name == "grace" and near:
        picture = picture.crop((76, 33, 476, 566))
    elif near:
        picture = picture.crop((130, 20, 325, 280))
    return warping.jpeg(picture.resize((3024, 4032), Image.Resampling.BICUBIC), 85)


@pytest.mark.parametrize("name", ["grace", "eileen"])
@pytest.mark.parametrize("near", [True, False])
def test_a_phones_photo_measures_as_the_picture_does(name: str, *, near: bool) -> None:
    data = phone_photo(name, near=near)
    measured = selfie.measure(data)
    whole = selfie.measure_photo(photo.open_photo(data))
    assert compare.distance(measured.template, whole.template) < 0.25


@pytest.mark.parametrize("name", ["grace", "eileen"])
def test_a_near_face_is_measured_at_an_eighth_and_a_far_one_is_not(name: str) -> None:
    near = selfie.measure(phone_photo(name, near=True)).face
    assert near.bottom <= 504 + 40
    assert near.width >= selfie.NEAR_WIDTH


def test_two_people_in_a_phones_photo() -> None:
    both = Image.new("RGB", (1024, 600))
    both.paste(warping.portrait("grace"), (0, 0))
    both.paste(warping.portrait("eileen").resize((512, 600)), (512, 0))
    large = both.resize((4032, 2362), Image.Resampling.BICUBIC)
    with pytest.raises(PhotoError) as caught:
        selfie.measure(warping.jpeg(large))
    assert caught.value.code == "many_faces"


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "not_an_image"), (b"\xff\xd8\xff\xe0", "truncated"), (b"hello", "not_an_image")],
)
def test_what_is_no_photo(data: bytes, code: str) -> None:
    with pytest.raises(PhotoError) as caught:
        selfie.measure(data)
    assert caught.value.code == code


def test_a_large_photo_without_a_face() -> None:
    wall = warping.portrait("grace").crop((300, 0, 512, 250)).resize((3024, 4032))
    with pytest.raises(PhotoError) as caught:
        selfie.measure(warping.jpeg(wall))
    assert caught.value.code in {"no_face", "blurred", "covered"}
