"""What a camera's picture needs before it is taken: closer, more light, the gesture itself."""

from __future__ import annotations

from typing import Final

from faces import find, gestures, photo, quality, selfie
from faces.errors import PhotoError
from faces.gestures import Gesture

TAKEN: Final = ""
NOT_SHOWN: Final = "gesture"


def look_at(data: bytes, asked: Gesture) -> str:
    """Nothing when the picture counts; else a code of `faces.errors.PHOTO_CODES`, or `gesture`.

    It holds a picture against the same bounds as `faces.liveness` does afterwards.
    """
    try:
        pixels = photo.open_photo(data).pixels
        face = selfie.find_one(pixels)
        quality.require(quality.measure_quality(pixels, face))
    except PhotoError as error:
        return error.code
    shown = gestures.measure_expression(find.steady_landmarks(pixels, face))
    return TAKEN if shown.shows(asked) else NOT_SHOWN
