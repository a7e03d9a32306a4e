"""Where faces are found, and where none may be."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from PIL import Image

from faces import find
from faces.errors import PhotoError
from faces.photo import Pixels
from tests.faces import warping


def pixels(image: Image.Image) -> Pixels:
    return np.asarray(image.convert("RGB"))


def refusal(image: Image.Image) -> str:
    with pytest.raises(PhotoError) as caught:
        find.find_face(pixels(image))
    return caught.value.code


@pytest.mark.parametrize(("name", "x", "y"), [("grace", 275, 235), ("eileen", 226, 125)])
def test_the_one_face_of_a_photo(name: str, x: int, y: int) -> None:
    face = find.find_face(pixels(warping.portrait(name)))
    assert abs((face.left + face.right) / 2 - x) < 25
    assert abs((face.top + face.bottom) / 2 - y) < 25


@pytest.mark.parametrize("side", [400, 512, 640, 800])
def test_a_space_suit_is_no_second_face(side: int) -> None:
    photo = warping.portrait("eileen").resize((side, side), Image.Resampling.LANCZOS)
    assert len(find.find_faces(pixels(photo))) == 1
    find.find_face(pixels(photo))


@pytest.mark.parametrize("name", ["coffee", "cat", "rocket", "brick", "hubble_deep_field"])
def test_no_face_where_there_is_none(name: str) -> None:
    try:
        image = getattr(skimage.data, name)()
    except (FileNotFoundError, ModuleNotFoundError, ConnectionError):
        pytest.skip("scikit-image has not brought this picture")
    assert refusal(Image.fromarray(image)) == "no_face"


@pytest.mark.parametrize(
    "size", [(1, 1), (3, 500), (500, 3), (79, 79), (480, 480), (481, 10)], ids=str
)
def test_empty_pictures_of_every_size(size: tuple[int, int]) -> None:
    assert refusal(Image.new("RGB", size, (120, 110, 100))) == "no_face"


def test_two_people_side_by_side() -> None:
    both = Image.new("RGB", (1024, 600))
    both.paste(warping.portrait("grace"), (0, 0))
    both.paste(warping.portrait("eileen").resize((512, 600)), (512, 0))
    assert refusal(both) == "many_faces"


def test_the_same_person_twice_is_two_faces() -> None:
    grace = warping.portrait("grace")
    both = Image.new("RGB", (1024, 600))
    both.paste(grace, (0, 0))
    both.paste(grace, (512, 0))
    assert refusal(both) == "many_faces"


def test_somebody_far_behind_does_not_count() -> None:
    photo = warping.portrait("grace").resize((1024, 1200))
    photo.paste(warping.portrait("eileen").resize((300, 300)), (720, 0))
    face = find.find_face(pixels(photo))
    assert face.width > 300


def test_a_small_face_is_found_by_looking_closer() -> None:
    photo = warping.portrait("grace").resize((150, 176), Image.Resampling.LANCZOS)
    assert find.find_face(pixels(photo)).width < 80


@pytest.mark.parametrize("degrees", [-25, -12, 12, 25])
def test_a_tilted_head(degrees: int) -> None:
    find.find_face(pixels(warping.tilted(warping.portrait("grace"), degrees)))


def test_landmarks_are_where_the_face_is() -> None:
    grace = pixels(warping.portrait("grace"))
    face = find.find_face(grace)
    points = find.steady_landmarks(grace, face)
    assert points.shape == (68, 2)
    assert (points.min(0) > (face.left - 40, face.top - 40)).all()
    assert (points.max(0) < (face.right + 40, face.bottom + 60)).all()
