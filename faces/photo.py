"""Open untrusted photos safely: bytes in, upright RGB pixels out, and nothing else kept.

The order of the checks is the point. Size before reading, format by its first bytes, pixels by
the header before decoding; then the picture is decoded once, at reduced scale where the format
allows it, and only its pixels go on. Metadata (position, device, previews) and whatever else
hides in the file (a script, an archive) ends here, because everything downstream sees pixels.
"""

from __future__ import annotations

import dataclasses
import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from faces.errors import PhotoError

Pixels = npt.NDArray[np.uint8]

MAX_BYTES: Final = 15 * 1024 * 1024
LONGEST_SIDE: Final = 800
# A JPEG is decoded at an eighth of its size if need be, so a large one costs little memory; the
# others are decoded whole: 25 megapixels are 75 MB for a moment.
MAX_PIXELS: Final = {"JPEG": 64_000_000, "PNG": 25_000_000, "WEBP": 25_000_000, "HEIC": 25_000_000}
LONGEST_POSSIBLE_SIDE: Final = 16_384
HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"})
JPEG_QUALITY: Final = 88
# What Pillow and its plugins let escape over damaged files.
UNREADABLE: Final = (
    *(OSError, EOFError, IndexError, MemoryError, ValueError, SyntaxError, TypeError, KeyError),
    *(RuntimeError, struct.error, zlib.error, ArithmeticError, AttributeError),
)
EXIF_ORIENTATION: Final = 0x0112
UPRIGHT: Final = {  # EXIF 2.32, 4.6.4: how the stored rows lie, and what sets them upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Photo:
    """A decoded photo.

    Attributes:
        pixels: (height, width, 3) uint8 RGB, upright, longest side at most 800 by default.
        width: of the file's picture as its header says, before reduction.
        height: likewise.
        format: JPEG, PNG, WEBP or HEIC.
    """

    pixels: Pixels
    width: int
    height: int
    format: str

    @property
    def scale(self) -> float:
        """Pixels of the file per pixel here, 1 or more (the longer sides compared)."""
        height, width = self.pixels.shape[:2]
        return float(max(self.width, self.height) / max(width, height))


def sniff(data: bytes) -> str:
    """The format that the first bytes show; names and declared types are not asked.

    Raises:
        PhotoError: `not_an_image`.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp" and data[8:12] in HEIC_BRANDS:
        return "HEIC"
    raise PhotoError("not_an_image")


def read_file(path: Path, limit: int = MAX_BYTES) -> bytes:
    """The bytes of a file, never more than `limit` of them.

    Raises:
        PhotoError: `too_large`.
        OSError: when there is no such file or it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise PhotoError("too_large", limit=limit)
    return data


def open_photo(data: bytes, *, longest: int = LONGEST_SIDE, enough: int | None = None) -> Photo:
    """Decode a photo of unknown origin.

    Args:
        data: the file's bytes.
        longest: the longest side that the pixels may have.
        enough: the longest side that suffices, if less: a JPEG is then decoded at the smallest
            half, quarter or eighth that has it.

    Raises:
        PhotoError: `too_large`, `not_an_image`, `too_many_pixels` or `truncated`.
    """
    if len(data) > MAX_BYTES:
        raise PhotoError("too_large", limit=MAX_BYTES)
    kind = sniff(data)
    if kind == "HEIC" and ends_early(data, kind):
        raise PhotoError("truncated")  # its decoder would make up the rest
    try:
        with warnings.catch_warnings():
            # Pillow's own bomb warning is an error for it; the limit below is stricter anyway.
            warnings.simplefilter("ignore")
            image = (
                _open_heic(data) if kind == "HEIC" else Image.open(io.BytesIO(data), "r", [kind])
            )
            width, height = image.size
            _require_few_pixels(kind, width, height)
            pixels = _decode(image, kind, longest, min(longest, enough or longest))
    except PhotoError:
        raise
    except Image.DecompressionBombError as error:
        raise PhotoError("too_many_pixels") from error
    except UNREADABLE as error:
        raise PhotoError("truncated" if ends_early(data, kind) else "not_an_image") from error
    return Photo(pixels, width, height, kind)


def to_jpeg(pixels: Pixels, *, longest: int | None = None, quality: int = JPEG_QUALITY) -> bytes:
    """A fresh JPEG file of these pixels, without any metadata."""
    image = Image.fromarray(pixels)
    if longest is not None:
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def clean(data: bytes, *, longest: int = LONGEST_SIDE) -> bytes:
    """The same photo as a fresh JPEG: upright, reduced, without metadata or passengers.

    Raises:
        PhotoError: as `open_photo`.
    """
    return to_jpeg(open_photo(data, longest=longest).pixels)


def _require_few_pixels(kind: str, width: int, height: int) -> None:
    """Refuse by the header what would not fit, before anything is decoded."""
    if width * height > MAX_PIXELS[kind] or max(width, height) > LONGEST_POSSIBLE_SIDE:
        raise PhotoError("too_many_pixels", width=width, height=height)


def _open_heic(data: bytes) -> Image.Image:
    """The HEIC file's main picture, opened lazily: its size is known, nothing is decoded."""
    import pillow_heif  # noqa: PLC0415 - loads a video codec; most photos are JPEG

    pillow_heif.register_heif_opener(thumbnails=False)
    return Image.open(io.BytesIO(data), "r", ["HEIF"])


def _decode(image: Image.Image, kind: str, longest: int, enough: int) -> Pixels:
    """Upright RGB pixels with the longest side at most `longest`."""
    if kind == "JPEG":
        # Pillow keeps both sides at least as asked, so ask for the picture's own proportions.
        ratio = min(1.0, enough / max(image.size))
        image.draft("RGB", (int(image.width * ratio), int(image.height * ratio)))
    image.load()
    turn = UPRIGHT.get(image.getexif().get(EXIF_ORIENTATION, 1))  # what is made of it has none
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        # What is transparent is shown to people on white, so it is measured on white too.
        layers = image.convert("RGBA")
        image = Image.new("RGB", image.size, "white")
        image.paste(layers, mask=layers.getchannel("A"))
    elif image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if max(image.size) > longest:
        ratio = longest / max(image.size)
        size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
        image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    upright = image.convert("RGB")
    if turn is not None:
        upright = upright.transpose(turn)
    return np.ascontiguousarray(np.asarray(upright, dtype=np.uint8))


def ends_early(data: bytes, kind: str) -> bool:
    """Whether a file of this format stops before its own end."""
    if kind == "JPEG":
        return b"\xff\xd9" not in data[-64:]
    if kind == "PNG":
        return b"IEND" not in data[-64:]
    if kind == "WEBP":
        return len(data) < int.from_bytes(data[4:8], "little") + 8
    at = 0
    while at + 8 <= len(data):  # the boxes of ISO/IEC 14496-12, each with its length before it
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 0:  # the last box reaches to the end, wherever that is
            return False
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size < 8:
            return True
        at += size
    return at > len(data)
