"""Measure what a face does: turned, tilted up, mouth open, eyes closed.

Everything comes from the 68 landmarks (iBUG 300-W), so it is measured and not guessed:
eye aspect ratio (Soukupova and Cech 2016), mouth aspect ratio over the inner lips, and the head's
pose from an affine camera fitted to a mean head by least squares, no calibration needed.

Left and right are the person's own, in a picture that is not mirrored: who turns to their left
shows the nose moving to the picture's right.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Final

import numpy as np
import numpy.typing as npt

from faces.find import Points

# Thresholds. docs/faces.md has the figures they were chosen by.
TURNED: Final = 10.0  # degrees; faces looking at the camera measure -5 to 5
LOOKING_UP: Final = 10.0  # degrees; faces looking at the camera measure -14 to 2
OPEN_MOUTH: Final = 0.25  # inner lips' height by width; a broad smile with teeth measures 0.2
CLOSED_EYES: Final = 0.21  # eyelids' height by width; open eyes measure 0.24 to 0.4

# A mean head, in about centimetres: x to the picture's right, y up, z towards the camera. The jaw
# and lips are left out, because an open mouth moves them.
HEAD_LANDMARKS: Final = (17, 21, 22, 26, 36, 39, 42, 45, 30, 31, 35, 48, 54)
HEAD: Final = (
    (-6.826, 6.761, 4.402),
    (-1.330, 7.122, 6.904),
    (1.330, 7.122, 6.904),
    (6.826, 6.761, 4.402),
    (-5.311, 5.485, 3.988),
    (-1.790, 5.394, 4.413),
    (1.790, 5.394, 4.413),
    (5.311, 5.485, 3.988),
    (0.000, 2.300, 8.000),
    (-2.006, 1.410, 6.166),
    (2.006, 1.410, 6.166),
    (-2.774, -2.081, 5.049),
    (2.774, -2.081, 5.049),
)
LEFT_EYE: Final = (36, 37, 38, 39, 40, 41)
RIGHT_EYE: Final = (42, 43, 44, 45, 46, 47)


class Gesture(enum.StrEnum):
    """What a person can be asked to do."""

    TURN_LEFT = "turn_left"
    TURN_RIGHT = "turn_right"
    OPEN_MOUTH = "open_mouth"
    CLOSE_EYES = "close_eyes"
    LOOK_UP = "look_up"


@dataclasses.dataclass(frozen=True, slots=True)
class Expression:
    """The figures of one face.

    Attributes:
        yaw: degrees, above 0 when the person's head is turned to their own left.
        pitch: degrees, above 0 when it looks up.
        roll: degrees, above 0 when it leans clockwise in the picture.
        eyes: the mean of both eyes' height by width.
        mouth: the inner lips' height by width.
    """

    yaw: float
    pitch: float
    roll: float
    eyes: float
    mouth: float

    def value(self, gesture: Gesture) -> float:
        """The figure that decides about a gesture."""
        return {
            Gesture.TURN_LEFT: self.yaw,
            Gesture.TURN_RIGHT: -self.yaw,
            Gesture.OPEN_MOUTH: self.mouth,
            Gesture.CLOSE_EYES: self.eyes,
            Gesture.LOOK_UP: self.pitch,
        }[gesture]

    def shows(self, gesture: Gesture) -> bool:
        """Whether the face makes this gesture."""
        value = self.value(gesture)
        if gesture is Gesture.CLOSE_EYES:
            return value <= CLOSED_EYES
        least = {Gesture.OPEN_MOUTH: OPEN_MOUTH, Gesture.LOOK_UP: LOOKING_UP}.get(gesture, TURNED)
        return value >= least

    @property
    def seen(self) -> tuple[Gesture, ...]:
        """All gestures that the face makes; none is a face at rest."""
        return tuple(gesture for gesture in Gesture if self.shows(gesture))


def measure_expression(points: Points) -> Expression:
    """The figures of a face from its (68, 2) landmarks.

    Raises:
        ValueError: for another shape.
    """
    if points.shape != (68, 2):
        raise ValueError("an expression is measured from 68 landmarks")
    yaw, pitch, roll = _pose(points)
    eyes = (_eye(points[list(LEFT_EYE)]) + _eye(points[list(RIGHT_EYE)])) / 2
    return Expression(yaw, pitch, roll, eyes, _mouth(points))


def _pose(points: Points) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees, by an affine camera fitted to the mean head.

    Each row of the camera is an axis of the head as the picture sees it; where the picture
    looks is their cross product.
    """
    head = np.column_stack([np.array(HEAD), np.ones(len(HEAD))])
    seen = points[list(HEAD_LANDMARKS)] * (1.0, -1.0)  # y up, as in the head
    camera = np.linalg.lstsq(head, seen, rcond=None)[0].T
    right, up = camera[0, :3], camera[1, :3]
    # The nearest rotation (Procrustes) to the two scaled rows that were measured.
    rows = np.vstack([right, up])
    left_vectors, _, right_vectors = np.linalg.svd(rows, full_matrices=False)
    right, up = left_vectors @ right_vectors
    # Where the head's forward axis z goes in the picture: right[2] sideways, up[2] upwards.
    forward: npt.NDArray[np.float64] = np.array([right[2], up[2], np.cross(right, up)[2]])
    yaw = float(np.degrees(np.arctan2(forward[0], forward[2])))
    pitch = float(np.degrees(np.arcsin(np.clip(forward[1], -1.0, 1.0))))
    roll = float(np.degrees(np.arctan2(-up[0], up[1])))
    return yaw, pitch, roll


def _eye(eye: Points) -> float:
    """The eye aspect ratio: mean of the two lid distances by the distance of the corners."""
    lids = np.linalg.norm(eye[1] - eye[5]) + np.linalg.norm(eye[2] - eye[4])
    return float(lids / (2 * np.linalg.norm(eye[0] - eye[3])))


def _mouth(points: Points) -> float:
    """The mouth aspect ratio over the inner lips (landmarks 60 to 67)."""
    gaps = sum(float(np.linalg.norm(points[61 + i] - points[67 - i])) for i in range(3)) / 3
    return float(gaps / np.linalg.norm(points[60] - points[64]))
