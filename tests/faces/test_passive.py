"""Signs of prints and screens are seen, and ordinary photos are left in peace."""

from __future__ import annotations

import datetime
import functools
import io

import numpy as np
import pytest
from PIL import Image

from faces import passive, photo, selfie
from faces.gestures import Gesture
from faces.passive import Marks, Suspicion
from tests.faces import warping

NOW = datetime.datetime(2026, 11, 23, 9, 0, tzinfo=datetime.UTC)  # five in the afternoon in China


def examined(data: bytes) -> Suspicion:
    opened = photo.open_photo(data)
    return passive.examine(data, opened, selfie.find_one(opened.pixels), NOW)


def with_exif(**marks: str) -> bytes:
    exif = Image.Exif()
    if "software" in marks:
        exif[0x0131] = marks["software"]
    if "taken" in marks:
        exif.get_ifd(0x8769)[0x9003] = marks["taken"]
    if "offset" in marks:
        exif.get_ifd(0x8769)[0x9011] = marks["offset"]
    file = io.BytesIO()
    warping.portrait("grace").save(file, "JPEG", exif=exif)
    return file.getvalue()


@functools.cache
def attack(name: str, species: str, size: tuple[int, int]) -> Image.Image:
    make = warping.printed if species == "print" else warping.on_screen
    return make(warping.portrait(name), size)


@pytest.mark.parametrize("name", ["grace", "eileen"])
@pytest.mark.parametrize("species", ["print", "screen"])
@pytest.mark.parametrize("size", [(960, 1280), (1440, 1920)])
@pytest.mark.parametrize("quality", [90, 60])
def test_prints_and_screens(name: str, species: str, size: tuple[int, int], quality: int) -> None:
    found = examined(warping.jpeg(attack(name, species, size), quality))
    assert found.suspicious
    assert {"moire", "frame"} & set(found.reasons)


@pytest.mark.parametrize("species", ["print", "screen"])
def test_without_its_frame_a_print_or_screen_is_told_by_its_grid(species: str) -> None:
    shown = attack("grace", species, (1440, 1920))
    found = examined(warping.jpeg(shown.crop((260, 420, 1180, 1340))))
    assert "frame" not in found.reasons
    assert "moire" in found.reasons
    assert found.suspicious


@pytest.mark.parametrize("name", ["grace", "eileen"])
@pytest.mark.parametrize("gesture", [None, *Gesture])
def test_a_person_before_the_camera(name: str, gesture: Gesture | None) -> None:
    found = examined(warping.jpeg(warping.gesture(name, gesture)))
    assert found == Suspicion(0.0, ())


@pytest.mark.parametrize("change", ["dark", "bright", "noise", "tilt", "jpeg", "gray", "large"])
def test_a_person_in_ordinary_conditions(change: str) -> None:
    picture, quality = warping.portrait("grace"), 90
    if change in {"dark", "bright"}:
        picture = warping.lit(picture, 0.5 if change == "dark" else 1.4)
    elif change == "noise":
        picture = warping.noisy(picture, 12)
    elif change == "tilt":
        picture = warping.tilted(picture, 10)
    elif change == "jpeg":
        quality = 30
    elif change == "gray":
        picture = picture.convert("L")
    else:
        picture = picture.resize((1536, 1800), Image.Resampling.BICUBIC)
    assert not examined(warping.jpeg(picture, quality)).suspicious


def test_glare_on_glass() -> None:
    pixels = np.asarray(warping.portrait("grace")).copy()
    pixels[200:250, 215:265] = 255
    assert "glare" in examined(warping.jpeg(Image.fromarray(pixels), 95)).reasons


@pytest.mark.parametrize("software", ["Adobe Photoshop 25.0", "GIMP 2.10", "FaceApp", "screenshot"])
def test_a_picture_that_an_editor_saved(software: str) -> None:
    assert examined(with_exif(software=software)).reasons == ("edited",)


@pytest.mark.parametrize("software", ["", "HUAWEI ELS-AN00 12.0", "17.5.1", "MediaTek Camera"])
def test_a_picture_that_a_camera_saved(software: str) -> None:
    assert examined(with_exif(software=software)).reasons == ()


@pytest.mark.parametrize(
    ("taken", "offset"),
    [
        ("2026:11:22 17:00:00", ""),
        ("2026:11:23 09:00:00", ""),
        ("2019:01:01 00:00:00", "+08:00"),
        ("2026:11:24 17:00:00", ""),
        ("2026:11:22 09:00:00", "+00:00"),
    ],
)
def test_yesterdays_photo(taken: str, offset: str) -> None:
    found = examined(with_exif(taken=taken, offset=offset))
    assert found.reasons == ("old",)
    assert found.suspicious


@pytest.mark.parametrize(
    ("taken", "offset"),
    [
        ("2026:11:23 16:59:00", ""),
        ("2026:11:23 16:59:00", "+08:00"),
        ("2026:11:23 08:59:00", "+00:00"),
        ("2026:11:23 17:30:00", ""),
        ("0000:00:00 00:00:00", ""),
        ("yesterday", "somewhere"),
    ],
)
def test_a_photo_of_now_or_of_no_known_time(taken: str, offset: str) -> None:
    assert examined(with_exif(taken=taken, offset=offset)).reasons == ()


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\xff\xd8\xff\xe1\xff\xffExif\x00\x00II*\x00"])
def test_broken_marks_are_none(data: bytes) -> None:
    assert passive.read_marks(data) == Marks()


def test_signs_add_up_and_never_beyond_one() -> None:
    one = passive.weigh(["washed_out"])
    two = passive.weigh(["washed_out", "soft", "washed_out"])
    every = passive.weigh(list(passive.WEIGHTS))
    assert 0 < one.score < two.score < every.score < 1
    assert not one.suspicious
    assert every.suspicious
    assert every.reasons[0] == "moire"
