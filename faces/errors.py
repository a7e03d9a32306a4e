"""Everything this package refuses, each with a stable code; sentences are in the catalogues."""

from __future__ import annotations

from typing import Final

PHOTO_CODES: Final = (
    "too_large",  # more bytes than are ever read
    "not_an_image",  # none of JPEG, PNG, WebP, HEIC, or damaged beyond its header
    "too_many_pixels",  # refused by its header, before anything is decoded
    "truncated",  # the file ends before the picture does
    "no_face",
    "many_faces",
    "too_small",
    "too_dark",
    "too_bright",
    "blurred",
    "covered",
)


class FaceError(Exception):
    """The root of this package's errors; `code` is stable, `details` are figures for people."""

    def __init__(self, code: str, **details: float | int | str) -> None:
        self.code = code
        self.details = details
        super().__init__(code)


class PhotoError(FaceError):
    """A photo that cannot be used; `code` is one of `PHOTO_CODES`, each with its own advice.

    None of these says anything about whose face it is, so none may cost an attempt.
    """


class VideoError(FaceError):
    """A video that cannot be used: too_large, not_a_video, too_long, too_short, too_many_pixels."""


class CardPhotoError(FaceError):
    """An ID card's photo that cannot be read: no_card, plus the codes of a photo's file."""
