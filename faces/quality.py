"""Whether a found face is good enough to be measured: large, lit, sharp and uncovered.

Every refusal has its own code, because every one has its own advice.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from faces import find
from faces.errors import PhotoError
from faces.find import Face, Points
from faces.photo import Pixels

# What each limit keeps out was measured on real photos made worse step by step: beyond it the
# template of a person moves by 0.3 and more from their own, so that people are refused wrongly.
LEAST_WIDTH: Final = 48  # pixels between the face's edges
DARKEST: Final = 35.0  # mean brightness of the face, 0 to 255
BRIGHTEST: Final = 225.0
LEAST_SHARPNESS: Final = 3.0  # see `_sharpness`; in focus 20 to 100, just usable 4
SHARPNESS_SIDE: Final = 64  # the face is brought to this width first, so that size drops out
BURNT_OUT: Final = 0.3  # share of the picture at full white
BLURRED_PICTURE: Final = 0.5  # `_edges` of the whole picture at 256 pixels
WEAK_SCORE: Final = -0.7  # how sure the detector is at least of a face half hidden
# What covers a face, relative to the brightness of the cheeks: dark glasses have no contrast and
# little light, a hand or scarf no contrast where lips are; uncovered eyes have 0.17 and more,
# closed lips 0.12 and more.
FLAT_EYES: Final = 0.08
DARK_EYES: Final = 0.45
FLAT_MOUTH: Final = 0.06


@dataclasses.dataclass(frozen=True, slots=True)
class Quality:
    """The figures of one face.

    Attributes:
        width: pixels from edge to edge, in the picture it was measured in.
        brightness: mean of the face, 0 to 255.
        contrast: standard deviation of the face's brightness.
        sharpness: see `_sharpness`; in focus 20 to 100.
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
    """Refuse a face whose eyes or mouth are hidden behind dark glasses, a hand, a scarf.

    Raises:
        PhotoError: `covered`.
    """
    gray = np.asarray(Image.fromarray(pixels).convert("L"), dtype=np.float64)
    width = float(np.linalg.norm(points[45] - points[36]))
    cheeks = max(
        float(_patch(gray, (points[31] + points[2]) / 2, width * 0.12).mean()),
        float(_patch(gray, (points[35] + points[14]) / 2, width * 0.12).mean()),
        1.0,
    )
    for first in (36, 42):
        eye = _patch(gray, points[first : first + 6].mean(0), width * 0.13)
        if eye.std() < FLAT_EYES * cheeks and eye.mean() < DARK_EYES * cheeks:
            raise PhotoError("covered", part="eyes")
    mouth = _patch(gray, points[48:60].mean(0), width * 0.2)
    if mouth.std() < FLAT_MOUTH * cheeks:
        raise PhotoError("covered", part="mouth")


def why_no_face(pixels: Pixels) -> PhotoError:
    """The likeliest reason that no face was found: light, focus, something before it, or none."""
    image = Image.fromarray(pixels).convert("L")
    gray = np.asarray(image, dtype=np.float64)
    if gray.mean() < DARKEST:
        return PhotoError("too_dark", brightness=round(float(gray.mean())))
    if gray.mean() > BRIGHTEST or (gray > 250).mean() > BURNT_OUT:
        return PhotoError("too_bright", brightness=round(float(gray.mean())))
    image.thumbnail((SHARPNESS_SIDE * 4, SHARPNESS_SIDE * 4), Image.Resampling.BILINEAR)
    if _edges(np.asarray(image, dtype=np.float64)) < BLURRED_PICTURE:
        return PhotoError("blurred")
    if any(_eyes_show(pixels, face) for face in find.weak_faces(pixels, WEAK_SCORE)):
        return PhotoError("covered", part="face")
    return PhotoError("no_face")


def _eyes_show(pixels: Pixels, face: Face) -> bool:
    """Whether skin lies between two darker eyes where a half hidden face may be."""
    if face.width < LEAST_WIDTH:
        return False
    points = find.landmarks(pixels, face)
    width = float(np.linalg.norm(points[45] - points[36]))
    colors = np.asarray(Image.fromarray(pixels).convert("YCbCr"), dtype=np.float64)
    bridge = _patch(colors, points[27], width * 0.07)
    light, blue, red = bridge.reshape(-1, 3).mean(0) - (0, 128, 128)
    # Skin of every tone in YCbCr (Chai and Ngan 1999): Cb 77 to 127, Cr 133 to 173; a little wider.
    if not (-55 <= blue <= -1 and 3 <= red <= 50):
        return False
    shows = 0
    for first in (36, 42):
        eye = _patch(colors, points[first : first + 6].mean(0), width * 0.13)[..., 0]
        shows += bool(eye.std() > FLAT_EYES * light and eye.mean() < 0.95 * light)
    return shows > 0


def _patch(
    picture: npt.NDArray[np.float64], center: npt.NDArray[np.float64], radius: float
) -> npt.NDArray[np.float64]:
    """A square of the picture around a point, moved inside and at least two pixels wide."""
    height, width = picture.shape[:2]
    reach = max(2, round(radius))
    x = int(np.clip(center[0], reach, max(reach, width - reach)))
    y = int(np.clip(center[1], reach, max(reach, height - reach)))
    return picture[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach]


def _crop(pixels: Pixels, face: Face) -> Image.Image:
    """The face's box, cut where the picture ends, as brightness."""
    height, width = pixels.shape[:2]
    left, right = max(0, face.left), min(width, face.right)
    top, bottom = max(0, face.top), min(height, face.bottom)
    if right - left < 2 or bottom - top < 2:
        raise PhotoError("no_face")
    return Image.fromarray(pixels[top:bottom, left:right]).convert("L")


def _sharpness(crop: Image.Image) -> float:
    """How much of the face's contrast is fine detail, in percent, at one size.

    The variance of the Laplacian divided by the variance of the brightness, so that neither a
    far nor a dim face counts as blurred.
    """
    size = (SHARPNESS_SIDE, SHARPNESS_SIDE)
    return _edges(np.asarray(crop.resize(size, Image.Resampling.BILINEAR), dtype=np.float64))


def _edges(gray: npt.NDArray[np.float64]) -> float:
    """Variance of the Laplacian in percent of the variance."""
    edges = (
        gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:] - 4 * gray[1:-1, 1:-1]
    )
    return float(100 * edges.var() / max(float(gray.var()), 1.0))
