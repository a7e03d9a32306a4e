"""What the last check of the audit saw, kept outside Redis.

Seen from inside Redis, a log that was set back to an earlier moment is whole: whoever writes
there can cut the end off a chain and set its head, and the records that name their own last
entry, to what they were; or take a chain away with its head. No key can show that, only somebody
who remembers. So each check that finds nothing wrong leaves the number and the mac of every
chain's last entry in a file, signed with HMAC-SHA256 under a key of the ring, and the next check
begins with what that file says. A file that was altered is named; one that was taken away leaves
only the checks that Redis allows.

What is in the archives is for `archive.py` to hold.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from credentials.archive import places
from credentials.audit import CHUNK, Fault, Finding
from credentials.connection import guard
from credentials.keyring import Keyring, KeyringError
from credentials.store import Fields, Place, Store

NAME = "seen.json"
_PURPOSE = "audit-witness"
Ends = Mapping[str, tuple[int, str]]


class WitnessError(Exception):
    """The file does not read, or was not signed by a key of the ring."""


class Witness:
    """Remembers the ends of the chains. Methods raise UnavailableError when Redis fails."""

    def __init__(self, folder: Path, store: Store, keyring: Keyring) -> None:
        self._path = folder / NAME
        self._store = store
        self._keyring = keyring

    def ends(self) -> dict[str, tuple[int, str]]:
        """Number and mac of each chain's last entry, as Redis says now."""
        return {
            place.tag: (int(head["n"]), head["m"].decode())
            for place, head in self._heads(list(places()))
            if int(head.get("n", b"0")) and "m" in head
        }

    def findings(self) -> Iterator[Finding]:
        """Each chain that ends before what was seen, or holds another entry in its place."""
        try:
            seen = self._read()
        except WitnessError:
            yield Finding(f"the last check's file {self._path.name}", 0, Fault.FORGED)
            return
        for place, head in self._heads([Place(tag) for tag in seen]):
            number, mac = seen[place.tag]
            last, archived = int(head.get("n", b"0")), int(head.get("an", b"0"))
            if last < number:
                yield Finding(place.tag, last + 1, Fault.CUT)
            elif number >= archived and self._mac_at(place, number, head) != mac.encode():
                now = self._store.fields(place.head)[0]
                if int(now.get("an", b"0")) <= number:  # else it was archived meanwhile
                    yield Finding(place.tag, number, Fault.ALTERED)

    def keep(self, ends: Ends) -> None:
        """Remember these ends, which a check found to be whole."""
        version = self._keyring.current
        said = json.dumps({"version": version, "seen": ends}, separators=(",", ":"))
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{NAME}")
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(f"{self._sign(version, said)}\n{said}\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise

    def _read(self) -> dict[str, tuple[int, str]]:
        try:
            signed, said = self._path.read_text(encoding="ascii").rstrip("\n").split("\n")
            told: dict[str, Any] = json.loads(said)
            same = hmac.compare_digest(self._sign(int(told["version"]), said), signed)
            seen = {str(tag): (int(end[0]), str(end[1])) for tag, end in told["seen"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, KeyringError) as error:
            raise WitnessError(type(error).__name__) from error
        if not same:
            raise WitnessError("signature")
        return seen

    def _sign(self, version: int, said: str) -> str:
        key = self._keyring.derive(version, _PURPOSE)
        return hmac.digest(key, said.encode(), "sha256").hex()

    def _heads(self, some: list[Place]) -> Iterator[tuple[Place, Fields]]:
        for start in range(0, len(some), CHUNK):
            part = some[start : start + CHUNK]
            yield from zip(part, self._store.fields(*(place.head for place in part)), strict=True)

    def _mac_at(self, place: Place, number: int, head: Fields) -> bytes | None:
        if number == int(head.get("an", b"0")):
            return head.get("am")
        identifier = f"{number}-0"
        with guard():
            found: Any = self._store.redis.xrange(place.log, min=identifier, max=identifier)
        return found[0][1].get(b"m") if found else None
