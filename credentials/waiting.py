"""Who asked to be told when cards are issued where they live.

Only the division and the account are kept, the account sealed and found again by its blind
index; no name, no number. Whoever was told, has left, or has waited for a year is forgotten.

| key | holds |
|---|---|
| `{waiting}` | set: divisions that somebody waits for |
| `{waiting}:<division>` | hash: sealed account and time, by the blind index of the account |
| `{<channel>:<openid>}:outside` | sealed division of somebody who was just refused; an hour |
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import redis

from credentials.connection import guard
from credentials.model import Holder
from credentials.renewal import Tell
from credentials.rollout import Rollout
from credentials.sealing import BlindIndex, Sealer

DIVISIONS = "{waiting}"
LONGEST_SECONDS = 365 * 86_400
OFFER_SECONDS = 3600


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """How far `tell_covered` has come: accounts done of all that are covered now."""

    done: int
    total: int


class Waiting:
    """The list. Every method raises UnavailableError when it cannot know."""

    def __init__(
        self,
        database: redis.Redis,
        sealer: Sealer,
        index: BlindIndex,
        rollout: Rollout,
        tell: Tell,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._index = index
        self._rollout = rollout
        self._tell = tell

    def offer(self, holder: Holder, division: str) -> None:
        """Remember for an hour where an account was refused, so that it can ask to be told."""
        key = _offer_key(holder)
        with guard():
            self._database.set(key, self._sealer.seal(key, division.encode()), ex=OFFER_SECONDS)

    def accept(self, holder: Holder) -> bool:
        """The account asks to be told; False when it was not refused within the hour."""
        key = _offer_key(holder)
        with guard():
            sealed = self._database.get(key)
        if not isinstance(sealed, bytes):
            return False
        self.add(holder, self._sealer.unseal(key, sealed).decode())
        with guard():
            self._database.delete(key)
        return True

    def add(self, holder: Holder, division: str) -> None:
        """Note that an account wants to be told when `division` (six digits) is covered."""
        key = _key(division)
        about = {"channel": holder.channel, "openid": holder.openid, "at": self._now()}
        with guard():
            self._database.sadd(DIVISIONS, division)
            self._database.hset(key, self._field(holder), self._sealer.seal_json(key, about))

    def forget(self, holder: Holder) -> None:
        """Strike an account off, wherever it stands."""
        field = self._field(holder)
        with guard():
            pipe = self._database.pipeline(transaction=False)
            for division in self._divisions():
                pipe.hdel(_key(division), field)
            pipe.execute()
            self._database.delete(_offer_key(holder))

    def counts(self, prefix: str = "") -> dict[str, int]:
        """How many accounts wait for each division that begins so."""
        with guard():
            return {
                division: int(self._database.hlen(_key(division)))
                for division in self._divisions()
                if division.startswith(prefix)
            }

    def tell_covered(self) -> Iterator[Told]:
        """Tell everybody whose division is covered now, and strike them off; yields as it goes."""
        covered = [division for division in self._divisions() if self._rollout.covers(division)]
        total = sum(self.counts(division)[division] for division in covered)
        done = 0
        yield Told(done, total)
        for division in covered:
            for field, sealed in self._rows(division):
                self._tell_one(division, field, sealed)
                done += 1
                yield Told(done, max(done, total))
            with guard():
                if not self._database.exists(_key(division)):
                    self._database.srem(DIVISIONS, division)

    def _tell_one(self, division: str, field: bytes, sealed: bytes) -> None:
        about = self._sealer.unseal_json(_key(division), sealed)
        if self._now() - about["at"] < LONGEST_SECONDS:
            holder = Holder(about["channel"], about["openid"])
            self._tell(holder, "life.open_now", {}, f"open:{division}")
        with guard():
            self._database.hdel(_key(division), field)

    def _rows(self, division: str) -> list[tuple[bytes, bytes]]:
        with guard():
            found: Any = self._database.hgetall(_key(division))
        return list(found.items())

    def _divisions(self) -> list[str]:
        with guard():
            found: Any = self._database.smembers(DIVISIONS)
        return sorted(division.decode() for division in found)

    def _field(self, holder: Holder) -> str:
        return self._index.of("waiting", holder.tag)

    def _now(self) -> int:
        with guard():
            return int(self._database.time()[0])


def _key(division: str) -> str:
    return f"{{waiting}}:{division}"


def _offer_key(holder: Holder) -> str:
    return f"{holder.tag}:outside"
