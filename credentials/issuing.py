"""Issuing: how a person who was proofed gets exactly one credential.

Three things must agree that live on three hash tags: one credential for an ID number, one for an
account, and the record. No script can write all three at once, so:

1. the ID number is reserved for this credential, then the account; both for a minute only;
2. the record is written, *pending*, which nothing accepts; it fades after a day;
3. both reservations are made to last, if they are still this credential's;
4. the record becomes active. This one step decides.

The credential's id follows from the person and the account, so the same request made again, or
by a process that takes over from a dead one, walks the same steps on the same credential. Where
a reservation belongs to another credential, that one's status tells: active or frozen, it is
taken; over, it may be taken from it; pending for more than a minute, its process died, so it is
revoked, which also stops that process should it wake up before step 4, and then taken from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from credentials import lifecycle, pictures, record
from credentials.audit import Audit
from credentials.errors import CredentialError, IdNumberTakenError, UnavailableError
from credentials.model import Consent, Holder, Level, Person, Status
from credentials.sealing import BlindIndex, Sealer
from credentials.store import (
    Store,
    card_key,
    due_key,
    person_key,
    place_of,
    portrait_key,
    record_key,
)
from credentials.templates import Templates

RESERVED_SECONDS = 60
PENDING_SECONDS = 24 * 3600
_GENERATIONS = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class _Basis:
    """What a credential is issued on."""

    person: Person
    consents: tuple[Consent, ...]
    portrait: bytes
    evidence: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Issuing:
    """Issues credentials."""

    store: Store
    audit: Audit
    sealer: Sealer
    index: BlindIndex

    def issue(
        self,
        holder: Holder,
        person: Person,
        consents: Sequence[Consent],
        evidence: Mapping[str, str],
    ) -> str:
        """The id of a new credential of a person who was proofed, active.

        Raises:
            CredentialError: has_card when the account holds one already.
            IdNumberTakenError: when the ID number has a credential, or is getting one now.
            UnavailableError: when Redis, the keys or the audit fail; the same call repeats it.
        """
        basis = _Basis(person, tuple(consents), pictures.portrait(person.portrait), evidence)
        credential_id = self._own_id(holder, person)
        number_key = person_key(self.index.of("id_number", person.id_number))
        account_key = card_key(holder)
        held = self.store.get(account_key)
        if held and held != credential_id and self._is_taken(held):
            raise CredentialError("has_card")
        if not self._reserve(number_key, credential_id):
            raise IdNumberTakenError
        if not self._reserve(account_key, credential_id):
            raise CredentialError("has_card")
        self._write(credential_id, holder, basis)
        if not self._settle(number_key, credential_id):
            raise IdNumberTakenError
        if not self._settle(account_key, credential_id):
            raise CredentialError("has_card")
        self._activate(credential_id)
        return credential_id

    def give_up(self, credential_id: str, known: record.Sealed) -> None:
        """Free the ID number and the account of a credential that is over; forget the face."""
        number = self.index.of("id_number", known.id_number)
        for key in (card_key(known.holder), person_key(number)):
            self.store.run("settle", (key,), (credential_id, "drop"))
        self.forget_face(known)

    def forget_face(self, known: record.Sealed) -> None:
        """Drop the template of a person whose card is over; twice is once."""
        Templates(self.store.redis, self.sealer, self.index).drop(known.id_number)

    def _own_id(self, holder: Holder, person: Person) -> str:
        """The id that follows from account and person; another one after each that is over.

        Raises:
            CredentialError: has_card when that credential is in use.
        """
        for generation in range(_GENERATIONS):
            name = f"{holder.tag}\0{person.id_number}\0{generation}"
            credential_id = self.index.credential_id(name)
            glance = self.store.glance(credential_id)
            status = record.status_at(glance.record, glance.now)
            if status in {Status.ACTIVE, Status.FROZEN}:
                if self.store.get(card_key(holder)) == credential_id:
                    raise CredentialError("has_card")
                continue  # it was moved to another account, whose it is now
            if status is None or status is Status.PENDING:
                return credential_id
        raise UnavailableError(what="issuing", why="generations")

    def _reserve(self, key: str, credential_id: str) -> bool:
        """Reserve what exists once; False when another credential rightly has it."""
        taken_from = ""
        for _ in range(3):
            answer = self.store.run("claim", (key,), (credential_id, taken_from, RESERVED_SECONDS))
            owner, settled = answer[0].decode(), bool(answer[1])
            if owner == credential_id:
                return True
            if self._is_taken(owner, settled=settled):
                return False
            taken_from = owner
        return False

    def _is_taken(self, credential_id: str, *, settled: bool = True) -> bool:
        """Whether a credential has a right to what it reserved; ends one whose maker died."""
        glance = self.store.glance(credential_id)
        status = record.status_at(glance.record, glance.now)
        if status is None:
            return not settled  # being made at this moment, unless it was settled: then it faded
        if status is not Status.PENDING:
            return not lifecycle.is_over(status)
        if glance.now / 1e6 - float(glance.record["t"]) < RESERVED_SECONDS:
            return True
        return not self._move(credential_id, "abandoned", Status.REVOKED, Status.PENDING)

    def _write(self, credential_id: str, holder: Holder, basis: _Basis) -> None:
        place, pen = place_of(credential_id), self.audit.pen()
        entry = pen.entry(
            credential_id,
            "issued",
            by="holder",
            consents=",".join(f"{consent.kind}:{consent.version}" for consent in basis.consents),
            evidence=",".join(f"{name}={value}" for name, value in sorted(basis.evidence.items())),
        )
        keys = (record_key(credential_id), portrait_key(credential_id), place.log, place.head)
        self.store.run(
            "issue",
            keys,
            (
                *pen.chain(place),
                credential_id,
                *entry,
                Level.LIGHT,
                record.seal(self.sealer, credential_id, holder, basis.person, basis.consents),
                record.end_of(basis.person.valid_until),
                self.sealer.seal(record.portrait_name(credential_id), basis.portrait),
                PENDING_SECONDS,
            ),
        )

    def _settle(self, key: str, credential_id: str) -> bool:
        return bool(self.store.run("settle", (key,), (credential_id, "keep")))

    def _activate(self, credential_id: str) -> None:
        if self._move(credential_id, "activated", Status.ACTIVE, Status.PENDING):
            return
        glance = self.store.glance(credential_id)
        if record.status_at(glance.record, glance.now) is not Status.ACTIVE:
            raise UnavailableError(what="issuing", why="overtaken")

    def _move(self, credential_id: str, kind: str, there: Status, here: Status) -> bool:
        place, pen = place_of(credential_id), self.audit.pen()
        entry = pen.entry(credential_id, kind, by="system")
        answer = self.store.run(
            "transition",
            (
                record_key(credential_id),
                portrait_key(credential_id),
                place.log,
                place.head,
                due_key(credential_id),
            ),
            (*pen.chain(place), credential_id, *entry, there, here, "", "system"),
        )
        return bool(answer[0] == b"ok")
