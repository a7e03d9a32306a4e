"""The models of face_recognition, loaded when first asked for and once per process.

`face_recognition` finds a face and encodes it in several passes over the whole picture; here its
detector, landmark predictors and encoder are called directly, each once. They take 150 MB.

Detector and encoder write into themselves while they work, and let other threads run meanwhile:
two threads in one of them give each other's faces, or end the process. Whoever calls one of
these two holds `in_use`.
"""

from __future__ import annotations

import functools
import threading
import warnings
from typing import Any, Final

from PIL import ImageFile

in_use: Final = threading.Lock()


@functools.cache
def _library() -> Any:
    """face_recognition's module, which loads every model when it is imported."""
    with warnings.catch_warnings():
        # It looks its files up through pkg_resources, which setuptools deprecates.
        warnings.simplefilter("ignore")
        from face_recognition import api  # noqa: PLC0415 - 1.5 s and 150 MB: on first use
    # It also tells Pillow, for the whole process, to make up the rest of truncated pictures.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    return api


def detector() -> Any:
    """Dlib's HOG detector of frontal faces."""
    return _library().face_detector


def five_points() -> Any:
    """The predictor of eye corners and nose: enough to align a face for encoding."""
    return _library().pose_predictor_5_point


def sixty_eight_points() -> Any:
    """The predictor of the 68 landmarks (iBUG 300-W)."""
    return _library().pose_predictor_68_point


def encoder() -> Any:
    """The ResNet that turns an aligned face into 128 numbers."""
    return _library().face_encoder


def load() -> None:
    """Load the models now, as a worker does at its start, so that no person waits for it."""
    _library()
