"""What a selfie, a video and a card cost, part by part, against encoding alone."""

from __future__ import annotations

import functools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.harness import PAIRS, paired, publish, seconds_each, table
from benchmarks.sheet import Goal, Sheet
from faces import compare, encode, find, id_card, liveness, models, photo, quality, search, selfie
from faces.gestures import Gesture
from tests.faces import drawing, warping

TWELVE_MEGAPIXELS = (3024, 4032)
TIMES = 5
CARDS = 400_000
COLUMNS = ("part", "takes", "encoding alone", "ratio, median of 7 pairs", "lowest to highest")
# One of each job of a worker, in a process that has loaded nothing else. getrusage would count
# what the benchmark itself had taken when it forked; /proc begins anew with the new program.
MEMORY = """
import sys
from pathlib import Path
from faces import gestures, id_card, liveness, selfie
photo, film, card = (Path(name).read_bytes() for name in sys.argv[1:])
selfie.measure(photo)
liveness.check_video((gestures.Gesture.TURN_LEFT, gestures.Gesture.OPEN_MOUTH), film)
id_card.read_card(card)
status = Path("/proc/self/status").read_text()
print(status.partition("VmHWM:")[2].split()[0])
"""


@functools.cache
def phone_photo() -> bytes:
    """A 12-megapixel JPEG of a selfie: the face box 45 % of the picture's height, with noise."""
    # Three by four, as phones take it, around the face of the public-domain photo.
    near = warping.portrait("grace").crop((76, 33, 476, 566))
    large = near.resize(TWELVE_MEGAPIXELS, Image.Resampling.LANCZOS)
    return warping.jpeg(warping.noisy(large, 3), 85)


@functools.cache
def film() -> bytes:
    """Five seconds of 720p at 30 frames a second: at rest, left, at rest, mouth open, at rest."""
    shown = (None, Gesture.TURN_LEFT, None, Gesture.OPEN_MOUTH, None)
    pictures = [warping.gesture("grace", each) for each in shown]
    return warping.film(pictures, size=(1280, 720), rate=30)


@functools.cache
def card() -> bytes:
    """A drawn ID card, photographed a little turned and tilted."""
    front = drawing.front(drawing.MadeUpCard(), warping.portrait("grace"))
    return warping.jpeg(drawing.photographed(front, degrees=8, tilt=0.1, shade=0.3))


def main(sheet: Sheet) -> None:
    """Measure each part and publish the tables."""
    models.load()
    page = table(
        "Faces: what each part of a selfie check costs",
        "A 12-megapixel JPEG (the face box 45 % of its height), milliseconds, each part in turn "
        "with the encoding alone. The target for the whole is 1.25 times the encoding. On a busy "
        "machine single rows wander; the second table measures the whole once more.",
        COLUMNS,
        _parts(),
    )
    page += "\n" + _limits(sheet)
    publish("faces", page)


def _parts() -> list[list[str]]:
    data = phone_photo()
    opened = photo.open_photo(data, enough=find.FIRST_SIDE)
    pixels = opened.pixels
    face = find.find_face(pixels)
    template = encode.encode(pixels, face)
    points = find.landmarks(pixels, face)

    def judge() -> None:
        quality.require(quality.measure_quality(pixels, face))
        quality.require_uncovered(pixels, points)

    def whole() -> None:
        compare.compare(selfie.measure(data).template, template)

    parts: tuple[tuple[str, Callable[[], object]], ...] = (
        ("decode, an eighth of the size", lambda: photo.open_photo(data, enough=find.FIRST_SIDE)),
        ("decode at 800 px, as for a smaller face", lambda: photo.open_photo(data)),
        ("find at 480 px", lambda: find.find_face(pixels)),
        ("68 landmarks", lambda: find.landmarks(pixels, face)),
        ("quality and cover", judge),
        ("encode", lambda: encode.encode(pixels, face)),
        ("compare", lambda: compare.compare(template, template)),
        ("**whole selfie check**", whole),
    )
    alone = _milliseconds(lambda: encode.encode(pixels, face))
    return [[name, *paired(_milliseconds(part), alone).row("ms")] for name, part in parts]


def _limits(sheet: Sheet) -> str:
    """The jobs with a target of their own, as a second table."""
    video = _median(lambda: liveness.check_video((Gesture.TURN_LEFT, Gesture.OPEN_MOUTH), film()))
    reading = _median(lambda: id_card.read_card(card()))
    memory = _memory()
    index, lookup = _search()
    whole = sheet.pair(
        "face step for a 12-megapixel photo",
        _milliseconds(lambda: selfie.measure(phone_photo())),
        _milliseconds(_encoding()),
        against="the encoding alone",
        unit="ms",
        goal=Goal("≤", 1.25),
    ).median
    for what, found, most, unit in (
        ("5 s of 720p video, liveness", video, 3.0, "s"),
        ("an ID card read", reading, 2.0, "s"),
        ("memory of a worker after a selfie, a video and a card", memory, 700.0, "MB"),
    ):
        pair, against = (found, most), f"{most:g} {unit}"
        sheet.keep(what, [pair], against=against, unit=unit, goal=Goal("≤", 1))
    rows = [
        ("selfie check, times the encoding alone", f"{whole:.2f}", "1.25", whole <= 1.25),
        ("5 s of 720p video, liveness", f"{video:.2f} s", "3 s", video < 3),
        ("ID card", f"{reading:.2f} s", "2 s", reading < 2),
        ("memory of a worker after all three", f"{memory:.0f} MB", "700 MB", memory < 700),
        (f"search among {CARDS:,} templates", f"{lookup * 1000:.0f} ms", "none", True),
        (f"their memory ({CARDS:,})", f"{index / 1e6:.0f} MB", "none", True),
    ]
    lines = ["| job | here | target | |", "| --- | --- | --- | --- |"]
    lines += [f"| {job} | {here} | {aim} | {_met(aim, met=met)} |" for job, here, aim, met in rows]
    return "\n".join(lines) + "\n"


def _met(target: str, *, met: bool) -> str:
    if target == "none":
        return ""
    return "met" if met else "**missed**"


def _encoding() -> Callable[[], object]:
    pixels = photo.open_photo(phone_photo(), enough=find.FIRST_SIDE).pixels
    face = find.find_face(pixels)
    return lambda: encode.encode(pixels, face)


def _milliseconds(work: Callable[[], object]) -> Callable[[], float]:
    return lambda: seconds_each(work, TIMES) * 1000


def _median(work: Callable[[], object]) -> float:
    """The median seconds of some runs, after one to warm up."""
    work()
    return statistics.median(seconds_each(work, 1) for _ in range(PAIRS))


def _search() -> tuple[int, float]:
    """Bytes and seconds of a search among as many templates as the rival system had people."""
    dice = np.random.default_rng(1)
    index = search.Index()
    for number in range(CARDS):
        vector = dice.standard_normal(128)
        index.add(str(number), vector / np.linalg.norm(vector) * 1.4)
    wanted = dice.standard_normal(128)
    began = time.perf_counter()
    for _ in range(PAIRS):
        index.search(wanted)
    return index.nbytes, (time.perf_counter() - began) / PAIRS


def _memory() -> float:
    """The most resident memory, in MB, of a fresh process that does one job of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for name, data in (("photo", phone_photo()), ("film", film()), ("card", card())):
            path = Path(folder) / name
            path.write_bytes(data)
            names.append(str(path))
        command = [sys.executable, "-c", MEMORY, *names]
        seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(seen) / 1024


if __name__ == "__main__":
    main(Sheet("faces"))
