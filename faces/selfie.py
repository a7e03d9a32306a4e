"""One selfie from bytes to template: open, find, judge, encode, each once.

This is the pipeline of enrolment and of `app.py faces compare`; there is no second one.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from faces import encode, find, photo, quality
from faces.encode import Template
from faces.errors import PhotoError
from faces.find import Face
from faces.photo import Photo, Pixels
from faces.quality import Quality

# A phone's photo is first decoded at the smallest eighth with 480 pixels, 15 ms less than at 800.
# A face this wide there fills the encoder's 150 pixels; a smaller one is worth decoding again.
NEAR_WIDTH: Final = 150


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """What one photo says of the one face in it.

    Attributes:
        template: (128,) float64.
        quality: the figures of the face.
        face: where it is, in the pixels it was measured in.
    """

    template: Template
    quality: Quality
    face: Face


def measure(data: bytes) -> Measured:
    """Measure the one face of a photo file.

    Raises:
        PhotoError: with the code of what to do better; see `faces.errors.PHOTO_CODES`.
    """
    opened = photo.open_photo(data, enough=find.FIRST_SIDE)
    if max(opened.pixels.shape) < min(photo.LONGEST_SIDE, max(opened.width, opened.height)):
        try:
            face = find.find_face(opened.pixels)
        except PhotoError as error:
            if error.code != "no_face":
                raise
        else:
            if face.width >= NEAR_WIDTH:
                return _measure_face(opened.pixels, face)
        opened = photo.open_photo(data)
    return measure_photo(opened)


def measure_photo(opened: Photo) -> Measured:
    """Measure the one face of an opened photo; errors as `measure`."""
    return _measure_face(opened.pixels, find_one(opened.pixels))


def _measure_face(pixels: Pixels, face: Face) -> Measured:
    figures = quality.measure_quality(pixels, face)
    quality.require(figures)
    quality.require_uncovered(pixels, find.landmarks(pixels, face))
    return Measured(encode.encode(pixels, face), figures, face)


def find_one(pixels: Pixels) -> Face:
    """The one face, or the reason why there is none.

    Raises:
        PhotoError: `no_face`, `many_faces`, or the picture's light if that hides the face.
    """
    try:
        return find.find_face(pixels)
    except PhotoError as error:
        if error.code == "no_face":
            raise quality.why_no_face(pixels) from error
        raise
