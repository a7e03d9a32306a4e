"""Cards: what a holder has, shows, sees used, and can stop; what an operator can do for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import cast

from credentials import lifecycle, record
from credentials.approvals import approval_of
from credentials.audit import Audit, signature, use_of
from credentials.codes import ANY_PURPOSE, LIFE_SECONDS, Codes, Payload
from credentials.connection import guard
from credentials.errors import LifecycleError, NoCardError, RefusalError, UnavailableError
from credentials.issuing import Issuing
from credentials.model import (
    Actor,
    Approval,
    Card,
    Consent,
    Holder,
    Level,
    Person,
    RotatingCode,
    Status,
    Use,
)
from credentials.pins import Pins
from credentials.purposes import PURPOSES
from credentials.sealing import BlindIndex, Sealer
from credentials.store import (
    Glance,
    Store,
    card_key,
    due_key,
    is_credential_id,
    person_key,
    pin_key,
    place_of,
    portrait_key,
    record_key,
    upgrade_key,
    verification_key,
)

ERASED = "erased"  # how the audit and the log call it
NOBODY = Holder("", "")  # whose a card is whose data was erased
_REMEMBERED_ACCOUNTS = 10_000


@dataclasses.dataclass(frozen=True, slots=True)
class CardState:
    """Everything that a card page shows, at one moment.

    `pending` is the disclosure that waits for the holder, `last` the newest line of the
    history, `change` the counter that `Cards.change` gives, `now` the moment by Redis's clock
    (seconds since 1970), which `pending.expires_at` is measured against.
    """

    card: Card
    pending: Approval | None
    last: Use | None
    change: int
    now: float


class Cards:
    """The cards of an issuer. Every method raises UnavailableError when it cannot know."""

    def __init__(self, store: Store, sealer: Sealer, index: BlindIndex, codes: Codes) -> None:
        self._store = store
        self._sealer = sealer
        self._index = index
        self._codes = codes
        self._audit = Audit(store, sealer.keyring)
        self._issuing = Issuing(store, self._audit, sealer, index)
        self._pins = Pins(store, sealer)
        self._accounts: dict[str, str] = {}

    def issue(
        self,
        holder: Holder,
        person: Person,
        consents: Sequence[Consent],
        *,
        evidence: Mapping[str, str],
    ) -> Card:
        """A light card for a person who was proofed.

        Args:
            holder: the account that it is for.
            person: what the authority said; the portrait is kept small, the rest as it is.
            consents: what the person agreed to.
            evidence: how they were proofed, for the audit; no value of their data.

        Raises:
            CredentialError: has_card when the account holds a card that is not over.
            IdNumberTakenError: when the ID number has a card that is not over.
        """
        credential_id = self._issuing.issue(holder, person, consents, evidence)
        card = self.get(credential_id)
        if card is None:
            raise UnavailableError(what="issuing", why="lost")
        return card

    def of(self, holder: Holder) -> Card | None:
        """The card that an account holds, whatever its status; None before the first."""
        credential_id = self._store.get(card_key(holder))
        card = self.get(credential_id) if credential_id else None
        if card is None or card.status is Status.PENDING:
            return None
        return card if card.holder in {holder, NOBODY} else None

    def get(self, credential_id: str) -> Card | None:
        """The card of a credential, also one that is over or whose data was erased."""
        if not is_credential_id(credential_id):
            return None
        glance = self._store.glance(credential_id)
        return record.card(self._sealer, credential_id, glance.record, glance.now)

    def find(self, id_number: str) -> Card | None:
        """The card of an ID number of 18 characters."""
        blind = self._index.of("id_number", id_number.upper())
        credential_id = self._store.get(person_key(blind))
        return self.get(credential_id) if credential_id else None

    def of_person(self, person: str) -> tuple[str, bytes | None]:
        """The credential of a person by the ID number's blind index, and the portrait; or "".

        For reviewers, who see a face beside the one that is near it.
        """
        credential_id = self._store.get(person_key(person)) or ""
        if not is_credential_id(credential_id):
            return "", None
        with guard():
            sealed = cast("bytes | None", self._store.redis.get(portrait_key(credential_id)))
        if sealed is None:
            return credential_id, None
        return credential_id, self._sealer.unseal(record.portrait_name(credential_id), sealed)

    def mint(self, holder: Holder, purpose: str | None = None, pin: str = "") -> RotatingCode:
        """A fresh code: for one purpose, which answers a scan at once, or for any.

        Args:
            holder: whose.
            purpose: what for; the code is then good for nothing else.
            pin: where the purpose needs it and it was not entered for it in the last two
                minutes; one entering is good for one scan.

        Raises:
            NoCardError: when the account holds no card.
            PinError: pin_required, pin_unset, wrong_pin, pin_locked.
            RefusalError: frozen, revoked or expired; malformed for an unknown purpose;
                level_insufficient where the purpose needs a PIN and the card is light.
        """
        if purpose is not None and purpose not in PURPOSES:
            raise RefusalError("malformed", purpose=purpose)
        credential_id, glance = self._glance_of(holder)
        status = record.status_at(glance.record, glance.now)
        if status is None or status is Status.PENDING:
            raise NoCardError
        if status is not Status.ACTIVE:
            raise RefusalError(status.value)
        if purpose is not None and PURPOSES[purpose].pin:
            self._check_pin(credential_id, glance, purpose, pin)
        issued = max(glance.now, int(glance.record.get("a", b"0")) + 1)
        if issued > glance.now + LIFE_SECONDS * 1_000_000:
            raise UnavailableError(what="redis", why="clock")  # it went back since the last scan
        index = PURPOSES[purpose].index if purpose else ANY_PURPOSE
        return self._codes.rotating(Payload(credential_id, issued, index), purpose)

    def freeze(self, credential_id: str, actor: Actor, reason: str = "") -> Card:
        """Stop a card until it is unfrozen; a disclosure that waits is refused.

        Who froze it is kept. A freeze at the authority's word takes the place of the holder's, an
        operator's that of both.

        Raises:
            LifecycleError: when no arrow leads there; `details["status"]` is where it stands.
            NoCardError: when there is no such credential.
        """
        return self._change(credential_id, Status.FROZEN, "frozen", actor, reason)

    def stop(self, credential_id: str, actor: Actor, reason: str = "") -> None:
        """Freeze a card; one that is frozen is so, and what confirms it is asked again.

        Raises:
            LifecycleError: when it has ended; `details["status"]` says how.
            NoCardError: when there is no such credential.
        """
        try:
            self.freeze(credential_id, actor, reason)
        except LifecycleError as error:
            if error.details["status"] != Status.FROZEN:
                raise

    def unfreeze(self, credential_id: str, actor: Actor, reason: str = "") -> Card:
        """Let a frozen card be used again; raises as `freeze`.

        Holders undo their own freeze only, operators any: else whoever has the account in hand
        would undo what was done to stop them. LifecycleError frozen_by_issuer says so.
        """
        return self._change(
            credential_id, Status.ACTIVE, "unfrozen", actor, reason, sources=(Status.FROZEN,)
        )

    def revoke(self, credential_id: str, actor: Actor, reason: str = "") -> Card:
        """End a card for good; raises as `freeze`."""
        return self._change(credential_id, Status.REVOKED, "revoked", actor, reason)

    def expire(self, credential_id: str, actor: Actor, reason: str = "") -> Card:
        """Write down that a card's time has passed; raises as `freeze`."""
        return self._change(credential_id, Status.EXPIRED, "expired", actor, reason)

    def erase(self, holder: Holder, actor: Actor, reason: str = "") -> None:
        """Withdraw a card and erase the holder's data at once.

        What stays is the record's status and the log, which hold no value of the data. The ID
        number and the account are free for a new card. Repeating a call that failed is safe.

        Raises:
            NoCardError: when the account holds no card.
        """
        credential_id = self._held(holder)
        glance = self._store.glance(credential_id)
        known = self._known(credential_id, glance)
        if known is not None and known.holder != holder:
            raise NoCardError
        self._erase(credential_id, glance, known, actor, reason)
        self._store.run("settle", (card_key(holder),), (credential_id, "drop"))

    def erase_again(self, credential_id: str, actor: Actor, reason: str = "") -> Holder:
        """Erase what a backup brought back of a card that was erased since; whose it was.

        Raises:
            NoCardError: when nothing of it is there.
        """
        glance = self._store.glance(credential_id)
        known = self._known(credential_id, glance)
        if known is None:
            raise NoCardError
        self._erase(credential_id, glance, known, actor, reason)
        return known.holder

    def history(self, credential_id: str, limit: int = 10) -> list[Use]:
        """What happened to a card, newest first: kinds of uses and changes, names of fields.

        Kinds: issued, activated, accepted, asked, denied, frozen, unfrozen, revoked, expired,
        erased, abandoned.
        """
        if not is_credential_id(credential_id):
            return []
        return [use_of(entry) for entry in self._store.glance(credential_id, limit).entries]

    def state(self, holder: Holder) -> CardState:
        """What the card page shows.

        Raises:
            NoCardError: when the account holds no card.
        """
        credential_id, glance = self._glance_of(holder, 1)
        card = record.card(self._sealer, credential_id, glance.record, glance.now)
        if card is None or card.status is Status.PENDING:
            raise NoCardError
        return CardState(
            card=card,
            pending=self._pending(card, glance),
            last=use_of(glance.entries[0]) if glance.entries else None,
            change=card.change,
            now=glance.now / 1e6,
        )

    def change(self, holder: Holder) -> int:
        """The change counter of an account's card; 0 without a card."""
        try:
            glance = self._glance_of(holder)[1]
        except NoCardError:
            return 0
        return int(glance.record.get("n", b"0"))

    def _known(self, credential_id: str, glance: Glance) -> record.Sealed | None:
        sealed = glance.record.get("e")
        return None if sealed is None else record.unseal(self._sealer, credential_id, sealed)

    def _erase(
        self,
        credential_id: str,
        glance: Glance,
        known: record.Sealed | None,
        actor: Actor,
        reason: str,
    ) -> None:
        if known is not None:
            # First: a call that is repeated after the next step knows no more whose face it was.
            self._issuing.forget_face(known)
            answer = self._move(credential_id, ERASED, actor, reason, to=Status.REVOKED, erase=True)
            if answer[0] != b"ok":  # over already: it stays what it is
                over = tuple(status for status in Status if lifecycle.is_over(status))
                self._move(credential_id, ERASED, actor, reason, sources=over, erase=True)
        if glance.record:  # a call that is repeated promises no more than the first one could
            status = self._store.glance(credential_id).record["s"].decode()
            self._store.confirm(credential_id, status, actor.kind, ERASED)
        if known is not None:
            self._issuing.give_up(credential_id, known)
        self._store.drop(pin_key(credential_id), upgrade_key(credential_id))

    def _held(self, holder: Holder) -> str:
        credential_id = self._store.get(card_key(holder))
        if credential_id is None or not is_credential_id(credential_id):
            raise NoCardError
        return credential_id

    def _glance_of(self, holder: Holder, entries: int = 0) -> tuple[str, Glance]:
        """An account's credential, and its glance.

        Which credential that is was remembered from the last time, so that one round trip gives
        both: a card page asks every second. What is remembered is never relied on: the same round
        trip says whether it still is this one (`Store.glance_held`), and if not, it is asked for.
        """
        credential_id = self._accounts.get(holder.tag, "")
        glance = self._store.glance_held(holder, credential_id, entries) if credential_id else None
        if glance is None:
            credential_id = self._held(holder)
            if len(self._accounts) >= _REMEMBERED_ACCOUNTS:
                self._accounts.clear()
            self._accounts[holder.tag] = credential_id
            glance = self._store.glance(credential_id, entries)
        if not record.belongs_to(self._sealer, credential_id, glance.record, holder):
            raise NoCardError
        return credential_id, glance

    def _check_pin(self, credential_id: str, glance: Glance, purpose: str, pin: str) -> None:
        if glance.record.get("l") != Level.UPGRADED.encode():
            raise RefusalError("level_insufficient")
        if pin or not self._pins.entered(credential_id, purpose):
            self._pins.enter(credential_id, pin, purpose)

    def _pending(self, card: Card, glance: Glance) -> Approval | None:
        waiting = glance.record.get("w")
        if waiting is None or card.status is not Status.ACTIVE:
            return None
        verification_id = waiting.decode()
        asked = self._store.fields(verification_key(verification_id))[0]
        return approval_of(verification_id, asked, glance.now)

    def _change(
        self,
        credential_id: str,
        there: Status,
        kind: str,
        actor: Actor,
        reason: str,
        *,
        sources: tuple[Status, ...] = (),
    ) -> Card:
        if not is_credential_id(credential_id):
            raise NoCardError
        answer = self._move(credential_id, kind, actor, reason, to=there, sources=sources)
        if there is not Status.ACTIVE and answer[1] == there.encode():
            self._store.confirm(credential_id, there, actor.kind)
        if answer[0] != b"ok":
            if not answer[1]:
                raise NoCardError
            if len(answer) > 2:  # by whom it is frozen: not for this actor to undo
                raise LifecycleError("frozen_by_issuer", status=answer[1].decode())
            raise LifecycleError(status=answer[1].decode())
        card = self.get(credential_id)
        if card is None:
            raise UnavailableError(what="redis", why="lost")
        return card

    def _move(
        self,
        credential_id: str,
        kind: str,
        actor: Actor,
        reason: str,
        *,
        to: Status | None = None,
        sources: tuple[Status, ...] = (),
        erase: bool = False,
    ) -> list[bytes]:
        place, pen = place_of(credential_id), self._audit.pen()
        entry = pen.entry(credential_id, kind, by=signature(actor), reason=reason)
        allowed = sources or (lifecycle.sources(to) if to else ())
        answer: list[bytes] = self._store.run(
            "transition",
            (
                record_key(credential_id),
                portrait_key(credential_id),
                place.log,
                place.head,
                due_key(credential_id),
            ),
            (
                *pen.chain(place),
                credential_id,
                *entry,
                to or "",
                ",".join(allowed),
                "erase" if erase else "",
                actor.kind,
            ),
        )
        return answer
