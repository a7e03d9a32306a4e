"""Each way in which a photo is too poor has its own code."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from faces import quality, selfie
from faces.errors import PHOTO_CODES, PhotoError
from tests.faces import warping


def refusal(image: Image.Image) -> str:
    with pytest.raises(PhotoError) as caught:
        selfie.measure(warping.jpeg(image))
    assert caught.value.code in PHOTO_CODES
    return caught.value.code


@pytest.mark.parametrize("name", ["grace", "eileen"])
@pytest.mark.parametrize("light", [0.03, 0.1, 0.15])
def test_too_dark(name: str, light: float) -> None:
    assert refusal(warping.lit(warping.portrait(name), light)) == "too_dark"


@pytest.mark.parametrize("name", ["grace", "eileen"])
@pytest.mark.parametrize("light", [3.0, 6.0])
def test_too_bright(name: str, light: float) -> None:
    assert refusal(warping.lit(warping.portrait(name), light)) == "too_bright"


@pytest.mark.parametrize(("name", "radius"), [("grace", 7), ("grace", 12), ("eileen", 4)])
def test_blurred(name: str, radius: float) -> None:
    assert refusal(warping.blurred(warping.portrait(name), radius)) == "blurred"


def test_too_small() -> None:
    photo = warping.portrait("grace")
    assert refusal(photo.resize((120, 141), Image.Resampling.LANCZOS)) == "too_small"


@pytest.mark.parametrize("name", ["grace", "eileen"])
@pytest.mark.parametrize("thing", ["mask", "sunglasses", "hand"])
def test_covered(name: str, thing: str) -> None:
    assert refusal(warping.covered(name, thing)) == "covered"


@pytest.mark.parametrize("name", ["grace", "eileen"])
@pytest.mark.parametrize("thing", ["black_mask", "paper"])
def test_hidden_for_the_most_part_is_never_a_face(name: str, thing: str) -> None:
    assert refusal(warping.covered(name, thing)) in {"covered", "no_face"}


@pytest.mark.parametrize("part", [(0, 320, 512, 512), (300, 0, 512, 250)])
def test_a_body_or_a_wall_is_no_face(part: tuple[int, int, int, int]) -> None:
    assert refusal(warping.portrait("grace").crop(part)) == "no_face"


@pytest.mark.parametrize("name", ["grace", "eileen"])
@pytest.mark.parametrize(
    "change", ["light 0.4", "light 1.3", "noise 12", "blur 1", "gray", "glasses"]
)
def test_ordinary_photos_are_good_enough(name: str, change: str) -> None:
    photo = warping.portrait(name)
    kind, _, amount = change.partition(" ")
    if kind == "light":
        photo = warping.lit(photo, float(amount))
    elif kind == "noise":
        photo = warping.noisy(photo, float(amount))
    elif kind == "blur":
        photo = warping.blurred(photo, float(amount))
    elif kind == "gray":
        photo = photo.convert("L")
    selfie.measure(warping.jpeg(photo))


def test_the_figures_are_plain_numbers() -> None:
    figures = selfie.measure(warping.jpeg(warping.portrait("grace"))).quality.as_json()
    assert set(figures) == {"width", "brightness", "contrast", "sharpness", "score"}
    assert all(isinstance(value, int | float) for value in figures.values())


def test_a_picture_without_anything_is_blurred_or_unlit() -> None:
    gray: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = np.full((300, 300, 3), 120, np.uint8)
    assert quality.why_no_face(gray).code == "blurred"
    assert quality.why_no_face(np.zeros_like(gray)).code == "too_dark"
    assert quality.why_no_face(np.full_like(gray, 255)).code == "too_bright"
