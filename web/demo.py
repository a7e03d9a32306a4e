"""The demo's made-up citizens: who they are, and how a visitor becomes one with a photo of theirs.

Their portraits are public-domain photos of NASA and the US Navy inside the sample data of
scikit-image and matplotlib. What they send as their photos is made from these: never twice the
same nor nearly, because a picture that was sent before is refused, from whichever phone; and where
a gesture is asked for, warped along the landmarks of the face, because nobody is there to make it.
Exists in the demo profile only; asks for the secret that the supervisor gave to the simulator.

| key | holds | lives |
|---|---|---|
| `{demo}:citizens` | list of the citizens that visitors added | for good |
| `{demo}:takes` | list of the coarse shapes of the last 5000 photos handed out | for good |
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import hmac
import importlib.util
import io
import json
import random
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import redis
from flask import Blueprint, Response, abort, jsonify, request
from PIL import Image, ImageChops, ImageEnhance, UnidentifiedImageError

from credentials import id_number
from credentials.model import Person
from faces.encode import Template
from faces.errors import PhotoError
from faces.gestures import Gesture
from faces.photo import Pixels

LARGEST_PHOTO = 10 * 1024 * 1024
MOST_TAKES = 60  # behind spectacles closed eyes are seen once in three: docs/faces.md
ADDED = "{demo}:citizens"
TAKES = "{demo}:takes"
REMEMBERED_TAKES = 5000
# The light of each time: so many patches each way, and how far it strays from even. With the
# photo held in the very same place, two such lights alone set 10 to 30 of 256 bits apart.
PATCHES = 9
UNEVEN = 16
SURNAMES = "李王张刘陈杨黄赵周吴"
GIVEN = ("小明", "晓雯", "子涵", "建国", "雨桐", "志强", "思远", "嘉怡")


class Registry(Protocol):
    """The embedded registry, as far as the demo fills it."""

    def add(self, person: Person) -> None:
        """Add a person, or replace what was known of them."""


@dataclasses.dataclass(frozen=True, slots=True)
class Citizen:
    """One made-up person and the package file that holds the portrait."""

    name: str
    first_digits: str
    package: str
    file: str
    address: str

    @property
    def id_number(self) -> str:
        """All 18 characters: the made-up 17 and their check character."""
        return self.first_digits + id_number.check_character(self.first_digits)

    @property
    def content_type(self) -> str:
        """The portrait's media type."""
        return "image/png" if self.file.endswith(".png") else "image/jpeg"

    def portrait(self) -> bytes:
        """The photo as it lies in the package."""
        spec = importlib.util.find_spec(self.package)
        if spec is None or spec.origin is None:
            raise FileNotFoundError(f"{self.package} is not installed; run `make setup`")
        return (Path(spec.origin).parent / self.file).read_bytes()

    def person(self) -> Person:
        """The citizen as the registry knows them."""
        return _person(self.name, self.id_number, self.address, self.portrait())

    def selfie(self) -> bytes:
        """Another picture of the same person: closer, warmer, turned a little, less sharp; JPEG."""
        return _taken_anew(Image.open(io.BytesIO(self.portrait())).convert("RGB"))

    def gesture(self, name: str) -> bytes:
        """A picture of the person making a gesture (`turn_left`, …), made by warping; JPEG.

        Raises:
            ValueError: when there is no such gesture.
        """
        wanted = Gesture(name)
        made = Image.fromarray(_gesture(self.portrait(), wanted))
        for _ in range(MOST_TAKES):
            taken = _taken_anew(made)
            if _shows(taken, wanted) and _is_like(taken, self.portrait(), wanted):
                break
        return taken


class Takes:
    """The photos that the demo handed out, so that it hands out none that would be known again."""

    def __init__(self, database: redis.Redis) -> None:
        self._redis = database

    def new(self, take: Callable[[], bytes]) -> bytes:
        """A photo unlike all before it, by the very rule that the product holds photos to.

        It is remembered before it is compared: of two processes that take one like the other's
        at the same moment, at least one sees it and takes another.
        """
        from faces import photo, reuse  # noqa: PLC0415 - OpenCV's neighbours, for the demo only

        for _ in range(MOST_TAKES):
            taken = take()
            shape = reuse.perceptual_hash(photo.open_photo(taken).pixels)
            self._redis.rpush(TAKES, shape)
            self._redis.ltrim(TAKES, -REMEMBERED_TAKES, -1)
            near = [
                each for each in self._redis.lrange(TAKES, 0, -1) if reuse.near(shape, _text(each))
            ]
            if len(near) == 1:  # itself
                break
        return taken


@functools.cache
def _gesture(portrait: bytes, gesture: Gesture) -> Pixels:
    """The person of a portrait making a gesture; the same few are asked for again and again."""
    from faces import find, photo  # noqa: PLC0415 - the models' libraries
    from web.warping import warped  # noqa: PLC0415 - scipy and OpenCV, too

    pixels = photo.open_photo(portrait).pixels
    return warped(pixels, find.landmarks(pixels, find.find_face(pixels)), gesture)


def _shows(taken: bytes, wanted: Gesture) -> bool:
    """Whether face and gesture are still seen: turned and pressed into a JPEG, they may be lost."""
    from faces import find, gestures, photo, quality, selfie  # noqa: PLC0415 - as above

    pixels = photo.open_photo(taken).pixels
    try:
        face = selfie.find_one(pixels)
        quality.require(quality.measure_quality(pixels, face))
    except PhotoError:
        return False
    return gestures.measure_expression(find.steady_landmarks(pixels, face)).shows(wanted)


@functools.cache
def _template(portrait: bytes) -> Template:
    from faces import selfie  # noqa: PLC0415 - as above

    return selfie.measure(portrait).template


def _is_like(taken: bytes, portrait: bytes, gesture: Gesture) -> bool:
    """Whether the product would know the person, and for sure where the picture decides it."""
    from faces import compare, liveness, selfie  # noqa: PLC0415 - as above

    try:
        found = compare.compare(selfie.measure(taken).template, _template(portrait))
    except PhotoError:
        return False
    return found.match and (gesture not in liveness.RESTING or not found.doubtful)


def _taken_anew(picture: Image.Image) -> bytes:
    """The picture as a hand holds a phone this time: nearer, turned, in another light; JPEG."""
    dice = random.SystemRandom()
    width, height = picture.size
    picture = picture.rotate(
        dice.choice((-1, 1)) * dice.uniform(2.0, 4.5), resample=Image.Resampling.BICUBIC
    )
    left, top = dice.uniform(0.05, 0.1), dice.uniform(0.01, 0.04)
    right, bottom = dice.uniform(0.88, 0.93), dice.uniform(0.83, 0.88)
    picture = picture.crop(
        (round(width * left), round(height * top), round(width * right), round(height * bottom))
    )
    picture = ImageEnhance.Color(picture).enhance(dice.uniform(0.75, 0.9))
    picture = ImageEnhance.Brightness(picture).enhance(dice.uniform(0.94, 1.04))
    picture = _lit_anew(picture, dice)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=dice.randint(86, 92))
    return out.getvalue()


def _lit_anew(picture: Image.Image, dice: random.Random) -> Image.Image:
    """The picture in another room: a little lighter here, a little darker there."""
    patches = Image.new("L", (PATCHES, PATCHES))
    patches.putdata([round(128 + dice.gauss(0, UNEVEN)) for _ in range(PATCHES**2)])
    light = patches.resize(picture.size, Image.Resampling.BICUBIC)
    channels = [ImageChops.multiply(channel, light) for channel in picture.split()]
    # Multiplied by 128 of 255, a channel has half its light: that is given back.
    doubling = [min(255, round(value * 255 / 128)) for value in range(256)]
    doubled = [channel.point(doubling) for channel in channels]
    return Image.merge("RGB", doubled)


CITIZENS = (
    Citizen(
        "陈慧敏",
        "44011519880620302",
        "matplotlib",
        "mpl-data/sample_data/grace_hopper.jpg",
        "广东省广州市南沙区进港大道1号",
    ),
    Citizen(
        "林若溪",
        "44010619911119406",
        "skimage",
        "data/astronaut.png",
        "广东省广州市天河区体育西路2号",
    ),
)


def blueprint(registry: Registry, database: redis.Redis, secret: str) -> Blueprint:
    """`/demo/citizens`: list them, add one with a portrait, and their photos."""
    pages = Blueprint("demo", __name__, url_prefix="/demo/citizens")

    def only_for_the_simulator() -> None:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {secret}".encode()):
            abort(404)

    @pages.get("")
    def show() -> Response:
        only_for_the_simulator()
        known = [
            {
                "name": citizen.name,
                "id_number": citizen.id_number,
                "photo_url": f"/demo/citizens/{place}/portrait",
                "selfie_url": f"/demo/citizens/{place}/photo",
            }
            for place, citizen in enumerate(CITIZENS)
        ]
        return jsonify([*known, *_added(database)])

    takes = Takes(database)

    @pages.get("/<int:place>/photo")
    def photo(place: int) -> Response:
        """A photo that a citizen takes now; with `?gesture=`, making it."""
        wanted = request.args.get("gesture", "")
        if place >= len(CITIZENS) or (wanted and wanted not in set(Gesture)):
            abort(404)
        citizen = CITIZENS[place]
        made = takes.new(functools.partial(citizen.gesture, wanted) if wanted else citizen.selfie)
        return Response(made, content_type="image/jpeg", headers={"Cache-Control": "no-store"})

    @pages.get("/<int:place>/portrait")
    def portrait(place: int) -> Response:
        if place >= len(CITIZENS):
            abort(404)
        return Response(CITIZENS[place].portrait(), content_type=CITIZENS[place].content_type)

    @pages.post("")
    def become() -> tuple[Response, int]:
        only_for_the_simulator()
        sent = request.files.get("photo")
        portrait = sent.read(LARGEST_PHOTO + 1) if sent else b""
        if len(portrait) > LARGEST_PHOTO or not _is_picture(portrait):
            return jsonify(detail="请发一张照片：JPEG、PNG 或 WebP，不超过 10 MB。"), 400
        name = secrets.choice(SURNAMES) + secrets.choice(GIVEN)
        digits = _made_up_digits()
        number = digits + id_number.check_character(digits)
        registry.add(_person(name, number, "广东省广州市南沙区（演示）", portrait))
        made = {"name": name, "id_number": number, "photo_url": ""}
        database.rpush(ADDED, json.dumps(made))
        return jsonify(made), 201

    return pages


def _person(name: str, number: str, address: str, portrait: bytes) -> Person:
    return Person(
        name=name,
        id_number=number,
        residence=number[:6],
        address=address,
        valid_until=datetime.date(2036, 12, 31),
        portrait=portrait,
    )


def _added(database: redis.Redis) -> Iterator[dict[str, str | None]]:
    for entry in database.lrange(ADDED, 0, -1):
        yield json.loads(entry)


def _text(stored: bytes | str) -> str:
    return stored.decode() if isinstance(stored, bytes) else stored


def _is_picture(data: bytes) -> bool:
    try:
        Image.open(io.BytesIO(data)).verify()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
    return True


def _made_up_digits() -> str:
    born = datetime.date(1970, 1, 1) + datetime.timedelta(days=secrets.randbelow(12_000))
    return f"440115{born:%Y%m%d}{secrets.randbelow(1000):03d}"
