"""Approvals: a disclosure waits for the holder, who approves or denies it within a minute.

The holder is shown who asks, where, what for and which fields, with a two-digit number that
must equal the desk's: a code relayed to another desk shows the wrong name there. A denial may
freeze the card in the same step. Where the purpose needs the PIN, an approval is worth nothing
without it: the script looks whether it was entered for this very verification. Only one
verification of a card waits at a time; a newer scan, a change of the card's status or the end
of the minute refuses it. An answer leaves a receipt, as a scan does: from there the verifier's
software is told of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import structlog

from credentials import record
from credentials.audit import Audit
from credentials.errors import CredentialError, NoCardError, RefusalError
from credentials.model import Approval, Holder, State, Status
from credentials.pins import PinError, Pins
from credentials.receipts import ANSWERED, MOST_WAITING, leave
from credentials.store import (
    RECEIPTS,
    Store,
    card_key,
    is_verification_id,
    pin_key,
    place_of,
    record_key,
    verification_key,
)

WAIT_SECONDS = 60
_log = structlog.get_logger(__name__)


def two_digits() -> str:
    """A number from 10 to 99 for both to compare."""
    return str(10 + secrets.randbelow(90))


def approval_of(verification_id: str, asked: Mapping[str, bytes], now: int) -> Approval | None:
    """What a waiting verification asks of the holder; None once it does not wait any more."""
    if asked.get("st") != State.AWAITING_HOLDER.encode() or now > int(asked["ex"]):
        return None
    return Approval(
        verification_id=verification_id,
        verifier=asked["vn"].decode(),
        desk=asked["dk"].decode(),
        purpose=asked["pu"].decode(),
        fields=tuple(asked["fi"].decode().split(",")),
        number=int(asked["nu"]),
        expires_at=int(asked["ex"]) / 1e6,
    )


class Approvals:
    """Takes the holders' answers."""

    def __init__(self, store: Store, audit: Audit, pins: Pins) -> None:
        self._store = store
        self._audit = audit
        self._pins = pins

    def approve(self, holder: Holder, verification_id: str, pin: str = "") -> None:
        """Let the waiting verification be answered.

        Args:
            holder: who agrees.
            verification_id: to what.
            pin: where the purpose needs it; elsewhere it is not looked at.

        Raises:
            NoCardError: when the account holds no card.
            PinError: pin_required, pin_unset, wrong_pin, pin_locked.
            RefusalError: unknown_verification for one that is not this card's,
                already_answered, too_late, level_insufficient, or the card's status when it is
                not active.
        """
        self._answer(holder, verification_id, State.ACCEPTED, pin=pin)

    def deny(self, holder: Holder, verification_id: str, *, freeze: bool = False) -> None:
        """Refuse it, and freeze the card with the same step if asked to; raises as `approve`."""
        self._answer(holder, verification_id, State.DENIED, freeze=freeze)

    def _answer(
        self,
        holder: Holder,
        verification_id: str,
        answer: State,
        *,
        pin: str = "",
        freeze: bool = False,
    ) -> None:
        if not is_verification_id(verification_id):
            raise RefusalError("unknown_verification")
        asked = self._store.fields(verification_key(verification_id))[0]
        needs_pin = answer is State.ACCEPTED and asked.get("pn") == b"1"
        if not asked or not (needs_pin or self._store.together):  # else a script looks
            self._check_holds(holder, asked)
        credential_id = asked["c"].decode()
        if needs_pin:
            self._check_waits(holder, verification_id, asked)
            self._pins.enter(credential_id, pin, verification_id)
        place, pen = place_of(credential_id), self._audit.pen()
        entry = pen.entry(
            credential_id,
            answer,
            by="holder",
            pin="1" if needs_pin else "",
            **audited(verification_id, {name: value.decode() for name, value in asked.items()}),
        )
        freezing = (
            pen.entry(credential_id, "frozen", by="holder", i=verification_id)
            if freeze
            else ("", "")
        )
        outcome, detail, *told = self._store.run(
            "answer",
            (
                record_key(credential_id),
                verification_key(verification_id),
                place.log,
                place.head,
                pin_key(credential_id),
                *((card_key(holder), RECEIPTS) if self._store.together else ()),
            ),
            (
                *pen.chain(place),
                credential_id,
                *entry,
                verification_id,
                answer,
                *freezing,
                MOST_WAITING,
            ),
        )
        if outcome != b"ok":
            raise _refusal(detail.decode())
        if not self._store.together:
            told = [leave(self._store, ANSWERED, verification_id, MOST_WAITING)]
        if not told[0]:
            _log.warning("answer not passed on", verification=verification_id)
        if freeze:
            self._store.confirm(credential_id, detail.decode(), "holder")

    def _check_holds(self, holder: Holder, asked: Mapping[str, bytes]) -> None:
        """Whether the verification is of the card that the account holds."""
        credential_id = self._store.get(card_key(holder))
        if credential_id is None:
            raise NoCardError
        if asked.get("c") != credential_id.encode():
            raise RefusalError("unknown_verification")

    def _check_waits(
        self, holder: Holder, verification_id: str, asked: Mapping[str, bytes]
    ) -> None:
        """Whether it waits for this holder: a request that is over costs no try of the PIN."""
        found = self._store.glance_held(holder, asked["c"].decode())
        if found is None:
            self._check_holds(holder, asked)
            raise RefusalError("unknown_verification")  # held it a moment ago
        status = record.status_at(found.record, found.now)
        if status is not Status.ACTIVE:
            raise RefusalError(status.value if status else "unknown_verification")
        waits = found.record.get("w") == verification_id.encode()
        if asked["st"] != State.AWAITING_HOLDER.encode() or not waits:
            raise RefusalError("already_answered")
        if found.now > int(asked["ex"]):
            raise RefusalError("too_late")


def _refusal(code: str) -> CredentialError:
    if code == "no_card":
        return NoCardError()
    return PinError(code) if code == "pin_required" else RefusalError(code)


def audited(verification_id: str, asked: Mapping[str, str]) -> dict[str, str]:
    """What the audit says of a verification: who, where, what for and which fields."""
    return {
        "i": verification_id,
        "v": asked["vr"],
        "n": asked["vn"],
        "d": asked["dk"],
        "p": asked["pu"],
        "f": asked["fi"],
    }
