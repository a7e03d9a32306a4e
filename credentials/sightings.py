"""Pictures that were sent before: recognised by anyone's next sending, never seen again.

What is kept of a picture is a keyed hash of its bytes and its 256-bit coarse shape, sealed. A
picture saved anew differs from itself in at most six bits (`faces.reuse`), so it shares at least
ten of sixteen bands; each band, under a keyed hash too, leads to the sightings that have it. A
stolen dump does not even tell whether a known picture is in it.

| key | holds | lives |
|---|---|---|
| `{seen:<keyed hash of the bytes>}` | id of the sighting | 90 days |
| `{seen:<id>}:shape` | coarse shape, sending, account and time, sealed | 90 days |
| `{band:<keyed hash of a band>}` | sorted set of sightings' ids by time, the last 64 | 90 days |
"""

from __future__ import annotations

import dataclasses
import hmac
import time
from collections.abc import Callable, Sequence
from typing import Any

import redis

from credentials.connection import guard
from credentials.errors import CredentialError
from credentials.sealing import BlindIndex, Sealer

KEPT_SECONDS = 90 * 24 * 3600
BAND_MEMBERS = 64


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """What one picture looks like: `faces.reuse.Fingerprint`, by its parts."""

    exact: str
    shape: str
    bands: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Sighting:
    """A picture that was sent before.

    Attributes:
        account: who sent it, as a blind index.
        own: whether that is who sends it now.
        exact: whether it is the same file.
        seconds: how long ago.
    """

    account: str
    own: bool
    exact: bool
    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class _Kept:
    """What is sealed of one sending."""

    sighting_id: str
    shape: str
    sending: str
    account: str
    at: float


class Sightings:
    """The pictures of the last 90 days. Each method raises UnavailableError without Redis."""

    def __init__(
        self,
        database: redis.Redis,
        sealer: Sealer,
        index: BlindIndex,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._redis = database
        self._sealer = sealer
        self._index = index
        self._clock = clock

    def before(
        self, look: Look, account: str, sending: str, near: Callable[[str, str], bool]
    ) -> Sighting | None:
        """The picture's earlier sending, by anybody, or None.

        Of several it is the one that says most: the same file, then another account's, then the
        oldest.

        Args:
            look: the picture.
            account: who sends it.
            sending: which of that account's sendings this is; the same one, as a repeated job
                finds it, is not an earlier one.
            near: whether two coarse shapes are one picture's.
        """
        exact = self._exact_key(look)
        with guard():
            pipe: Any = self._redis.pipeline(transaction=False)
            pipe.get(exact)
            for key in self._band_keys(look):
                pipe.zrange(key, 0, -1)
            first, *bands = pipe.execute()
        candidates = dict.fromkeys(
            each.decode() for found in ([first] if first else [], *bands) for each in found
        )
        whose, own = self._index.of("account", account), self._sending(account, sending)
        found = [
            Sighting(
                account=kept.account,
                own=hmac.compare_digest(kept.account, whose),
                exact=first is not None and kept.sighting_id == first.decode(),
                seconds=self._clock() - kept.at,
            )
            for kept in self._kept(list(candidates))
            if not hmac.compare_digest(kept.sending, own)
            and (kept.sighting_id.encode() == first or near(look.shape, kept.shape))
        ]
        return max(found, key=lambda each: (each.exact, not each.own, each.seconds), default=None)

    def note(self, look: Look, account: str, sending: str) -> None:
        """Remember a picture; arguments as in `before`."""
        sighting_id = self._index.of("sighting", f"{look.exact}\0{account}\0{sending}")
        key = _shape_key(sighting_id)
        whose, own = self._index.of("account", account), self._sending(account, sending)
        sealed = self._sealer.seal_json(key, [look.shape, own, whose, self._clock()])
        with guard():
            self._redis.set(key, sealed, ex=KEPT_SECONDS)  # first, for the others lead here
            pipe: Any = self._redis.pipeline(transaction=False)
            pipe.set(self._exact_key(look), sighting_id, ex=KEPT_SECONDS, nx=True)
            for band in self._band_keys(look):
                pipe.zadd(band, {sighting_id: self._clock()})
                pipe.zremrangebyrank(band, 0, -BAND_MEMBERS - 1)
                pipe.expire(band, KEPT_SECONDS)
            pipe.execute()

    def _sending(self, account: str, sending: str) -> str:
        return self._index.of("sending", f"{account}\0{sending}")

    def _kept(self, ids: Sequence[str]) -> list[_Kept]:
        keys = [_shape_key(each) for each in ids]
        if not keys:
            return []
        with guard():
            pipe: Any = self._redis.pipeline(transaction=False)
            for key in keys:
                pipe.get(key)
            found = pipe.execute()
        kept = []
        for sighting_id, key, sealed in zip(ids, keys, found, strict=True):
            if sealed is None:
                continue
            try:
                shape, sending, account, at = self._sealer.unseal_json(key, sealed)
            except CredentialError:
                continue
            kept.append(_Kept(sighting_id, str(shape), str(sending), str(account), float(at)))
        return kept

    def _exact_key(self, look: Look) -> str:
        return f"{{seen:{self._index.of('picture', look.exact)}}}"

    def _band_keys(self, look: Look) -> list[str]:
        return [f"{{band:{self._index.of('band', band)}}}" for band in look.bands]


def _shape_key(sighting_id: str) -> str:
    return f"{{seen:{sighting_id}}}:shape"
