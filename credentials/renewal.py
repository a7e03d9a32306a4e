"""What changes about a card that stays the same: its account, or what the authority says.

- **Another account** (a new phone, a new WeChat account): after a fresh face against the
  registry's portrait the credential moves. The old account has no card from then on, every code
  it showed is used up, and it is told. The level falls back to light, PIN and all, until the
  chip is read again: an account is all that a thief of faces would need.
- **Another name, another physical card**: what the authority says at a re-check is taken over.
  A new name or a new end means a new physical card, so the level falls back as well. The
  authority compares names and tells none: a holder whose name it no longer confirms has the card
  frozen and is asked for the new one. Once it confirms a name, the holder may unfreeze.
- **Death or cancellation** by the authority's word revokes.

The sealed data is replaced only if it is still what the new one was made from (scripts/rebind.lua),
with the log's entry in the same step; an entry names fields, never their values.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from credentials import names, pictures, record
from credentials.audit import Audit, Pen, signature
from credentials.authority import (
    Authority,
    NameMismatchError,
    NotRegisteredError,
    PersonEndedError,
)
from credentials.cards import Cards
from credentials.connection import guard
from credentials.errors import (
    CredentialError,
    LifecycleError,
    NoCardError,
    UnavailableError,
    UnusableError,
)
from credentials.issuing import RESERVED_SECONDS
from credentials.model import Actor, Card, Consent, Holder, Person, Status
from credentials.sealing import SealBrokenError, Sealer
from credentials.store import (
    Store,
    card_key,
    due_key,
    pin_key,
    place_of,
    portrait_key,
    record_key,
    upgrade_key,
)

Tell = Callable[[Holder, str, Mapping[str, object], str], None]
"""Called with an account, a text's key, its values, and a name that makes a repetition harmless."""

SYSTEM = Actor("system")
LIVING = frozenset({Status.ACTIVE, Status.FROZEN})
TRIES = 3
NEW_CARD_FIELDS = frozenset({"name", "valid_until"})
PAGE = 200


def tell_no_account(_holder: Holder, _key: str, _values: Mapping[str, object], _once: str) -> None:
    """What is done with news for accounts until somebody carries them."""


class Finding(enum.StrEnum):
    """What a re-check with the authority found."""

    SAME = "same"
    CHANGED = "changed"
    RENAMED = "renamed"
    ENDED = "ended"
    OVER = "over"


@dataclasses.dataclass(frozen=True, slots=True)
class Recheck:
    """What a re-check found, and the names of the fields that changed."""

    finding: Finding
    fields: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Synced:
    """How far `sync` has come: cards done, cards in all, and how often each was found.

    `unreadable` are the credentials that do not open, `unusable` those of whose person the
    authority's answer cannot be used; each are counted under that word, too.
    """

    done: int
    total: int
    findings: Mapping[str, int]
    unreadable: tuple[str, ...] = ()
    unusable: tuple[str, ...] = ()


class Renewals:
    """Moves and re-checks cards. Every method raises UnavailableError when it cannot know."""

    def __init__(
        self, store: Store, sealer: Sealer, cards: Cards, authority: Authority, tell: Tell
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._cards = cards
        self._authority = authority
        self._tell = tell
        self._audit = Audit(store, sealer.keyring)

    def move(
        self,
        holder: Holder,
        person: Person,
        consents: Sequence[Consent],
        *,
        evidence: Mapping[str, str],
    ) -> Card:
        """Bind a person's card to another account; repeating a call that failed is safe.

        Args:
            holder: the account it moves to.
            person: what the authority just said, whose face was just seen.
            consents: what was agreed to in the new account.
            evidence: how the face was seen, for the audit.

        Raises:
            CredentialError: has_card when that account holds another card.
            NoCardError: when the ID number has no card that could move, or it went on to yet
                another account meanwhile.
        """
        card = self._cards.find(person.id_number)
        if card is None or card.status not in LIVING:
            raise NoCardError
        credential_id, account = card.credential_id, card_key(holder)
        owner = self._store.run("claim", (account,), (credential_id, "", RESERVED_SECONDS))[0]
        if owner != credential_id.encode():
            held = self._cards.get(owner.decode())
            if held is not None and held.status in {Status.ACTIVE, Status.FROZEN, Status.PENDING}:
                raise CredentialError("has_card")
            self._store.run("claim", (account,), (credential_id, owner.decode(), RESERVED_SECONDS))
        if card.holder != holder:
            told = ",".join(f"{name}={value}" for name, value in sorted(evidence.items()))
            self._replace(credential_id, holder, person, consents, told)
        kept = self._store.run("settle", (account,), (credential_id, "keep"))
        moved = self._cards.get(credential_id)
        if moved is not None and moved.holder != holder:
            raise NoCardError
        if moved is None or not kept:
            raise UnavailableError(what="redis", why="lost")
        return moved

    def recheck(self, credential_id: str, *, name: str | None = None) -> Recheck:
        """Ask the authority again about a card's person, and take over what it says.

        Args:
            credential_id: whose.
            name: the new name, where the authority no longer confirms the old one.
        """
        glance = self._store.glance(credential_id)
        status = record.status_at(glance.record, glance.now)
        if status not in LIVING or "e" not in glance.record:
            return Recheck(Finding.OVER)
        known = record.unseal(self._sealer, credential_id, glance.record["e"])
        try:
            person = self._authority.check(name or known.name, known.id_number)
        except NameMismatchError:
            # What was frozen for this already, or by an operator, stays so, and is no news.
            news = status is Status.ACTIVE or glance.record.get("b") == b"holder"
            if news and name is None:
                self._renamed(credential_id, known.holder)
            return Recheck(Finding.RENAMED)
        except (PersonEndedError, NotRegisteredError) as error:
            return self._ended(credential_id, known.holder, error)
        return self._refresh(credential_id, person)

    def sync(
        self, *, rate: float = 20.0, pause: Callable[[float], None] = time.sleep
    ) -> Iterator[Synced]:
        """Re-check every card with the authority, at most `rate` a second; yields after each.

        The first is `Synced(0, total, {})`. An authority that does not answer ends it with
        UnavailableError; beginning again is harmless. A card that does not open holds up no other,
        nor does one of whose person the answer cannot be used.
        """
        ids = list(self._living())
        findings: dict[str, int] = {}
        unreadable: tuple[str, ...] = ()
        unusable: tuple[str, ...] = ()
        yield Synced(0, len(ids), findings)
        began = time.monotonic()
        for done, credential_id in enumerate(ids, start=1):
            ahead = began + (done - 1) / rate - time.monotonic()
            if ahead > 0:
                pause(ahead)
            try:
                found: str = self.recheck(credential_id).finding
            except SealBrokenError:
                found = "unreadable"
                unreadable += (credential_id,)
            except UnusableError:
                found = "unusable"
                unusable += (credential_id,)
            findings[found] = findings.get(found, 0) + 1
            yield Synced(done, len(ids), findings, unreadable, unusable)

    def _living(self) -> Iterator[str]:
        with guard():
            keys = [key.decode() for key in self._store.redis.scan_iter("{b*}:c:*", count=PAGE)]
            for start in range(0, len(keys), PAGE):
                pipe = self._store.redis.pipeline(transaction=False)
                for key in keys[start : start + PAGE]:
                    pipe.hget(key, "s")
                for key, status in zip(keys[start : start + PAGE], pipe.execute(), strict=True):
                    if status in {b"active", b"frozen"}:
                        yield key.rpartition(":")[2]

    # Both tell before they act: a run that is cut short in between is run again and tells once
    # more, under the same name; the other way round it would find nothing left to tell.

    def _renamed(self, credential_id: str, holder: Holder) -> None:
        self._tell(holder, "life.renamed", {}, f"renamed:{credential_id}")
        with contextlib.suppress(LifecycleError):  # it is over, or frozen, meanwhile
            self._cards.freeze(credential_id, SYSTEM, "name_changed")

    def _ended(self, credential_id: str, holder: Holder, error: CredentialError) -> Recheck:
        self._tell(holder, "life.ended", {}, f"ended:{credential_id}")
        with contextlib.suppress(LifecycleError):  # it is over meanwhile
            self._cards.revoke(credential_id, SYSTEM, str(error.details.get("reason", error.code)))
        return Recheck(Finding.ENDED)

    def _refresh(self, credential_id: str, person: Person) -> Recheck:
        for _ in range(TRIES):
            glance = self._store.glance(credential_id)
            sealed = glance.record.get("e")
            if sealed is None:
                return Recheck(Finding.OVER)
            known = record.unseal(self._sealer, credential_id, sealed)
            portrait = pictures.portrait(person.portrait)
            fields = self._differences(credential_id, known, person, portrait)
            if not fields and glance.record.get("b") != b"system":
                return Recheck(Finding.SAME)
            pen = self._audit.pen()
            entry = pen.entry(credential_id, "refreshed", f=",".join(fields))
            anew = record.seal(self._sealer, credential_id, known.holder, person, known.consents)
            answer = self._rebind(
                credential_id, (pen, entry), sealed, anew, person, portrait,
                falls=bool(NEW_CARD_FIELDS & set(fields)), used_up=False,
            )  # fmt: skip
            if answer[0] == b"ok":
                return Recheck(Finding.CHANGED if fields else Finding.SAME, fields)
            if answer[1] != b"changed":
                return Recheck(Finding.OVER)
        raise UnavailableError(what="record", why="busy")

    def _differences(
        self, credential_id: str, known: record.Sealed, person: Person, portrait: bytes
    ) -> tuple[str, ...]:
        kept = self._store.get_bytes(portrait_key(credential_id))
        name = record.portrait_name(credential_id)
        same = {
            "name": names.same(known.name, person.name),
            "residence": known.residence == person.residence,
            "address": known.address == person.address,
            "valid_until": known.valid_until == person.valid_until,
            "portrait": kept is not None and self._sealer.unseal(name, kept) == portrait,
        }
        return tuple(field for field, is_same in same.items() if not is_same)

    def _replace(
        self,
        credential_id: str,
        holder: Holder,
        person: Person,
        consents: Sequence[Consent],
        evidence: str,
    ) -> None:
        """Take a card from the account that has it by now, then give it to the other.

        In this order: whatever is cut short in between, no account is left with a card that is
        another's, and the call that is repeated still finds the card by its ID number.
        """
        portrait = pictures.portrait(person.portrait)
        for _ in range(TRIES):
            glance = self._store.glance(credential_id)
            status, sealed = record.status_at(glance.record, glance.now), glance.record.get("e")
            if status not in LIVING or sealed is None:
                raise NoCardError
            known = record.unseal(self._sealer, credential_id, sealed)
            if known.holder != holder:
                self._store.run("settle", (card_key(known.holder),), (credential_id, "drop"))
                once = f"moved:{credential_id}:{int(glance.record['n'])}"
                self._tell(known.holder, "life.moved_away", {}, once)
            pen = self._audit.pen()
            entry = pen.entry(
                credential_id, "moved", by=signature(Actor("holder")), evidence=evidence
            )
            anew = record.seal(self._sealer, credential_id, holder, person, tuple(consents))
            answer = self._rebind(
                credential_id,
                (pen, entry),
                sealed,
                anew,
                person,
                portrait,
                falls=True,
                used_up=True,
            )
            if answer[0] == b"ok":
                return
            if answer[1] != b"changed":
                raise NoCardError
        raise UnavailableError(what="record", why="busy")

    def _rebind(  # noqa: PLR0917 - what changes, from what, into what
        self,
        credential_id: str,
        written: tuple[Pen, tuple[bytes, bytes]],
        was: bytes,
        anew: bytes,
        person: Person,
        portrait: bytes,
        *,
        falls: bool,
        used_up: bool,
    ) -> list[Any]:
        place, (pen, entry) = place_of(credential_id), written
        sealed_portrait = self._sealer.seal(record.portrait_name(credential_id), portrait)
        answer: list[Any] = self._store.run(
            "rebind",
            (
                record_key(credential_id), portrait_key(credential_id), place.log, place.head,
                pin_key(credential_id), upgrade_key(credential_id), due_key(credential_id),
            ),
            (
                *pen.chain(place), credential_id, *entry, was, anew,
                record.end_of(person.valid_until), sealed_portrait,
                "1" if falls else "", "1" if used_up else "",
            ),
        )  # fmt: skip
        return answer
