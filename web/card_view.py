"""A card in words: what the holder's page shows of it, in the page's language.

Everything here is escaped by the templates that print it; nothing is markup.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping

from babel.dates import format_datetime

from credentials.model import Approval, Card, Level, Status, Use
from credentials.purposes import Purpose
from texts import Texts

CHINA = datetime.timezone(datetime.timedelta(hours=8))
# Issuing's own steps ("activated" is what is read of it), and those that the holder just took.
STATE_OF_STATUS = {
    Status.PENDING: "waiting",
    Status.ACTIVE: "accepted",
    Status.FROZEN: "waiting",
    Status.REVOKED: "refused",
    Status.EXPIRED: "refused",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Words:
    """The sentences of one language, for the things that a card page names."""

    texts: Texts
    language: str

    def say(self, key: str, **values: object) -> str:
        """The sentence of a key."""
        return self.texts.say(self.language, key, **values)

    def purpose(self, name: str) -> str:
        """A purpose's name; the code itself for one that has no word yet."""
        key = f"purpose.{name}"
        return self.say(key) if key in self.texts else name

    def fields(self, names: Iterable[str]) -> list[str]:
        """The words of attributes, in their order."""
        keys = [(name, f"attribute.{name}") for name in names]
        return [self.say(key) if key in self.texts else name for name, key in keys]

    def moment(self, at: float) -> str:
        """A time as people in China read it on the wall, such as `11月23日 16:49`."""
        when = datetime.datetime.fromtimestamp(at, CHINA)
        pattern = self.say("card.moment")
        return format_datetime(when, pattern, tzinfo=CHINA, locale=self.language)


def card(card: Card, words: Words) -> Mapping[str, object]:
    """What is printed on the card."""
    return {
        "name": card.name_masked,
        "id_number": _grouped(card.id_number_masked),
        "level": card.level.value,
        "level_word": words.say(f"card.level.{card.level.value}"),
        "status": card.status.value,
        "status_word": words.say(f"card.status.{card.status.value}"),
        "status_state": STATE_OF_STATUS[card.status],
        "valid_until": card.valid_until.isoformat()
        if card.valid_until
        else words.say("card.long_term"),
        "serial": card.credential_id[-8:].upper(),
    }


def approval(approval: Approval, words: Words) -> Mapping[str, object]:
    """Who asks, where, what for, which fields."""
    return {
        "id": approval.verification_id,
        "verifier": approval.verifier,
        "desk": approval.desk,
        "purpose": words.purpose(approval.purpose),
        "fields": words.fields(approval.fields),
        "number": approval.number,
    }


def use(use: Use, words: Words) -> Mapping[str, object]:
    """One line of the history."""
    key = f"card.use.{use.kind}"
    if use.kind == "bound":
        key = f"{key}.{use.detail.get('what', '')}"
    return {
        "id": use.verification_id,
        "at": words.moment(use.at),
        "iso": datetime.datetime.fromtimestamp(use.at, CHINA).isoformat(timespec="seconds"),
        "kind": use.kind,
        "what": words.say(key) if key in words.texts else use.kind,
        "verifier": use.verifier,
        "desk": use.desk,
        "purpose": words.purpose(use.purpose) if use.purpose else "",
        "fields": words.fields(use.fields) if use.kind == "accepted" else [],
    }


def purposes(
    purposes: Mapping[str, Purpose], level: Level, words: Words
) -> list[Mapping[str, object]]:
    """What the chooser offers: each purpose, what it tells, and whether this card may."""
    return [
        {
            "name": purpose.name,
            "word": words.purpose(purpose.name),
            "fields": words.fields(purpose.attributes),
            "pin": purpose.pin,
            "open": purpose.level is Level.LIGHT or level is Level.UPGRADED,
        }
        for purpose in purposes.values()
    ]


def _grouped(id_number: str) -> str:
    """A masked ID number as on the card: division, birth date, the rest; dots for stars."""
    parts = (id_number[:6], id_number[6:14], id_number[14:])
    return " ".join(parts).replace("*", "•").strip()
