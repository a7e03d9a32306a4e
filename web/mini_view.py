"""What the mini-program shows of a card, as plain values and words of one language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from credentials.model import Card, Holder, Level, Status, Use
from credentials.upgrade import BINDINGS
from credentials.uses import of_interest
from web import card_view

if TYPE_CHECKING:
    from credentials.cards import CardState
    from credentials.services import Services


def state(services: Services, holder: Holder, language: str) -> dict[str, object]:
    """The card, what goes on with it, and what waits for the holder."""
    seen = services.cards.state(holder)
    card = seen.card
    return {
        "change": seen.change,
        "status": card.status.value,
        "can_unfreeze": card.status is Status.FROZEN and not card.frozen_by_issuer,
        "level": card.level.value,
        "name_masked": card.name_masked,
        "id_number_masked": card.id_number_masked,
        "valid_until": card.valid_until.isoformat() if card.valid_until else None,
        "upgrade": upgrade(services, holder) if card.level is Level.LIGHT else None,
        "pin": pin(services, card) if card.level is Level.UPGRADED else None,
        "approval": _approval(services, seen, language),
    }


def upgrade(services: Services, holder: Holder) -> dict[str, object] | None:
    """The upgrade that is under way."""
    under_way = services.upgrades.look(holder)
    if under_way is None:
        return None
    return {
        "bound": [name for name in BINDINGS if name in under_way.bound],
        "missing": [name for name in BINDINGS if name not in under_way.bound],
        "expires_in": max(0, round(under_way.expires_at - under_way.now)),
    }


def pin(services: Services, card: Card) -> dict[str, object]:
    """How the PIN stands."""
    seen = services.pins.state(card.credential_id)
    return {
        "there": seen.there,
        "locked": seen.locked,
        "settable": seen.settable,
        "wait_minutes": seen.wait_minutes if seen.from_s is not None else 0,
    }


def purposes(services: Services, card: Card, language: str) -> list[dict[str, object]]:
    """What a code may be made for."""
    words = card_view.Words(services.texts, language)
    return [
        {
            "name": purpose.name,
            "word": words.purpose(purpose.name),
            "fields": words.fields(purpose.attributes),
            "level": purpose.level.value,
            "pin": purpose.pin,
            "open": purpose.level is Level.LIGHT or card.level is Level.UPGRADED,
        }
        for purpose in services.purposes.values()
    ]


def history(services: Services, uses: Sequence[Use], language: str) -> list[dict[str, object]]:
    """The uses that a holder reads, newest first."""
    words = card_view.Words(services.texts, language)
    return [
        {
            "at": round(use.at, 3),
            "kind": use.kind,
            "what": card_view.use(use, words)["what"],
            "verifier": use.verifier,
            "desk": use.desk,
            "purpose": use.purpose,
            "fields": words.fields(use.fields),
            "verification_id": use.verification_id,
        }
        for use in of_interest(uses)
    ]


def _approval(services: Services, seen: CardState, language: str) -> dict[str, object] | None:
    asked = seen.pending
    if asked is None:
        return None
    words = card_view.Words(services.texts, language)
    return {
        "id": asked.verification_id,
        "verifier": asked.verifier,
        "desk": asked.desk,
        "purpose": asked.purpose,
        "purpose_word": words.purpose(asked.purpose),
        "fields": words.fields(asked.fields),
        "number": asked.number,
        "pin": services.purposes[asked.purpose].pin,
        "expires_in": round(max(0.0, asked.expires_at - seen.now), 1),
    }
