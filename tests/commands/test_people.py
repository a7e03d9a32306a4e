"""`person add`: who gets into the embedded registry, and what is no portrait."""

import io
import json
from pathlib import Path

import pytest
import redis
from PIL import Image

from tests.commands.shell import Shell, build

GOOD = "11010519491231002X"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (300, 400), "gray").save(path)
    return path


def add(shell: Shell, photo: Path, *more: str, name: str = "张三", number: str = GOOD) -> str:
    return shell.runs(
        "person", "add", "--name", name, "--id-number", number, "--portrait", str(photo), *more
    )


def refused(shell: Shell, photo: Path, *more: str, name: str = "张三", number: str = GOOD) -> str:
    return shell.is_refused(
        "person", "add", "--name", name, "--id-number", number, "--portrait", str(photo), *more
    )


def test_a_person_is_known_to_the_registry(shell: Shell, photo: Path) -> None:
    said = json.loads(add(shell, photo, number="11010519491231002x"))
    assert said == {
        "name": "张*",
        "id_number": "11***************X",
        "residence": "110105",
        "valid_until": "long-term",
    }
    known = shell.services.authority.check("张三", GOOD)
    assert known.residence == "110105"
    assert known.address.startswith("北京市")
    assert known.valid_until is None
    assert Image.open(io.BytesIO(known.portrait)).size == (300, 400)


def test_residence_validity_and_address_may_be_given(shell: Shell, photo: Path) -> None:
    more = ("--residence", "440115", "--valid-until", "2036-12-31", "--address", "进港大道1号")
    add(shell, photo, *more)
    known = shell.services.authority.check("张三", GOOD)
    assert (known.residence, known.address) == ("440115", "进港大道1号")
    assert str(known.valid_until) == "2036-12-31"


@pytest.mark.parametrize(
    ("number", "part"),
    [
        ("1101051949123100", "18 characters"),
        ("11010519491231O02X", "digits"),
        ("110105194902300021", "no such day"),
        ("110105299912310021", "still to come"),
        ("110105100012310021", "too long ago"),
        ("110105194912310020", "last character"),
        ("110105491231002", "old number"),
    ],
)
def test_a_bad_id_number_says_which_part(shell: Shell, photo: Path, number: str, part: str) -> None:
    said = refused(shell, photo, number=number)
    assert part in said
    assert "--id-number" in said


@pytest.mark.parametrize("name", ["", "张3", "字" * 21])
def test_a_bad_name_is_refused(shell: Shell, photo: Path, name: str) -> None:
    assert "--name" in refused(shell, photo, name=name)


@pytest.mark.parametrize(
    ("option", "value", "hint"),
    [
        ("--residence", "4401", "six digits"),
        ("--residence", "guangz", "six digits"),
        ("--valid-until", "31.12.2036", "2036-12-31"),
        ("--valid-until", "2036-02-30", "2036-12-31"),
    ],
)
def test_a_bad_option_says_how_it_is_written(
    shell: Shell, photo: Path, option: str, value: str, hint: str
) -> None:
    assert hint in refused(shell, photo, option, value)


def test_a_portrait_that_is_missing_or_no_picture(shell: Shell, tmp_path: Path) -> None:
    assert "does not exist" in refused(shell, tmp_path / "none.jpg")
    assert "cannot be read" in refused(shell, tmp_path)
    for data in (b"", b"hello", b"%PDF-1.7", b"<svg xmlns='http://www.w3.org/2000/svg'/>"):
        (tmp_path / "other.jpg").write_bytes(data)
        assert "is no picture" in refused(shell, tmp_path / "other.jpg")


def test_a_truncated_portrait_is_damaged(shell: Shell, photo: Path) -> None:
    photo.write_bytes(photo.read_bytes()[:-400])
    assert "damaged" in refused(shell, photo)


def test_a_pixel_bomb_is_refused_before_it_is_decoded(shell: Shell, tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    assert "pixels" in refused(shell, tmp_path / "bomb.png")


def test_only_the_picture_is_kept(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    exif[0x0112] = 6  # lying on its side
    Image.new("RGB", (3000, 1000), "gray").save(path, exif=exif)
    path.write_bytes(path.read_bytes() + b"PK\x03\x04 a hidden archive")
    add(shell, path)
    kept = shell.services.authority.check("张三", GOOD).portrait
    assert b"secret" not in kept
    assert b"hidden" not in kept
    assert Image.open(io.BytesIO(kept)).size == (400, 1200)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_other_formats_become_jpeg(shell: Shell, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photo"
    Image.new("RGBA", (300, 400), "gray").save(path, kind)
    add(shell, path)
    assert shell.services.authority.check("张三", GOOD).portrait.startswith(b"\xff\xd8\xff")


def test_people_of_a_real_authority_are_not_ours_to_add(database: redis.Redis, photo: Path) -> None:
    words = ("person", "add", "--name", "张三", "--id-number", GOOD, "--portrait", str(photo))
    said = Shell(build(database, embedded=False)).is_refused(*words, status=1)
    assert "AUTHORITY_URL" in said
