"""Find the face in a picture: small first, larger only if none is found.

dlib's HOG detector finds faces of 80 pixels and more. On a picture brought to 480 pixels it takes
11 ms on brightness alone, 17 ms on colours for the same faces, and 180 ms at 800 pixels with
upsampling.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from faces import models
from faces.errors import PhotoError
from faces.photo import Pixels

FIRST_SIDE: Final = 480
# Measured: real faces score 1.0 to 1.7, in noise and shadow 0.2; the folds of a space suit up to
# 0.15, so a lone weak finding has to be better than those.
LEAST_SCORE: Final = 0.2
# A second face refuses the photo only if it is surely one and not somebody far behind.
SECOND_FACE_SCORE: Final = 0.4
SECOND_FACE_WIDTH: Final = 0.48
LEAST_DETECTED: Final = 80  # pixels, the width of the detector's window

Points = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class Face:
    """Where a face is, in pixels of the picture it was found in (edges may lie outside it)."""

    left: int
    top: int
    right: int
    bottom: int
    score: float

    @property
    def width(self) -> int:
        """Pixels from the left to the right edge."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels from the upper to the lower edge."""
        return self.bottom - self.top


def find_faces(pixels: Pixels) -> tuple[Face, ...]:
    """All faces, the largest first; none is an empty tuple.

    Tries brightness at 480 pixels, then at full size, then at full size upsampled, and stops at
    the first that finds any.
    """
    gray = Image.fromarray(pixels).convert("L")
    for image, upsample in _tries(gray):
        faces = _detect(image, gray.width / image.width, upsample, LEAST_SCORE)
        if faces:
            return faces
    return ()


def weak_faces(pixels: Pixels, least: float) -> tuple[Face, ...]:
    """What may be faces, though the detector is not sure: for advice only, never for a match."""
    gray = Image.fromarray(pixels).convert("L")
    image, upsample = next(_tries(gray))
    return _detect(image, gray.width / image.width, upsample, least)


def _detect(image: Image.Image, ratio: float, upsample: int, least: float) -> tuple[Face, ...]:
    """Faces of at least this score, the largest first, in pixels `ratio` times as fine."""
    with models.in_use:
        boxes, scores, _ = models.detector().run(np.asarray(image), upsample, min(least, 0.0))
    faces = [
        Face(
            round(box.left() * ratio),
            round(box.top() * ratio),
            round((box.right() + 1) * ratio),
            round((box.bottom() + 1) * ratio),
            float(score),
        )
        for box, score in zip(boxes, scores, strict=True)
        if score >= least
    ]
    return tuple(sorted(faces, key=lambda face: face.width, reverse=True))


def find_face(pixels: Pixels) -> Face:
    """The one face of a photo.

    Raises:
        PhotoError: `no_face`, or `many_faces` if a second one is of comparable size and certain.
    """
    faces = find_faces(pixels)
    if not faces:
        raise PhotoError("no_face")
    main = max(faces, key=lambda face: face.width * min(face.score, 1.0))
    others = sum(
        1
        for face in (*faces, *_smaller_faces(pixels, main))
        if not _same_place(face, main)
        and face.score >= SECOND_FACE_SCORE
        and face.width >= SECOND_FACE_WIDTH * main.width
    )
    if others:
        raise PhotoError("many_faces")
    return main


def _smaller_faces(pixels: Pixels, main: Face) -> tuple[Face, ...]:
    """Look again for a second face, as finely as one of comparable size needs.

    The detector sees faces of 80 pixels and more; a photo with one large face has been looked at
    finely enough already and costs nothing here.
    """
    longest = max(pixels.shape[:2])
    side = min(longest, round(longest * LEAST_DETECTED / (SECOND_FACE_WIDTH * main.width)))
    if side <= FIRST_SIDE * 1.1:
        return ()
    gray = _reduced(Image.fromarray(pixels).convert("L"), side)
    return _detect(gray, longest / max(gray.size), 0, SECOND_FACE_SCORE)


def _same_place(a: Face, b: Face) -> bool:
    """Whether the middle of one finding lies in the other: one face found twice."""
    x, y = (a.left + a.right) / 2, (a.top + a.bottom) / 2
    return b.left <= x <= b.right and b.top <= y <= b.bottom


def landmarks(pixels: Pixels, face: Face) -> Points:
    """The 68 landmarks of a face (iBUG 300-W order), (68, 2) x and y in pixels; 2 ms."""
    shape = models.sixty_eight_points()(pixels, rectangle(face))
    return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float64)


def steady_landmarks(pixels: Pixels, face: Face) -> Points:
    """The median of the landmarks from five boxes, a little moved: no chance slip; 10 ms."""
    shift = max(1, round(face.width * 0.04))
    moved = [
        dataclasses.replace(
            face,
            left=face.left + x,
            right=face.right + x,
            top=face.top + y,
            bottom=face.bottom + y,
        )
        for x, y in ((0, 0), (shift, 0), (-shift, 0), (0, shift), (0, -shift))
    ]
    return np.asarray(np.median([landmarks(pixels, each) for each in moved], axis=0))


def rectangle(face: Face) -> Any:
    """The face's box as dlib's predictors take it."""
    import dlib  # noqa: PLC0415 - heavy; loaded with the models

    return dlib.rectangle(face.left, face.top, face.right - 1, face.bottom - 1)


def _tries(gray: Image.Image) -> Iterator[tuple[Image.Image, int]]:
    """The pictures to look at in turn, each with how often the detector doubles it."""
    longest = max(gray.size)
    if longest > FIRST_SIDE:
        yield _reduced(gray, FIRST_SIDE), 0
    yield gray, 0
    yield gray, 1


def _reduced(gray: Image.Image, side: int) -> Image.Image:
    """The picture with its longest side at `side`."""
    ratio = side / max(gray.size)
    size = (max(1, round(gray.width * ratio)), max(1, round(gray.height * ratio)))
    return gray.resize(size, Image.Resampling.BILINEAR)
