"""A picture is known again however it was saved; another picture is not mistaken for it."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from faces import photo, reuse
from faces.gestures import Gesture
from faces.reuse import Fingerprint
from tests.faces import warping


def of(image: Image.Image, quality: int = 90) -> Fingerprint:
    data = warping.jpeg(image, quality)
    return reuse.fingerprint(data, photo.open_photo(data).pixels)


@pytest.fixture(scope="module")
def known() -> Fingerprint:
    return of(warping.portrait("grace"))


def test_the_same_bytes(known: Fingerprint) -> None:
    assert reuse.reused(of(warping.portrait("grace")), known)
    assert of(warping.portrait("grace")).exact == known.exact


@pytest.mark.parametrize(
    "change", ["jpeg", "small", "large", "noise", "dark", "bright", "png", "soft"]
)
def test_the_same_picture_saved_anew(known: Fingerprint, change: str) -> None:
    picture, quality = warping.portrait("grace"), 90
    if change == "jpeg":
        quality = 35
    elif change == "small":
        picture = picture.resize((300, 352))
    elif change == "large":
        picture = picture.resize((1200, 1406))
    elif change == "noise":
        picture = warping.noisy(picture, 8)
    elif change in {"dark", "bright"}:
        picture = warping.lit(picture, 0.85 if change == "dark" else 1.15)
    elif change == "soft":
        picture = warping.blurred(picture, 1.5)
    again = of(picture, quality)
    if change == "png":
        file = io.BytesIO()
        picture.save(file, "PNG")
        again = reuse.fingerprint(file.getvalue(), photo.open_photo(file.getvalue()).pixels)
    assert again.exact != known.exact
    assert reuse.reused(again, known)
    assert len(set(again.bands) & set(known.bands)) >= reuse.BANDS - reuse.NEAR


@pytest.mark.parametrize("change", ["eileen", "turned", "crop", "tilt", "mirror"])
def test_another_picture(known: Fingerprint, change: str) -> None:
    picture = warping.portrait("grace")
    if change == "eileen":
        picture = warping.portrait("eileen")
    elif change == "turned":
        picture = warping.gesture("grace", Gesture.TURN_RIGHT)
    elif change == "crop":
        picture = picture.crop((20, 10, 512, 590))
    elif change == "tilt":
        picture = warping.tilted(picture, 3)
    else:
        picture = picture.transpose(warping.MIRROR)
    assert not reuse.reused(of(picture), known)


def test_sixteen_bands_cover_the_whole_hash(known: Fingerprint) -> None:
    assert len(set(known.bands)) == reuse.BANDS
    assert "".join(band[1:] for band in known.bands) == known.perceptual
