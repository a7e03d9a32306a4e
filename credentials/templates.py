"""Face templates at rest: sealed, under ids of their own, and every change of them numbered.

A template lies apart from the credential: its id follows from the ID number through the blind
index, so neither key says whose it is. Inside the seal stands the blind index of the ID number,
by which a reviewer's page finds the card of a near twin.

Workers hold all templates in memory to compare a new one with (`handlers.twins`). Each reads the
changes since the last one it knows before it compares; a change that was trimmed away shows as a
gap in the numbers, and then everything is read anew.

| key | holds | lives |
|---|---|---|
| `{t:<id>}` | 128 float32 and a blind index, sealed | three days; with a card, until erased |
| `{templates}:ids` | set of the ids | for good |
| `{templates}:n` | number of the last change | for good |
| `{templates}:changes` | stream of the ids that changed | the last 100,000 |
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, cast

import redis

from credentials.connection import guard
from credentials.errors import CredentialError
from credentials.hashes import script
from credentials.sealing import BlindIndex, Sealer

VECTOR_BYTES = 512
UNDECIDED_SECONDS = 3 * 24 * 3600
CHANGES_KEPT = 100_000
CHUNK = 2_000
IDS, NUMBER, CHANGES = "{templates}:ids", "{templates}:n", "{templates}:changes"


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """One template: 128 float32 as bytes, and the blind index of its person's ID number."""

    template_id: str
    vector: bytes
    person: str


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """A template that was put or dropped, and the change's number; numbers have no gaps."""

    number: int
    template_id: str


class Templates:
    """The face templates of all cards. Each method raises UnavailableError without Redis."""

    def __init__(self, database: redis.Redis, sealer: Sealer, index: BlindIndex) -> None:
        self._redis = database
        self._sealer = sealer
        self._index = index
        self._note = script(database, "template_note")

    def id_of(self, id_number: str) -> str:
        """The id of a person's template, from which the person cannot be told."""
        return self._index.of("template", id_number)

    def put(self, id_number: str, vector: bytes) -> str:
        """Keep a person's template, for three days unless `settle` makes it last; its id.

        It is there for everybody to compare with before this returns. Putting it again, as a
        repeated job does, replaces it; but not one that lasts, because the next one may be a
        doubtful look-alike's.
        """
        if len(vector) != VECTOR_BYTES:
            raise ValueError("a template is 128 float32")
        template_id = self.id_of(id_number)
        person = self._index.of("id_number", id_number)
        key = _key(template_id)
        sealed = self._sealer.seal(key, vector + person.encode())
        with guard():
            if self._redis.ttl(key) != -1:
                self._redis.set(key, sealed, ex=UNDECIDED_SECONDS)
                self._tell(template_id, "put")
        return template_id

    def has(self, id_number: str) -> bool:
        """Whether a person's template is kept."""
        with guard():
            return bool(self._redis.exists(_key(self.id_of(id_number))))

    def settle(self, id_number: str) -> None:
        """Let a template last: the card was issued."""
        with guard():
            self._redis.persist(_key(self.id_of(id_number)))

    def drop(self, id_number: str) -> None:
        """Erase a person's template, and have every worker forget it."""
        template_id = self.id_of(id_number)
        with guard():
            self._redis.delete(_key(template_id))
            self._tell(template_id, "drop")

    def drop_undecided(self, id_number: str) -> None:
        """Erase a template unless a card was issued with it."""
        with guard():
            settled = self._redis.ttl(_key(self.id_of(id_number))) == -1
        if not settled:
            self.drop(id_number)

    def get(self, template_ids: Sequence[str]) -> Iterator[Kept]:
        """Those of these templates that are there."""
        keys = [_key(template_id) for template_id in template_ids]
        with guard():
            pipe = self._redis.pipeline(transaction=False)
            for key in keys:
                pipe.get(key)
            found = pipe.execute()
        for template_id, key, sealed in zip(template_ids, keys, found, strict=True):
            if sealed is None:
                continue
            try:
                plain = self._sealer.unseal(key, sealed)
            except CredentialError:
                continue  # altered: it can be nobody's
            yield Kept(template_id, plain[:VECTOR_BYTES], plain[VECTOR_BYTES:].decode())

    def all(self) -> Iterator[Kept]:
        """Every template there is, for a worker that starts; see `last_change` first."""
        cursor = 0
        while True:
            with guard():
                cursor, ids = cast(
                    "tuple[int, list[bytes]]", self._redis.sscan(IDS, cursor, count=CHUNK)
                )
            yield from self.get([each.decode() for each in ids])
            if cursor == 0:
                return

    def last_change(self) -> int:
        """The number of the last change; 0 before the first."""
        with guard():
            return int(cast("bytes | None", self._redis.get(NUMBER)) or 0)

    def changes(self, after: int) -> list[Change]:
        """The changes after a number, oldest first, all of them that are still kept."""
        found: list[Change] = []
        while True:
            with guard():
                rows: Any = self._redis.xrange(CHANGES, min=f"({after}-0", count=CHUNK)
            found += [
                Change(int(identifier.split(b"-")[0]), fields[b"t"].decode())
                for identifier, fields in rows
            ]
            if len(rows) < CHUNK:
                return found
            after = found[-1].number

    def _tell(self, template_id: str, what: str) -> None:
        self._note(keys=[IDS, NUMBER, CHANGES], args=[template_id, what, CHANGES_KEPT])


def _key(template_id: str) -> str:
    return f"{{t:{template_id}}}"
