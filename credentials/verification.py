"""Verification: a verifier scans a code and is told what its purpose allows, or why not.

The steps of `Verifications.verify`, numbered here and beside the code (5 to 11 are one script,
scripts/verify.lua: one round trip that does all of it or nothing):

 1. The purpose exists, and this verifier was granted it.      purpose_not_granted, logged
 2. It says which attributes it discloses; none is a refusal.  unavailable
 3. The code reads, and a key of ours signed it.               malformed, bad_signature
 4. A code that the holder bound to a purpose is for this one. purpose_not_granted
 5. Who was admitted by a pass is still who the pass says, and
    within its rate (door.py).                                 stale, too_many_requests
 6. The same request again is given the same answer.           malformed: id used for another
 7. The credential exists, is active, is not past its end.     unknown_code, or its status
 8. The code is fresh by Redis's clock and newer than every
    code accepted before: single use.                          expired, already_used
 9. The card's level is enough; what needs the PIN, and is
    answered at once, had it entered for it just now.          level_insufficient, expired
10. What is to be disclosed is there.                          unavailable
11. The log entry is written; the code is used up; the
    verification waits for the holder, or is accepted; the
    receipt waits to be told (receipts.py).
12. Only now is anything unsealed, and only what the purpose
    names is disclosed.                                        unavailable

A purpose that tells who the holder is waits for their approval, unless they bound the code to it
before showing it; where the purpose needs the PIN, neither counts without it (see pins.py).
Whatever was refused left no trace but the refusal.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import re
from collections.abc import Mapping
from typing import Any

import structlog

from credentials import record
from credentials.approvals import WAIT_SECONDS, Approvals, audited, two_digits
from credentials.audit import Audit
from credentials.codes import ANY_PURPOSE, LIFE_SECONDS, Codes, Payload
from credentials.disclosure import disclose
from credentials.door import Pass
from credentials.errors import RefusalError, UnavailableError
from credentials.model import Actor, Holder, Level, State, Status, Verification, Verifier
from credentials.pins import Pins
from credentials.purposes import PURPOSES, Purpose
from credentials.receipts import MOST_WAITING, leave
from credentials.sealing import Sealer
from credentials.store import (
    RECEIPTS,
    RECENT,
    RECENT_KEPT,
    Fields,
    Store,
    is_verification_id,
    new_verification_id,
    pin_key,
    place_of,
    portrait_key,
    recent_key,
    record_key,
    request_key,
    verification_key,
)

RESULT_SECONDS = 600
KEPT_SECONDS = 24 * 3600
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_LONGEST_DESK = 60
_DECIDED = {b"accepted", b"awaiting_holder"}
_log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Scan:
    """A line of a list of scans; nothing in it is a person's."""

    verification_id: str
    credential_id: str
    verifier_id: str
    verifier: str
    desk: str
    purpose: str
    state: State
    level: Level
    number: int | None
    at: float


@dataclasses.dataclass(frozen=True, slots=True)
class _Asking:
    """One request that may be decided: what for, with which code, what is kept of it.

    `number` is the two-digit number where the holder must be asked, else nothing.
    """

    wanted: Purpose
    payload: Payload
    asked: dict[str, str]
    request_id: str | None
    number: str
    shown: Pass | None


class Verifications:
    """Verifies codes. Every method raises UnavailableError when it cannot know."""

    def __init__(
        self,
        store: Store,
        sealer: Sealer,
        codes: Codes,
        *,
        purposes: Mapping[str, Purpose] = PURPOSES,
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._codes = codes
        self._purposes = purposes
        self._audit = Audit(store, sealer.keyring)
        self._approvals = Approvals(store, self._audit, Pins(store, sealer))

    def verify(
        self,
        verifier: Verifier,
        desk: str,
        code: str,
        purpose: str,
        request_id: str | None = None,
        *,
        shown: Pass | None = None,
    ) -> Verification:
        """Verify a code for a purpose; see the list at the head of this file.

        Args:
            verifier: who asks, authenticated.
            desk: where, as the holder will read it; cut to 60 characters.
            code: the bare code or the whole address that the QR holds.
            purpose: what for.
            request_id: 1 to 64 letters, digits and `._:-`; the same one again gives the same
                answer for a day, and never uses a second code. With another code it is refused;
                in a cluster only where both cards are of one bucket.
            shown: the pass that `verifier` is from, where the door was not asked.

        Raises:
            RefusalError: with one of the contract's codes.
            StalePassError: the pass is not true any more, and nothing was done.
        """
        wanted = self._granted(verifier, purpose)  # 1
        if not wanted.attributes:  # 2
            raise RefusalError("unavailable", reason="no_attributes")
        if request_id is not None and not _REQUEST_ID.fullmatch(request_id):
            raise RefusalError("malformed", field="request_id")
        payload = self._codes.read(code)  # 3
        if payload.purpose not in {ANY_PURPOSE, wanted.index}:  # 4
            raise RefusalError("purpose_not_granted", reason="bound")
        asked = {
            "vr": verifier.verifier_id,
            "vn": verifier.name,
            "dk": desk[:_LONGEST_DESK],
            "pu": wanted.name,
            "fi": ",".join(wanted.attributes),
        }
        if wanted.pin:
            asked["pn"] = "1"
        must_ask = wanted.approval and payload.purpose != wanted.index
        number = two_digits() if must_ask else ""
        asking = _Asking(wanted, payload, asked, request_id, number, shown)
        return self._decide(verifier, asking)

    def look(self, verifier: Verifier, verification_id: str) -> Verification:
        """A verification of this verifier's; its attributes for ten minutes, and no longer.

        Raises:
            RefusalError: unknown_verification, also for another verifier's; the card's status
                when it was frozen, revoked or has expired since, and attributes were due.
        """
        if not is_verification_id(verification_id):
            raise RefusalError("unknown_verification")
        asked = self._store.fields(verification_key(verification_id))[0]
        if asked.get("vr") != verifier.verifier_id.encode():
            raise RefusalError("unknown_verification")
        credential_id = asked["c"].decode()
        glance = self._store.glance(credential_id)
        if _waits(asked) and glance.record.get("w") != verification_id.encode():
            # Answered between the two readings: what was answered stands in the second of them.
            asked = self._store.fields(verification_key(verification_id))[0] or asked
        state = _state_at(verification_id, asked, glance.record, glance.now)
        attributes: Mapping[str, object] = {}
        if state is State.ACCEPTED and glance.now <= int(asked["at"]) + RESULT_SECONDS * 1_000_000:
            status = record.status_at(glance.record, glance.now)
            if status is not Status.ACTIVE:
                raise RefusalError((status or Status.REVOKED).value)
            wanted = self._granted(verifier, asked["pu"].decode())
            sealed, portrait = glance.record.get("e", b""), self._portrait(credential_id, wanted)
            known = record.unseal(self._sealer, credential_id, sealed)
            attributes = self._disclosed(credential_id, wanted, known, portrait, glance.now)
        return _verification(verification_id, asked, state, attributes)

    def about(self, verifier: Verifier, verification_id: str) -> Scan:
        """A verification of this verifier's as lists have it, nothing of it unsealed.

        Raises:
            RefusalError: unknown_verification, also for another verifier's.
        """
        known = is_verification_id(verification_id)
        asked = self._store.fields(verification_key(verification_id))[0] if known else {}
        if asked.get("vr") != verifier.verifier_id.encode():
            raise RefusalError("unknown_verification")
        return _scan(verification_id, asked)

    def approve(self, holder: Holder, verification_id: str, pin: str = "") -> None:
        """The holder agrees, with the PIN where it is asked; see `Approvals.approve`."""
        self._approvals.approve(holder, verification_id, pin)

    def deny(self, holder: Holder, verification_id: str, *, freeze: bool = False) -> None:
        """The holder refuses, and may freeze the card with it; see `Approvals.deny`."""
        self._approvals.deny(holder, verification_id, freeze=freeze)

    def recent(self, verifier_id: str, limit: int = 50) -> list[Scan]:
        """A verifier's last scans of a day, newest first; refused ones are not kept."""
        return self._listed(recent_key(verifier_id), limit)

    def recent_everywhere(self, limit: int = 50) -> list[Scan]:
        """Everybody's last scans of a day, newest first."""
        return self._listed(RECENT, limit)

    def _granted(self, verifier: Verifier, purpose: str) -> Purpose:
        wanted = self._purposes.get(purpose)
        if wanted is None or purpose not in verifier.purposes or verifier.blocked:
            actor = Actor("verifier", verifier.verifier_id)
            asked_for = purpose if wanted else "unknown"
            self._audit.note("purpose_refused", actor, verifier.verifier_id, purpose=asked_for)
            raise RefusalError("purpose_not_granted")
        return wanted

    def _decide(self, verifier: Verifier, asking: _Asking) -> Verification:
        credential_id, wanted = asking.payload.credential_id, asking.wanted
        verification_id = new_verification_id(credential_id)
        answer = self._run(verification_id, asking)  # 5 to 11
        outcome = answer[0].decode()
        if outcome == "refused":
            raise _refusal(answer[2].decode())
        if outcome == "again":
            return self.look(verifier, answer[2].decode())
        now, level, sealed, portrait, told = int(answer[2]), Level(answer[3].decode()), *answer[4:]
        if not told:
            _log.warning("receipt not passed on", error="full", verification=verification_id)
        state = State(outcome)
        attributes: Mapping[str, object] = {}
        if state is State.ACCEPTED:
            known = record.unseal(self._sealer, credential_id, sealed)  # 12
            attributes = self._disclosed(credential_id, wanted, known, portrait or None, now)
        return Verification(
            verification_id=verification_id,
            state=state,
            level=level,
            purpose=wanted.name,
            attributes=attributes,
            verified_at=now / 1e6,
            number=int(asking.number) if asking.number else None,
            expires_at=now / 1e6 + WAIT_SECONDS if asking.number else None,
        )

    def _run(self, verification_id: str, asking: _Asking) -> list[Any]:
        """The script, with all that belongs to it on a single server; what it answers."""
        wanted, payload, asked, shown = asking.wanted, asking.payload, asking.asked, asking.shown
        credential_id, place = payload.credential_id, place_of(payload.credential_id)
        verifier_id, request_id = asked["vr"], asking.request_id
        own, lists = verification_key(verification_id), (RECENT, recent_key(verifier_id))
        request = own
        if request_id:
            together = self._store.together
            request = request_key(credential_id, verifier_id, request_id, together=together)
        kind = "asked" if asking.number else "accepted"
        pen = self._audit.pen()
        entry = pen.entry(credential_id, kind, **audited(verification_id, asked))
        answer: list[Any] = self._store.run(
            "verify",
            (
                record_key(credential_id), portrait_key(credential_id), place.log, place.head, own,
                request, pin_key(credential_id),
                *((RECEIPTS, *lists) if self._store.together else ()),
                *(shown.keys if shown else ()),
            ),
            (
                *pen.chain(place), credential_id, *entry, verification_id,
                _fingerprint(payload, wanted), payload.issued, LIFE_SECONDS * 1_000_000,
                wanted.level, "ask" if asking.number else "accept",
                asking.number, WAIT_SECONDS, KEPT_SECONDS,
                "1" if "portrait" in wanted.attributes else "",
                wanted.name if wanted.pin and not asking.number else "",
                MOST_WAITING, RECENT_KEPT, *(shown.arguments if shown else ("", "", "", "")),
                *(part for pair in asked.items() for part in pair),
            ),
        )  # fmt: skip
        if shown:
            shown.checked(answer)
        if not self._store.together and answer[0] in _DECIDED:
            answer[6] = self._note(answer[0].decode(), verification_id, lists)
        return answer

    def _note(self, state: str, verification_id: str, lists: tuple[str, str]) -> int:
        """In a cluster: the receipt and the lists of scans, which are in other slots; 1 if told."""
        everybodys, own = lists
        told = leave(self._store, state, verification_id, MOST_WAITING, everybodys)
        with contextlib.suppress(UnavailableError):  # used and logged: the scan's answer stands
            self._store.note(own, "v", verification_id, RECENT_KEPT)
        return int(told)

    def _disclosed(
        self,
        credential_id: str,
        wanted: Purpose,
        known: record.Sealed,
        portrait: bytes | None,
        now: int,
    ) -> Mapping[str, object]:
        picture = (
            self._sealer.unseal(record.portrait_name(credential_id), portrait) if portrait else None
        )
        today = datetime.datetime.fromtimestamp(now / 1e6, record.CHINA).date()
        return disclose(wanted, known.disclosable(picture), today)

    def _portrait(self, credential_id: str, wanted: Purpose) -> bytes | None:
        if "portrait" not in wanted.attributes:
            return None
        return self._store.get_bytes(portrait_key(credential_id))

    def _listed(self, stream: str, limit: int) -> list[Scan]:
        """Resolve noted ids; those whose verification was refused or is a day old are gone."""
        noted = self._store.newest(stream, limit * 3)
        found = self._store.fields(*map(verification_key, noted)) if noted else []
        scans = [
            _scan(verification_id, asked)
            for verification_id, asked in zip(noted, found, strict=True)
            if asked
        ]
        return scans[:limit]


def _refusal(code: str) -> Exception:
    return UnavailableError(what="record") if code == "unavailable" else RefusalError(code)


def _fingerprint(payload: Payload, wanted: Purpose) -> str:
    said = f"{payload.credential_id} {payload.issued} {payload.purpose} {wanted.name}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _state_at(verification_id: str, asked: Fields, card: Fields, now: int) -> State:
    """A verification nobody answered in time, or whose card stopped waiting for it, is denied."""
    if not _waits(asked):
        return State(asked["st"].decode())
    waits = card.get("w") == verification_id.encode() and now <= int(asked["ex"])
    active = record.status_at(card, now) is Status.ACTIVE
    return State.AWAITING_HOLDER if waits and active else State.DENIED


def _waits(asked: Fields) -> bool:
    return asked["st"] == State.AWAITING_HOLDER.encode()


def _verification(
    verification_id: str, asked: Fields, state: State, attributes: Mapping[str, object]
) -> Verification:
    waits = state is State.AWAITING_HOLDER
    return Verification(
        verification_id=verification_id,
        state=state,
        level=Level(asked["lv"].decode()),
        purpose=asked["pu"].decode(),
        attributes=attributes,
        verified_at=int(asked["at"]) / 1e6,
        number=int(asked["nu"]) if waits else None,
        expires_at=int(asked["ex"]) / 1e6 if waits else None,
    )


def _scan(verification_id: str, asked: Fields) -> Scan:
    return Scan(
        verification_id=verification_id,
        credential_id=asked["c"].decode(),
        verifier_id=asked["vr"].decode(),
        verifier=asked["vn"].decode(),
        desk=asked["dk"].decode(),
        purpose=asked["pu"].decode(),
        state=State(asked["st"].decode()),
        level=Level(asked["lv"].decode()),
        number=int(asked["nu"]) if asked["nu"] else None,
        at=int(asked["at"]) / 1e6,
    )
