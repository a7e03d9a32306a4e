"""A registry of made-up people inside the product's own Redis; for demos and tests only.

| key | holds |
|---|---|
| `{p:<blind index of the ID number>}` | hash: d sealed JSON of the person, f sealed portrait |
"""

from __future__ import annotations

import datetime
from typing import cast

import redis

from credentials import names
from credentials.authority.base import (
    Ending,
    NameMismatchError,
    NotRegisteredError,
    PersonEndedError,
)
from credentials.connection import guard
from credentials.hashes import read, write
from credentials.model import Person
from credentials.sealing import BlindIndex, Sealer


class EmbeddedRegistry:
    """An `Authority` whose people are added by `python app.py person add`."""

    def __init__(
        self, database: redis.Redis, sealer: Sealer, index: BlindIndex | None = None
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._index = index or BlindIndex(database, sealer)

    def add(self, person: Person) -> None:
        """Register a person, or replace what is registered under the same ID number.

        Raises:
            UnavailableError: Redis or the keys cannot be had; nothing was registered.
        """
        self._keep(person, ended=None)

    def end(self, id_number: str, reason: Ending) -> None:
        """Say that a person died, or that a number was cancelled.

        Raises:
            NotRegisteredError: nobody has this number.
            UnavailableError: as for `add`.
        """
        self._keep(self._find(id_number)[0], ended=reason)

    def remove(self, id_number: str) -> None:
        """Forget a person."""
        place = self._place(id_number)
        with guard():
            self._database.delete(place)

    def check(self, name: str, id_number: str) -> Person:
        """Who is registered under this name and ID number; see `Authority.check`."""
        person, ended = self._find(id_number)
        if not names.same(name, person.name):
            raise NameMismatchError
        if ended:
            raise PersonEndedError(reason=ended)
        return person

    def _keep(self, person: Person, *, ended: Ending | None) -> None:
        place = self._place(person.id_number)
        about = {
            "name": person.name,
            "id_number": person.id_number,
            "residence": person.residence,
            "address": person.address,
            "valid_until": person.valid_until.isoformat() if person.valid_until else None,
            "ended": ended,
        }
        sealed = {
            "d": self._sealer.seal_json(place, about),
            "f": self._sealer.seal(f"{place}:portrait", person.portrait),
        }
        write(self._database, place, sealed)

    def _find(self, id_number: str) -> tuple[Person, Ending | None]:
        place = self._place(id_number)
        fields = read(self._database, place)
        if not fields:
            raise NotRegisteredError
        about = self._sealer.unseal_json(place, fields[b"d"])
        until = about.pop("valid_until")
        ended = cast("Ending | None", about.pop("ended"))
        person = Person(
            **about,
            valid_until=datetime.date.fromisoformat(until) if until else None,
            portrait=self._sealer.unseal(f"{place}:portrait", fields[b"f"]),
        )
        return person, ended

    def _place(self, id_number: str) -> str:
        return f"{{p:{self._index.of('person', id_number)}}}"
