"""Keys: read, derived, rotated, and refused."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from credentials import keyring
from credentials.keyring import Keyring, KeyringError
from tests.credentials.issuer import ring

KEY = base64.b64encode(b"k" * 32).decode()


def test_the_first_entry_is_the_current_one() -> None:
    keys = ring(3, 1, 2)
    assert keys.current == 3
    assert keys.versions == (3, 1, 2)


@pytest.mark.parametrize("length", [16, 32, 64, 100])
def test_derived_as_rfc_5869_says(length: int) -> None:
    salt = b"virtual identity cardsealing"
    told = HKDF(SHA256(), length, salt=salt, info=b"record").derive(b"\x01" * 32)
    assert ring(1).derive(1, "sealing", b"record", length) == told


def test_no_two_uses_share_a_key() -> None:
    keys = ring(1, 2)
    made = {
        keys.derive(version, purpose, info)
        for version in (1, 2)
        for purpose in ("a", "b")
        for info in (b"", b"x", b"y")
    }
    assert len(made) == 12


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [""],
        ["1"],
        [f"0:{KEY}"],
        [f"256:{KEY}"],
        [f"x:{KEY}"],
        ["1:!!!"],
        ["1:c2hvcnQ="],
        [f"1:{KEY}", f"1:{KEY}"],
    ],
)
def test_entries_that_are_none(entries: list[str]) -> None:
    with pytest.raises(KeyringError) as caught:
        Keyring.from_entries(entries)
    assert KEY not in repr(caught.value.details)


def test_a_version_that_is_not_there() -> None:
    with pytest.raises(KeyringError):
        ring(1).derive(7, "sealing")


def test_a_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "keys"
    assert keyring.make_file(path)
    before = path.read_text()
    assert not keyring.make_file(path)
    assert path.read_text() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_unknown_version_is_looked_up_at_once(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    keyring.make_file(path)
    here, there = Keyring.from_file(path), Keyring.from_file(path)
    assert keyring.rotate_file(path) == 2
    assert there.refresh()
    assert there.versions == (2, 1)
    assert here.derive(2, "sealing") == there.derive(2, "sealing")
    assert here.current == 2


def test_rotating_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    keyring.make_file(path)
    old = Keyring.from_file(path).derive(1, "sealing")
    for version in (2, 3, 4):
        assert keyring.rotate_file(path) == version
    ring_now = Keyring.from_file(path)
    assert ring_now.versions == (4, 3, 2, 1)
    assert ring_now.derive(1, "sealing") == old


@pytest.mark.parametrize("content", [None, "", "\n\n", "1:xx", "\x00\xff"])
def test_a_file_that_is_missing_or_broken(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_text(content, encoding="latin-1")
    with pytest.raises(KeyringError):
        Keyring.from_file(path)
    with pytest.raises(KeyringError):
        keyring.rotate_file(path)


def test_a_file_that_vanishes_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    keyring.make_file(path)
    keys = Keyring.from_file(path)
    path.unlink()
    with pytest.raises(KeyringError):
        keys.refresh()


def test_a_fingerprint_tells_rings_apart() -> None:
    assert keyring.fingerprint(ring(1)) == keyring.fingerprint(ring(1, 2))
    assert keyring.fingerprint(ring(1)) != keyring.fingerprint(ring(2))
