"""The API keys of a verifier: named, limited to scopes, for real cards or for the sandbox.

A key reads `vk_<verifier id>_<secret>`, in the sandbox `vk_<verifier id>_test_<secret>`. It is
shown once; Redis holds its SHA-256 (the secret has 256 random bits, so nothing slower is
needed). One key replaces another without a gap: the old one stays good for a while.

| key | holds |
|---|---|
| `{v:<verifier id>}:keys` | by SHA-256 of the key, JSON: t since, n name, s scopes, u until; or \
  the time alone, for a key made before there were scopes |
| `{v:<verifier id>}:used` | by SHA-256 of the key, when it was last used, to the minute |
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import secrets
import time
from collections.abc import Iterable

import redis

from credentials.connection import guard
from credentials.errors import CredentialError
from credentials.hashes import read, write

SCOPES = ("verify", "read")
MOST_KEYS = 20
LONGEST_NAME = 40
ID_CHARACTERS = 10
SANDBOX = "test_"
_KEY = re.compile(r"vk_([0-9a-f]{12})_((?:test_)?)[A-Za-z0-9_-]{20,128}")


class ApiKeyError(CredentialError):
    """unknown_key; bad_key_name; no_scope; too_many_keys (`details["limit"]`)."""

    code = "unknown_key"


@dataclasses.dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key; times are in seconds since 1970, 0 where there is none."""

    key_id: str
    name: str
    scopes: tuple[str, ...]
    sandbox: bool
    since: float
    until: float = 0.0
    used: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether its time is over."""
        return 0 < self.until <= time.time()


def verifier_of(api_key: str) -> str | None:
    """The id of the verifier whose key a text has the shape of."""
    shape = _KEY.fullmatch(api_key)
    return shape[1] if shape else None


def digest(api_key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(api_key.encode()).hexdigest()


def read_key(kept_as: str, kept: bytes, used: bytes | None = None) -> ApiKey:
    """A key from what Redis holds of it."""
    told = json.loads(kept)
    if not isinstance(told, dict):
        told = {"t": told}
    return ApiKey(
        key_id=kept_as[:ID_CHARACTERS],
        name=told.get("n", ""),
        scopes=tuple(told.get("s", SCOPES)),
        sandbox=bool(told.get("x")),
        since=float(told["t"]),
        until=float(told.get("u", 0)),
        used=float(used or 0),
    )


class ApiKeys:
    """The keys of all verifiers. Every method raises UnavailableError without Redis."""

    def __init__(self, database: redis.Redis) -> None:
        self._database = database

    def make(
        self, verifier_id: str, name: str, scopes: Iterable[str] = SCOPES, *, sandbox: bool = False
    ) -> str:
        """A new key, which nobody can read again.

        Raises:
            ApiKeyError: bad_key_name, no_scope, too_many_keys.
        """
        tidy = " ".join(name.split())
        if not 0 < len(tidy) <= LONGEST_NAME or not tidy.isprintable():
            raise ApiKeyError("bad_key_name", limit=LONGEST_NAME)
        asked = set(scopes)
        wanted = [scope for scope in SCOPES if scope in asked]
        if not wanted:
            raise ApiKeyError("no_scope")
        if len(self.all(verifier_id)) >= MOST_KEYS:
            raise ApiKeyError("too_many_keys", limit=MOST_KEYS)
        api_key = f"vk_{verifier_id}_{SANDBOX if sandbox else ''}{secrets.token_urlsafe(32)}"
        told: dict[str, object] = {"t": int(time.time()), "n": tidy, "s": wanted}
        if sandbox:
            told["x"] = 1
        write(self._database, _place(verifier_id), {digest(api_key): json.dumps(told)})
        return api_key

    def all(self, verifier_id: str) -> list[ApiKey]:
        """The keys of a verifier that are not over, newest first; those that are, are dropped."""
        kept, used = read(self._database, _place(verifier_id)), self._used(verifier_id)
        found = [
            (name, read_key(name.decode(), value, used.get(name))) for name, value in kept.items()
        ]
        ended = [name for name, key in found if key.ended]
        if ended:
            self._forget(verifier_id, ended)
        alive = [key for _, key in found if not key.ended]
        return sorted(alive, key=lambda key: (-key.since, key.key_id))

    def rotate(self, verifier_id: str, key_id: str, overlap_s: float) -> str:
        """A new key like another, which stays good for `overlap_s` seconds more.

        Raises:
            ApiKeyError: unknown_key, too_many_keys.
        """
        name, old = self._find(verifier_id, key_id)
        made = self.make(verifier_id, old.name or key_id, old.scopes, sandbox=old.sandbox)
        until = time.time() + overlap_s
        told = {
            "t": int(old.since), "n": old.name, "s": old.scopes, "x": int(old.sandbox),
            "u": int(min(until, old.until) if old.until else until),
        }  # fmt: skip
        write(self._database, _place(verifier_id), {name.decode(): json.dumps(told)})
        return made

    def drop(self, verifier_id: str, key_id: str) -> ApiKey:
        """Make a key worthless at once.

        Raises:
            ApiKeyError: unknown_key.
        """
        name, key = self._find(verifier_id, key_id)
        self._forget(verifier_id, [name])
        return key

    def _find(self, verifier_id: str, key_id: str) -> tuple[bytes, ApiKey]:
        for name, value in read(self._database, _place(verifier_id)).items():
            if name[:ID_CHARACTERS].decode() == key_id:
                return name, read_key(name.decode(), value)
        raise ApiKeyError

    def _used(self, verifier_id: str) -> dict[bytes, bytes]:
        return read(self._database, f"{{v:{verifier_id}}}:used")

    def _forget(self, verifier_id: str, names: list[bytes]) -> None:
        with guard():
            together = self._database.pipeline(transaction=True)
            together.hdel(_place(verifier_id), *names)
            together.hdel(f"{{v:{verifier_id}}}:used", *names)
            together.execute()


def _place(verifier_id: str) -> str:
    return f"{{v:{verifier_id}}}:keys"
