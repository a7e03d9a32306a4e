"""The audit's older part: signed files, each holding on to the one before it.

A file `000001.jsonl` has one JSON object a line: first a head with the SHA-256 of the file
before, then entries, each with all that its mac covers. Beside it lies `000001.jsonl.sig`, an
Ed25519 signature over the file's SHA-256 (RFC 8032), under a key that is derived from the master
keys. What a file holds is then taken out of Redis (scripts/trim.lua); the head of each chain
keeps the number and mac of its last archived entry, so that the live chain goes on from there.

The file is whole and on the disk before anything is taken out. A run that is killed in between
leaves entries that are in both places, which the next run takes out.

A holder's history is the walk along back pointers and ends where the live log ends: it reaches
back as many days as are kept live (90 by default), never into the archive. One machine archives;
a lock on the folder keeps two runs on it apart.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import datetime
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from credentials.audit import Audit, Fault, Finding
from credentials.connection import guard
from credentials.errors import CredentialError
from credentials.keyring import Keyring
from credentials.store import ADMINISTRATION, BUCKETS, Fields, Place, Store, bucket

FORMAT = "audit-archive-1"
KEEP_DAYS = 90
_PURPOSE = "audit-signing"
_SIGNED = b"virtual identity card audit\n"
_TEXTS = ("t", "c", "q", "k", "m", "d")


class ArchiveError(CredentialError):
    """bad_archive (a file does not read, its signature is not ours), busy_archive, broken_chain."""

    code = "bad_archive"


@dataclasses.dataclass(frozen=True, slots=True)
class Archived:
    """How far a run has come: chains done of all, and entries written so far."""

    done: int
    total: int
    entries: int


@dataclasses.dataclass(slots=True)
class Seen:
    """What a check saw of one chain in the archives: the last entry, and the one Redis names."""

    number: int = 0
    mac: bytes = b""
    agrees: bool = False


class Archives:
    """The files of one folder. Methods raise UnavailableError when Redis or the keys fail."""

    def __init__(self, folder: Path, store: Store, audit: Audit, keyring: Keyring) -> None:
        self.folder = folder
        self._store = store
        self._audit = audit
        self._keyring = keyring

    def files(self) -> list[Path]:
        """The archives, oldest first."""
        return sorted(self.folder.glob("[0-9]" * 6 + ".jsonl"))

    def write(self, before: datetime.datetime) -> Iterator[Archived]:
        """Archive what is older than `before`; yields after each chain, and lastly when trimmed.

        Raises:
            ArchiveError: busy_archive while another run is at it; bad_archive when the last
                file is not as it was written.
        """
        with self._alone():
            files = self.files()
            if files:
                self._check_signature(files[-1])
                self._trim(self._ends(files[-1]))
            yield from self._write(files, int(before.timestamp() * 1e6))

    def _write(self, files: list[Path], until: int) -> Iterator[Archived]:
        number = int(files[-1].stem) + 1 if files else 1
        draft = self.folder / f".{number:06d}.draft"
        entries = 0
        ends: dict[str, tuple[int, int, bytes]] = {}
        with draft.open("wb") as out:
            head = {
                "format": FORMAT,
                "number": number,
                "previous": _digest(files[-1]).hex() if files else "",
                "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            }
            out.write(_line(head))
            for done, place in enumerate(places(), start=1):
                first = last = 0
                mac = b""
                for last, entry in self._older(place, until):
                    first = first or last
                    mac = entry["m"]
                    out.write(line_of(place, last, entry))
                    entries += 1
                if last:
                    ends[place.tag] = (first - 1, last, mac)
                yield Archived(done, BUCKETS + 1, entries)
            out.flush()
            os.fsync(out.fileno())
        if not entries:
            draft.unlink()
            return
        path = self.folder / f"{number:06d}.jsonl"
        self.sign(draft, path)
        draft.replace(path)
        _flush(self.folder)
        self._trim(ends)

    def _older(self, place: Place, until: int) -> Iterator[tuple[int, Fields]]:
        """The entries of a chain before a moment; a later one ends it, whatever follows.

        Raises:
            ArchiveError: broken_chain: what was tampered with is not put under a signature.
        """
        head: Fields | None = None
        before, last = b"", 0
        for number, entry in self._audit.entries(place):
            if int(entry["t"]) >= until:
                return
            if head is None:
                head = self._store.fields(place.head)[0]
                before, last = head.get("am", b""), int(head.get("an", b"0"))
            if number != last + 1 or not self._audit.holds(place, before, number, entry):
                raise ArchiveError("broken_chain", place=place.tag, entry=number)
            yield number, entry
            before, last = entry["m"], number

    def _trim(self, ends: dict[str, tuple[int, int, bytes]]) -> None:
        for tag, (before, last, mac) in ends.items():
            place = Place(tag)
            self._store.run("trim", (place.log, place.head), (before, last, mac))

    def _ends(self, path: Path) -> dict[str, tuple[int, int, bytes]]:
        ends: dict[str, tuple[int, int, bytes]] = {}
        for tag, number, entry in read(path):
            first = ends[tag][0] if tag in ends else number - 1
            ends[tag] = (first, number, entry["m"])
        return ends

    def match_restored(self) -> Path | None:
        """After a backup was put back: have archives and Redis go on from each other again.

        What was archived since, and the backup has, is taken out of Redis once more. A file with
        entries that the backup knows nothing of is not Redis's past any more: it is set aside, with
        all that follow it. So is one whose key is not here: what it has is in Redis, too.

        Returns:
            The folder that they are in now, under their names; None if there were none.

        Raises:
            ArchiveError: busy_archive; bad_archive for a file that is not as it was written.
        """
        with self._alone():
            files = self.files()
            for at, path in enumerate(files):
                ends = self._ends(path)
                heads = self._heads(ends)
                newer = any(last > archived(heads[tag]) for tag, (_, last, _) in ends.items())
                known = not newer or self._check_signature(path)
                if not known or not all(self._has(heads[t], t, *end) for t, end in ends.items()):
                    return self._set_aside(files[at:])
                if newer:
                    self._trim(ends)
        return None

    def _has(self, head: Fields, tag: str, before: int, last: int, mac: bytes) -> bool:
        """Whether Redis has the last entry that a file holds of a chain, live or archived."""
        if last < archived(head):  # then a later file has what it names
            return True
        if last == archived(head):
            return head.get("am") == mac
        with guard():
            live: Any = self._store.redis.xrange(Place(tag).log, f"{last}-0", f"{last}-0")
        return before == archived(head) and bool(live) and live[0][1].get(b"m") == mac

    def _heads(self, tags: Iterable[str]) -> dict[str, Fields]:
        some = list(tags)
        return dict(zip(some, self._store.fields(*(Place(tag).head for tag in some)), strict=True))

    def _set_aside(self, files: list[Path]) -> Path:
        day = datetime.datetime.now(datetime.UTC).date().isoformat()
        aside = Path(tempfile.mkdtemp(dir=self.folder, prefix=f"aside-{day}-"))
        for path in reversed(files):  # what is left, should this be cut short, has no gap
            for each in (path, signature_path(path)):
                each.replace(aside / each.name)
        _flush(self.folder)
        return aside

    # Signatures.

    def sign(self, path: Path, named: Path | None = None) -> Path:
        """Write the detached signature of a file, beside it or beside the name it will have."""
        version = self._keyring.current
        key = self._private(version)
        digest = _digest(path)
        about = {
            "algorithm": "Ed25519 over the text 'virtual identity card audit', LF, SHA-256",
            "sha256": digest.hex(),
            "version": version,
            "public_key": _public(key),
            "signature": base64.b64encode(key.sign(_SIGNED + digest)).decode(),
        }
        beside = signature_path(named or path)
        with beside.open("w", encoding="ascii") as out:
            json.dump(about, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        return beside

    def public_key(self) -> dict[str, object]:
        """The version and the public key that is signed with now, base64 of 32 bytes."""
        version = self._keyring.current
        return {"version": version, "public_key": _public(self._private(version))}

    def check_file(self, path: Path) -> None:
        """Check any file's detached signature against our own keys.

        Raises:
            ArchiveError: bad_archive, also when its key is no longer in the ring.
        """
        if not self._check_signature(path):
            raise ArchiveError(reason="unknown_key", file=path.name)

    def _check_signature(self, path: Path) -> bool:
        """Whether it was checked; False when its key is no longer in the ring."""
        try:
            about = json.loads(signature_path(path).read_text(encoding="ascii"))
            version, signature = int(about["version"]), base64.b64decode(about["signature"])
            digest = _digest(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArchiveError(reason="signature", file=path.name) from error
        if version not in self._keyring.versions:
            return False
        key: Ed25519PublicKey = self._private(version).public_key()
        try:
            key.verify(signature, _SIGNED + digest)
        except InvalidSignature:
            raise ArchiveError(reason="signature", file=path.name) from None
        return True

    def _private(self, version: int) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._keyring.derive(version, _PURPOSE))

    # Checking.

    def verify(self) -> Iterator[tuple[int, Finding | None]]:
        """Check every file against its signature, its neighbour, its entries and Redis.

        Yields how many entries a file has, with what is wrong with it; a last time, without
        entries, for chains whose archived part is not there.
        """
        files = self.files()
        seen: dict[str, Seen] = {}
        marks = self._marks()
        previous = ""
        for place, path in enumerate(files):
            newest = place == len(files) - 1
            finding, count = self._verify_file(path, previous, seen, marks, newest=newest)
            yield count, finding
            if finding:
                return
            previous = _digest(path).hex()
        for tag, (number, _) in marks.items():
            if number and not (tag in seen and seen[tag].agrees):
                yield 0, Finding(tag, seen[tag].number + 1 if tag in seen else 1, Fault.REMOVED)
        yield from ((0, finding) for finding in self._cut(seen))

    def _cut(self, seen: dict[str, Seen]) -> Iterator[Finding]:
        """Chains that end, in Redis, before what the archives hold of them."""
        heads = self._store.fields(*(Place(tag).head for tag in seen))
        for (tag, chain), head in zip(seen.items(), heads, strict=True):
            last = int(head.get("n", b"0"))
            if last < chain.number:
                yield Finding(tag, last + 1, Fault.CUT)

    def _verify_file(
        self,
        path: Path,
        previous: str,
        seen: dict[str, Seen],
        marks: dict[str, tuple[int, bytes]],
        *,
        newest: bool,
    ) -> tuple[Finding | None, int]:
        forged = Finding(f"archive {path.name}", 0, Fault.FORGED)
        count = 0
        try:
            known = self._check_signature(path)
            with path.open("rb") as file:
                head = json.loads(file.readline())
            # A file whose key is gone is held by the next one, which names its SHA-256.
            if (newest and not known) or head["previous"] != previous:
                return forged, 0
            for tag, number, entry in read(path):
                count += 1
                chain = seen.setdefault(tag, Seen())
                if number != chain.number + 1:
                    return Finding(tag, chain.number + 1, Fault.REMOVED), count
                version_known = int(entry["k"]) in self._keyring.versions
                if version_known and not self._audit.holds(Place(tag), chain.mac, number, entry):
                    return Finding(tag, number, Fault.ALTERED), count
                chain.number, chain.mac = number, entry["m"]
                if (number, entry["m"]) == marks.get(tag):
                    chain.agrees = True
        except (ArchiveError, OSError, ValueError, KeyError):
            return forged, count
        return None, count

    def _marks(self) -> dict[str, tuple[int, bytes]]:
        """Where Redis says that each chain's archived part ends."""
        everywhere = list(places())
        marks = {}
        for start in range(0, len(everywhere), 500):
            some = everywhere[start : start + 500]
            heads = self._store.fields(*(place.head for place in some))
            for place, head in zip(some, heads, strict=True):
                if "an" in head:
                    marks[place.tag] = (int(head["an"]), head.get("am", b""))
        return marks

    def everything(self) -> Iterator[bytes]:
        """All entries as lines, archived ones first; one that is in both places stands once.

        Raises:
            ArchiveError: busy_archive; what is archived meanwhile would be in neither place.
        """
        with self._alone():
            last: dict[str, int] = {}
            for path in self.files():
                for tag, number, entry in read(path):
                    last[tag] = number
                    yield line_of(Place(tag), number, entry)
            for place in places():
                for number, entry in self._audit.entries(place):
                    if number > last.get(place.tag, 0):
                        yield line_of(place, number, entry)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ArchiveError("busy_archive") from None
            yield


def places() -> Iterable[Place]:
    """Every chain: the administration's, then the buckets'."""
    return (ADMINISTRATION, *(bucket(number) for number in range(BUCKETS)))


def archived(head: Fields) -> int:
    """The number of a chain's last archived entry, as its head says."""
    return int(head.get("an", b"0"))


def line_of(place: Place, number: int, entry: Fields) -> bytes:
    """An entry as a line of JSON."""
    told: dict[str, object] = {"place": place.tag, "n": number}
    told |= {name: entry[name].decode() for name in _TEXTS}
    return _line({**told, "h": entry["h"].hex()})


def read(path: Path) -> Iterator[tuple[str, int, Fields]]:
    """The entries of an archive: chain, number, fields.

    Raises:
        ArchiveError: when a line does not read.
    """
    with path.open("rb") as lines:
        try:
            if json.loads(next(lines))["format"] != FORMAT:
                raise ArchiveError(reason="format", file=path.name)
            for line in lines:
                told: dict[str, Any] = json.loads(line)
                fields = {name: str(told[name]).encode() for name in _TEXTS}
                yield told["place"], int(told["n"]), {**fields, "h": bytes.fromhex(told["h"])}
        except (ValueError, KeyError, TypeError, StopIteration) as error:
            raise ArchiveError(reason="form", file=path.name) from error


def signature_path(path: Path) -> Path:
    """Where the detached signature of a file is."""
    return path.with_name(path.name + ".sig")


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
