"""`app.py faces` answers as the contract says, and says what is wrong otherwise."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from commands import faces as commands
from faces import encode
from faces.encode import Template
from faces.find import Face
from faces.gestures import Gesture
from faces.photo import Pixels
from tests.faces import drawing, warping


def run(*arguments: object) -> Result:
    return CliRunner().invoke(commands.group, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photos and a few files that are none."""
    folder = tmp_path_factory.mktemp("album")
    grace = warping.portrait("grace")
    (folder / "grace.jpg").write_bytes(warping.jpeg(grace))
    (folder / "grace2.jpg").write_bytes(warping.jpeg(warping.lit(grace, 0.6)))
    (folder / "eileen.jpg").write_bytes(warping.jpeg(warping.portrait("eileen")))
    (folder / "body.jpg").write_bytes(warping.jpeg(grace.crop((0, 320, 512, 512))))
    (folder / "notes.txt").write_text("not a picture")
    for gesture in (Gesture.TURN_LEFT, Gesture.OPEN_MOUTH):
        picture = warping.gesture("grace", gesture)
        (folder / f"{gesture}.jpg").write_bytes(warping.jpeg(picture))
    (folder / "card.jpg").write_bytes(warping.jpeg(drawing.front(drawing.MadeUpCard())))
    return folder


@pytest.mark.parametrize(("other", "match"), [("grace2.jpg", True), ("eileen.jpg", False)])
def test_two_photos(album: Path, other: str, *, match: bool) -> None:
    result = run("compare", album / "grace.jpg", album / other)
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert set(answer) == {"match", "distance", "threshold", "quality"}
    assert answer["match"] is match
    assert answer["threshold"] == 0.5
    assert (answer["distance"] <= 0.5) is match


def test_a_table_of_pairs(album: Path) -> None:
    pairs = album / "pairs.csv"
    pairs.write_text(
        "a,b,same\ngrace.jpg,grace2.jpg,1\ngrace.jpg,eileen.jpg,0\ngrace.jpg,body.jpg,0\n"
        "missing.jpg,notes.txt,0\n"
    )
    result = run("compare", "--pairs", pairs)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "a,b,match,distance,reason"
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["match"] for row in rows] == ["true", "false", "", ""]
    assert [row["a"] for row in rows[:2]] == ["grace.jpg", "grace.jpg"]
    assert float(rows[0]["distance"]) < 0.5 < float(rows[1]["distance"])
    assert rows[2]["reason"] == "b: no_face"
    assert rows[3]["reason"] == "a: missing_file; b: not_an_image"


def test_each_distinct_picture_is_encoded_once(
    album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = encode.encode

    def counted(pixels: Pixels, face: Face) -> Template:
        calls.append(face)
        return real(pixels, face)

    monkeypatch.setattr(encode, "encode", counted)
    pairs = album / "again.csv"
    pairs.write_text("a,b\ngrace.jpg,eileen.jpg\neileen.jpg,grace.jpg\ngrace.jpg,grace.jpg\n")
    assert run("compare", "--pairs", pairs).exit_code == 0
    assert len(calls) == 2


@pytest.mark.parametrize("text", ["", "x,y\n1,2\n", "a,b\ngrace.jpg\n"])
def test_a_table_without_its_columns(album: Path, text: str) -> None:
    pairs = album / "bad.csv"
    pairs.write_text(text)
    result = run("compare", "--pairs", pairs)
    assert result.exit_code != 0
    assert "a" in result.stderr


def test_a_table_that_is_a_picture(album: Path) -> None:
    result = run("compare", "--pairs", album / "grace.jpg")
    assert result.exit_code != 0
    assert "CSV" in result.stderr


@pytest.mark.parametrize("names", [(), ("grace.jpg",), ("grace.jpg",) * 3])
def test_other_than_two_photos(album: Path, names: tuple[str, ...]) -> None:
    result = run("compare", *(album / name for name in names))
    assert result.exit_code == 2
    assert "two photos" in result.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [("missing.jpg", "does not exist"), ("notes.txt", "not_an_image"), ("body.jpg", "no_face")],
)
def test_a_file_that_cannot_be_used(album: Path, name: str, said: str) -> None:
    result = run("compare", album / "grace.jpg", album / name)
    assert result.exit_code == 2
    assert said in result.stderr
    assert name in result.stderr
    assert result.stdout == ""


def test_a_challenge(album: Path) -> None:
    result = run(
        *("liveness", "--gestures", "turn_left,open_mouth", "--portrait", album / "grace.jpg"),
        *(album / "turn_left.jpg", album / "open_mouth.jpg"),
    )
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["live"] is True
    assert [frame["gesture"] for frame in answer["frames"]] == ["turn_left", "open_mouth"]
    assert all(frame["same_person"] for frame in answer["frames"])
    assert all(isinstance(frame["value"], float) for frame in answer["frames"])


def test_a_challenge_in_a_video(album: Path) -> None:
    wanted = (None, Gesture.TURN_LEFT, Gesture.OPEN_MOUTH)
    film = warping.film([warping.gesture("grace", each) for each in wanted])
    (album / "film.mp4").write_bytes(film)
    result = run("liveness", "--gestures", "turn_left,open_mouth", album / "film.mp4")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["live"] is True


def test_the_wrong_person_and_the_wrong_gesture_are_told(album: Path) -> None:
    result = run(
        *("liveness", "--gestures", "turn_right", "--portrait", album / "eileen.jpg"),
        album / "turn_left.jpg",
    )
    answer = json.loads(result.stdout)
    assert answer["live"] is False
    assert set(answer["reasons"]) == {"wrong_gesture", "not_the_portrait"}


@pytest.mark.parametrize("names", ["nod", "turn_left,nod", "TURN_LEFT", "", ","])
def test_a_gesture_that_there_is_not(album: Path, names: str) -> None:
    result = run("liveness", "--gestures", names, album / "turn_left.jpg")
    assert result.exit_code == 2
    for gesture in Gesture:
        assert gesture in result.stderr


def test_no_gesture_or_no_file(album: Path) -> None:
    assert run("liveness", album / "grace.jpg").exit_code == 2
    assert run("liveness", "--gestures", "turn_left").exit_code == 2


def test_a_card(album: Path) -> None:
    result = run("read-card", album / "card.jpg")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["side"] == "front"
    assert answer["fields"]["id_number"]["value"] == "440115198803050027"
    assert answer["fields"]["id_number"]["confidence"] > 0.8


def test_a_photo_that_is_no_card(album: Path) -> None:
    result = run("read-card", album / "grace.jpg")
    assert result.exit_code == 2
    assert "no_card" in result.stderr
