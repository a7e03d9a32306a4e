"""Make a photo show a gesture that its person never made, by warping it along landmarks.

For the demo's made-up citizens, who have no camera, and for tests. The pictures look warped, and
are: nothing else here makes people do things.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from scipy.interpolate import RBFInterpolator

from faces.find import Points
from faces.gestures import HEAD, HEAD_LANDMARKS, Gesture
from faces.photo import Pixels

# Depth of the landmarks that gestures.HEAD leaves out, in its units.
JAW_DEPTH: Final = (
    -4.0,
    -3.5,
    -2.5,
    -1.0,
    0.5,
    2.0,
    3.2,
    3.9,
    4.1,
    3.9,
    3.2,
    2.0,
    0.5,
    -1.0,
    -2.5,
    -3.5,
    -4.0,
)


def warped(pixels: Pixels, points: Points, wanted: Gesture, amount: float = 1.0) -> Pixels:
    """The person with these 68 landmarks making a gesture; `amount` 1 is clear, 0 none."""
    if wanted in {Gesture.TURN_LEFT, Gesture.TURN_RIGHT, Gesture.LOOK_UP}:
        yaw = {Gesture.TURN_LEFT: 27.0, Gesture.TURN_RIGHT: -26.0}.get(wanted, 0.0) * amount
        pitch = 25.0 * amount if wanted is Gesture.LOOK_UP else 0.0
        return _warp(pixels, points, _turned(points, yaw, pitch))
    target = points.copy()
    if wanted is Gesture.OPEN_MOUTH:
        width = float(np.linalg.norm(points[54] - points[48]))
        drop = 0.6 * width * amount
        target[[65, 66, 67]] += (0, drop)
        target[[55, 56, 57, 58, 59]] += (0, drop)
        target[5:12] += (0, drop * 0.8)
        target[[61, 62, 63]] -= (0, 0.05 * width * amount)
        opened = _warp(pixels, points, target)
        inner = target[60:68].astype(np.int32)
        dark = opened.copy()
        cv2.fillPoly(dark, [inner], (45, 15, 15))
        return np.asarray(cv2.addWeighted(dark, 0.9, opened, 0.1, 0), dtype=np.uint8)
    return _with_lids(pixels, points, amount)


def _with_lids(pixels: Pixels, points: npt.NDArray[np.float64], amount: float) -> Pixels:
    """The eyelids drawn down: skin over the eyes, lashes where the lids meet."""
    drawn = pixels.copy()
    for first in (36, 42):
        eye = points[first : first + 6]
        middle, width = eye.mean(0), float(np.linalg.norm(eye[3] - eye[0]))
        x, y = (int(value) for value in middle - np.array([0, 0.45 * width]))
        skin = pixels[y - 2 : y + 3, x - 4 : x + 5].reshape(-1, 3).mean(0)
        lid: npt.NDArray[Any] = np.zeros(pixels.shape[:2], np.float32)
        outline = (middle + (eye - middle) * (1.1, 1.9)).astype(np.int32)
        cv2.fillPoly(lid, [outline], amount)
        lid = cv2.GaussianBlur(lid, (0, 0), width * 0.05)[..., None]
        drawn = (drawn * (1 - lid) + skin * lid).astype(np.uint8)
        lashes = np.array([eye[0], eye[5] + (0, 0.04 * width), eye[4] + (0, 0.04 * width), eye[3]])
        dark = tuple(float(value) for value in skin * 0.35)
        cv2.polylines(
            drawn,
            [lashes.astype(np.int32)],
            isClosed=False,
            color=dark,
            thickness=max(1, round(width * 0.06)),
            lineType=cv2.LINE_AA,
        )
    return drawn


def _turned(points: npt.NDArray[np.float64], yaw: float, pitch: float) -> npt.NDArray[np.float64]:
    """Where the landmarks go when the head turns, as an orthographic camera sees it."""
    scale = np.linalg.norm(points[45] - points[36]) / 10.6
    center = (points[36] + points[45]) / 2
    depth = _depths()
    x = (points[:, 0] - center[0]) / scale
    y = -(points[:, 1] - center[1]) / scale
    yaw, pitch = np.radians(yaw), np.radians(pitch)
    turned_x = x * np.cos(yaw) + depth * np.sin(yaw)
    turned_z = depth * np.cos(yaw) - x * np.sin(yaw)
    turned_y = y * np.cos(pitch) + turned_z * np.sin(pitch)
    return np.column_stack([turned_x * scale + center[0], -turned_y * scale + center[1]])


def _depths() -> npt.NDArray[np.float64]:
    """A depth for each landmark: the mean head's, and plausible ones in between."""
    depth = np.full(68, np.nan)
    depth[:17] = JAW_DEPTH
    for landmark, place in zip(HEAD_LANDMARKS, HEAD, strict=True):
        depth[landmark] = place[2]
    for run in ((17, 21), (22, 26), (36, 39), (42, 45)):
        inside = range(run[0], run[1] + 1)
        depth[list(inside)] = np.interp(inside, run, (depth[run[0]], depth[run[1]]))
    depth[[40, 41]], depth[[46, 47]] = depth[38], depth[43]
    depth[27:31] = (5.5, 6.4, 7.3, 8.0)
    depth[31:36] = (6.17, 6.6, 6.9, 6.6, 6.17)
    depth[48:68] = 5.9
    depth[[48, 54, 60, 64]] = 5.05
    return depth


def _warp(
    pixels: Pixels,
    source: npt.NDArray[np.float64],
    target: npt.NDArray[np.float64],
    *,
    local: bool = False,
) -> Pixels:
    """Move the pixels at `source` to `target`, smoothly in between, the frame held still."""
    height, width = pixels.shape[:2]
    edge = np.array([(x, y) for x in np.linspace(0, width, 6) for y in np.linspace(0, height, 6)])
    low, high = source.min(0), source.max(0)
    margin = (high - low) * 0.55
    outside = edge[((edge < low - margin) | (edge > high + margin)).any(1)]
    start, end = np.vstack([source, outside]), np.vstack([target, outside])
    _, unique = np.unique(end.round(1), axis=0, return_index=True)
    kernel = "linear" if local else "thin_plate_spline"
    backwards = RBFInterpolator(end[unique], (start - end)[unique], kernel=kernel)
    step = 4 if not local else 2
    grid_x, grid_y = np.meshgrid(
        np.arange(0, width + step, step), np.arange(0, height + step, step)
    )
    shift = backwards(np.column_stack([grid_x.ravel(), grid_y.ravel()]).astype(float))
    shift = shift.reshape(*grid_x.shape, 2).astype(np.float32)
    shift = cv2.resize(shift, (width, height), interpolation=cv2.INTER_LINEAR)
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    moved = cv2.remap(
        pixels,
        xs + shift[..., 0],
        ys + shift[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(moved, dtype=np.uint8)
