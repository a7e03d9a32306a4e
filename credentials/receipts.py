"""Receipts: what is to be told of verifications, kept until it was passed on.

A verification writes its receipt in the script that decides it (scripts/verify.lua), so on a
single server neither is there without the other; in a cluster it follows in a command of its
own. It is one entry of a stream, the state and the verification's id: nothing that says who the
holder is. So does the holder's own answer (scripts/answer.lua), of which only the verifier need be
told. Workers read the stream as one group, some receipts at a time and with two questions for
all of them. Each receipt is read by one worker, and struck off only when it was passed on; what a
killed one had read is given to another after a few seconds. So it may be passed on twice, never not
at all, and whoever tells the holder does it once for each verification (`bot/outbox.py`).

While they cannot be passed on, because something they need is out, they wait here, up to a bound;
beyond it the verification stands and the holder finds it in the history.

| key | holds |
|---|---|
| `{recent}:receipts` | stream, read by the group `tellers` |
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import structlog
from redis.exceptions import ResponseError

from credentials import record
from credentials.connection import guard
from credentials.errors import UnavailableError
from credentials.keyring import KeyringError
from credentials.model import Decided, Holder, State
from credentials.sealing import SealBrokenError, Sealer
from credentials.store import RECEIPTS, RECENT_KEPT, Fields, Store, record_key, verification_key

GROUP = "tellers"
ANSWERED = "answered"
BEGINNING = b"0-0"
MOST_WAITING = 100_000
AT_ONCE = 20
SILENT_MS = 10_000
"""After so long a reader that did not finish is taken for dead, and so are its receipts' tries."""
GONE_MS = 3_600_000
_log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Receipt:
    """What is told of a verification: to the holder that it was accepted, or waits for approval.

    Where the holder has `answered` it, they know; `decided` then says how. `entry` is its place in
    the stream.
    """

    entry: bytes
    holder: Holder
    decided: Decided
    verifier: str
    fields: tuple[str, ...]
    number: int | None
    at: float
    answered: bool


def leave(store: Store, state: str, verification_id: str, most: int, *scans: str) -> bool:
    """In a cluster, where the deciding script does not reach the stream: leave a receipt.

    Args:
        store: the cluster's.
        state: what was decided, or `ANSWERED`.
        verification_id: of what.
        most: receipts that may wait.
        scans: everybody's list of scans where it was one; it lies beside the receipts.

    Returns:
        Whether it will be told; what was decided stands.
    """
    try:
        kept = (verification_id, most, RECENT_KEPT)
        return bool(store.run("receipt", (RECEIPTS, *scans), (state, *kept)))
    except UnavailableError:
        return False  # used and logged


class Receipts:
    """The receipts that wait. Every method raises UnavailableError when Redis cannot be asked."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer
        self._next_look = 0.0
        self._cursor = BEGINNING

    def pass_on(
        self,
        reader: str,
        told: Callable[[Sequence[Receipt]], Collection[Receipt] | None],
        wait_ms: int = 0,
    ) -> int:
        """Pass on some of what waits, oldest first; gives how many receipts that were.

        Args:
            reader: who reads, another name for each process.
            told: takes them, and gives those of them that are left for another try, after some
                seconds; whatever it raises leaves them all.
            wait_ms: how long to wait for one to come, under a second.

        Raises:
            CredentialError: what `told` raised; KeyringError where no receipt could be read.
        """
        left = self._left(reader)
        entries = (*left, *self._read(reader, 0 if left else wait_ms))
        if not entries:
            return 0
        receipts, locked = self._receipts(entries)
        again = locked | {receipt.entry for receipt in told(receipts) or ()}
        done = [entry for entry, _ in entries if entry not in again]
        if done:
            self._store.run("receipts_done", (RECEIPTS,), (GROUP, *done))
        return len(entries)

    def figures(self) -> tuple[int, float]:
        """How many wait, and for how many seconds the oldest has."""
        with guard():
            length = int(self._store.redis.xlen(RECEIPTS))
            oldest: Any = self._store.redis.xrange(RECEIPTS, count=1)
        if not oldest:
            return length, 0.0
        written = int(oldest[0][0].split(b"-")[0]) / 1000
        return length, max(0.0, self._store.now(RECEIPTS) / 1e6 - written)

    def tend(self) -> None:
        """Forget readers that are long gone; what they had read was given to others."""
        with guard():
            try:
                readers: Any = self._store.redis.xinfo_consumers(RECEIPTS, GROUP)
            except ResponseError:  # nobody has read yet
                return
            for reader in readers:
                if reader["pending"] == 0 and reader["idle"] > GONE_MS:
                    self._store.redis.xgroup_delconsumer(RECEIPTS, GROUP, reader["name"])

    def _read(self, reader: str, wait_ms: int) -> list[tuple[bytes, Mapping[bytes, bytes]]]:
        """What nobody was given yet."""
        with guard():
            try:
                found = self._new(reader, wait_ms)
            except ResponseError as error:
                if not str(error).startswith("NOGROUP"):
                    raise
                self._begin()
                found = self._new(reader, wait_ms)
        entries = found.values() if isinstance(found, dict) else [each[1] for each in found or ()]
        return [entry for some in entries for entry in _flat(some)]

    def _new(self, reader: str, wait_ms: int) -> Any:
        return self._store.redis.xreadgroup(
            GROUP, reader, {RECEIPTS: ">"}, count=AT_ONCE, block=wait_ms or None
        )

    def _begin(self) -> None:
        try:
            self._store.redis.xgroup_create(RECEIPTS, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):  # another reader was quicker
                raise

    def _left(self, reader: str) -> list[tuple[bytes, Mapping[bytes, bytes]]]:
        """What was read and not finished, by a reader that is silent or by one that had to stop.

        From where the last look ended: what cannot be told again and again holds up no other.
        """
        now = time.monotonic()
        if now < self._next_look:
            return []
        with guard():
            try:
                found: Any = self._store.redis.xautoclaim(
                    RECEIPTS, GROUP, reader, SILENT_MS, start_id=self._cursor, count=AT_ONCE
                )
            except ResponseError as error:
                if not str(error).startswith("NOGROUP"):
                    raise
                found = (BEGINNING, [])
        self._cursor = found[0]
        if self._cursor == BEGINNING:  # all were seen
            self._next_look = now + SILENT_MS / 2000
        return _flat(found[1])

    def _receipts(
        self, entries: Sequence[tuple[bytes, Mapping[bytes, bytes]]]
    ) -> tuple[list[Receipt], set[bytes]]:
        """Receipts as they are told, without those whose verification or holder's data is gone.

        Beside them the entries whose holder is sealed under a key that is not in this ring, or
        not yet: each is left for another try, and takes none of the others along.
        """
        waiting = [
            (entry, state.decode(), each.decode())
            for entry, fields in entries
            for state, each in fields.items()
        ]
        verifications = self._store.fields(*(verification_key(each) for *_, each in waiting))
        known = [
            (
                Decided.read(each, asked, None if state == ANSWERED else State(state)),
                (entry, state, asked),
            )
            for (entry, state, each), asked in zip(waiting, verifications, strict=True)
            if asked
        ]
        records = self._store.fields(*(record_key(decided.credential_id) for decided, *_ in known))
        receipts, locked, why = [], set(), None
        for (decided, (entry, state, asked)), found in zip(known, records, strict=True):
            if "e" not in found:
                continue
            try:
                holder = record.unseal(self._sealer, decided.credential_id, found["e"]).holder
            except SealBrokenError:
                _log.exception("receipt of nobody", verification=decided.verification_id)
                continue
            except KeyringError as error:
                locked.add(entry)
                why = error
                continue
            receipts.append(_receipt(entry, holder, decided, asked, answered=state == ANSWERED))
        if why is not None:
            if len(locked) == len(entries):
                raise why
            _log.warning("receipts not read", receipts=len(locked), reason=str(why.details))
        return receipts, locked


def _receipt(
    entry: bytes, holder: Holder, decided: Decided, asked: Fields, *, answered: bool
) -> Receipt:
    return Receipt(
        entry=entry,
        holder=holder,
        decided=decided,
        verifier=asked["vn"].decode(),
        fields=tuple(asked["fi"].decode().split(",")),
        number=int(asked["nu"]) if decided.state is State.AWAITING_HOLDER else None,
        at=int(asked["at"]) / 1e6,
        answered=answered,
    )


def _flat(entries: Any) -> list[tuple[bytes, Mapping[bytes, bytes]]]:
    """Entries as pairs; RESP3 answers nest them once more."""
    if entries and isinstance(entries[0], list) and entries[0] and isinstance(entries[0][0], tuple):
        entries = [entry for some in entries for entry in some]
    return [(entry[0], entry[1]) for entry in entries if entry and entry[1]]
