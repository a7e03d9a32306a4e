"""The master keys, and every key that is made from them.

A master key has a version from 1 to 255; the first of the ring is the current one, the others
only read what was written under them. No master key is used itself: `derive` makes one key for
each purpose and each record (HKDF-SHA256, RFC 5869), so that no two uses share a key.

A ring that lives in a file is read again when the file changed, looked at once a second and at
once when somebody meets a version the ring does not know: keys rotate while the product runs.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import fcntl
import hashlib
import hmac
import os
import secrets
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from credentials.errors import UnavailableError

KEY_BYTES = 32
HASH_BYTES = 32
LARGEST_VERSION = 255
LOOK_SECONDS = 1.0
_SALT = b"virtual identity card"


class KeyringError(UnavailableError):
    """The keys are missing or unreadable, or a version is not among them."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Ring:
    """One reading of the keys: masters by version, current first, and what was extracted."""

    masters: dict[int, bytes]
    extracted: dict[tuple[int, str], bytes] = dataclasses.field(default_factory=dict)


class Keyring:
    """The keys of one process; safe to share between threads."""

    def __init__(self, masters: dict[int, bytes], path: Path | None = None) -> None:
        if not masters:
            raise KeyringError(what="keys", why="none")
        self._ring = _Ring(masters)
        self._path = path
        self._stamp = _stamp(path) if path else None
        self._looked = time.monotonic()

    @classmethod
    def from_entries(cls, entries: Iterable[str]) -> Keyring:
        """A ring of `version:base64` entries, current first.

        Raises:
            KeyringError: when an entry does not read so; the values are never repeated.
        """
        return cls(_parse(entries))

    @classmethod
    def from_file(cls, path: Path) -> Keyring:
        """A ring of a file that has one entry a line, current first.

        Raises:
            KeyringError: when the file is missing or does not read so.
        """
        return cls(_read(path), path)

    @property
    def current(self) -> int:
        """The version that is written with."""
        return self.versions[0]

    @property
    def versions(self) -> tuple[int, ...]:
        """All versions, the current one first."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self.refresh()
        return tuple(self._ring.masters)

    def refresh(self) -> bool:
        """Read the file again if it changed; whether the ring is another one now."""
        self._looked = time.monotonic()
        if self._path is None:
            return False
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return False
        self._ring, self._stamp = _Ring(_read(self._path)), stamp
        return True

    def derive(self, version: int, purpose: str, info: bytes = b"", length: int = 32) -> bytes:
        """The key of one purpose, and of one record when `info` names it.

        Raises:
            KeyringError: when the version is unknown, also after the file was read again.
        """
        ring = self._ring
        secret = ring.extracted.get((version, purpose))
        if secret is None:
            if version not in ring.masters:
                self.refresh()
                ring = self._ring
            master = ring.masters.get(version)
            if master is None:
                raise KeyringError(what="keys", why="unknown_version", version=version)
            secret = hmac.digest(_SALT + purpose.encode(), master, "sha256")
            ring.extracted[version, purpose] = secret
        return _expand(secret, info, length)


def _expand(secret: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand (RFC 5869, 2.3); `cryptography`'s own costs five times as much per call."""
    if length <= HASH_BYTES:
        return hmac.digest(secret, info + b"\x01", "sha256")[:length]
    made, block = b"", b""
    for count in range(1, -(-length // HASH_BYTES) + 1):
        block = hmac.digest(secret, block + info + bytes([count]), "sha256")
        made += block
    return made[:length]


def make_file(path: Path) -> bool:
    """Make a ring of one random key at `path`, unless there is one; whether it was made."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(path):
        if path.exists():
            return False
        _write(path, {1: secrets.token_bytes(KEY_BYTES)})
        return True


def rotate_file(path: Path) -> int:
    """Put a new random key before the others of the file; its version.

    Raises:
        KeyringError: when the file is missing, unreadable, or all 255 versions are in use.
    """
    with _locked(path):
        masters = _read(path)
        version = max(masters) + 1
        if version > LARGEST_VERSION:
            raise KeyringError(what="keys", why="versions_used_up")
        _write(path, {version: secrets.token_bytes(KEY_BYTES), **masters})
        return version


def fingerprint(keyring: Keyring) -> str:
    """Eight characters by which operators tell rings apart; nothing can be learned from them."""
    return hashlib.sha256(keyring.derive(keyring.current, "fingerprint")).hexdigest()[:8]


def _parse(entries: Iterable[str]) -> dict[int, bytes]:
    masters: dict[int, bytes] = {}
    for place, entry in enumerate(entries, start=1):
        version, _, value = entry.strip().partition(":")
        try:
            number, key = int(version), base64.b64decode(value, validate=True)
        except (ValueError, binascii.Error):
            raise KeyringError(what="keys", why="unreadable", entry=place) from None
        if not 0 < number <= LARGEST_VERSION or len(key) != KEY_BYTES or number in masters:
            raise KeyringError(what="keys", why="unreadable", entry=place)
        masters[number] = key
    return masters


def _read(path: Path) -> dict[int, bytes]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyringError(what="keys", why=type(error).__name__) from error
    masters = _parse(line for line in lines if line.strip())
    if not masters:
        raise KeyringError(what="keys", why="none")
    return masters


def _write(path: Path, masters: dict[int, bytes]) -> None:
    """Replace the file in one step, so that no reader sees half of it."""
    lines = [f"{version}:{base64.b64encode(key).decode()}\n" for version, key in masters.items()]
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with (path.parent / f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise KeyringError(what="keys", why=type(error).__name__) from error
    return status.st_mtime_ns, status.st_ino, status.st_size
