"""Who asked to be told when cards are issued where they live.

Only the division and the account are kept, the account sealed and found again by its blind
index; no name, no number. Whoever was told, has left, or has waited for a year is forgotten. A row
that was altered is nobody's any more: it goes with them, and holds up nobody behind it.

| key | holds |
|---|---|
| `{waiting}` | set: divisions that somebody waits for |
| `{waiting}:<division>` | hash: sealed account and time, by the blind index of the account |
| `{<channel>:<openid>}:outside` | sealed division of somebody who was just refused; an hour |
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import redis
import structlog

from credentials.connection import guard
from credentials.hashes import script
from credentials.model import Holder
from credentials.renewal import Tell
from credentials.rollout import Rollout
from credentials.sealing import BlindIndex, SealBrokenError, Sealer

DIVISIONS = "{waiting}"
LONGEST_SECONDS = 365 * 86_400
OFFER_SECONDS = 3600
Asked = Literal["kept", "open", "nothing"]
_log = structlog.get_logger(__name__)


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
        self._strike = script(database, "waiting_strike")

    def offer(self, holder: Holder, division: str) -> None:
        """Remember for an hour where an account was refused, so that it can ask to be told."""
        key = _offer_key(holder)
        with guard():
            self._database.set(key, self._sealer.seal(key, division.encode()), ex=OFFER_SECONDS)

    def accept(self, holder: Holder) -> Asked:
        """The account asks to be told: it is kept, or cards are issued there by now.

        `nothing` when it was not refused within the hour.
        """
        key = _offer_key(holder)
        with guard():
            sealed = self._database.get(key)
        if not isinstance(sealed, bytes):
            return "nothing"
        division = self._sealer.unseal(key, sealed).decode()
        row = self.add(holder, division)
        # Asked once the account is on the list: whoever widens the rollout meanwhile tells it.
        if self._rollout.covers(division):
            self._strike_off(division, self._field(holder), row)
            return "open"
        with guard():
            self._database.delete(key)
        return "kept"

    def add(self, holder: Holder, division: str) -> bytes:
        """Note that an account wants to be told when `division` (six digits) is covered."""
        key = _key(division)
        about = {"channel": holder.channel, "openid": holder.openid, "at": self._now()}
        row = self._sealer.seal_json(key, about)
        with guard():
            together = self._database.pipeline(transaction=True)
            together.sadd(DIVISIONS, division)
            together.hset(key, self._field(holder), row)
            together.execute()
        return row

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
            self._strike_off(division)

    def forget_old(self) -> int:
        """Strike off who has waited for a year; how many. For a timer, once a day."""
        done, now = 0, self._now()
        for division in self._divisions():
            for field, sealed in self._rows(division):
                if now - self._since(self._opened(division, sealed)) >= LONGEST_SECONDS:
                    self._strike_off(division, field, sealed)
                    done += 1
            self._strike_off(division)
        return done

    def _tell_one(self, division: str, field: bytes, sealed: bytes) -> None:
        about = self._opened(division, sealed)
        if self._now() - self._since(about) < LONGEST_SECONDS:
            holder = Holder(about["channel"], about["openid"])
            self._tell(holder, "life.open_now", {}, f"open:{division}")
        self._strike_off(division, field, sealed)

    def _strike_off(self, division: str, *row: str | bytes) -> None:
        with guard():
            self._strike(keys=[DIVISIONS, _key(division)], args=[division, *row])

    def _opened(self, division: str, sealed: bytes) -> dict[str, Any]:
        """What a row says; nothing where it was altered."""
        try:
            about: dict[str, Any] = self._sealer.unseal_json(_key(division), sealed)
        except SealBrokenError:
            _log.warning("somebody who waited is lost", division=division)
            return {}
        return about

    @staticmethod
    def _since(about: Mapping[str, Any]) -> float:
        return float(about.get("at", -math.inf))

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
