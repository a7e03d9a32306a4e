"""Approvals: a disclosure waits for the holder, who approves or denies it within a minute.

The holder is shown who asks, where, what for and which fields, with a two-digit number that
must equal the desk's: a code relayed to another desk shows the wrong name there. A denial may
freeze the card in the same step. Only one verification of a card waits at a time; a newer scan,
a change of the card's status or the end of the minute refuses it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from credentials.audit import Audit
from credentials.errors import NoCardError, RefusalError
from credentials.model import Approval, Holder, State
from credentials.store import (
    Store,
    card_key,
    is_verification_id,
    place_of,
    record_key,
    verification_key,
)

WAIT_SECONDS = 60


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

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def approve(self, holder: Holder, verification_id: str) -> None:
        """Let the waiting verification be answered.

        Raises:
            NoCardError: when the account holds no card.
            RefusalError: unknown_verification for one that is not this card's,
                already_answered, too_late, or the card's status when it is not active.
        """
        self._answer(holder, verification_id, State.ACCEPTED, freeze=False)

    def deny(self, holder: Holder, verification_id: str, *, freeze: bool = False) -> None:
        """Refuse it, and freeze the card with the same step if asked to; raises as `approve`."""
        self._answer(holder, verification_id, State.DENIED, freeze=freeze)

    def _answer(self, holder: Holder, verification_id: str, answer: State, *, freeze: bool) -> None:
        if not is_verification_id(verification_id):
            raise RefusalError("unknown_verification")
        credential_id = self._store.get(card_key(holder))
        if credential_id is None:
            raise NoCardError
        asked = self._store.fields(verification_key(verification_id))[0]
        if asked.get("c") != credential_id.encode():
            raise RefusalError("unknown_verification")
        place = place_of(credential_id)
        entry = self._audit.entry(
            credential_id, answer, by="holder", **audited(verification_id, asked)
        )
        freezing = (
            self._audit.entry(credential_id, "frozen", by="holder", i=verification_id)
            if freeze
            else ("", "")
        )
        outcome, detail = self._store.run(
            "answer",
            (record_key(credential_id), verification_key(verification_id), place.log, place.head),
            (
                *self._audit.chain(place),
                credential_id,
                *entry,
                verification_id,
                answer,
                *freezing,
            ),
        )
        if outcome != b"ok":
            raise RefusalError(detail.decode())


def audited(verification_id: str, asked: Mapping[str, bytes]) -> dict[str, str]:
    """What the audit says of a verification: who, where, what for and which fields."""
    return {
        "i": verification_id,
        "v": asked["vr"].decode(),
        "n": asked["vn"].decode(),
        "d": asked["dk"].decode(),
        "p": asked["pu"].decode(),
        "f": asked["fi"].decode(),
    }
