"""Re-sealing: everything that an old master key sealed is sealed under the current one.

A pass walks all of Redis and looks at every string, hash field and list item that begins with an
old version's byte. A sealed value opens only under the name it was sealed for; `NAMES` says which
names the values of a key may have, and the key's own name is always tried, so a new family that
is sealed under its key needs no line here. What opens is sealed anew and put back only if it is
still the same (scripts/reseal.lua): no lock, no pause, and whoever changed it meanwhile has sealed
it under the current key already. Passes follow each other until one finds nothing old: a process
that learned of the new key a second late may have written behind the first.

A run that was cut short goes on where it stopped. What is not re-sealed is what ends by itself
within minutes: cookies of open card pages, jobs that wait, an answer that may be repeated. What
else begins with an old version's byte, is no text and opens under no name is told of: it is lost
when the old key is, because a family is missing here, or because somebody moved or altered it.

| key | holds |
|---|---|
| `{keys}:reseal` | hash: v version that is sealed to, d keys done, o found old in this pass, \
  `c:<node>` cursor there, `r:<node>` the run of the server that the cursor is from, k the key \
  of the first value of this pass that no name opened |
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal, cast

import redis
from redis.cluster import RedisCluster

from credentials.connection import guard
from credentials.errors import UnavailableError
from credentials.sealing import NONCE_BYTES, TAG_BYTES, SealBrokenError, Sealer
from credentials.store import Fields, Store

STATE = "{keys}:reseal"
PAGE = 300
MOST_PASSES = 60
BUSY_SECONDS = 1.0
PASSING_SECONDS = 600
FOREVER = -1
"""The time to live, as Redis gives it, of what does not end by itself."""
SHORTEST = 1 + NONCE_BYTES + TAG_BYTES
Shape = Literal["string", "hash", "list"]


@dataclasses.dataclass(frozen=True, slots=True)
class Family:
    """Sealed values whose name is not their key's.

    `key` matches the whole key; `names` gives the names its values may be sealed for, from the
    match and the field; `lock` the key under which somebody may be dealing with a value.
    """

    key: re.Pattern[str]
    names: Callable[[re.Match[str], str], tuple[str, ...]]
    lock: str = ""


def _family(key: str, *names: str, lock: str = "") -> Family:
    def made(found: re.Match[str], field: str) -> tuple[str, ...]:
        return tuple(found.expand(name).replace("<field>", field) for name in names)

    return Family(re.compile(key), made, lock)


NAMES = (
    _family(r"\{b\d{4}\}:c:([0-9a-f]{16})", r"\1"),
    _family(r"\{b\d{4}\}:p:([0-9a-f]{16})", r"\1:portrait"),
    _family(r"\{b\d{4}\}:pin:([0-9a-f]{16})", r"\1:pin"),
    _family(r"(\{p:[^}]+\})", r"\1:portrait"),  # the embedded registry's people
    _family(r"(\{review:[^}]+\}:images)", r"\1:<field>"),
    _family(r"(\{v:[^}]+\}:hooks)", r"\1:<field>"),
    _family(r"(\{v:[^}]+\}:e:[^:]+)", r"\1:note"),
    _family(r"(\{[^}]+\}:outbox):kept", r"\1"),
    _family(r"(\{[^}]+\}:outbox)", r"\1", lock=r"\1:lock"),
)
"""The families whose names are not their keys'. Each module that seals says its own name there."""


@dataclasses.dataclass(frozen=True, slots=True)
class Resealed:
    """How far a run has come.

    Attributes:
        done: keys seen in this pass.
        total: of about so many.
        changed: values sealed anew.
        passes: which pass it is.
        left: at the very end, the key of a value that stays as an earlier key sealed it, for no
            name opens it; empty if there is none.
    """

    done: int
    total: int
    changed: int
    passes: int
    left: str = ""


class Resealing:
    """Re-seals; safe beside everything else, also beside itself."""

    def __init__(
        self, store: Store, sealer: Sealer, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._pause = pause

    def run(self) -> Iterator[Resealed]:
        """Re-seal until a whole pass finds nothing old; yields after each page, and at the end.

        Raises:
            UnavailableError: Redis or a key cannot be had; the same call goes on from there.
        """
        self._begin()
        changed = 0
        for passes in range(1, MOST_PASSES + 1):
            before = changed
            for page in self._pages():
                changed += page
                done, total = self._progress()
                yield Resealed(done, max(total, done), changed, passes)
            ended = self._end_pass()
            if not int(ended.get("o", b"0")):
                done, left = int(ended.get("d", b"0")), ended.get("k", b"").decode()
                yield Resealed(done, done, changed, passes, left)
                return
            if changed == before:  # only values that are being dealt with are left
                self._pause(BUSY_SECONDS)
        raise UnavailableError(what="reseal", why="busy")

    def _begin(self) -> None:
        """Start from the beginning, unless a run to this version was cut short."""
        version = str(self._sealer.keyring.current).encode()
        if self._store.fields(STATE)[0].get("v") != version:
            self._store.drop(STATE)
            with guard():
                self._store.redis.hset(STATE, "v", version)

    def _end_pass(self) -> Fields:
        """What the pass came to; forgets the cursors, and begins another if it found any old."""
        ended = self._store.fields(STATE)[0]
        self._store.drop(STATE)
        if int(ended.get("o", b"0")):
            self._begin()
        return ended

    def _pages(self) -> Iterator[int]:
        for name, client in self._nodes():
            for keys in self._scan(name, client):
                found, changed = self._page(keys)
                with guard():
                    self._store.redis.hincrby(STATE, "d", len(keys))
                    self._store.redis.hincrby(STATE, "o", found)
                yield changed

    def _nodes(self) -> list[tuple[str, redis.Redis]]:
        client: Any = self._store.redis
        if isinstance(cast("object", client), RedisCluster):
            return [
                (node.name, client.get_redis_connection(node)) for node in client.get_primaries()
            ]
        return [("one", self._store.redis)]

    def _scan(self, name: str, client: redis.Redis) -> Iterator[list[bytes]]:
        """The keys of one server, from where the last run stopped.

        A cursor means something only to the run of the server that gave it.
        """
        with guard():
            run = str(client.info("server")["run_id"]).encode()
        state = self._store.fields(STATE)[0]
        cursor = int(state.get(f"c:{name}", b"0"))
        if cursor == -1 and state.get(f"r:{name}") == run:
            return
        if state.get(f"r:{name}") != run:
            cursor = 0
        while True:
            with guard():
                answer: Any = client.scan(cursor, count=PAGE)
            cursor, keys = int(answer[0]), list(answer[1])
            yield keys
            with guard():
                mapping = {f"c:{name}": cursor or -1, f"r:{name}": run}
                self._store.redis.hset(STATE, mapping=cast("Any", mapping))
            if not cursor:
                return

    def _page(self, keys: list[bytes]) -> tuple[int, int]:
        """How many old values a page had, and how many of them are sealed anew now."""
        found = changed = 0
        for key, shape, field, sealed in self._values(keys):
            for name in self._candidates(key, field):
                try:
                    plain = self._sealer.unseal(name, sealed)
                except SealBrokenError:
                    continue
                found += 1
                changed += self._put(key, (shape, field, sealed, self._sealer.seal(name, plain)))
                break
            else:
                self._note_left(key, sealed)
        return found, changed

    def _note_left(self, key: str, sealed: bytes) -> None:
        """Remember where no name opened a value, unless it is a text or gone within minutes."""
        with contextlib.suppress(UnicodeDecodeError):
            sealed.decode()
            return
        with guard():
            ttl: Any = self._store.redis.ttl(key)
            if ttl == FOREVER or ttl > PASSING_SECONDS:
                self._store.redis.hsetnx(STATE, "k", key)

    def _values(self, keys: list[bytes]) -> Iterator[tuple[str, Shape, bytes, bytes]]:
        """Each value of these keys that begins as if an old key had sealed it."""
        old = set(self._sealer.keyring.versions[1:])
        with guard():
            pipe = self._store.redis.pipeline(transaction=False)
            for key in keys:
                pipe.type(key)
            shapes = pipe.execute()
            asked = [(key, kind) for key, kind in zip(keys, shapes, strict=True) if kind in _READ]
            pipe = self._store.redis.pipeline(transaction=False)
            for key, kind in asked:
                _READ[kind](pipe, key)
            answers = pipe.execute(raise_on_error=False)
        for (key, kind), answer in zip(asked, answers, strict=True):
            for field, value in _items(answer):
                if len(value) >= SHORTEST and value[0] in old:
                    yield key.decode(errors="replace"), cast("Shape", kind.decode()), field, value

    def _candidates(self, key: str, field: bytes) -> Iterator[str]:
        for family in NAMES:
            if match := family.key.fullmatch(key):
                yield from family.names(match, field.decode(errors="replace"))
        yield key

    def _put(self, key: str, change: tuple[Shape, bytes, bytes, bytes]) -> int:
        lock = key
        for family in NAMES:
            if family.lock and (match := family.key.fullmatch(key)):
                lock = match.expand(family.lock)
        return 1 if self._store.run("reseal", (key, lock), change) == 1 else 0

    def _progress(self) -> tuple[int, int]:
        with guard():
            total: Any = self._store.redis.dbsize()
        return int(self._store.fields(STATE)[0].get("d", b"0")), int(total)


_READ: dict[bytes, Callable[[Any, bytes], object]] = {
    b"string": lambda pipe, key: pipe.get(key),
    b"hash": lambda pipe, key: pipe.hgetall(key),
    b"list": lambda pipe, key: pipe.lrange(key, 0, -1),
}


def _items(answer: object) -> Iterator[tuple[bytes, bytes]]:
    """The fields and values of what was read; nothing for a key that is gone or changed."""
    if isinstance(answer, bytes):
        yield b"", answer
    elif isinstance(answer, dict):
        yield from answer.items()
    elif isinstance(answer, list):
        yield from ((b"", value) for value in answer if isinstance(value, bytes))
