"""Scans that look unusual become cases for operators, while every scan is answered as before.

| what | becomes |
|---|---|
| one card used in two cities within an hour | `two_cities`, about the card |
| one desk scans 300 times in an hour | `busy_desk` |
| ten guests of one verifier deny within an hour | `many_denials` |

Looked at by a worker after the scan, so that nobody waits for it. Cities are the first four
digits of the division that a verifier was approved for; one without is not compared.

| key | holds |
|---|---|
| `{seen:<credential id>}` | `<city> <verifier>` of a card's last use, an hour |
| `{often:<hash>}` | scans of a desk, or denials at a verifier, an hour from the first |
| `{once:<verification id>:<state>}` | it was counted, a day |
"""

from __future__ import annotations

import hashlib
from typing import Any

from credentials.cases import Cases, Kind
from credentials.connection import guard
from credentials.model import Actor, Decided, State
from credentials.store import Store
from credentials.verifiers import Verifiers
from credentials.webhooks import Webhooks

WINDOW_S = 3600
ONCE_S = 86_400  # as long as a receipt can be told
BUSY = 300
DENIALS = 10
CITY_DIGITS = 4
SYSTEM = Actor("system", "patterns")


class Patterns:
    """Watches what was decided. Every method raises UnavailableError without Redis."""

    def __init__(self, store: Store, cases: Cases, verifiers: Verifiers) -> None:
        self._store = store
        self._cases = cases
        self._verifiers = verifiers

    def watch(self, seen: Decided, *, answered: bool = False) -> None:
        """Count one decision; counting it twice changes nothing.

        Args:
            seen: what was decided.
            answered: by the holder, so that the scan itself was counted before.
        """
        once = f"{{once:{seen.verification_id}:{seen.state.value}}}"
        if not self._store.put(once, "1", ONCE_S, new=True):
            return
        if seen.state is State.DENIED:
            if self._count("denied", seen.verifier_id) == DENIALS:
                self._open(Kind.MANY_DENIALS, seen)
            return
        if not answered and self._count("scans", seen.verifier_id, seen.desk) == BUSY:
            self._open(Kind.BUSY_DESK, seen)
        if seen.state is State.ACCEPTED:
            self._compare_cities(seen)

    def _compare_cities(self, seen: Decided) -> None:
        verifier = self._verifiers.get(seen.verifier_id)
        city = verifier.division[:CITY_DIGITS] if verifier else ""
        if not city:
            return
        key = f"{{seen:{seen.credential_id}}}"
        with guard():
            before: Any = self._store.redis.set(
                key, f"{city} {seen.verifier_id}", ex=WINDOW_S, get=True
            )
        if before and before.decode().split(" ")[0] != city:
            self._open(Kind.TWO_CITIES, seen, f"{before.decode().split(' ')[0]} → {city}")

    def _count(self, *parts: str) -> int:
        named = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
        key = f"{{often:{named}}}"
        with guard():
            # Together, or a count that is cut short stays for ever and passes its bound but once.
            together = self._store.redis.pipeline(transaction=True)
            together.set(key, 0, ex=WINDOW_S, nx=True)
            together.incr(key)
            return int(together.execute()[-1])

    def _open(self, kind: Kind, seen: Decided, detail: str = "") -> None:
        verifier = self._verifiers.get(seen.verifier_id)
        where = f"{verifier.name if verifier else seen.verifier_id} · {seen.desk}"
        self._cases.open(
            kind,
            seen.credential_id if kind is Kind.TWO_CITIES else "",
            SYSTEM,
            verification_id=seen.verification_id,
            detail=" · ".join(filter(None, (where, detail))),
        )


class Aftermath:
    """What follows a decision: the verifier's software is told, and patterns are looked for."""

    def __init__(self, patterns: Patterns, webhooks: Webhooks) -> None:
        self._patterns = patterns
        self._webhooks = webhooks

    def follow(self, seen: Decided, *, answered: bool = False) -> None:
        """Do both, also where one of them cannot be done; twice is as once."""
        told = seen.verification_id, seen.state.value, seen.purpose
        try:
            self._webhooks.announce(seen.verifier_id, *told)
        finally:
            self._patterns.watch(seen, answered=answered)
