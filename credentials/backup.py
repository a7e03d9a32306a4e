"""Everything that is in Redis, in one sealed file; and back.

The rule of consistency is the scripts' own: all keys of one hash tag are taken in one step, so a
record, its log and its chain's head fit together; tags are taken one after another. What spans
two tags (a number, an account, their credential) is reserved and repaired in any order
(issuing.py), so it may be taken in any order. Buckets come before reservations, so a card issued
meanwhile is either whole or free to be issued again. Background jobs are not in it: what they
were to do is found again (`tend`).

    CARD-BACKUP-1 and a line's end · version of the master key (1 byte) · salt (16)
    then frames: length (4) · AES-256-GCM of up to some MB, nonce = number of the frame,
    associated data = the header and whether it is the last frame
    a frame: key's length (2) · key · end in ms or 0 (8) · dump's length (4) · dump, …
    the last frame: JSON of how many keys and when

The key is derived for this file alone, so frames can be neither altered, exchanged, left out nor
added without being found out. Keys are collected first, about 100 bytes of memory for each; from
ten million cards on, take copies of a replica's append-only file instead (deploy/README.md).
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import struct
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import redis
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from credentials.connection import guard
from credentials.errors import CredentialError
from credentials.keyring import Keyring
from credentials.store import SCRIPTS

MAGIC = b"CARD-BACKUP-1\n"
SALT_BYTES = 16
HEADER_BYTES = len(MAGIC) + 1 + SALT_BYTES
FRAME_BYTES = 1 << 20
LARGEST_FRAME = 1 << 30
KEYS_AT_ONCE = 2000
_PURPOSE = "backup"


class BackupError(CredentialError):
    """A file or a Redis that a backup cannot be read from or put into; `code` says which.

    not_a_backup, backup_broken (altered, cut off, or made under other keys), not_empty,
    backup_too_new (made by a newer Redis than this one).
    """

    code = "backup_broken"


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One key: its name, when it ends (ms since 1970; 0: never), and Redis's own dump of it."""

    key: bytes
    end_ms: int
    dump: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """How far it is: keys done, of how many as far as is known."""

    done: int
    total: int


def save(database: redis.Redis, keyring: Keyring, path: Path) -> Iterator[Step]:
    """Write a backup to `path`; the file is there when the last step is, or not at all.

    Raises:
        UnavailableError: when Redis or the keys fail; nothing is left behind.
        OSError: when the file cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.touch(mode=0o600)
        with draft.open("wb") as file:
            yield from _write(database, keyring, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def is_backup(path: Path) -> bool:
    """Whether a file begins as a backup does."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def check(keyring: Keyring, path: Path) -> dict[str, int]:
    """Read a whole backup without putting it anywhere: its `keys` and when it was `made` (s).

    Raises:
        BackupError: not_a_backup or backup_broken.
        KeyringError: when its master key is not in the ring.
    """
    count = 0
    said: dict[str, int] = {}
    for frame, last in _frames(keyring, path):
        if last:
            said = json.loads(frame)
        else:
            count += sum(1 for _ in _entries(frame))
    if said.get("keys") != count:
        raise BackupError("backup_broken", reason="count")
    return said


def load(
    database: redis.Redis, keyring: Keyring, path: Path, *, replace: bool = False
) -> Iterator[Step]:
    """Check a backup, then put it into an empty Redis.

    Args:
        database: where to.
        keyring: the keys that it was made under.
        path: the file.
        replace: forget first whatever is there.

    Raises:
        BackupError: also not_empty and backup_too_new; nothing was changed.
        UnavailableError: when Redis fails midway; do it again with `replace`.
    """
    total = check(keyring, path)["keys"]
    with guard():
        if replace:
            database.flushdb()
        elif database.dbsize():
            raise BackupError("not_empty")
    done = 0
    for frame, last in _frames(keyring, path):
        if last:
            return
        entries = list(_entries(frame))
        _put(database, entries)
        done += len(entries)
        yield Step(done, total)


def _write(database: redis.Redis, keyring: Keyring, file: BinaryIO) -> Iterator[Step]:
    version = keyring.current
    salt = secrets.token_bytes(SALT_BYTES)
    header = MAGIC + bytes([version]) + salt
    cipher = AESGCM(keyring.derive(version, _PURPOSE, salt))
    file.write(header)
    frame, number, count = bytearray(), 0, 0

    def seal(plain: bytes, *, last: bool) -> None:
        sealed = cipher.encrypt(number.to_bytes(12, "big"), plain, header + bytes([last]))
        file.write(struct.pack(">I", len(sealed)) + sealed)

    with guard():
        names = sorted({cast("bytes", key) for key in database.scan_iter(count=KEYS_AT_ONCE)})
    seen = 0
    for group in _by_tag(names):
        seen += len(group)
        for entry in _dumped(database, group):
            frame += struct.pack(">H", len(entry.key)) + entry.key
            frame += struct.pack(">QI", entry.end_ms, len(entry.dump)) + entry.dump
            count += 1
        if len(frame) >= FRAME_BYTES:
            seal(bytes(frame), last=False)
            frame, number = bytearray(), number + 1
            yield Step(seen, len(names))
    seal(bytes(frame), last=False)
    number += 1
    seal(json.dumps({"keys": count, "made": int(time.time())}).encode(), last=True)
    yield Step(len(names), len(names))


def _by_tag(names: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Sorted names, those of one hash tag together."""
    group: list[bytes] = []
    for name in names:
        if group and _tag(name) != _tag(group[0]):
            yield group
            group = []
        group.append(name)
    if group:
        yield group


def _tag(name: bytes) -> bytes:
    """What Redis Cluster hashes of a name."""
    inside = name.partition(b"{")[2].partition(b"}")
    return inside[0] if inside[1] and inside[0] else name


def _dumped(database: redis.Redis, names: list[bytes]) -> Iterator[Entry]:
    script = (SCRIPTS / "dump.lua").read_text(encoding="utf-8")
    with guard():
        found: Any = database.eval(script, len(names), *cast("list[str]", names))
    for at in range(0, len(found), 3):
        yield Entry(names[int(found[at]) - 1], int(found[at + 1]), found[at + 2])


def _put(database: redis.Redis, entries: list[Entry]) -> None:
    now_ms = time.time() * 1000
    with guard():
        pipe = database.pipeline(transaction=False)
        for entry in entries:
            if entry.end_ms == 0 or entry.end_ms > now_ms:
                pipe.restore(entry.key, entry.end_ms, cast("str", entry.dump), absttl=True)
        answers = pipe.execute(raise_on_error=False)
    for answer in answers:
        if isinstance(answer, redis.ResponseError):
            if "DUMP payload" in str(answer):
                raise BackupError("backup_too_new")
            with guard():
                raise answer
        if isinstance(answer, Exception):
            with guard():
                raise answer


def _frames(keyring: Keyring, path: Path) -> Iterator[tuple[bytes, bool]]:
    """Each frame and whether it is the last; nothing unauthenticated is given out."""
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
            raise BackupError("not_a_backup")
        salt = header[-SALT_BYTES:]
        cipher = AESGCM(keyring.derive(header[len(MAGIC)], _PURPOSE, salt))
        number = 0
        while len(size := file.read(4)) == 4:
            length = struct.unpack(">I", size)[0]
            if length > LARGEST_FRAME:
                raise BackupError("backup_broken", reason="length")
            sealed, nonce = file.read(length), number.to_bytes(12, "big")
            for last in (False, True):
                try:
                    plain = cipher.decrypt(nonce, sealed, header + bytes([last]))
                except (InvalidTag, ValueError):
                    continue
                break
            else:
                raise BackupError("backup_broken", reason="seal")
            if last and file.read(1):
                raise BackupError("backup_broken", reason="beyond the end")
            yield plain, last
            if last:
                return
            number += 1
        raise BackupError("backup_broken", reason="cut off")


def _entries(frame: bytes) -> Iterator[Entry]:
    at = 0
    while at < len(frame):
        (size,) = struct.unpack_from(">H", frame, at)
        key = frame[at + 2 : at + 2 + size]
        at += 2 + size
        end_ms, length = struct.unpack_from(">QI", frame, at)
        at += 12
        yield Entry(key, end_ms, frame[at : at + length])
        at += length
