"""Read printed lines out of a picture that may lie on any side: RapidOCR, and which way is up."""

from __future__ import annotations

import dataclasses
import functools
import unicodedata
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from faces.photo import Pixels

# Lines are looked for at this size and read at full size; a card that fills half of the picture
# is still read. More costs memory above all: at 1280 pixels a worker takes 800 MB.
DETECTION_SIDE: Final = 736
UPSIDE_DOWN: Final = 0.9  # how sure the classifier has to be
THREADS: Final = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One printed run of text.

    Attributes:
        text: as read, full-width forms made plain, without outer blanks.
        confidence: 0 to 1.
        x: where its middle is when the text stands upright, to the right.
        y: likewise, downwards.
        left: where it begins, likewise.
        height: of its letters, likewise.
        crop: the picture of it, upright, (height, width, 3) BGR, to be read again.
    """

    text: str
    confidence: float
    x: float
    y: float
    left: float
    height: float
    crop: npt.NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """All lines, and the degrees clockwise that set the picture upright."""

    lines: tuple[Line, ...]
    turn: float


@functools.cache
def _engine() -> Any:
    """The three models of RapidOCR (15 MB in its wheel), loaded on first use."""
    from rapidocr_onnxruntime import RapidOCR  # noqa: PLC0415 - 0.5 s and 100 MB

    return RapidOCR(
        det_limit_type="max",
        rec_batch_num=1,
        cls_batch_num=6,
        intra_op_num_threads=THREADS,
        inter_op_num_threads=1,
    )


def read_page(pixels: Pixels) -> Page:
    """Find and read every line of a picture (RGB), whichever way it lies."""
    engine = _engine()
    picture = np.ascontiguousarray(pixels[:, :, ::-1])
    ratio = min(1.0, DETECTION_SIDE / max(picture.shape[:2]))
    size = (round(picture.shape[1] * ratio), round(picture.shape[0] * ratio))
    small = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    boxes, _ = engine.auto_text_det(np.asarray(small))
    if boxes is None or not len(boxes):
        return Page((), 0.0)
    boxes = (np.asarray(boxes) / ratio).astype(np.float32)
    crops = engine.get_crop_img_list(picture, boxes)
    crops, turned, _ = engine.text_cls(crops)
    texts, _ = engine.text_rec(crops)
    turn = _turn(boxes, turned)
    angle = np.radians(turn)
    rotation = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    lines = []
    for box, crop, (text, confidence) in zip(boxes, crops, texts, strict=True):
        corners = np.asarray(box, dtype=np.float64) @ rotation.T
        low, high = corners.min(0), corners.max(0)
        plain = unicodedata.normalize("NFKC", text).strip()
        if plain:
            middle = corners.mean(0)
            height = min(_height(box), float(high[1] - low[1]))
            x, y = float(middle[0]), float(middle[1])
            lines.append(Line(plain, float(confidence), x, y, float(low[0]), height, crop))
    return Page(tuple(lines), turn)


def read_line(crop: npt.NDArray[np.uint8]) -> tuple[str, float]:
    """Read the picture of one upright line once more: its text and confidence."""
    texts, _ = _engine().text_rec([crop])
    text, confidence = texts[0]
    return unicodedata.normalize("NFKC", text).strip(), float(confidence)


def _height(box: npt.NDArray[Any]) -> float:
    """The shorter side of a box."""
    corners = np.asarray(box, dtype=np.float64)
    sides = [float(np.linalg.norm(corners[i] - corners[(i + 1) % 4])) for i in range(4)]
    return min(sides[0] + sides[2], sides[1] + sides[3]) / 2


def _turn(boxes: npt.NDArray[Any], turned: list[tuple[str, float]]) -> float:
    """Degrees clockwise that set the text upright, by vote of all lines, longer ones counting more.

    Each box gives an axis; the classifier says on which end of it the text begins. RapidOCR turns
    boxes that stand on end a quarter counter-clockwise before it classifies them.
    """
    votes: npt.NDArray[np.float64] = np.zeros(2)
    for box, (label, sureness) in zip(boxes, turned, strict=True):
        corners = np.asarray(box, dtype=np.float64)
        across = (corners[1] - corners[0] + corners[2] - corners[3]) / 2
        down = (corners[3] - corners[0] + corners[2] - corners[1]) / 2
        standing = np.linalg.norm(down) >= 1.5 * np.linalg.norm(across)
        direction = down if standing else across
        if max(np.linalg.norm(down), np.linalg.norm(across)) < 1.5 * min(
            np.linalg.norm(down), np.linalg.norm(across)
        ):
            continue  # a single character points nowhere
        if "180" in label and sureness > UPSIDE_DOWN:
            direction = -direction
        votes += direction
    return float(-np.degrees(np.arctan2(votes[1], votes[0])))
