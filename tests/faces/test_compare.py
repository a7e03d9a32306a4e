"""Same person, other person, too close to call; and templates kept as bytes."""

from __future__ import annotations

import numpy as np
import pytest

from faces import compare, encode, selfie
from faces.encode import Template
from tests.faces import warping


def at(distance: float) -> tuple[Template, Template]:
    a = np.zeros(128)
    b = np.zeros(128)
    b[7] = distance
    return a, b


@pytest.fixture(scope="module")
def templates() -> dict[str, Template]:
    return {
        name: selfie.measure(warping.jpeg(warping.portrait(name))).template
        for name in ("grace", "eileen")
    }


def test_two_people_are_no_match(templates: dict[str, Template]) -> None:
    result = compare.compare(templates["grace"], templates["eileen"])
    assert not result.match
    assert not result.doubtful
    assert result.distance > 0.6


@pytest.mark.parametrize("name", ["grace", "eileen"])
@pytest.mark.parametrize("change", ["light", "noise", "jpeg", "tilt", "crop", "mirror"])
def test_one_person_in_other_conditions_matches(
    templates: dict[str, Template], name: str, change: str
) -> None:
    photo, quality = warping.portrait(name), 90
    if change == "light":
        photo = warping.lit(photo, 0.5)
    elif change == "noise":
        photo = warping.noisy(photo, 12)
    elif change == "jpeg":
        quality = 25
    elif change == "tilt":
        photo = warping.tilted(photo, 15)
    elif change == "crop":
        photo = photo.crop((60, 0, 420, 400))
    else:
        photo = photo.transpose(warping.MIRROR)
    measured = selfie.measure(warping.jpeg(photo, quality))
    assert compare.compare(measured.template, templates[name]).match
    other = "eileen" if name == "grace" else "grace"
    assert not compare.compare(measured.template, templates[other]).match


@pytest.mark.parametrize(
    ("distance", "match", "doubtful"),
    [
        (0.0, True, False),
        (0.449, True, False),
        (0.451, True, True),
        (0.499, True, True),
        (0.501, False, True),
        (0.549, False, True),
        (0.551, False, False),
        (1.2, False, False),
    ],
)
def test_the_grey_band(distance: float, *, match: bool, doubtful: bool) -> None:
    result = compare.compare(*at(distance))
    assert (result.match, result.doubtful) == (match, doubtful)
    assert result.threshold == compare.THRESHOLD


@pytest.mark.parametrize(
    "bad",
    [np.zeros(127), np.zeros((1, 128)), np.full(128, np.nan), np.full(128, np.inf), np.zeros(0)],
    ids=["short", "matrix", "nan", "inf", "empty"],
)
def test_what_is_no_template_never_matches_by_accident(bad: Template) -> None:
    with pytest.raises(ValueError, match="128 finite numbers"):
        compare.compare(bad, bad)


def test_a_packed_template_is_512_bytes_and_comes_back(templates: dict[str, Template]) -> None:
    packed = encode.pack(templates["grace"])
    assert len(packed) == 512
    assert compare.distance(encode.unpack(packed), templates["grace"]) < 1e-5


@pytest.mark.parametrize("size", [0, 511, 513, 1024])
def test_other_bytes_are_no_template(size: int) -> None:
    with pytest.raises(ValueError, match="512 bytes"):
        encode.unpack(b"\x00" * size)
