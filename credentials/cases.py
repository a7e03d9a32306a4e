"""Cases: what somebody of the issuer has to look at, such as a use that was not the holder's.

A case lives under the hash tag of the administration's audit chain, so that the script that
opens or changes one writes the audit's entry with it. The same cause opens the same case: its id
follows from kind, credential and verification. Operators' notes may name people, so they are
sealed.

| key | holds |
|---|---|
| `{audit}:case:<id>` | hash: k kind, c credential, v verification, d detail, s status, \
  o owner, at opened (µs) |
| `{audit}:case:<id>:notes` | list of sealed notes, oldest first |
| `{audit}:cases:open` | sorted set: ids of cases that are not closed, by when they were opened |
| `{audit}:cases:all` | sorted set: ids of all cases, by when they were opened |
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from credentials.audit import Audit, signature
from credentials.connection import guard
from credentials.errors import CredentialError
from credentials.model import Actor
from credentials.sealing import Sealer
from credentials.store import ADMINISTRATION, Store

OPEN = "{audit}:cases:open"
ALL = "{audit}:cases:all"
LONGEST_NOTE = 1000
LONGEST_DETAIL = 120
_ID = re.compile(r"[0-9a-f]{16}")


class Kind(enum.StrEnum):
    """Why there is a case."""

    NOT_ME = "not_me"
    DOUBLE_USE = "double_use"
    TWO_CITIES = "two_cities"
    BUSY_DESK = "busy_desk"
    MANY_DENIALS = "many_denials"
    OTHER_PERSON = "other_person"


class CaseStatus(enum.StrEnum):
    """How far a case has come."""

    OPEN = "open"
    TAKEN = "taken"
    CLOSED = "closed"


class CaseError(CredentialError):
    """unknown_case; case_closed; bad_note for one that is empty or too long."""

    code = "unknown_case"


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    """What an operator wrote about a case."""

    at: float
    by: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One case. `opened_at` is Redis's time in seconds since 1970; `owner` an operator's name."""

    case_id: str
    kind: Kind
    status: CaseStatus
    credential_id: str
    verification_id: str
    detail: str
    opened_at: float
    owner: str


class Cases:
    """The cases of an issuer. Every method raises UnavailableError when it cannot know."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer
        self._audit = Audit(store, sealer.keyring)

    def open(
        self,
        kind: Kind,
        credential_id: str,
        actor: Actor,
        *,
        verification_id: str = "",
        detail: str = "",
    ) -> Case:
        """The case of this cause, opened now unless it was before; a closed one stays closed.

        Args:
            kind: why.
            credential_id: whose card it is about.
            actor: who asks for it.
            verification_id: which use, if it is about one.
            detail: something short that helps; no value of a person's data.
        """
        case_id = _id_of(kind, credential_id, verification_id)
        pen = self._audit.pen()
        entry = pen.entry(
            case_id,
            "case_opened",
            by=signature(actor),
            why=kind,
            c=credential_id,
            i=verification_id,
        )
        _, fields = self._store.run(
            "case_open",
            (ADMINISTRATION.log, ADMINISTRATION.head, _key(case_id), OPEN, ALL),
            (
                *pen.chain(ADMINISTRATION), case_id, *entry,
                "k", kind, "c", credential_id, "v", verification_id, "d", detail[:LONGEST_DETAIL],
            ),
        )  # fmt: skip
        return _case(case_id, fields)

    def get(self, case_id: str) -> Case:
        """One case.

        Raises:
            CaseError: unknown_case.
        """
        fields = self._store.fields(_key(case_id))[0] if _ID.fullmatch(case_id) else {}
        if not fields:
            raise CaseError
        return _from(case_id, fields)

    def waiting(self, limit: int = 100) -> list[Case]:
        """The cases that are not closed, the longest waiting first."""
        return self._listed(OPEN, limit, newest=False)

    def recent(self, limit: int = 100) -> list[Case]:
        """All cases, the newest first."""
        return self._listed(ALL, limit, newest=True)

    def counts(self) -> dict[CaseStatus, int]:
        """How many cases there are of each status."""
        waiting = self.waiting(10_000)
        with guard():
            everything = int(self._store.redis.zcard(ALL))
            still = int(self._store.redis.zcard(OPEN))
        taken = sum(case.status is CaseStatus.TAKEN for case in waiting)
        return {
            CaseStatus.OPEN: still - taken,
            CaseStatus.TAKEN: taken,
            CaseStatus.CLOSED: everything - still,
        }

    def take(self, case_id: str, actor: Actor) -> Case:
        """Make an operator a case's owner, also in the place of another.

        Raises:
            CaseError: unknown_case, case_closed.
        """
        return self._change(case_id, "case_taken", actor, status=CaseStatus.TAKEN, owner=actor.name)

    def note(self, case_id: str, actor: Actor, text: str) -> Case:
        """Add a note; raises as `take`, and bad_note."""
        return self._change(case_id, "case_noted", actor, note=text, noting=True)

    def close(self, case_id: str, actor: Actor, text: str) -> Case:
        """Close a case, saying what came of it; raises as `note`."""
        return self._change(
            case_id, "case_closed", actor, status=CaseStatus.CLOSED, note=text, noting=True
        )

    def notes(self, case_id: str) -> list[Note]:
        """What was written about a case, oldest first."""
        key = _notes(case_id)
        with guard():
            found: Any = self._store.redis.lrange(key, 0, -1)
        return [Note(**self._sealer.unseal_json(key, sealed)) for sealed in found]

    def _change(
        self,
        case_id: str,
        kind: str,
        actor: Actor,
        *,
        status: CaseStatus | None = None,
        owner: str = "",
        note: str = "",
        noting: bool = False,
    ) -> Case:
        if not _ID.fullmatch(case_id):
            raise CaseError
        sealed = self._sealed(case_id, actor, note) if noting else b""
        pen = self._audit.pen()
        entry = pen.entry(case_id, kind, by=signature(actor))
        outcome, detail = self._store.run(
            "case_change",
            (ADMINISTRATION.log, ADMINISTRATION.head, _key(case_id), OPEN, _notes(case_id)),
            (
                *pen.chain(ADMINISTRATION), case_id, *entry,
                status or "", owner, sealed,
            ),
        )  # fmt: skip
        if outcome != b"ok":
            raise CaseError("case_closed" if detail else "unknown_case")
        return _case(case_id, detail)

    def _sealed(self, case_id: str, actor: Actor, text: str) -> bytes:
        said = " ".join(text.split())
        if not 0 < len(said) <= LONGEST_NOTE:
            raise CaseError("bad_note", limit=LONGEST_NOTE)
        note = {"at": self._now(), "by": actor.name, "text": said}
        return self._sealer.seal_json(_notes(case_id), note)

    def _now(self) -> float:
        with guard():
            seconds, rest = self._store.redis.time()
        return float(seconds + rest / 1e6)

    def _listed(self, key: str, limit: int, *, newest: bool) -> list[Case]:
        if limit < 1:
            return []
        with guard():
            found: Any = self._store.redis.zrange(key, 0, limit - 1, desc=newest)
        ids = [case_id.decode() for case_id in found]
        kept = self._store.fields(*map(_key, ids)) if ids else []
        return [_from(case_id, fields) for case_id, fields in zip(ids, kept, strict=True) if fields]


def _id_of(kind: Kind, credential_id: str, verification_id: str) -> str:
    said = f"{kind}\0{credential_id}\0{verification_id}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _key(case_id: str) -> str:
    return f"{{audit}}:case:{case_id}"


def _notes(case_id: str) -> str:
    return f"{_key(case_id)}:notes"


def _case(case_id: str, flat: Sequence[bytes]) -> Case:
    return _from(case_id, {flat[at].decode(): flat[at + 1] for at in range(0, len(flat), 2)})


def _from(case_id: str, fields: Mapping[str, bytes]) -> Case:
    told = {name: value.decode() for name, value in fields.items()}
    return Case(
        case_id=case_id,
        kind=Kind(told["k"]),
        status=CaseStatus(told["s"]),
        credential_id=told["c"],
        verification_id=told["v"],
        detail=told["d"],
        opened_at=int(told["at"]) / 1e6,
        owner=told.get("o", ""),
    )
