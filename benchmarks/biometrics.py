"""Error rates: false matches and non-matches over pairs, attacks let through, people refused.

    python -m benchmarks.biometrics [--pairs FOLDER_OR_CSV]

A CSV has the columns a,b,same (1 or 0; paths from its own folder). A folder has one folder per
person; every two photos make a pair. Without a path the two public-domain photos inside the
dependencies are used, transformed: that shows that the measurement works, and little more.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import functools
import itertools
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.harness import RESULTS, machine, publish
from faces import compare, liveness, photo, selfie
from faces.compare import GREY_HALF_WIDTH, THRESHOLD
from faces.encode import Template
from faces.errors import FaceError
from faces.gestures import Gesture
from tests.faces import warping

SWEEP = tuple(round(0.3 + 0.025 * step, 3) for step in range(17))
PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".heic"}
CHALLENGES = (
    (Gesture.TURN_LEFT, Gesture.OPEN_MOUTH),
    (Gesture.OPEN_MOUTH, Gesture.LOOK_UP),
    (Gesture.LOOK_UP, Gesture.TURN_RIGHT),
)
PEOPLE = ("grace", "eileen")
Make = Callable[[Image.Image], Image.Image]
CONDITIONS: dict[str, Make] = {
    "as it is": lambda image: image,
    "dim": lambda image: warping.lit(image, 0.55),
    "bright": lambda image: warping.lit(image, 1.25),
    "noise": lambda image: warping.noisy(image, 8),
    "tilted": lambda image: warping.tilted(image, 6),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Rate:
    """So many out of so many, with Wilson's 95 % interval."""

    count: int
    total: int

    def __str__(self) -> str:
        """The rate and its interval, in percent."""
        if not self.total:
            return "none measured"
        low, high = self.interval
        share = self.count / self.total
        return f"{self.count}/{self.total} = {share:.1%} ({low:.1%} to {high:.1%})"

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval at 95 %: right for small counts and for none."""
        if not self.total:
            return 0.0, 1.0
        z, n, share = 1.959964, self.total, self.count / self.total
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclasses.dataclass(frozen=True, slots=True)
class Trials:
    """Distances of pairs of the same person and of different ones, and what could not be used."""

    same: list[float]
    different: list[float]
    failures: dict[str, int]
    pairs: int

    def fmr(self, threshold: float) -> Rate:
        """Different people taken for one."""
        return Rate(sum(each <= threshold for each in self.different), len(self.different))

    def fnmr(self, threshold: float) -> Rate:
        """One person taken for different people."""
        return Rate(sum(each > threshold for each in self.same), len(self.same))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and publish the report and the plot."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--pairs", type=Path, help="a CSV (a,b,same) or a folder per person")
    path = parser.parse_args(arguments).pairs
    if path is not None and not path.exists():
        sys.exit(f"{path}: there is no such file or folder")
    trials = measure(own_pairs() if path is None else pairs_of(path))
    if not trials.pairs:
        sys.exit(f"{path}: no pairs in it")
    source = "the dependencies' two photos, transformed" if path is None else "the pairs given"
    plot(trials)
    publish("biometrics", report(trials, source, list(attacks()), bona_fide()))


def pairs_of(path: Path) -> Iterator[tuple[bytes | Path, bytes | Path, bool]]:
    """The pairs of a CSV or of a folder with one folder per person."""
    if path.is_file():
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if missing := {"a", "b", "same"} - set(rows.fieldnames or ()):
                sys.exit(
                    f"{path}: no column {', '.join(sorted(missing))}; it needs a and b (pictures, "
                    "by their paths from this file) and same (1 for one person, 0 for two)"
                )
            for row in rows:
                same = row["same"].strip().lower() in {"1", "true", "yes", "same"}
                yield path.parent / row["a"], path.parent / row["b"], same
        return
    photos = [
        (person.name, picture)
        for person in sorted(path.iterdir())
        if person.is_dir()
        for picture in sorted(person.iterdir())
        if picture.suffix.lower() in PICTURES
    ]
    for (one, a), (other, b) in itertools.combinations(photos, 2):
        yield a, b, one == other


def own_pairs() -> Iterator[tuple[bytes | Path, bytes | Path, bool]]:
    """Both photos in many conditions, each against each; never a picture against itself."""
    changes: dict[str, Make] = {
        **CONDITIONS,
        "dark": lambda image: warping.lit(image, 0.35),
        "soft": lambda image: warping.blurred(image, 1.0),
        "turned": lambda image: warping.tilted(image, -15),
        "small": lambda image: image.resize((image.width * 3 // 4, image.height * 3 // 4)),
        "gray": lambda image: image.convert("L").convert("RGB"),
    }
    photos = [
        (name, warping.jpeg(make(warping.portrait(name)), 40 if change == "noise" else 85))
        for name in PEOPLE
        for change, make in changes.items()
    ]
    for (one, a), (other, b) in itertools.combinations(photos, 2):
        yield a, b, one == other


def measure(pairs: Iterable[tuple[bytes | Path, bytes | Path, bool]]) -> Trials:
    """The distance of each pair; each distinct picture is encoded once."""
    known: dict[bytes | Path, Template | str] = {}

    def template(picture: bytes | Path) -> Template | str:
        if picture not in known:
            try:
                data = picture if isinstance(picture, bytes) else photo.read_file(picture)
                known[picture] = selfie.measure(data).template
            except FaceError as error:
                known[picture] = error.code
            except OSError:
                known[picture] = "unreadable_file"
        return known[picture]

    trials = Trials([], [], {}, 0)
    count = 0
    for a, b, same in pairs:
        count += 1
        first, second = template(a), template(b)
        if isinstance(first, str) or isinstance(second, str):
            continue
        (trials.same if same else trials.different).append(compare.distance(first, second))
    for outcome in known.values():
        if isinstance(outcome, str):
            trials.failures[outcome] = trials.failures.get(outcome, 0) + 1
    return dataclasses.replace(trials, pairs=count)


def attacks() -> Iterator[tuple[str, Rate]]:
    """Presentation attacks by species; each Rate counts those that were let through (APCER)."""
    gestures = warping.gesture
    species: dict[str, Callable[[str, str, Gesture, int], Image.Image]] = {
        "print of the very gesture": lambda me, _, each, __: printed(me, each),
        "screen showing the very gesture": lambda me, _, each, __: on_screen(me, each),
        "print of the portrait": lambda me, _, __, ___: printed(me, None),
        "replay of one gesture throughout": lambda me, _, __, ___: gestures(me, Gesture.TURN_LEFT),
        "another person throughout": lambda _, you, each, __: gestures(you, each),
        "another person in mid-sequence": lambda me, you, each, at: gestures(
            you if at else me, each
        ),
        "wrong gesture": lambda me, _, each, __: gestures(
            me, Gesture.OPEN_MOUTH if each is not Gesture.OPEN_MOUTH else None
        ),
    }
    for name, make in species.items():
        through = total = 0
        for me, you in (PEOPLE, PEOPLE[::-1]):
            for asked in CHALLENGES:
                for condition in CONDITIONS.values():
                    photos = [
                        warping.jpeg(condition(make(me, you, each, at)))
                        for at, each in enumerate(asked)
                    ]
                    total += 1
                    through += let_through(me, asked, photos)
        yield name, Rate(through, total)


def bona_fide() -> Rate:
    """People doing what was asked, who are refused or held up (BPCER)."""
    refused = total = 0
    for me in PEOPLE:
        for asked in CHALLENGES:
            for condition in CONDITIONS.values():
                photos = [warping.jpeg(condition(warping.gesture(me, each))) for each in asked]
                total += 1
                refused += not let_through(me, asked, photos)
    return Rate(refused, total)


@functools.cache
def printed(name: str, gesture: Gesture | None) -> Image.Image:
    """A print of the person making a gesture."""
    return warping.printed(warping.gesture(name, gesture))


@functools.cache
def on_screen(name: str, gesture: Gesture | None) -> Image.Image:
    """A screen showing the person making a gesture."""
    return warping.on_screen(warping.gesture(name, gesture))


@functools.cache
def portrait(name: str) -> Template:
    """The template of the person's portrait."""
    return selfie.measure(warping.jpeg(warping.portrait(name))).template


def let_through(me: str, asked: Sequence[Gesture], photos: Sequence[bytes]) -> bool:
    """Whether a challenge is passed with no suspicion on any of its photos."""
    try:
        result = liveness.check_photos(asked, photos, portrait(me))
    except FaceError:
        return False
    return result.live and not result.suspicion.suspicious


def report(trials: Trials, source: str, species: list[tuple[str, Rate]], refused: Rate) -> str:
    """The page: rates at the threshold, the sweep, the attacks."""
    failures = ", ".join(f"{code} {count}" for code, count in sorted(trials.failures.items()))
    band = [
        each
        for each in (*trials.same, *trials.different)
        if abs(each - THRESHOLD) <= GREY_HALF_WIDTH
    ]
    lines = [
        "# Error rates of faces",
        "",
        f"Over {source}: {trials.pairs} pairs. {machine()}. In brackets Wilson's 95 % intervals.",
        (
            f"Pictures that could not be used: {failures or 'none'}. "
            f"Pairs in the grey band, for a manual review: {len(band)}."
        ),
        "",
        "| threshold | FMR | FNMR |",
        "| --- | --- | --- |",
    ]
    for threshold in SWEEP:
        mark = "**" if threshold == THRESHOLD else ""
        fmr, fnmr = trials.fmr(threshold), trials.fnmr(threshold)
        lines.append(f"| {mark}{threshold}{mark} | {fmr} | {fnmr} |")
    lines += [
        "",
        "![distances and error rates](biometrics.png)",
        "",
        "## Liveness (ISO/IEC 30107-3)",
        "",
        (
            "Challenges of two gestures in photos, with the signs of prints and screens. Gestures "
            "are warped and attacks drawn by the tests from the two public-domain photos, so these "
            "rates say that each defence works, not how often a masked person would succeed."
        ),
        "",
        "| attack | let through (APCER) |",
        "| --- | --- |",
        *(f"| {name} | {rate} |" for name, rate in species),
        "",
        f"People refused or held up (BPCER): {refused}.",
    ]
    return "\n".join(lines) + "\n"


def plot(trials: Trials) -> None:
    """The distances of both kinds of pairs, and both error rates by threshold."""
    import matplotlib as mpl  # noqa: PLC0415 - slow to load, and only for the plot

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, (above, below) = plt.subplots(2, 1, figsize=(7, 7), sharex=True)
    bins = np.linspace(0, 1.1, 56).tolist()
    above.hist(trials.same, bins, alpha=0.7, label="same person", color="#1f6f54")
    above.hist(trials.different, bins, alpha=0.7, label="different people", color="#a4402f")
    above.set_ylabel("pairs")
    thresholds = np.linspace(0, 1.1, 111)
    for rate, color in ((trials.fmr, "#a4402f"), (trials.fnmr, "#1f6f54")):
        found = [rate(float(each)) for each in thresholds]
        shares = [each.count / max(each.total, 1) for each in found]
        low, high = zip(*(each.interval for each in found), strict=True)
        below.plot(thresholds, shares, color=color, label=rate.__name__.upper())
        below.fill_between(thresholds, low, high, color=color, alpha=0.15)
    below.set_xlabel("distance")
    below.set_ylabel("error rate")
    for part in (above, below):
        part.axvline(THRESHOLD, color="#333333", linestyle="--", linewidth=1)
        part.axvspan(
            THRESHOLD - GREY_HALF_WIDTH, THRESHOLD + GREY_HALF_WIDTH, color="#333333", alpha=0.08
        )
        part.legend()
    figure.tight_layout()
    RESULTS.mkdir(parents=True, exist_ok=True)
    figure.savefig(RESULTS / "biometrics.png", dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
