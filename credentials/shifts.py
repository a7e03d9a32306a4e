"""The book of each desk: who was checked in and how, and which scans were refused.

What a desk was told is written into its book, sealed and without the portrait, for as long as
the purpose allows its verifier to keep it (`retention_days`); then Redis forgets it by itself.
A guest without a working phone is written in by hand: that their physical card was looked at.
Refused scans say when, what for and why, and nothing about anybody; the last 200 of a desk are
kept, for two days.

| key | holds |
|---|---|
| `{v:<verifier id>}:book:<desk>` | sorted set: ids of entries, by when (ms); desk by its SHA-256; \
  older ones than any purpose keeps leave it with the next guest |
| `{v:<verifier id>}:booked` | set: the names of the desks that have a book, or refused scans |
| `{v:<verifier id>}:e:<entry id>` | hash: k kind, t when (ms), d desk, p purpose, w staff, \
  s state, o nobody answered, e sealed values, n sealed note; ends with the purpose's retention |
| `{v:<verifier id>}:missed:<desk>` | stream: t, p, c, w of refused scans; desk by its SHA-256 |
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any

import redis

from credentials.connection import guard
from credentials.errors import CredentialError
from credentials.model import State, Verification
from credentials.purposes import PURPOSES
from credentials.sealing import Sealer

CHINA = datetime.timezone(datetime.timedelta(hours=8))
DAY_S = 24 * 3600
MISSED_KEPT = 200
MISSED_S = 2 * DAY_S
MOST_ROWS = 2000
LONGEST_NOTE = 300
LONGEST_VALUE = 80
KEPT_S = max(purpose.retention_days for purpose in PURPOSES.values()) * DAY_S
SCAN, PAPER = "scan", "paper"
_ENTRY = re.compile(r"[0-9a-f]{20}")


class ShiftError(CredentialError):
    """unknown_entry; bad_note; bad_value (`details["field"]`) for what is empty or too long."""

    code = "unknown_entry"


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One guest in the book; `values` are what the purpose disclosed, or was read from the card.

    `over` says of one that waits that it waits no longer: the guest did not answer in time.
    """

    entry_id: str
    kind: str
    at: float
    desk: str
    purpose: str
    staff: str
    state: State
    values: Mapping[str, str]
    note: str
    over: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Missed:
    """One refused scan."""

    at: float
    purpose: str
    code: str
    staff: str


class Shifts:
    """The books of all desks. Every method raises UnavailableError when Redis cannot be asked."""

    def __init__(self, database: redis.Redis, sealer: Sealer) -> None:
        self._redis = database
        self._sealer = sealer

    def write(self, verifier_id: str, desk: str, staff: str, found: Verification) -> None:
        """Write a scan in, or bring its entry up to date; writing it twice changes nothing."""
        about = {"k": SCAN, "d": desk, "p": found.purpose, "w": staff, "s": found.state.value}
        self._put(verifier_id, found.verification_id, found.verified_at, _values(found), about)

    def write_paper(
        self,
        verifier_id: str,
        desk: str,
        staff: str,
        purpose: str,
        values: Mapping[str, str],
        *,
        form: str = "",
    ) -> str:
        """Write in that a guest's physical card was looked at; gives the entry's id.

        Args:
            verifier_id: whose book.
            desk: at which desk.
            staff: who looked.
            purpose: what for.
            values: what was read.
            form: the id that its form was given; sent again, the same guest is one entry.

        Raises:
            ShiftError: bad_value for a value that is empty or longer than 80 characters.
        """
        tidy = {name: " ".join(value.split()) for name, value in values.items()}
        for name, value in tidy.items():
            if not 0 < len(value) <= LONGEST_VALUE or not value.isprintable():
                raise ShiftError("bad_value", field=name)
        before = self._fields(verifier_id, form) if _ENTRY.fullmatch(form) else {}
        written = self._read(verifier_id, form, before)
        if written is not None and written.kind == PAPER and written.values == tidy:
            self._list(verifier_id, written.desk, form, written.at)  # it may have got no further
            return form
        entry_id = form if _ENTRY.fullmatch(form) and not before else secrets.token_hex(10)
        state = State.ACCEPTED.value
        about = {"k": PAPER, "d": desk, "p": purpose, "w": staff, "s": state}
        self._put(verifier_id, entry_id, time.time(), tidy, about)
        return entry_id

    def miss(self, verifier_id: str, desk: str, staff: str, purpose: str, code: str) -> None:
        """Note a refused scan."""
        key = _missed(verifier_id, desk)
        said = {"t": f"{time.time():.3f}", "p": purpose[:32], "c": code[:32], "w": staff}
        with guard():
            together = self._redis.pipeline(transaction=False)
            together.xadd(key, said, maxlen=MISSED_KEPT, approximate=False)  # type: ignore[arg-type]
            together.expire(key, MISSED_S)
            together.sadd(_booked(verifier_id), desk)
            together.execute()

    def missed(self, verifier_id: str, desk: str) -> list[Missed]:
        """The refused scans of a desk, newest first."""
        with guard():
            found: Any = self._redis.xrevrange(_missed(verifier_id, desk))
        return [
            Missed(float(one[b"t"]), one[b"p"].decode(), one[b"c"].decode(), one[b"w"].decode())
            for _, one in found
        ]

    def desks(self, verifier_id: str) -> list[str]:
        """The desks of a verifier that have a book, or refused scans."""
        with guard():
            found: Any = self._redis.smembers(_booked(verifier_id))
        return sorted(name.decode() for name in found)

    def day(
        self,
        verifier_id: str,
        desk: str,
        day: datetime.date,
        *,
        limit: int = MOST_ROWS,
        values: bool = True,
    ) -> list[Entry]:
        """The entries of a desk on a day in China, newest first; opened only with `values`."""
        begins = datetime.datetime.combine(day, datetime.time(), CHINA).timestamp() * 1000
        book = _book(verifier_id, desk)
        with guard():
            ids: Any = self._redis.zrange(
                book, f"({begins + DAY_S * 1000:.0f}", f"{begins:.0f}",
                desc=True, byscore=True, offset=0, num=limit,
            )  # fmt: skip
            together = self._redis.pipeline(transaction=False)
            names = [name.decode() for name in ids]
            for name in names:
                together.hgetall(_entry(verifier_id, name))
            records = together.execute() if names else []
        entries = [
            self._read(verifier_id, name, fields, values=values)
            for name, fields in zip(names, records, strict=True)
        ]
        gone = [name for name, entry in zip(names, entries, strict=True) if entry is None]
        if gone:
            with guard():
                self._redis.zrem(book, *gone)
        return [entry for entry in entries if entry is not None]

    def settle(self, verifier_id: str, found: Verification, *, unanswered: bool = False) -> None:
        """Bring the entry of a scan up to date, if there is one.

        Args:
            verifier_id: whose book.
            found: how the scan stands.
            unanswered: whether it is denied only because the guest let the time pass.
        """
        if self._fields(verifier_id, found.verification_id):
            outcome = {"o": "1"} if unanswered else {"s": found.state.value}
            about = {"p": found.purpose, **outcome}
            at = found.verified_at
            self._fill(verifier_id, found.verification_id, at, _values(found), about)

    def get(self, verifier_id: str, entry_id: str) -> Entry:
        """One entry.

        Raises:
            ShiftError: unknown_entry, also for another verifier's.
        """
        fields = self._fields(verifier_id, entry_id) if _ENTRY.fullmatch(entry_id) else {}
        entry = self._read(verifier_id, entry_id, fields)
        if entry is None:
            raise ShiftError
        return entry

    def note(self, verifier_id: str, entry_id: str, text: str) -> None:
        """Put a note beside an entry, in the place of the one before; an empty one removes it.

        Raises:
            ShiftError: unknown_entry, bad_note.
        """
        entry = self.get(verifier_id, entry_id)
        tidy = " ".join(text.split())
        if len(tidy) > LONGEST_NOTE or not tidy.isprintable():
            raise ShiftError("bad_note", limit=LONGEST_NOTE)
        key = _entry(verifier_id, entry_id)
        with guard():
            together = self._redis.pipeline(transaction=True)
            if tidy:
                together.hset(key, "n", self._sealer.seal(f"{key}:note", tidy.encode()))
            else:
                together.hdel(key, "n")
            # The entry may have ended a moment ago: its note must not stay without it.
            together.expireat(key, _end(entry.at, entry.purpose))
            together.execute()

    def _put(
        self,
        verifier_id: str,
        entry_id: str,
        at: float,
        values: Mapping[str, str],
        about: Mapping[str, str],
    ) -> None:
        self._fill(verifier_id, entry_id, at, values, about)
        self._list(verifier_id, about["d"], entry_id, at)

    def _list(self, verifier_id: str, desk: str, entry_id: str, at: float) -> None:
        book = _book(verifier_id, desk)
        with guard():
            together = self._redis.pipeline(transaction=True)
            together.zadd(book, {entry_id: float(f"{at * 1000:.0f}")}, nx=True)
            together.zremrangebyscore(book, "-inf", f"{(time.time() - KEPT_S) * 1000:.0f}")
            together.sadd(_booked(verifier_id), desk)
            together.execute()

    def _fill(
        self,
        verifier_id: str,
        entry_id: str,
        at: float,
        values: Mapping[str, str],
        about: Mapping[str, str],
    ) -> None:
        key = _entry(verifier_id, entry_id)
        fields: dict[Any, Any] = {"t": f"{at * 1000:.0f}", **about}
        if values:
            fields["e"] = self._sealer.seal_json(key, dict(values))
        with guard():
            together = self._redis.pipeline(transaction=True)
            together.hset(key, mapping=fields)
            together.expireat(key, _end(at, about["p"]))
            together.execute()

    def _fields(self, verifier_id: str, entry_id: str) -> dict[bytes, bytes]:
        with guard():
            found: Any = self._redis.hgetall(_entry(verifier_id, entry_id))
        return dict(found)

    def _read(
        self,
        verifier_id: str,
        entry_id: str,
        fields: Mapping[bytes, bytes],
        *,
        values: bool = True,
    ) -> Entry | None:
        if b"k" not in fields:
            return None
        key = _entry(verifier_id, entry_id)
        sealed, note = (fields.get(b"e"), fields.get(b"n")) if values else (None, None)
        return Entry(
            entry_id=entry_id,
            kind=fields[b"k"].decode(),
            at=int(fields[b"t"]) / 1000,
            desk=fields[b"d"].decode(),
            purpose=fields[b"p"].decode(),
            staff=fields[b"w"].decode(),
            state=State(fields[b"s"].decode()),
            values=self._sealer.unseal_json(key, sealed) if sealed else {},
            note=self._sealer.unseal(f"{key}:note", note).decode() if note else "",
            over=fields.get(b"o") == b"1",
        )


def _end(at: float, purpose: str) -> int:
    """When an entry ends, in seconds since 1970."""
    return int(at) + PURPOSES[purpose].retention_days * DAY_S


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _values(found: Verification) -> dict[str, str]:
    """What is written down of what was told: all but the portrait."""
    return {name: _text(value) for name, value in found.attributes.items() if name != "portrait"}


def _book(verifier_id: str, desk: str) -> str:
    return f"{{v:{verifier_id}}}:book:{_hash(desk)}"


def _booked(verifier_id: str) -> str:
    return f"{{v:{verifier_id}}}:booked"


def _entry(verifier_id: str, entry_id: str) -> str:
    return f"{{v:{verifier_id}}}:e:{entry_id}"


def _missed(verifier_id: str, desk: str) -> str:
    return f"{{v:{verifier_id}}}:missed:{_hash(desk)}"


def _hash(desk: str) -> str:
    return hashlib.sha256(desk.encode()).hexdigest()[:16]
