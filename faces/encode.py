"""Turn a face into a template: 128 numbers that are near for one person and far for two."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from faces import models
from faces.find import Face, rectangle
from faces.photo import Pixels

Template = npt.NDArray[np.float64]

SIZE: Final = 128


def encode(pixels: Pixels, face: Face) -> Template:
    """The template of one face, (128,) float64, length about 1.4; some 80 ms, whatever the size.

    The face is aligned by five landmarks (eye corners, nose), as the threshold was measured.
    """
    shape = models.five_points()(pixels, rectangle(face))
    with models.in_use:
        found = models.encoder().compute_face_descriptor(pixels, shape)
    return np.array(found, dtype=np.float64)


def pack(template: Template) -> bytes:
    """A template as 512 bytes (little-endian float32), as it is sealed and stored."""
    return template.astype("<f4").tobytes()


def unpack(packed: bytes) -> Template:
    """The template that `pack` made bytes of.

    Raises:
        ValueError: when the bytes are not 512.
    """
    if len(packed) != SIZE * 4:
        raise ValueError(f"a packed template has {SIZE * 4} bytes, not {len(packed)}")
    return np.frombuffer(packed, dtype="<f4").astype(np.float64)
