"""One selfie from bytes to template: open, find, judge, encode, each once.

This is the pipeline of enrolment and of `app.py faces compare`; there is no second one.
"""

from __future__ import annotations

import dataclasses

from faces import encode, find, photo, quality
from faces.encode import Template
from faces.errors import PhotoError
from faces.find import Face
from faces.photo import Photo, Pixels
from faces.quality import Quality


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
    return measure_photo(photo.open_photo(data))


def measure_photo(opened: Photo) -> Measured:
    """Measure the one face of an opened photo; errors as `measure`."""
    face = find_one(opened.pixels)
    figures = quality.measure_quality(opened.pixels, face)
    quality.require(figures)
    quality.require_uncovered(opened.pixels, find.landmarks(opened.pixels, face))
    return Measured(encode.encode(opened.pixels, face), figures, face)


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
