"""Where cards are issued now: division prefixes held against the registered residence.

440115 is Nansha, 44 Guangdong, no prefix at all means everyone. Kept in Redis and read for
each decision, so a change holds from the next applicant on, in every process.

| key | holds |
|---|---|
| `{rollout}` | the prefixes with commas between; empty for everyone; no key: the setting ROLLOUT |
"""

from __future__ import annotations

from collections.abc import Iterable

import redis

from credentials.connection import guard
from credentials.errors import CredentialError

KEY = "{rollout}"
DIVISION_DIGITS = 6


class RolloutError(CredentialError):
    """A text that is no division prefix: `details["prefix"]`."""

    code = "bad_prefix"


class Rollout:
    """The prefixes in force; every method raises UnavailableError when Redis cannot be asked."""

    def __init__(self, database: redis.Redis, default: Iterable[str] = ()) -> None:
        self._database = database
        self._default = checked(default)

    def covers(self, division: str) -> bool:
        """Whether cards are issued to people registered in `division` (six digits)."""
        prefixes = self.current()
        return not prefixes or division.startswith(prefixes)

    def current(self) -> tuple[str, ...]:
        """The prefixes in force, in order; none means everyone."""
        with guard():
            kept = self._database.get(KEY)
        if not isinstance(kept, bytes):
            return self._default
        return tuple(prefix for prefix in kept.decode().split(",") if prefix)

    def set(self, prefixes: Iterable[str]) -> tuple[str, ...]:
        """Put other prefixes in force, none for everyone; gives them without what is redundant.

        Raises:
            RolloutError: when one is not 1 to 6 digits.
        """
        chosen = checked(prefixes)
        with guard():
            self._database.set(KEY, ",".join(chosen))
        return chosen


def checked(prefixes: Iterable[str]) -> tuple[str, ...]:
    """The prefixes sorted, without those that another one covers.

    Raises:
        RolloutError: when one is not 1 to 6 digits.
    """
    kept: list[str] = []
    for prefix in sorted(prefixes):
        if not (prefix.isascii() and prefix.isdigit() and len(prefix) <= DIVISION_DIGITS):
            raise RolloutError(prefix=prefix)
        if not any(prefix.startswith(wider) for wider in kept):
            kept.append(prefix)
    return tuple(kept)
