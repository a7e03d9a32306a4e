"""Whether a found face is good enough to be measured: large, lit, sharp and uncovered.

Every refusal has its own code, because every one has its own advice.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
from PIL import Image

from faces.errors import PhotoError
from faces.find import Face, Points
from faces.photo import Pixels

LEAST_WIDTH: Final = 60  # pixels between the face's edges; below, the encoder sees mostly blur
DARKEST: Final = 45.0  # mean brightness of the face, 0 to 255
BRIGHTEST: Final = 225.0
LEAST_SHARPNESS: Final = 30.0  # see `_sharpness`
SHARPNESS_SIDE: Final = 128  # the face is brought to this width first, so that size drops out


@dataclasses.dataclass(frozen=True, slots=True)
class Quality:
    """The figures of one face.

    Attributes:
        width: pixels from edge to edge, in the picture it was measured in.
        brightness: mean of the face, 0 to 255.
        contrast: standard deviation of the face's brightness.
        sharpness: variance of the Laplacian of the face at 128 pixels width.
        score: the detector's confidence; 1 is ordinary, 0.2 the least accepted.
    """

    width: int
    brightness: float
    contrast: float
    sharpness: float
    score: float

    def as_json(self) -> dict[str, float]:
        """The figures, rounded for people."""
        return {name: round(value, 2) for name, value in dataclasses.asdict(self).items()}


def measure_quality(pixels: Pixels, face: Face) -> Quality:
    """The figures of a face, whether or not they suffice."""
    crop = _crop(pixels, face)
    gray = np.asarray(crop, dtype=np.float64)
    return Quality(
        width=face.width,
        brightness=float(gray.mean()),
        contrast=float(gray.std()),
        sharpness=_sharpness(crop),
        score=face.score,
    )


def require(quality: Quality) -> None:
    """Refuse a face that is too poor to be measured.

    Raises:
        PhotoError: `too_small`, `too_dark`, `too_bright` or `blurred`.
    """
    if quality.width < LEAST_WIDTH:
        raise PhotoError("too_small", width=quality.width, least=LEAST_WIDTH)
    if quality.brightness < DARKEST:
        raise PhotoError("too_dark", brightness=round(quality.brightness))
    if quality.brightness > BRIGHTEST:
        raise PhotoError("too_bright", brightness=round(quality.brightness))
    if quality.sharpness < LEAST_SHARPNESS:
        raise PhotoError("blurred", sharpness=round(quality.sharpness, 1))


def require_uncovered(pixels: Pixels, points: Points) -> None:
    """Refuse a face that a mask, a hand or dark glasses hide.

    Raises:
        PhotoError: `covered`.
    """


def why_no_face(pixels: Pixels) -> PhotoError:
    """The likeliest reason that no face was found: the whole picture's light, or none there."""
    gray = np.asarray(Image.fromarray(pixels).convert("L"), dtype=np.float64)
    if gray.mean() < DARKEST:
        return PhotoError("too_dark", brightness=round(float(gray.mean())))
    if gray.mean() > BRIGHTEST:
        return PhotoError("too_bright", brightness=round(float(gray.mean())))
    return PhotoError("no_face")


def _crop(pixels: Pixels, face: Face) -> Image.Image:
    """The face's box, cut where the picture ends, as brightness."""
    height, width = pixels.shape[:2]
    left, right = max(0, face.left), min(width, face.right)
    top, bottom = max(0, face.top), min(height, face.bottom)
    if right - left < 2 or bottom - top < 2:
        raise PhotoError("no_face")
    return Image.fromarray(pixels[top:bottom, left:right]).convert("L")


def _sharpness(crop: Image.Image) -> float:
    """Variance of the Laplacian at one size, so that a near and a far face compare."""
    side = SHARPNESS_SIDE
    gray = np.asarray(crop.resize((side, side), Image.Resampling.BILINEAR), dtype=np.float64)
    edges = (
        gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:] - 4 * gray[1:-1, 1:-1]
    )
    return float(edges.var())
