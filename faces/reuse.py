"""Recognise a picture that was sent before: the same bytes, or the same picture saved anew."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from faces.photo import Pixels

BITS: Final = 256
BANDS: Final = 16
# Measured: saved anew, smaller, with noise, lighter or darker, a picture differs in 0 to 6 bits of
# 256; turned by 2 degrees in 34, two gestures before one background in 16 to 74.
NEAR: Final = 6


@dataclasses.dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is kept of a picture to recognise it; the picture cannot be made from it.

    Attributes:
        exact: SHA-256 of the file, hex.
        perceptual: 256 bits of the picture's coarse shape, 64 hex digits.
    """

    exact: str
    perceptual: str

    @property
    def bands(self) -> tuple[str, ...]:
        """Sixteen keys to look near pictures up by.

        Two pictures that differ in at most 6 bits share at least ten of the sixteen, so
        whoever stores fingerprints finds all candidates by equal bands.
        """
        size = len(self.perceptual) // BANDS
        return tuple(f"{i:x}{self.perceptual[i * size : (i + 1) * size]}" for i in range(BANDS))


def fingerprint(data: bytes, pixels: Pixels) -> Fingerprint:
    """The fingerprint of a file and the pixels it decodes to."""
    return Fingerprint(hashlib.sha256(data).hexdigest(), perceptual_hash(pixels))


def perceptual_hash(pixels: Pixels) -> str:
    """Which of the 256 lowest frequencies are above their median (pHash), as 64 hex digits."""
    small = Image.fromarray(pixels).convert("L").resize((64, 64), Image.Resampling.BOX)
    waves = _waves()
    frequencies = waves @ np.asarray(small, dtype=np.float64) @ waves.T
    low = frequencies[1:17, 1:17]
    bits = (low > np.median(low)).ravel()
    return np.packbits(bits).tobytes().hex()


def near(a: str, b: str) -> bool:
    """Whether two coarse shapes (64 hex digits each) are one picture's, saved anew."""
    return (int(a, 16) ^ int(b, 16)).bit_count() <= NEAR


def reused(new: Fingerprint, old: Fingerprint) -> bool:
    """Whether the new picture is the old one, byte for byte or saved anew."""
    return new.exact == old.exact or near(new.perceptual, old.perceptual)


@functools.cache
def _waves() -> npt.NDArray[np.float64]:
    """The first 17 rows of the discrete cosine transform of 64 samples."""
    rows, columns = np.arange(17)[:, None], np.arange(64)[None, :]
    return np.asarray(np.cos(np.pi * rows * (2 * columns + 1) / 128))
