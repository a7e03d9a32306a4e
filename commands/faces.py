"""`app.py faces`: compare photos, check liveness, read ID cards, with the product's own pipeline.

Exit codes: 0 when there is an answer, whatever it says; 2 when there is none, with the reason on
standard error.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import click

from faces import photo, video
from faces.compare import THRESHOLD
from faces.errors import FaceError, PhotoError
from faces.gestures import Gesture

UNABLE: Final = 2
SENTENCES: Final = {
    "too_large": "the file is larger than is ever read",
    "not_an_image": "it is no JPEG, PNG, WebP or HEIC picture",
    "too_many_pixels": "it has more pixels than are ever decoded",
    "truncated": "the file ends before the picture does",
    "no_face": "no face is found in it",
    "many_faces": "there is more than one face in it",
    "too_small": "the face is too small; go closer",
    "too_dark": "it is too dark; find more light",
    "too_bright": "it is too bright; turn away from the light",
    "blurred": "it is blurred; hold still",
    "covered": "something covers the face",
    "not_a_video": "it is no MP4, MOV or WebM video",
    "too_long": "the video is too long",
    "too_short": "the video is too short",
    "no_card": "no ID card is recognised in it",
}

Value = TypeVar("Value")
FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("faces", help=__doc__.split("\n\n", maxsplit=1)[0])
def group() -> None:
    """The face commands; `app.py` adds them to its own."""


@group.command("compare")
@click.argument("files", nargs=-1, type=FILE)
@click.option("--pairs", type=FILE, help="A CSV with the columns a,b; prints one with the answers.")
@click.option("--threshold", type=float, default=THRESHOLD, show_default=True)
def compare_command(files: tuple[Path, ...], pairs: Path | None, threshold: float) -> None:
    """Say whether two photos show the same person."""
    if pairs is not None:
        if files:
            raise click.UsageError("give either two photos or --pairs, not both")
        _compare_pairs(pairs, threshold)
        return
    if len(files) != 2:
        raise click.UsageError("give two photos, A and B, or --pairs FILE.csv")
    from faces import compare  # noqa: PLC0415 - loads the models' libraries

    a, b = (_or_stop(path, _measured) for path in files)
    result = compare.compare(a.template, b.template, threshold=threshold)
    _print(
        {
            "match": result.match,
            "distance": round(result.distance, 4),
            "threshold": result.threshold,
            "quality": {"a": a.quality.as_json(), "b": b.quality.as_json()},
        }
    )


@group.command("liveness")
@click.option("--gestures", "names", required=True, help="In the order asked, with commas between.")
@click.option("--portrait", type=FILE, help="The portrait that every frame has to be of.")
@click.argument("files", nargs=-1, required=True, type=FILE)
def liveness_command(names: str, portrait: Path | None, files: tuple[Path, ...]) -> None:
    """Check a challenge: one photo per gesture, or one video of all."""
    from faces import liveness  # noqa: PLC0415 - loads the models' libraries

    asked = _gestures(names)
    template = None if portrait is None else _or_stop(portrait, _measured).template
    first = _or_stop(files[0], lambda path: photo.read_file(path, video.MAX_BYTES))
    try:
        if len(files) == 1 and video.is_video(first):
            result = liveness.check_video(asked, first, template)
        else:
            photos = [_or_stop(path, photo.read_file) for path in files]
            result = liveness.check_photos(asked, photos, template)
    except PhotoError as error:
        number = error.details.get("photo")
        _stop(str(files[int(number) - 1] if number else files[0]), error)
    except FaceError as error:
        _stop(str(files[0]), error)
    comparison = result.comparison
    _print(
        {
            "live": result.live,
            "reasons": list(result.reasons),
            "portrait": None
            if comparison is None
            else {"match": comparison.match, "distance": round(comparison.distance, 4)},
            "suspicion": {
                "score": result.suspicion.score,
                "reasons": list(result.suspicion.reasons),
            },
            "frames": [
                {
                    "frame": frame.number,
                    "gesture": frame.asked,
                    "value": round(frame.value, 3),
                    "shown": frame.shown,
                    "same_person": frame.same_person,
                    "distance": round(frame.distance, 4),
                    "measured": {
                        name: round(value, 3)
                        for name, value in dataclasses.asdict(frame.expression).items()
                    },
                }
                for frame in result.frames
            ],
        }
    )


@group.command("read-card")
@click.argument("file", type=FILE)
def read_card_command(file: Path) -> None:
    """Read the fields of an ID card's photo, front or back."""
    from faces import id_card  # noqa: PLC0415 - loads the OCR's libraries

    reading = _or_stop(file, lambda path: id_card.read_card(photo.read_file(path)))
    _print(reading.as_json())


def _compare_pairs(pairs: Path, threshold: float) -> None:
    """Answer every row, each distinct picture measured once; what cannot be is a reason."""
    from faces import compare  # noqa: PLC0415 - loads the models' libraries

    writer = csv.writer(sys.stdout, lineterminator="\n")
    rows = list(_rows(pairs))
    writer.writerow(("a", "b", "match", "distance", "reason"))
    known: dict[Path, Any] = {}
    for a, b in rows:
        measured = []
        reasons = []
        for column, name in (("a", a), ("b", b)):
            path = _beside(pairs, name)
            if path not in known:
                known[path] = _measured_or_code(path)
            if isinstance(known[path], str):
                reasons.append(f"{column}: {known[path]}")
            else:
                measured.append(known[path])
        if reasons:
            writer.writerow((a, b, "", "", "; ".join(reasons)))
            continue
        result = compare.compare(*measured, threshold=threshold)
        doubt = "doubtful" if result.doubtful else ""
        writer.writerow((a, b, str(result.match).lower(), f"{result.distance:.4f}", doubt))


def _beside(pairs: Path, name: str) -> Path:
    """A picture that a CSV names: from the CSV's folder, or else from here."""
    beside = pairs.parent / name
    return (beside if beside.exists() else Path(name)).resolve()


def _rows(pairs: Path) -> Iterator[tuple[str, str]]:
    """The pairs of a CSV file with the columns a and b, and perhaps others."""
    try:
        with pairs.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if not {"a", "b"} <= set(reader.fieldnames or ()):
                raise click.ClickException(f"{pairs}: the first line has to name the columns a,b")
            for row in reader:
                if not row["a"] or not row["b"]:
                    raise click.ClickException(f"{pairs}: line {reader.line_num} lacks a or b")
                yield row["a"], row["b"]
    except (UnicodeDecodeError, csv.Error) as error:
        raise click.ClickException(f"{pairs}: not a CSV file in UTF-8 ({error})") from error


def _measured(path: Path) -> Any:
    from faces import selfie  # noqa: PLC0415 - loads the models' libraries

    return selfie.measure(photo.read_file(path))


def _measured_or_code(path: Path) -> Any:
    """The template of a picture, or the code of why there is none."""
    try:
        return _measured(path).template
    except FaceError as error:
        return error.code
    except FileNotFoundError:
        return "missing_file"
    except OSError:
        return "unreadable_file"


def _gestures(names: str) -> list[Gesture]:
    """The gestures that a list names.

    Raises:
        click.BadParameter: for one that there is not, listing those there are.
    """
    valid = ", ".join(Gesture)
    asked = [name.strip() for name in names.split(",") if name.strip()]
    if not asked:
        raise click.BadParameter(f"name at least one of: {valid}", param_hint="--gestures")
    for name in asked:
        if name not in set(Gesture):
            raise click.BadParameter(
                f"there is no gesture {name!r}; there are: {valid}", param_hint="--gestures"
            )
    return [Gesture(name) for name in asked]


def _or_stop(path: Path, work: Callable[[Path], Value]) -> Value:
    """The outcome of a work on one file; what goes wrong is said and ends the command."""
    try:
        return work(path)
    except FaceError as error:
        _stop(str(path), error)
    except OSError as error:
        click.echo(f"{path}: {error.strerror or error}", err=True)
        sys.exit(UNABLE)


def _stop(name: str, error: FaceError) -> NoReturn:
    """Say why a file cannot be used, and end."""
    click.echo(f"{name}: {SENTENCES.get(error.code, error.code)} ({error.code})", err=True)
    sys.exit(UNABLE)


def _print(answer: dict[str, Any]) -> None:
    click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
