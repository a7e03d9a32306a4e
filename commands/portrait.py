"""A portrait from a file: what is no picture is refused, and nothing but the picture is kept."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

import pillow_heif
from PIL import Image, ImageOps, UnidentifiedImageError

LARGEST_FILE = 20 * 1024 * 1024
MOST_PIXELS = 50_000_000
LONGEST_SIDE = 1200
FORMATS = ("JPEG", "PNG", "WEBP", "HEIF")
# What Pillow's readers let escape from a damaged file.
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, struct.error)


class PortraitError(Exception):
    """A file that is no portrait; the text says why and what to give instead."""


def read(path: Path) -> bytes:
    """The picture as a JPEG file, upright, at most 1200 px long, without any metadata.

    It is drawn anew, so neither a position in the EXIF data nor a file hidden behind the
    picture comes along.

    Raises:
        PortraitError: when the file is missing, too large, damaged, or no picture.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise PortraitError(
                f"{path} is larger than {LARGEST_FILE // 2**20} MB; give a smaller one"
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise PortraitError(f"{path} does not exist; give the path of a photo") from None
    except OSError as error:
        raise PortraitError(f"{path} cannot be read: {error.strerror}") from error
    return redrawn(data, str(path))


def redrawn(data: bytes, name: str = "the file") -> bytes:
    """As `read`, of a picture in memory; `name` is what a sentence calls it."""
    pillow_heif.register_heif_opener()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
        if picture.width * picture.height > MOST_PIXELS:
            raise PortraitError(f"{name} has more than {MOST_PIXELS // 10**6} million pixels")
        picture.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PortraitError(f"{name} has more pixels than any photo") from error
    except UnidentifiedImageError as error:
        raise PortraitError(
            f"{name} is no picture; give a photo as JPEG, PNG, WebP or HEIC"
        ) from error
    except _DAMAGED as error:
        raise PortraitError(f"{name} is damaged: {error}; give another photo") from error
    upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    upright.info.clear()
    file = io.BytesIO()
    upright.save(file, "JPEG", quality=92)
    return file.getvalue()
