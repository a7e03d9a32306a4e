"""A liveness challenge: is a living person doing what was asked, and always the same one?

A challenge is passed when all of these hold; each has its reason when it does not.

1. There is something to check: at least one gesture was asked (`no_gestures`), and there is one
   photo for each (`wrong_count`).
2. Each gesture is measured in its photo (`wrong_gesture`), or in the video in the order asked
   (`missing_gesture`).
3. No two of the frames that count are one image (`same_image`).
4. Every frame that counts shows the same person as the others (`other_person`).
5. And as the registry's portrait (`not_the_portrait`).

A photo too poor to be judged raises `PhotoError` with its number: that is no failed attempt.
"""

from __future__ import annotations

import dataclasses
import datetime
import random
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from faces import compare, encode, find, gestures, passive, photo, quality, selfie, video
from faces.compare import Comparison
from faces.encode import Template
from faces.errors import PhotoError
from faces.find import Face
from faces.gestures import Expression, Gesture
from faces.passive import Suspicion
from faces.photo import Pixels

# A turned or opened face lies farther from its portrait than a resting one (measured: up to 0.5),
# so frames are held against dlib's own 0.6. The decision whether it is the card's person is not
# made with this: it is `Result.comparison`, of the frame nearest to a portrait's pose, at 0.5.
SAME_PERSON: Final = 0.6
# Mean difference of the brightness of two faces, evened out, below which they are one image saved
# twice. JPEG at quality 30, noise, 20 % more or less light make 0.5 to 3, two gestures 13 and more.
SAME_IMAGE: Final = 6.0
# The same for a whole video: a still picture filmed or encoded makes up to 1.5; nobody holds still
# to less than 2, and closing the eyes alone makes 2.5.
STANDING_STILL: Final = 2.0
THUMBNAIL: Final = 48
RESTING: Final = (Gesture.OPEN_MOUTH, Gesture.CLOSE_EYES)


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """One frame that counts.

    Attributes:
        number: of the photo, or of the sampled frame of the video, from 0.
        asked: the gesture that it counts for; None for the video's frame at rest.
        value: the figure that decides about that gesture.
        shown: whether the gesture was made.
        expression: all figures.
        distance: from the portrait, or without one from the first frame that counts.
        same_person: whether it is the same person as the others and as the portrait.
        pixels: the frame itself, decoded.
    """

    number: int
    asked: Gesture | None
    value: float
    shown: bool
    expression: Expression
    distance: float
    same_person: bool
    pixels: Pixels = dataclasses.field(repr=False, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a challenge.

    Attributes:
        live: whether the challenge is passed. Never True with a reason, never without frames.
        reasons: why not, each once, the most telling first.
        frames: what was measured, in the order asked.
        template: of the frame nearest to a portrait's pose; None when no frame counted.
        comparison: that template against the portrait; None without a portrait.
        suspicion: signs of a print or screen over all frames that count. A passed challenge with
            `suspicion.suspicious` still needs another challenge or a manual review.
    """

    live: bool
    reasons: tuple[str, ...]
    frames: tuple[Seen, ...]
    template: Template | None
    comparison: Comparison | None
    suspicion: Suspicion


@dataclasses.dataclass(frozen=True, slots=True)
class _Look:
    """A frame being judged."""

    number: int
    pixels: Pixels
    face: Face
    expression: Expression

    @property
    def frontal(self) -> float:
        """How far from a portrait's pose, the less the better.

        A head's own pitch at rest is not known: what was asked says more where it can.
        """
        return (
            abs(self.expression.yaw) + abs(self.expression.pitch) / 2 + self.expression.mouth * 20
        )


def draw_challenge(dice: random.Random, length: int = 2) -> tuple[Gesture, ...]:
    """A random challenge of 2 or 3 different gestures, at least one of them facing the camera.

    Args:
        dice: `random.SystemRandom()` where it matters.
        length: how many gestures.

    Raises:
        ValueError: for fewer than 2 or more than 3.
    """
    if length not in {2, 3}:
        raise ValueError("a challenge has two or three gestures")
    first = dice.choice(RESTING)
    others = dice.sample([gesture for gesture in Gesture if gesture is not first], length - 1)
    sequence = [first, *others]
    dice.shuffle(sequence)
    return tuple(sequence)


def check_photos(
    asked: Sequence[Gesture],
    photos: Sequence[bytes],
    portrait: Template | None = None,
    *,
    now: datetime.datetime | None = None,
) -> Result:
    """Check one photo per gesture, in the order asked.

    Args:
        asked: the gestures.
        photos: the files, one for each.
        portrait: whom every photo has to show; None holds them against each other only.
        now: the time, with its zone, for the age that files name; None leaves it out.

    Raises:
        PhotoError: for a photo too poor to be judged; `details["photo"]` is its number from 1.
    """
    if not asked:
        return _refused("no_gestures")
    if len(photos) != len(asked):
        return _refused("wrong_count")
    looks: list[_Look] = []
    for number, data in enumerate(photos):
        try:
            looks.append(_look(number, photo.open_photo(data).pixels))
        except PhotoError as error:
            raise PhotoError(error.code, **error.details, photo=number + 1) from error
    signs = [
        sign for data in photos for sign in passive.signs_of_file(passive.read_marks(data), now)
    ]
    return _judge(list(zip(asked, looks, strict=True)), portrait, [], signs)


def check_video(asked: Sequence[Gesture], data: bytes, portrait: Template | None = None) -> Result:
    """Check a video that shows the gestures one after the other.

    Raises:
        VideoError: for a file that is refused or no video.
        PhotoError: when fewer than half of the frames show one face well enough.
    """
    if not asked:
        return _refused("no_gestures")
    frames = video.read_frames(data)
    looks, problems = [], []
    for number, frame in enumerate(frames):
        try:
            looks.append(_look(number, frame.pixels))
        except PhotoError as error:
            problems.append(error)
    if len(looks) * 2 < len(frames):
        raise max(problems, key=lambda error: [each.code for each in problems].count(error.code))
    return _judge_looks(asked, looks, portrait)


def _judge_looks(
    asked: Sequence[Gesture], looks: Sequence[_Look], portrait: Template | None
) -> Result:
    """Choose the frames of a video that count, and judge them."""
    counting: list[tuple[Gesture | None, _Look]] = [
        (None, min(looks, key=lambda look: look.frontal))
    ]
    reasons: list[str] = []
    if _all_one_image(looks):
        reasons.append("same_image")
    rest = list(looks)
    for gesture in asked:
        run = _first_run(rest, gesture)
        if not run:
            reasons.append("missing_gesture")
            break
        counting.append((gesture, max(run, key=lambda look: _strength(look, gesture))))
        rest = [look for look in rest if look.number > run[-1].number]
    return _judge(counting, portrait, reasons)


def _first_run(looks: Sequence[_Look], gesture: Gesture) -> list[_Look]:
    """The first frames in a row that show the gesture."""
    run: list[_Look] = []
    for look in looks:
        if look.expression.shows(gesture):
            run.append(look)
        elif run:
            break
    return run


def _strength(look: _Look, gesture: Gesture) -> float:
    value = look.expression.value(gesture)
    return -value if gesture is Gesture.CLOSE_EYES else value


def _look(number: int, pixels: Pixels) -> _Look:
    """Find and measure the one face of a frame; it is encoded only if it counts."""
    face = selfie.find_one(pixels)
    quality.require(quality.measure_quality(pixels, face))
    points = find.steady_landmarks(pixels, face)
    return _Look(number, pixels, face, gestures.measure_expression(points))


def _judge(
    counting: Sequence[tuple[Gesture | None, _Look]],
    portrait: Template | None,
    reasons: list[str],
    signs: Sequence[str] = (),
) -> Result:
    """Points 2 to 5 of the module's list, over the frames that count."""
    looks = [look for _, look in counting]
    templates = [encode.encode(look.pixels, look.face) for look in looks]
    # 2. Each gesture is measured.
    if any(asked is not None and not look.expression.shows(asked) for asked, look in counting):
        reasons.append("wrong_gesture")
    # 3. No two are one image.
    distinct = [look for asked, look in counting if asked is not None]
    if _any_one_image(distinct):
        reasons.append("same_image")
    # 4. Each is the same person as the others, held together by the one nearest to a portrait:
    # of those that were not asked to move the head, if there is one.
    hub = min(range(len(looks)), key=lambda i: (_moved_head(counting[i][0]), looks[i].frontal))
    together = [compare.distance(each, templates[hub]) <= SAME_PERSON for each in templates]
    if not all(together):
        reasons.append("other_person")
    # 5. Each is the person of the portrait.
    anchor = templates[hub] if portrait is None else portrait
    apart = [compare.distance(each, anchor) for each in templates]
    if portrait is not None and any(each > SAME_PERSON for each in apart):
        reasons.append("not_the_portrait")
    frames = tuple(
        Seen(
            number=look.number,
            asked=asked,
            value=look.expression.value(asked) if asked is not None else look.expression.yaw,
            shown=asked is None or look.expression.shows(asked),
            expression=look.expression,
            distance=apart[i],
            same_person=together[i] and apart[i] <= SAME_PERSON,
            pixels=look.pixels,
        )
        for i, (asked, look) in enumerate(counting)
    )
    return Result(
        live=not reasons,
        reasons=tuple(dict.fromkeys(reasons)),
        frames=frames,
        template=templates[hub],
        comparison=None if portrait is None else compare.compare(templates[hub], portrait),
        suspicion=passive.weigh(
            [*signs, *(sign for look in looks for sign in passive.look(look.pixels, look.face))]
        ),
    )


def _moved_head(asked: Gesture | None) -> bool:
    """Whether a gesture takes the head out of a portrait's pose."""
    return asked is not None and asked not in RESTING


def _refused(reason: str) -> Result:
    return Result(
        live=False,
        reasons=(reason,),
        frames=(),
        template=None,
        comparison=None,
        suspicion=passive.weigh([]),
    )


def _all_one_image(looks: Sequence[_Look]) -> bool:
    """Whether a video stands still: no frame differs from the first."""
    first = _thumbnail(looks[0])
    return all(_difference(first, _thumbnail(look)) < STANDING_STILL for look in looks[1:])


def _any_one_image(looks: Iterable[_Look]) -> bool:
    """Whether any two of these frames are the same image, however saved."""
    small = [_thumbnail(look) for look in looks]
    return any(
        _difference(small[i], small[j]) < SAME_IMAGE
        for i in range(len(small))
        for j in range(i + 1, len(small))
    )


def _thumbnail(look: _Look) -> npt.NDArray[np.float64]:
    """The face alone, small, evened out in light."""
    face = look.face
    box = (face.left, face.top, face.right, face.bottom)
    crop = Image.fromarray(look.pixels).convert("L").crop(box)
    small = crop.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    gray = np.asarray(small, dtype=np.float64)
    return np.asarray((gray - gray.mean()) / max(float(gray.std()), 1.0) * 50)


def _difference(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    return float(np.abs(a - b).mean())
