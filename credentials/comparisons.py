"""Comparing a guest's face with the portrait, by a desk's camera: asked, agreed to, then once.

Whoever looks at a guest and at the portrait has decided, and needs no camera. Where staff would
rather have help, they ask; the guest reads who asks on the card page, and agrees or does not, and
either is as good: who declines is looked at by a person, and is not asked again. Only after they
agreed is a picture compared, at most three of them, within two minutes. The picture is in memory
for that moment and nowhere else; neither it nor a figure of it is kept. What comes out of it
helps staff, who decide: it changes nothing by itself.

The steps, each one script (scripts/compare.lua), each but `take` and `end` in the card's audit:

 1. ask      by staff, of a verification of theirs that was accepted in the last ten minutes and
             told the portrait; once.                      unknown_verification, already_answered
 2. agree    by the holder, within a minute; or decline, also after agreeing.          too_late
 3. take     before a picture is looked at: it is agreed to, and none too many.
                                                           not_agreed, too_many_requests
 4. finish   what came of it: like, unlike, or unclear (another picture may be taken).
 5. decide   by staff, with a camera or without: the same person, or not. At any time; what still
             waits for the guest is over then, as it is when staff go on to the next guest (end).

| key | holds |
|---|---|
| `{b0042}:f:<verification id>` | hash: st asked, agreed, declined, compared; ex until (µs); \
  t pictures taken; o outcome; ten minutes |
| field `f` of the record | the verification whose comparison the holder's page shows |
"""

from __future__ import annotations

import dataclasses
import enum

from credentials.approvals import audited
from credentials.audit import Audit, signature
from credentials.errors import NoCardError, RefusalError
from credentials.model import Actor, Holder, Verifier
from credentials.sealing import Sealer
from credentials.store import (
    Fields,
    Store,
    card_key,
    is_verification_id,
    place_of,
    record_key,
    verification_key,
)

ASKED_S = 60
AGREED_S = 120
AGE_S = 600
PICTURES = 3


class Outcome(enum.StrEnum):
    """What comparing two faces says: never who decides."""

    LIKE = "like"
    UNLIKE = "unlike"
    UNCLEAR = "unclear"


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """How a comparison stands.

    `state` is asked, agreed, declined, compared, over (nobody answered, or no picture was taken in
    time) or "" before it is asked for; `left_s` how long asked or agreed lasts; `outcome` the last.
    """

    state: str
    left_s: float = 0.0
    outcome: str = ""
    pictures_left: int = PICTURES


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What the holder's page shows: who would like to compare, and whether that was agreed to."""

    verification_id: str
    verifier: str
    desk: str
    agreed: bool
    left_s: float


class Comparisons:
    """All comparisons. Every method raises UnavailableError when it cannot know."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        self._store = store
        self._audit = Audit(store, sealer.keyring)

    def ask(self, verifier: Verifier, verification_id: str, staff: str) -> None:
        """Ask the guest; raises RefusalError as the list at the head of this file says."""
        asked = self._own(verifier, verification_id)
        if "portrait" not in asked["fi"].decode().split(","):
            raise RefusalError("unknown_verification")
        self._step("ask", verification_id, asked, by=Actor("staff", staff), kind="face_asked")

    def answer(self, holder: Holder, verification_id: str, *, agrees: bool) -> None:
        """The guest agrees, or does not; also takes back what was agreed to.

        Raises:
            NoCardError: when the account holds no card.
            RefusalError: unknown_verification for one that is not this card's; too_late;
                already_answered.
        """
        credential_id = self._store.get(card_key(holder))
        if credential_id is None:
            raise NoCardError
        asked = self._fields(verification_id)
        if asked.get("c") != credential_id.encode():
            raise RefusalError("unknown_verification")
        step, kind = ("agree", "face_agreed") if agrees else ("decline", "face_declined")
        self._step(step, verification_id, asked, by=Actor("holder"), kind=kind)

    def take(self, verifier: Verifier, verification_id: str) -> None:
        """Count a picture that is about to be compared; without consent it must not be."""
        asked = self._own(verifier, verification_id)
        self._step("take", verification_id, asked, by=Actor("verifier"))

    def finish(
        self, verifier: Verifier, verification_id: str, staff: str, outcome: Outcome
    ) -> None:
        """Write down what came of a picture; staff are told only after that."""
        asked = self._own(verifier, verification_id)
        actor, kind = Actor("staff", staff), "face_compared"
        self._step("finish", verification_id, asked, by=actor, kind=kind, outcome=outcome)

    def decide(self, verifier: Verifier, verification_id: str, staff: str, *, same: bool) -> None:
        """Write down what staff decided by looking, whether or not a camera helped."""
        asked = self._own(verifier, verification_id)
        kind = "guest_same" if same else "guest_other"
        self._step("decide", verification_id, asked, by=Actor("staff", staff), kind=kind)

    def end(self, verifier: Verifier, verification_id: str) -> None:
        """Ask no longer, as when staff go on to the next guest."""
        asked = self._own(verifier, verification_id)
        self._step("end", verification_id, asked, by=Actor("verifier"))

    def look(self, verifier: Verifier, verification_id: str) -> Comparison:
        """How it stands."""
        asked = self._own(verifier, verification_id)
        return self._comparison(asked["c"].decode(), verification_id)

    def question(self, credential_id: str) -> Question | None:
        """What the holder's page has to show; None while nobody asks."""
        fields = self._store.fields(record_key(credential_id))[0]
        verification_id = fields.get("f", b"").decode()
        if not is_verification_id(verification_id) or fields.get("s") != b"active":
            return None
        comparison = self._comparison(credential_id, verification_id)
        if comparison.state not in {"asked", "agreed"}:
            return None
        asked = self._fields(verification_id)
        return Question(
            verification_id=verification_id,
            verifier=asked["vn"].decode(),
            desk=asked["dk"].decode(),
            agreed=comparison.state == "agreed",
            left_s=comparison.left_s,
        )

    def _comparison(self, credential_id: str, verification_id: str) -> Comparison:
        key = _key(verification_id)
        fields = self._store.fields(key)[0]
        if not fields:
            return Comparison("")
        state = fields["st"].decode()
        left = (int(fields["ex"]) - self._store.now(record_key(credential_id))) / 1e6
        if state in {"asked", "agreed"} and left <= 0:
            state = "over"
        return Comparison(
            state=state,
            left_s=max(0.0, left),
            outcome=fields.get("o", b"").decode(),
            pictures_left=PICTURES - int(fields.get("t", b"0")),
        )

    def _fields(self, verification_id: str) -> Fields:
        if not is_verification_id(verification_id):
            raise RefusalError("unknown_verification")
        return self._store.fields(verification_key(verification_id))[0]

    def _own(self, verifier: Verifier, verification_id: str) -> Fields:
        asked = self._fields(verification_id)
        if asked.get("vr") != verifier.verifier_id.encode():
            raise RefusalError("unknown_verification")
        return asked

    def _step(
        self,
        step: str,
        verification_id: str,
        asked: Fields,
        *,
        by: Actor,
        kind: str = "",
        outcome: str = "",
    ) -> None:
        credential_id = asked["c"].decode()
        place, pen = place_of(credential_id), self._audit.pen()
        entry: tuple[str | bytes, str | bytes] = ("", "")
        if kind:
            about = {
                **audited(verification_id, {name: value.decode() for name, value in asked.items()}),
                "f": "",
                "o": outcome,
            }
            entry = pen.entry(credential_id, kind, by=signature(by), **about)
        done, code = self._store.run(
            "compare",
            (
                record_key(credential_id),
                verification_key(verification_id),
                place.log,
                place.head,
                _key(verification_id),
            ),
            (
                *pen.chain(place),
                credential_id,
                *entry,
                verification_id,
                step,
                ASKED_S if step == "ask" else AGREED_S,
                AGE_S * 1_000_000,
                PICTURES,
                outcome,
            ),
        )
        if done != b"ok":
            raise RefusalError(code.decode())


def _key(verification_id: str) -> str:
    return f"{place_of(verification_id).tag}:f:{verification_id}"
