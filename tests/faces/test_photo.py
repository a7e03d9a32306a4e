"""Untrusted photo files: what is refused before decoding, and what is left of the rest."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, PngImagePlugin

from faces import models, photo
from faces.errors import PhotoError
from tests.faces import warping


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def refusal(data: bytes) -> str:
    with pytest.raises(PhotoError) as caught:
        photo.open_photo(data)
    return caught.value.code


def heic(image: Image.Image) -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(image).save(file, quality=80)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is huge."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    body = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + body + b"\x00\x00\x00\x00IDAT\x35\xaf\x06\x1e"


@pytest.fixture(scope="module")
def grace() -> Image.Image:
    return warping.portrait("grace")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIC"])
def test_each_format_of_phones_opens(grace: Image.Image, kind: str) -> None:
    data = heic(grace) if kind == "HEIC" else saved(grace, kind)
    opened = photo.open_photo(data)
    assert (opened.format, opened.width, opened.height) == (kind, 512, 600)
    difference = np.abs(opened.pixels.astype(int) - np.asarray(grace).astype(int)).mean()
    assert difference < 4


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"not a picture at all",
        b"%PDF-1.7\n" + b"0" * 500,
        b"GIF89a" + b"\x00" * 200,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x00\x00\x00\x18ftypavif" + b"\x00" * 100,
        b"RIFF\x00\x00\x00\x00WAVE" + b"\x00" * 100,
    ],
)
def test_other_files_are_no_pictures(data: bytes) -> None:
    assert refusal(data) == "not_an_image"


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "GIF", "PPM", "ICO"])
def test_formats_that_no_phone_sends_are_never_tried(grace: Image.Image, kind: str) -> None:
    assert refusal(saved(grace.resize((64, 64)), kind)) == "not_an_image"


@pytest.mark.parametrize(
    "start", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x10\x00\x00\x00WEBP"]
)
def test_a_right_beginning_and_rubbish_after_it(start: bytes) -> None:
    assert refusal(start + bytes(range(256)) * 8) in {"not_an_image", "truncated"}


def test_heic_rubbish() -> None:
    assert refusal(b"\x00\x00\x00\x18ftypheic" + bytes(range(256))) in {"not_an_image", "truncated"}


def test_more_bytes_than_are_ever_read(tmp_path: Path, grace: Image.Image) -> None:
    data = saved(grace, "JPEG") + b"\x00" * photo.MAX_BYTES
    assert refusal(data) == "too_large"
    path = tmp_path / "large.jpg"
    path.write_bytes(data)
    with pytest.raises(PhotoError) as caught:
        photo.read_file(path)
    assert caught.value.code == "too_large"


@pytest.mark.parametrize(
    ("width", "height"), [(50_000, 50_000), (2**31 - 1, 2**31 - 1), (5001, 5001), (20_000, 2)]
)
def test_a_pixel_bomb_is_refused_by_its_header(width: int, height: int) -> None:
    assert refusal(png_header(width, height)) == "too_many_pixels"


def test_a_jpeg_bomb_is_refused_by_its_header(grace: Image.Image) -> None:
    data = bytearray(saved(grace, "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 12_000, 12_000)
    assert refusal(bytes(data)) == "too_many_pixels"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIC"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_file_that_ends_too_early(grace: Image.Image, kind: str, share: float) -> None:
    data = heic(grace) if kind == "HEIC" else saved(grace, kind)
    assert refusal(data[: int(len(data) * share)]) == "truncated"


def test_a_truncated_file_is_refused_after_the_models_are_loaded_too(grace: Image.Image) -> None:
    models.load()  # face_recognition turns Pillow's own check off when it is imported
    data = saved(grace, "JPEG")
    assert refusal(data[: len(data) // 2]) == "truncated"


def test_metadata_and_passengers_do_not_survive(grace: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Spy phone"
    exif.get_ifd(0x8825)[2] = (22.0, 47.0, 30.0)  # latitude
    data = saved(grace, "JPEG", exif=exif, comment=b"<?php evil ?>")
    data += b"PK\x03\x04 an archive behind the picture <script>alert(1)</script>"
    clean = photo.clean(data)
    for trace in (b"Spy", b"Exif", b"php", b"PK\x03\x04", b"script"):
        assert trace in data
        assert trace not in clean
    assert not Image.open(io.BytesIO(clean)).getexif()


def test_text_in_a_png_does_not_survive(grace: Image.Image) -> None:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "home address")
    assert b"home address" not in photo.clean(saved(grace, "PNG", pnginfo=notes))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_back_upright(grace: Image.Image, orientation: int) -> None:
    stored = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    lying = grace if stored is None else grace.transpose(stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = photo.open_photo(saved(lying, "JPEG", exif=exif, quality=95))
    assert opened.pixels.shape == (600, 512, 3)
    assert np.abs(opened.pixels.astype(int) - np.asarray(grace).astype(int)).mean() < 4


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGBA"), ("WEBP", "RGBA"), ("PNG", "LA")])
def test_a_transparent_picture_comes_back_upright_too(
    grace: Image.Image, kind: str, mode: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = grace.transpose(Image.Transpose.ROTATE_90).convert(mode)
    lying.putpixel((0, 0), (*lying.getpixel((0, 0))[:-1], 0))  # type: ignore[index]  # all of these have bands
    opened = photo.open_photo(saved(lying, kind, exif=exif))
    assert opened.pixels.shape == (600, 512, 3)
    seen = np.asarray(grace.convert(mode).convert("RGB")).astype(int)
    assert np.abs(opened.pixels.astype(int) - seen).mean() < 8


def test_a_large_photo_comes_back_small_and_says_what_it_was(grace: Image.Image) -> None:
    opened = photo.open_photo(saved(grace.resize((3072, 3600)), "JPEG"))
    assert max(opened.pixels.shape) == 800
    assert (opened.width, opened.height) == (3072, 3600)
    assert opened.scale == pytest.approx(4.5)


@pytest.mark.parametrize("mode", ["L", "P", "1", "RGBA", "LA", "CMYK", "I;16"])
def test_every_kind_of_pixels_becomes_rgb(grace: Image.Image, mode: str) -> None:
    if mode == "CMYK":
        data = saved(grace.convert("CMYK"), "JPEG")
    elif mode == "I;16":
        wide = np.asarray(grace.convert("L")).astype(np.uint16) * 257
        data = saved(Image.fromarray(wide), "PNG")
    else:
        data = saved(grace.convert(mode), "PNG")
    opened = photo.open_photo(data)
    assert opened.pixels.shape == (600, 512, 3)
    assert opened.pixels.dtype == np.uint8
    assert 60 < opened.pixels.mean() < 130


def test_what_is_transparent_is_measured_as_people_see_it(grace: Image.Image) -> None:
    hidden = grace.copy()
    hidden.putalpha(0)
    assert photo.open_photo(saved(hidden, "PNG")).pixels.min() == 255


def test_only_the_first_picture_of_an_animation_counts(grace: Image.Image) -> None:
    small = grace.resize((128, 150))
    black = Image.new("RGB", small.size)
    data = saved(small, "WEBP", save_all=True, append_images=[black], duration=100)
    assert photo.open_photo(data).pixels.mean() > 50
