"""The audit: append-only chains, one for each bucket and one for the administration.

An entry is written by the script that does what it records, or neither happens. What it says is
JSON without any value of a person's data. Two things hold it in place:

- its *tag*, HMAC-SHA256 of whom it is about and what it says, made here;
- its *mac*, over number, time, tag, back pointer and the mac before it, made inside the script,
  where number and time come from. Lua in Redis has SHA-1 only, so it is used as HMAC uses it,
  nested under two secrets of the bucket's own; SHA-1's weakness, collisions, needs no secret
  and does not help against a key (RFC 6151, 2.3; Bellare 2006).

So whoever can write to Redis but lacks the master keys cannot alter, remove, insert or reorder
an entry unseen. A tail cut off is seen by the head's number, and, should the head be set back
with it, by the records, each of which names its own last entry.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import hmac
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from credentials.connection import guard
from credentials.keyring import Keyring, KeyringError
from credentials.model import Actor, Use
from credentials.store import ADMINISTRATION, BUCKETS, Argument, Fields, Place, Store, bucket

TAG_BYTES = 16
CHUNK = 500
_CHAIN = "audit-chain"
_TAG = "audit-tag"
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Fault(enum.StrEnum):
    """What is wrong with a chain."""

    ALTERED = "altered"
    REMOVED = "removed"
    REORDERED = "reordered"
    CUT = "cut"
    FORGED = "forged"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """The first bad entry of a chain: which chain, which number, and what is wrong with it."""

    place: str
    number: int
    fault: Fault


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far a check has come: chains done of all, entries seen, and what it just found."""

    done: int
    total: int
    entries: int
    finding: Finding | None = None


class Audit:
    """Makes entries for the scripts, reads them, and checks the chains."""

    def __init__(self, store: Store, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring
        self._made: dict[tuple[int, str], tuple[str, str]] = {}
        self._tag_keys: dict[int, bytes] = {}

    def pen(self) -> Pen:
        """What the entries of one script are written with: all of it under the key of now."""
        return Pen(self, self._keyring.current)

    def note(self, kind: str, actor: Actor, about: str = "-", **details: str) -> int:
        """Write an entry of the administration chain; its number.

        Args:
            kind: what happened: `verifier_added`, `signed_in`, `purpose_refused`.
            actor: who did it.
            about: to what, by its id; never a value of a person's data.
            details: anything else worth keeping, short.

        Raises:
            UnavailableError: when it is not written; then what it records must not happen.
        """
        pen = self.pen()
        entry = pen.entry(about, kind, by=signature(actor), **details)
        keys = (ADMINISTRATION.log, ADMINISTRATION.head)
        return int(self._store.run("note", keys, (*pen.chain(ADMINISTRATION), about, *entry)))

    def recent(self, limit: int) -> list[Use]:
        """The last entries of the administration chain, newest first."""
        with guard():
            found: Any = self._store.redis.xrevrange(ADMINISTRATION.log, count=limit)
        return [use_of(_decoded(fields)) for _, fields in found]

    def verify(self) -> Iterator[Progress]:
        """Check every chain, and each record against its chain; yields after each.

        The chains may grow meanwhile. `Progress.finding` is the first bad entry of a chain.
        """
        places = [ADMINISTRATION, *(bucket(number) for number in range(BUCKETS))]
        entries = 0
        for done, (place, written) in enumerate(self._written(places), start=1):
            seen, finding = self.verify_chain(place) if written else (0, None)
            entries += seen
            yield Progress(done, len(places), entries, finding)
        for finding in self._beyond_the_end():
            yield Progress(len(places), len(places), entries, finding)

    def verify_chain(self, place: Place) -> tuple[int, Finding | None]:
        """How many live entries of one chain were seen, and the first bad one.

        The chain goes on from its last archived entry; that the archive has it is for
        `archive.py` to check. A chain that is archived meanwhile is looked at again.
        """
        head = self._store.fields(place.head)[0]
        seen, finding = self._verify_from(place, head)
        if finding and self._store.fields(place.head)[0].get("an") != head.get("an"):
            return self.verify_chain(place)
        return seen, finding

    def _verify_from(self, place: Place, head: Fields) -> tuple[int, Finding | None]:
        last = int(head.get("n", b"0"))
        archived = int(head.get("an", b"0"))
        before, number = head.get("am", b""), archived
        for number_there, entry in self.entries(place):
            if number_there > last:
                if int(self._store.fields(place.head)[0].get("n", b"0")) < number_there:
                    finding = Finding(place.tag, number_there, Fault.ALTERED)  # the head is
                    return number - archived, finding
                break  # written after the head was read
            number += 1
            if number_there != number:
                return number - archived, Finding(place.tag, number, Fault.REMOVED)
            if not self.holds(place, before, number, entry):
                fault = self._fault_of(place, number, entry)
                return number - archived, Finding(place.tag, number, fault)
            before = entry["m"]
        if number < last:
            return number - archived, Finding(place.tag, number + 1, Fault.CUT)
        if head.get("m", b"") != before:
            return number - archived, Finding(place.tag, number, Fault.ALTERED)
        return number - archived, None

    def _written(self, places: Sequence[Place]) -> Iterator[tuple[Place, bool]]:
        """Each place, and whether it has a log or a head; asked in a few round trips."""
        for start in range(0, len(places), CHUNK):
            some = places[start : start + CHUNK]
            with guard():
                pipe = self._store.redis.pipeline(transaction=False)
                for place in some:
                    pipe.exists(place.log)
                    pipe.exists(place.head)
                there = pipe.execute()
            yield from zip(some, map(any, zip(there[::2], there[1::2], strict=True)), strict=True)

    def entries(self, place: Place) -> Iterator[tuple[int, Fields]]:
        """The entries of a chain that are live: number and fields, oldest first."""
        after = "-"
        while True:
            with guard():
                found: Any = self._store.redis.xrange(place.log, min=after, count=CHUNK)
            for identifier, fields in found:
                yield int(identifier.split(b"-")[0]), _decoded(fields)
            if len(found) < CHUNK:
                return
            after = "(" + found[-1][0].decode()

    def holds(self, place: Place, before: bytes, number: int, entry: Fields) -> bool:
        """Whether an entry is what was written, as this number, after the mac before it."""
        try:
            version = int(entry["k"])
            tag = self.tag(version, entry["c"], entry["d"])
            mac = self._mac(version, place, before, number, entry)
        except (KeyError, ValueError, KeyringError):
            return False
        return hmac.compare_digest(tag, entry["h"]) and hmac.compare_digest(mac, entry["m"])

    def _fault_of(self, place: Place, number: int, entry: Fields) -> Fault:
        """Whether a bad entry is whole, only elsewhere than it was written."""
        near = dict(self._near(place, number))
        macs = [b"", *(other.get("m", b"") for other in near.values())]
        moved = any(
            self.holds(place, mac, other, entry) for other in (*near, number) for mac in macs
        )
        return Fault.REORDERED if moved else Fault.ALTERED

    def _near(self, place: Place, number: int, reach: int = 50) -> Iterator[tuple[int, Fields]]:
        with guard():
            found: Any = self._store.redis.xrange(
                place.log, min=f"{max(number - reach, 0)}-0", max=f"{number + reach}-0"
            )
        for identifier, fields in found:
            yield int(identifier.split(b"-")[0]), _decoded(fields)

    def _beyond_the_end(self) -> Iterator[Finding]:
        """Records whose last entry is beyond their chain's head: head and tail were set back."""
        with guard():
            records = self._store.redis.scan_iter(match="{b*}:c:*", count=CHUNK)
            while chunk := list(itertools.islice(records, CHUNK)):
                places = [Place(key.split(b":")[0].decode()) for key in chunk]
                own = self._numbers([key.decode() for key in chunk], "g")
                ends = self._numbers([place.head for place in places], "n")  # later, so not less
                for place, number, end in zip(places, own, ends, strict=True):
                    if number > end:
                        yield Finding(place.tag, end + 1, Fault.CUT)

    def _numbers(self, keys: Sequence[str], field: str) -> list[int]:
        pipe = self._store.redis.pipeline(transaction=False)
        for key in keys:
            pipe.hget(key, field)
        return [int(value or 0) for value in pipe.execute()]

    def tag(self, version: int, about: bytes, body: bytes) -> bytes:
        """What the application signs of an entry: whom it is about, and what it says."""
        key = self._tag_keys.get(version)
        if key is None:
            key = self._tag_keys[version] = self._keyring.derive(version, _TAG)
        return hmac.digest(key, about + b"\n" + body, "sha256")[:TAG_BYTES]

    def halves(self, version: int, place: Place) -> tuple[str, str]:
        """The inner and the outer key of a chain, as a script is told them."""
        halves = self._made.get((version, place.tag))
        if halves is None:
            if len(self._made) > 2 * BUCKETS:
                self._made.clear()
            halves = self._made[version, place.tag] = self._halves(version, place)
        return halves

    def _halves(self, version: int, place: Place) -> tuple[str, str]:
        key = self._keyring.derive(version, _CHAIN, place.tag.encode(), 64).hex()
        return key[:64], key[64:]

    def _mac(self, version: int, place: Place, before: bytes, number: int, entry: Fields) -> bytes:
        """As scripts/chain.lua makes it."""
        inner, outer = self._halves(version, place)
        parts: Sequence[bytes] = (
            before, b"%d" % number, entry["k"], entry["t"], entry["c"], entry["q"], entry["h"],
            entry["d"],
        )  # fmt: skip
        return _sha1(outer.encode() + _sha1(inner.encode() + b"\n".join(parts)))


class Pen:
    """Writes what one script puts into a chain, under one key.

    The keys may be rotated at any moment: an entry whose tag were made with one and its mac with
    the next would be taken for altered.
    """

    __slots__ = ("_audit", "_version")

    def __init__(self, audit: Audit, version: int) -> None:
        self._audit = audit
        self._version = version

    def chain(self, place: Place) -> tuple[Argument, ...]:
        """The first three ARGV of a script that writes: key version, inner and outer key."""
        return (self._version, *self._audit.halves(self._version, place))

    def entry(self, about: str, kind: str, **details: str) -> tuple[bytes, bytes]:
        """Body and tag of an entry; details without a value are left out."""
        told = {"k": kind, **{name: value for name, value in details.items() if value}}
        body = _JSON.encode(told).encode()
        return body, self._audit.tag(self._version, about.encode(), body)


def signature(actor: Actor) -> str:
    """An actor as the audit names it. A holder is known by the credential, not by the account."""
    return actor.kind if actor.kind == "holder" or not actor.name else f"{actor.kind}:{actor.name}"


def use_of(entry: Fields) -> Use:
    """An entry as a line of a history."""
    told: dict[str, str] = json.loads(entry["d"])
    fields = told.pop("f", "")
    return Use(
        at=int(entry["t"]) / 1e6,
        kind=told.pop("k"),
        verifier=told.pop("n", ""),
        desk=told.pop("d", ""),
        purpose=told.pop("p", ""),
        fields=tuple(fields.split(",")) if fields else (),
        verification_id=told.pop("i", ""),
        detail=told,
    )


def _decoded(fields: Mapping[bytes, bytes]) -> Fields:
    return {name.decode(): value for name, value in fields.items()}


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data).hexdigest().encode()  # noqa: S324 - see the head of this file
