"""The small drawings of the gestures, made here: a head that does what is asked, and an arrow.

Left and right are the person's own. The drawings show a mirror's view, as a phone held in front
of the face does, so the head turns to the side that the person turns to.
"""

from __future__ import annotations

import functools
import io
import math
from typing import Final

from PIL import Image, ImageDraw

from faces.gestures import Gesture

SIDE: Final = 360
FINE: Final = 3  # drawn this many times as large and then reduced, for smooth edges
INK: Final = "#14181a"
GREEN: Final = "#07c160"
SKIN: Final = "#f6dcc4"
HAIR: Final = "#3a332e"
GROUND: Final = "#eef6f1"
MOUTH: Final = "#8f2f2c"
SHIRT: Final = "#9bb8a8"


@functools.cache
def draw(gesture: Gesture) -> bytes:
    """The drawing of a gesture as a PNG file."""
    image = Image.new("RGB", (SIDE * FINE, SIDE * FINE), GROUND)
    pen = _Pen(ImageDraw.Draw(image))
    turned = {Gesture.TURN_LEFT: -1, Gesture.TURN_RIGHT: 1}.get(gesture, 0)
    raised = gesture is Gesture.LOOK_UP
    _head(pen, turned, raised=raised)
    _eyes(pen, turned, raised=raised, closed=gesture is Gesture.CLOSE_EYES)
    _mouth(pen, turned, raised=raised, opened=gesture is Gesture.OPEN_MOUTH)
    if turned:
        _arrow(pen, (180 + turned * 78, 316), (180 + turned * 148, 316))
    elif raised:
        _arrow(pen, (322, 190), (322, 96))
    file = io.BytesIO()
    image.resize((SIDE, SIDE), Image.Resampling.LANCZOS).quantize(128).save(
        file, "PNG", optimize=True
    )
    return file.getvalue()


class _Pen:
    """Draws in units of the finished picture."""

    def __init__(self, draw: ImageDraw.ImageDraw) -> None:
        self._draw = draw

    def oval(
        self, middle: tuple[float, float], size: tuple[float, float], fill: str, edge: str = ""
    ) -> None:
        """An ellipse, with or without an outline."""
        (x, y), (width, height) = middle, size
        box = tuple(
            value * FINE for value in (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        )
        self._draw.ellipse(box, fill, edge or None, 4 * FINE if edge else 0)

    def cap(
        self,
        middle: tuple[float, float],
        size: tuple[float, float],
        angles: tuple[float, float],
        fill: str,
    ) -> None:
        """The part of an oval that a straight cut between two angles leaves."""
        (x, y), (wide, high) = middle, size
        box = tuple(
            value * FINE for value in (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
        )
        self._draw.chord(box, *angles, fill=fill)

    def arc(
        self,
        middle: tuple[float, float],
        size: tuple[float, float],
        angles: tuple[float, float],
        width: float = 5,
    ) -> None:
        """A part of an ellipse's outline; angles clockwise from three o'clock."""
        (x, y), (wide, high) = middle, size
        box = tuple(
            value * FINE for value in (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
        )
        self._draw.arc(box, *angles, fill=INK, width=round(width * FINE))

    def line(self, points: list[tuple[float, float]], color: str = INK, width: float = 5) -> None:
        """A line through points."""
        scaled = [(x * FINE, y * FINE) for x, y in points]
        self._draw.line(scaled, color, round(width * FINE), joint="curve")

    def shape(self, points: list[tuple[float, float]], fill: str) -> None:
        """A filled shape."""
        self._draw.polygon([(x * FINE, y * FINE) for x, y in points], fill)


def _head(pen: _Pen, turned: int, *, raised: bool) -> None:
    """Shoulders, neck, ears, the head and its hair."""
    pen.oval((180, 378), (250, 150), SHIRT, INK)
    pen.shape([(152, 250), (208, 250), (212, 318), (148, 318)], SKIN)
    pen.line([(152, 262), (149, 308)], width=4)
    pen.line([(208, 262), (211, 308)], width=4)
    for side in (-1, 1):
        if side != turned:
            x = 180 + side * (86 - abs(turned) * 26)
            pen.oval((x, 168 + 14 * raised), (30, 46), SKIN, INK)
    if raised:  # seen from below: little hair, and the underside of the chin
        pen.oval((180, 142), (192, 220), SKIN, INK)
        pen.cap((180, 142), (192, 220), (205, 335), HAIR)
        pen.arc((180, 158), (110, 148), (55, 125), 4)
    else:
        pen.oval((180, 142), (192, 220), HAIR)
        pen.oval((180 + turned * 12, 164), (160, 172), SKIN)
    # The outline over everything that lies inside it.
    pen.arc((180, 142), (192, 220), (0, 360), 4)


def _eyes(pen: _Pen, turned: int, *, raised: bool, closed: bool) -> None:
    height = 150 - 40 * raised
    for side in (-1, 1):
        x = 180 + side * (36 - 6 * abs(turned)) + turned * 34
        if closed:
            pen.arc((x, height - 4), (40, 26), (20, 160), 6)
            continue
        pen.oval((x, height), (26, 18 if not raised else 15), "#ffffff", INK)
        pen.oval((x + turned * 5, height - 3 * raised), (11, 12), INK)
        if not raised:
            pen.arc((x, height - 16), (36, 20), (200, 340), 4)


def _mouth(pen: _Pen, turned: int, *, raised: bool, opened: bool) -> None:
    x, lift = 180 + turned * 36, 42 * raised
    if turned:
        pen.line([(x - turned * 2, 152), (x + turned * 20, 184), (x, 190)], width=4)
    elif raised:
        pen.arc((x, 146), (30, 22), (20, 160), 4)
        pen.oval((x - 8, 152), (6, 5), INK)
        pen.oval((x + 8, 152), (6, 5), INK)
    else:
        pen.line([(x - 2, 158), (x - 10, 186), (x + 6, 188)], width=4)
    if opened:
        pen.oval((x, 219), (50, 52), MOUTH, INK)
    else:
        pen.arc((x, 212 - lift), (46, 22), (15, 165), 5)


def _arrow(pen: _Pen, start: tuple[float, float], end: tuple[float, float]) -> None:
    angle = math.atan2(end[1] - start[1], end[0] - start[0])
    pen.line([start, end], GREEN, 14)
    head = [
        (end[0] + 20 * math.cos(angle + turn), end[1] + 20 * math.sin(angle + turn))
        for turn in (0, 2.3, -2.3)
    ]
    pen.shape([(x + 8 * math.cos(angle), y + 8 * math.sin(angle)) for x, y in head], GREEN)
