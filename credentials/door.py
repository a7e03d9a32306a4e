"""The door: who asks with this API key, and may they ask now.

Two ways lead through it. `admit` asks Redis, in one round trip. `remembered` asks nobody: it
gives a pass, which says what the process saw when this key was last admitted, and which is worth
nothing by itself. The script that does the work looks at the pass first (scripts/door.lua): if
verifier or key differ from it in anything, blocked, another purpose, another rate, the key
dropped or ended, it does nothing and says `stale`, and the caller goes the way of `admit`. So
what is remembered saves a round trip and never lets anybody in: a change holds from the very
next request on, on every server.

A Redis Cluster has verifiers and cards in different slots, which no script can see together.
There nothing is remembered, and who asks is a round trip of its own.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from credentials.api_keys import ApiKey, digest, read_key, verifier_of
from credentials.errors import CredentialError, RefusalError
from credentials.model import Verifier
from credentials.purposes import PURPOSES
from credentials.store import Argument, Store

LONGEST_KEY = 200
MOST_REMEMBERED = 10_000
RATE_PER_S = 2000.0  # for each verifier; a machine serves about as many
BURST = 4000
FIELDS = ("n", "p", "b", "u", "c", "r")
"""What is read of a verifier, in the order of door.lua."""


class StalePassError(CredentialError):
    """A pass that is not true any more: nothing was done, and the door has to be asked."""

    code = "unavailable"


@dataclasses.dataclass(frozen=True, slots=True)
class Admission:
    """Who asks with which key, how many requests may follow at once, and the most there can be."""

    verifier: Verifier
    left: int
    burst: int
    key: ApiKey


@dataclasses.dataclass(slots=True)
class Pass:
    """What is remembered of who asks, to be checked by the script that does the work.

    `keys` are its KEYS and `arguments` its ARGV for that. `asked` says that it has run and found
    the pass true, `counted` that the request was within the rate, of which `left` is left.
    """

    verifier: Verifier
    key: ApiKey
    burst: int
    keys: tuple[str, ...]
    arguments: tuple[Argument, ...]
    left: int = 0
    asked: bool = False
    counted: bool = False

    @property
    def admission(self) -> Admission:
        """As the door would have said it."""
        return Admission(self.verifier, self.left, self.burst, self.key)

    def checked(self, answer: Sequence[Any]) -> None:
        """Take what the script said: its outcome, requests left, and microseconds to wait.

        Raises:
            StalePassError: nothing was done.
            RefusalError: too_many_requests.
        """
        outcome = answer[0]
        if outcome == b"stale":
            raise StalePassError
        self.asked = True
        if outcome == b"wait":
            raise too_many(int(answer[2]))
        self.left, self.counted = int(answer[1]), True


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    """What was seen of a key when it was last admitted, and how long that can be true (s)."""

    verifier: Verifier
    key: ApiKey
    stamp: bytes
    until: float


class Door:
    """Admits verifiers. Every method raises UnavailableError when Redis cannot be asked."""

    def __init__(self, store: Store, *, rate_per_s: float = RATE_PER_S, burst: int = BURST) -> None:
        self._store = store
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._known: dict[str, _Known] = {}

    def admit(self, api_key: str) -> Admission:
        """Ask who holds a key, and count the request.

        What is looked up is the SHA-256 of a secret with 256 random bits: how long that takes
        tells nobody which secret is near.

        Raises:
            RefusalError: unauthenticated for a key that is malformed, unknown, over or of a
                blocked verifier; too_many_requests with `details["wait_s"]`.
        """
        verifier_id = _verifier_of(api_key)
        if verifier_id is None:
            raise RefusalError("unauthenticated")
        shown = digest(api_key)
        self._known.pop(shown, None)
        arguments = (shown, self._rate_per_s, self._burst)
        found, kept, left, wait_us = self._store.run("admit", _keys(verifier_id), arguments)
        if not kept:
            raise RefusalError("unauthenticated")
        key = read_key(shown, kept)
        if key.ended:
            raise RefusalError("unauthenticated", reason="ended")
        fields = dict(zip(FIELDS, found, strict=True))
        verifier = verifier_from(verifier_id, fields)
        if verifier.blocked:
            raise RefusalError("unauthenticated", reason="blocked")
        if wait_us:
            raise too_many(int(wait_us))
        self._remember(shown, verifier, key, fields, kept)
        return Admission(verifier, int(left), self._burst, key)

    def remembered(self, api_key: str) -> Pass | None:
        """A pass for a key that was admitted before; None where the door has to be asked."""
        if len(api_key) > LONGEST_KEY:
            return None
        shown = digest(api_key)
        known = self._known.get(shown)
        if known is None:
            return None
        if time.time() >= known.until:
            return None  # `admit` forgets it
        return Pass(
            known.verifier,
            known.key,
            self._burst,
            _keys(known.verifier.verifier_id),
            (shown, known.stamp, self._rate_per_s, self._burst),
        )

    def _remember(
        self,
        shown: str,
        verifier: Verifier,
        key: ApiKey,
        fields: Mapping[str, bytes],
        kept: bytes,
    ) -> None:
        if not self._store.together:
            return
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        now = time.time()
        ends = [at for at in (key.until, *_ends(fields).values()) if at > now]
        stamp = b"\n".join((*fields.values(), kept))
        self._known[shown] = _Known(verifier, key, stamp, min(ends, default=math.inf))


def too_many(wait_us: int) -> RefusalError:
    """The refusal of a request that came too soon, by the microseconds to wait."""
    return RefusalError("too_many_requests", wait_s=math.ceil(wait_us / 1000) / 1000)


def verifier_from(verifier_id: str, fields: Mapping[str, bytes]) -> Verifier:
    """A verifier from what Redis holds of it.

    A purpose that the table no longer has, or whose time is over, is no longer granted.
    """
    ends, now = _ends(fields), time.time()
    granted = [
        name for name in fields.get("p", b"").decode().split(",") if now < ends.get(name, math.inf)
    ]
    return Verifier(
        verifier_id=verifier_id,
        name=fields.get("n", b"").decode(),
        purposes=tuple(purpose for purpose in granted if purpose in PURPOSES),
        blocked=fields.get("b", b"") not in {b"", b"0"},
        division=fields.get("c", b"").decode(),
    )


def _ends(fields: Mapping[str, bytes]) -> Mapping[str, float]:
    """Until when (s) those purposes are granted that end."""
    found: Mapping[str, float] = json.loads(fields.get("u") or b"{}")
    return found


def _verifier_of(api_key: str) -> str | None:
    return verifier_of(api_key) if len(api_key) <= LONGEST_KEY else None


def _keys(verifier_id: str) -> tuple[str, ...]:
    tag = f"{{v:{verifier_id}}}"
    return (f"{tag}:info", f"{tag}:keys", f"{tag}:rate", f"{tag}:used")
