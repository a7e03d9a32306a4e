"""Signs that a photo shows a print or a screen rather than a person: suspicion, with reasons.

Each sign adds to a suspicion between 0 and 1; none of them, and not their absence either, passes
anybody. From `SUSPICIOUS` on another challenge or a manual review follows.
"""

from __future__ import annotations

import dataclasses
import datetime
import io
import re
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from faces import quality
from faces.find import Face
from faces.photo import Photo, Pixels, sniff

SUSPICIOUS: Final = 0.4
WEIGHTS: Final = {
    "moire": 0.5,  # a regular grid over the face, of a screen's pixels or a print's dots
    "frame": 0.45,  # straight edges of a sheet or a screen around the face
    "washed_out": 0.3,  # neither black nor white in the face, as in a print
    "glare": 0.25,  # a burnt-out spot with hard edges, as on glass or glossy paper
    "retaken": 0.25,  # much like one that the same person sent minutes ago: told by who knows that
    "soft": 0.15,  # less detail than its size should have
    "edited": 0.4,  # the file names a picture editor
    "old": 0.45,  # the file says it was taken long ago, or in the future
}
EDITORS: Final = re.compile(
    r"photoshop|gimp|lightroom|affinity|pixelmator|snapseed|facetune|faceapp|midjourney|"
    r"stable.?diffusion|dall|firefly|comfyui|deepfa|paint\.net|screenshot",
    re.IGNORECASE,
)
# Phones' clocks are wrong by minutes, and a zone that the file does not name is taken for China's.
OLDEST: Final = datetime.timedelta(hours=6)
NEWEST: Final = datetime.timedelta(hours=2)
EXIF_SOFTWARE: Final = 0x0131
EXIF_CHANGED: Final = 0x0132
EXIF_DETAILS: Final = 0x8769
EXIF_TAKEN: Final = 0x9003
EXIF_OFFSET: Final = 0x9011
SPECTRUM_SIDE: Final = 256
# How far the strongest regular wave stands above others of its fineness, in natural logarithms:
# photos of people measure 1.4 to 2.25, grids of screens and prints 2.3 to 3.6.
PEAK: Final = 2.3
LEAST_EDGE: Final = 0.5  # of the face's height or width: how long a frame's edge is at least
WASHED_BLACK: Final = 60.0
WASHED_WHITE: Final = 210.0
GLARE_SHARE: Final = (0.01, 0.2)
HARD_EDGE: Final = 225.0  # brightness three pixels beside a burnt-out spot
SOFT: Final = 7.0


@dataclasses.dataclass(frozen=True, slots=True)
class Suspicion:
    """How suspicious a photo is, 0 to 1, and by which signs, the weightiest first."""

    score: float
    reasons: tuple[str, ...]

    @property
    def suspicious(self) -> bool:
        """Whether another challenge or a manual review has to follow."""
        return self.score >= SUSPICIOUS


@dataclasses.dataclass(frozen=True, slots=True)
class Marks:
    """What a file says of itself; used for suspicion and then forgotten, never stored."""

    software: str = ""
    taken: datetime.datetime | None = None


def examine(
    data: bytes, opened: Photo, face: Face, now: datetime.datetime | None = None
) -> Suspicion:
    """All signs in one photo.

    Args:
        data: the file, for its marks.
        opened: the same, decoded.
        face: where the face is in it.
        now: the time by the server's clock, with its zone; None leaves the age out.
    """
    reasons = [*look(opened.pixels, face), *signs_of_file(read_marks(data), now)]
    return weigh(reasons)


def weigh(reasons: list[str]) -> Suspicion:
    """Signs together: each takes its share of what the others leave of innocence."""
    innocence = 1.0
    for reason in set(reasons):
        innocence *= 1 - WEIGHTS[reason]
    ordered = sorted(set(reasons), key=lambda reason: -WEIGHTS[reason])
    return Suspicion(round(1 - innocence, 3), tuple(ordered))


def look(pixels: Pixels, face: Face) -> list[str]:
    """The signs in the picture itself, without the file: for a frame of a video too."""
    gray = np.asarray(Image.fromarray(pixels).convert("L"), dtype=np.float64)
    inside = _inside(gray, face)
    signs = []
    if moire(gray, face) > PEAK:
        signs.append("moire")
    if framed(pixels, face):
        signs.append("frame")
    black, white = np.percentile(inside, (1, 99))
    if black > WASHED_BLACK and white < WASHED_WHITE:
        signs.append("washed_out")
    if _glare(pixels, face):
        signs.append("glare")
    if quality.measure_quality(pixels, face).sharpness < SOFT:
        signs.append("soft")
    return signs


def read_marks(data: bytes) -> Marks:
    """The software and the time that a file's EXIF names, if any; nothing else is read."""
    try:
        kind = sniff(data)
        if kind == "HEIC":
            return Marks()
        exif = Image.open(io.BytesIO(data), "r", [kind]).getexif()
        software = str(exif.get(EXIF_SOFTWARE, ""))[:80]
        details = exif.get_ifd(EXIF_DETAILS)
        when = details.get(EXIF_TAKEN) or exif.get(EXIF_CHANGED)
        return Marks(software, _moment(when, details.get(EXIF_OFFSET)))
    except Exception:  # noqa: BLE001 - a file's marks are hints; broken ones are none
        return Marks()


def moire(gray: npt.NDArray[np.float64], face: Face) -> float:
    """How far a regular pattern stands out over the face, in natural logarithms.

    The spectrum of a natural picture falls off evenly with fineness; a grid of pixels or dots
    adds a few sharp peaks. Each place of the spectrum is compared with the median of its ring.
    """
    middle_x, middle_y = (face.left + face.right) // 2, (face.top + face.bottom) // 2
    side = min(SPECTRUM_SIDE, *gray.shape)
    left = int(np.clip(middle_x - side // 2, 0, gray.shape[1] - side))
    top = int(np.clip(middle_y - side // 2, 0, gray.shape[0] - side))
    window = np.hanning(side)
    patch = gray[top : top + side, left : left + side]
    patch = (patch - patch.mean()) * window[:, None] * window[None, :]
    spectrum = np.log(np.abs(np.fft.fftshift(np.fft.fft2(patch))) + 1e-3)
    y, x = np.indices(spectrum.shape) - side // 2
    # The picture's own axes carry its edges; a peak there says little.
    off_axis = (np.abs(x) > 2) & (np.abs(y) > 2)
    ring = np.hypot(x, y).astype(int)
    highest = 0.0
    for inner in range(side // 6, side // 2, 4):
        band = spectrum[(ring >= inner) & (ring < inner + 4) & off_axis]
        highest = max(highest, float(band.max() - np.median(band)))
    return highest


def framed(pixels: Pixels, face: Face) -> bool:
    """Whether long straight edges stand around the face on three sides, as those of a sheet do."""
    import cv2  # noqa: PLC0415 - 60 MB; comes with the OCR

    gray = cv2.GaussianBlur(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (5, 5), 0)
    edges = cv2.Canny(gray, 40, 120)
    shortest = int(LEAST_EDGE * min(gray.shape))
    lines = cv2.HoughLinesP(edges, 1, np.pi / 180, 60, None, shortest, 12)
    if lines is None:
        return False
    sides = {side for line in lines for side in _sides(line.reshape(4), face)}
    return len(sides) >= 3


def _sides(line: npt.NDArray[Any], face: Face) -> list[str]:
    """On which side of the face a line stands that runs along it; none if it runs elsewhere."""
    x1, y1, x2, y2 = (float(value) for value in line)
    across, down = abs(x2 - x1), abs(y2 - y1)
    if across > 3 * down and min(x1, x2) < face.right and max(x1, x2) > face.left:
        middle = (y1 + y2) / 2
        return ["top"] if middle < face.top else ["bottom"] if middle > face.bottom else []
    if down > 3 * across and min(y1, y2) < face.bottom and max(y1, y2) > face.top:
        middle = (x1 + x2) / 2
        return ["left"] if middle < face.left else ["right"] if middle > face.right else []
    return []


def signs_of_file(marks: Marks, now: datetime.datetime | None) -> list[str]:
    """The signs in what a file says of itself."""
    signs = []
    if EDITORS.search(marks.software):
        signs.append("edited")
    if marks.taken and now:
        age = now - marks.taken
        if age > OLDEST or age < -NEWEST:
            signs.append("old")
    return signs


def _moment(value: object, offset: object) -> datetime.datetime | None:
    """EXIF's way to write a time, `2026:11:23 16:49:52` and `+08:00`; None for anything else."""
    for zone in (str(offset), "+08:00"):
        try:
            return datetime.datetime.strptime(f"{str(value)[:19]}{zone}", "%Y:%m:%d %H:%M:%S%z")
        except ValueError:
            continue
    return None


def _inside(gray: npt.NDArray[np.float64], face: Face) -> npt.NDArray[np.float64]:
    return gray[max(0, face.top) : face.bottom, max(0, face.left) : face.right]


def _glare(pixels: Pixels, face: Face) -> bool:
    """Whether a burnt-out spot with hard edges lies on the face or right beside it."""
    room = face.width // 3
    area = pixels[
        max(0, face.top - room) : face.bottom + room, max(0, face.left - room) : face.right + room
    ]
    white = area.min(axis=2) >= 250
    share = float(white.mean())
    if not GLARE_SHARE[0] < share < GLARE_SHARE[1]:
        return False
    # A highlight on skin fades: three pixels beside the burnt-out ones it is still nearly white.
    spot = Image.fromarray(white.astype(np.uint8) * 255)
    reach = np.asarray(spot.filter(ImageFilter.MaxFilter(9))) > 0
    close = np.asarray(spot.filter(ImageFilter.MaxFilter(5))) > 0
    ring = area.mean(axis=2)[reach & ~close]
    return bool(ring.size and np.median(ring) < HARD_EDGE)
