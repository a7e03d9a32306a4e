"""Real photos made to do what their people never did: gestures by warping along landmarks.

The photos are in the public domain and inside the dependencies' sample data: Grace Hopper in
matplotlib, Eileen Collins in scikit-image.
"""

from __future__ import annotations

import functools
import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter

from faces import find
from faces.gestures import Gesture
from faces.photo import Pixels
from web.warping import warped

PLACES = {
    "grace": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    "eileen": ("skimage", "data/astronaut.png"),
}
MIRROR = Image.Transpose.FLIP_LEFT_RIGHT


def path_of(name: str) -> Path:
    """Where the sample data has the photo of `grace` or `eileen`."""
    package, inside = PLACES[name]
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / inside


def portrait(name: str) -> Image.Image:
    """The photo as it is."""
    return Image.open(path_of(name)).convert("RGB")


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    """The picture as a JPEG file."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


@functools.cache
def _measured(name: str) -> tuple[Pixels, npt.NDArray[np.float64]]:
    pixels = np.asarray(portrait(name))
    return pixels, find.landmarks(pixels, find.find_face(pixels))


@functools.cache
def gesture(name: str, wanted: Gesture | None, amount: float = 1.0) -> Image.Image:
    """The person making a gesture; `amount` 1 is clear, 0 none. None is the face at rest."""
    pixels, points = _measured(name)
    return Image.fromarray(pixels if wanted is None else warped(pixels, points, wanted, amount))


def between(one: str, other: str, share: float) -> Image.Image:
    """A face between two people's, laid over each other: the first at 0, the other at 1.

    Eileen's and Grace's at 0.47 are about 0.5 from Eileen's portrait: nobody's clear match.
    """
    pixels, points = _measured(one)
    others, places = _measured(other)
    moved, _ = cv2.estimateAffinePartial2D(places[:, :2], points[:, :2])
    size = (pixels.shape[1], pixels.shape[0])
    laid = cv2.warpAffine(others, moved, size, borderMode=cv2.BORDER_REPLICATE)
    return Image.blend(Image.fromarray(pixels), Image.fromarray(laid), share)


def lit(image: Image.Image, factor: float) -> Image.Image:
    """Darker (below 1) or brighter."""
    return ImageEnhance.Brightness(image).enhance(factor)


def noisy(image: Image.Image, sigma: float, seed: int = 1) -> Image.Image:
    """With sensor noise."""
    noise = np.random.default_rng(seed).normal(0, sigma, (image.height, image.width, 3))
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


def tilted(image: Image.Image, degrees: float) -> Image.Image:
    """Turned in the picture's plane, the frame filled from its middle colour."""
    return image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(128, 128, 128))


def blurred(image: Image.Image, radius: float) -> Image.Image:
    """Out of focus."""
    return image.filter(ImageFilter.GaussianBlur(radius))


def film(
    pictures: Sequence[Image.Image],
    *,
    size: tuple[int, int] = (720, 720),
    rate: int = 10,
    seconds_each: float = 1.0,
) -> bytes:
    """An MP4 (H.264) that shows each picture for a while, one after the other, with noise."""
    file = io.BytesIO()
    dice = np.random.default_rng(3)
    with av.open(file, "w", format="mp4") as video:
        stream = video.add_stream("libx264", rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            pixels = np.asarray(fitted(picture, size)).astype(np.int16)
            for _ in range(round(rate * seconds_each)):
                noise = dice.integers(-3, 4, pixels.shape, dtype=np.int16)
                frame = av.VideoFrame.from_ndarray((pixels + noise).clip(0, 255).astype(np.uint8))
                video.mux(stream.encode(frame))
        video.mux(stream.encode())
    return file.getvalue()


def fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture as large as it fits into `size`, on gray."""
    canvas = Image.new("RGB", size, (110, 110, 110))
    ratio = min(size[0] / picture.width, size[1] / picture.height)
    small = picture.resize((round(picture.width * ratio), round(picture.height * ratio)))
    canvas.paste(small, ((size[0] - small.width) // 2, (size[1] - small.height) // 2))
    return canvas


def covered(name: str, by: str) -> Image.Image:
    """The person behind a `mask`, a `black_mask`, `sunglasses`, a `hand` or a sheet of `paper`."""
    pixels, points = _measured(name)
    drawn = pixels.copy()
    width = float(points[16, 0] - points[0, 0])
    if by in {"mask", "black_mask"}:
        edge = np.vstack([points[1:16], points[[15, 29, 1]]]).astype(np.int32)
        cv2.fillPoly(drawn, [edge], (150, 190, 215) if by == "mask" else (25, 25, 28))
    elif by == "sunglasses":
        for first in (36, 42):
            x, y = (int(value) for value in points[first : first + 6].mean(0))
            axes = (int(width * 0.19), int(width * 0.13))
            cv2.ellipse(drawn, (x, y), axes, 0, 0, 360, (18, 16, 16), -1, cv2.LINE_AA)
        bridge = [tuple(int(v) for v in points[i]) for i in (39, 42)]
        cv2.line(drawn, bridge[0], bridge[1], (18, 16, 16), max(2, int(width * 0.03)))
    elif by == "hand":
        x, y = (int(value) for value in points[48:60].mean(0))
        skin = pixels[int(points[30, 1]) - 2 : int(points[30, 1]) + 3, int(points[31, 0]) - 5][0]
        color = tuple(float(value) for value in skin * 0.9)
        axes = (int(width * 0.35), int(width * 0.2))
        cv2.ellipse(drawn, (x, y), axes, 10, 0, 360, color, -1, cv2.LINE_AA)
    else:
        top, bottom = int(points[19, 1] - width * 0.5), int(points[8, 1] + width * 0.3)
        cv2.rectangle(
            drawn,
            (int(points[28, 0]), top),
            (int(points[16, 0] + width * 0.3), bottom),
            (235, 233, 228),
            -1,
        )
    return Image.fromarray(cv2.GaussianBlur(drawn, (0, 0), 0.6))


def printed(picture: Image.Image, size: tuple[int, int] = (960, 1280)) -> Image.Image:
    """A presentation attack: the picture printed on a sheet and the sheet photographed."""
    width, height = size
    paper = np.full((height, width, 3), (120, 98, 80), np.uint8)
    shown = picture.convert("RGB").resize((1200, round(1200 * picture.height / picture.width)))
    ink = np.asarray(shown).astype(np.float64)
    # Halftone: dots on a grid turned by 45 degrees, as a laser printer sets them.
    ys, xs = np.mgrid[0 : ink.shape[0], 0 : ink.shape[1]]
    screen = np.sin((xs + ys) * np.pi / 3.5) * np.sin((xs - ys) * np.pi / 3.5)
    dots = np.clip(ink + screen[..., None] * 55, 0, 255)
    dots = 70 + dots * (205 - 70) / 255  # paper is not white, toner not black
    bordered = cv2.copyMakeBorder(
        dots.astype(np.uint8), 70, 70, 70, 70, cv2.BORDER_CONSTANT, value=(205, 203, 198)
    )
    return _held(np.asarray(bordered, np.uint8), paper, 0.86, 4.0)


def on_screen(picture: Image.Image, size: tuple[int, int] = (960, 1280)) -> Image.Image:
    """A presentation attack: the picture on a screen and the screen photographed."""
    width, height = size
    room = np.full((height, width, 3), (52, 50, 55), np.uint8)
    shown = picture.convert("RGB").resize((1080, round(1080 * picture.height / picture.width)))
    light = np.asarray(shown).astype(np.float64) * 1.08
    # Every third column of a panel is red, green or blue; rows have gaps.
    for channel in range(3):
        stripe = np.full(light.shape[1], 0.62)
        stripe[channel::3] = 1.3
        light[..., channel] *= stripe
    light[::3] *= 0.72
    panel = cv2.copyMakeBorder(
        light.clip(0, 255).astype(np.uint8), 60, 90, 45, 45, cv2.BORDER_CONSTANT, value=(8, 8, 10)
    )
    return _held(np.asarray(panel, np.uint8), room, 0.9, -3.0)


def _held(
    flat: npt.NDArray[np.uint8], behind: npt.NDArray[np.uint8], share: float, degrees: float
) -> Image.Image:
    """Something flat held before a camera, a little turned, a little out of focus, with noise."""
    height, width = behind.shape[:2]
    ratio = share * min(width / flat.shape[1], height / flat.shape[0])
    turn = cv2.getRotationMatrix2D((flat.shape[1] / 2, flat.shape[0] / 2), degrees, ratio)
    turn[:, 2] += (width / 2 - flat.shape[1] / 2, height / 2 - flat.shape[0] / 2)
    seen = cv2.warpAffine(
        flat,
        turn,
        (width, height),
        dst=behind.copy(),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    dice = np.random.default_rng(9)
    noisy_view = cv2.GaussianBlur(seen, (0, 0), 0.5) + dice.normal(0, 3, seen.shape)
    return Image.fromarray(noisy_view.clip(0, 255).astype(np.uint8))
