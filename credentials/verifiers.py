"""Verifiers: the organisations that may scan, their purposes and their API keys.

An API key reads `vk_<verifier id>_<secret>`. It is shown once; Redis holds its SHA-256 (the
secret has 256 random bits, so nothing slower is needed). A verifier may have several keys, so
that one replaces another without a gap.

| key | holds |
|---|---|
| `{verifiers}` | hash: the name of each verifier by id |
| `{v:<verifier id>}:info` | hash: n name, p purposes, b blocked, t since, r requests a second |
| `{v:<verifier id>}:keys` | hash: since when, by SHA-256 of the API key |
| `{v:<verifier id>}:rate` | when the requests so far will have been earned, in microseconds |
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import math
import re
import secrets
import time
from collections.abc import Iterable

import redis

from credentials.connection import guard
from credentials.errors import CredentialError, RefusalError
from credentials.hashes import Fields, read, read_many, script, write
from credentials.model import Verifier
from credentials.purposes import PURPOSES

NAMES = "{verifiers}"
LONGEST_NAME = 60
LONGEST_KEY = 200
RATE_PER_S = 2000.0  # for each verifier; a machine serves about as many
BURST = 4000
_API_KEY = re.compile(r"vk_([0-9a-f]{12})_[A-Za-z0-9_-]{20,128}")


class VerifierError(CredentialError):
    """What a verifier cannot be registered or found with.

    unknown_purpose (`details["purpose"]`), no_purpose, bad_verifier_name, unknown_verifier,
    ambiguous_verifier (`details["ids"]`).
    """

    code = "unknown_verifier"


@dataclasses.dataclass(frozen=True, slots=True)
class Admission:
    """Who asks, how many requests may follow at once, and the most there can be."""

    verifier: Verifier
    left: int
    burst: int


class Verifiers:
    """The registered verifiers; every method raises UnavailableError when Redis cannot be asked."""

    def __init__(
        self, database: redis.Redis, *, rate_per_s: float = RATE_PER_S, burst: int = BURST
    ) -> None:
        self._database = database
        self._admit = script(database, "admit")
        self._rate_per_s = rate_per_s
        self._burst = burst

    def add(self, name: str, purposes: Iterable[str]) -> tuple[Verifier, str]:
        """Register a verifier; gives it and its first API key, which nobody can read again.

        Raises:
            VerifierError: for a bad name, no purpose, or one that does not exist.
        """
        verifier = Verifier(secrets.token_hex(6), _checked_name(name), checked_purposes(purposes))
        fields = {"n": verifier.name, "p": ",".join(verifier.purposes), "t": f"{time.time():.0f}"}
        # Listed first: a verifier that is listed and holds no record is passed over.
        write(self._database, NAMES, {verifier.verifier_id: verifier.name})
        write(self._database, _info(verifier.verifier_id), fields)
        return verifier, self.new_key(verifier.verifier_id)

    def new_key(self, verifier_id: str) -> str:
        """One more API key; the earlier ones stay good until `drop_keys`."""
        api_key = f"vk_{verifier_id}_{secrets.token_urlsafe(32)}"
        write(self._database, _keys(verifier_id), {_digest(api_key): int(time.time())})
        return api_key

    def drop_keys(self, verifier_id: str, keep: str = "") -> int:
        """Make every API key worthless at once, but for `keep`; gives how many."""
        kept = _digest(keep).encode()
        old = [digest for digest in read(self._database, _keys(verifier_id)) if digest != kept]
        with guard():
            return self._database.hdel(_keys(verifier_id), *old) if old else 0

    def authenticate(self, api_key: str) -> Verifier:
        """The verifier that holds `api_key`.

        Raises:
            RefusalError: unauthenticated for a key that is malformed, unknown or of a blocked
                verifier; too_many_requests with `details["wait_s"]`.
        """
        return self.admit(api_key).verifier

    def admit(self, api_key: str) -> Admission:
        """As `authenticate`, with the figures that an answer's rate headers need."""
        shape = _API_KEY.fullmatch(api_key) if len(api_key) <= LONGEST_KEY else None
        if shape is None:
            raise RefusalError("unauthenticated")
        verifier_id, digest = shape[1], _digest(api_key)
        with guard():
            found = self._admit(
                keys=[_info(verifier_id), _keys(verifier_id), f"{_tag(verifier_id)}:rate"],
                args=[digest, self._rate_per_s, self._burst],
            )
        if not found:
            raise RefusalError("unauthenticated")
        fields, digests, left, wait_us = found
        # Every digest is compared, so that time does not tell which one is near.
        if not sum(hmac.compare_digest(digest.encode(), known) for known in digests):
            raise RefusalError("unauthenticated")
        verifier = _verifier(verifier_id, dict(zip(fields[::2], fields[1::2], strict=True)))
        if verifier.blocked:
            raise RefusalError("unauthenticated", reason="blocked")
        if wait_us:
            raise RefusalError("too_many_requests", wait_s=math.ceil(int(wait_us) / 1000) / 1000)
        return Admission(verifier, int(left), self._burst)

    def get(self, verifier_id: str) -> Verifier | None:
        """The verifier with this id."""
        fields = read(self._database, _info(verifier_id))
        return _verifier(verifier_id, fields) if fields else None

    def find(self, id_or_name: str) -> Verifier:
        """The verifier with this id or exactly this name.

        Raises:
            VerifierError: unknown_verifier, or ambiguous_verifier when several have the name.
        """
        found = self.get(id_or_name)
        if found:
            return found
        named = [verifier for verifier in self.all() if verifier.name == id_or_name.strip()]
        if len(named) > 1:
            ids = ", ".join(verifier.verifier_id for verifier in named)
            raise VerifierError("ambiguous_verifier", name=id_or_name, ids=ids)
        if not named:
            raise VerifierError("unknown_verifier", name=id_or_name)
        return named[0]

    def all(self) -> list[Verifier]:
        """Every verifier, by name."""
        ids = [verifier_id.decode() for verifier_id in read(self._database, NAMES)]
        records = read_many(self._database, map(_info, ids))
        found = [
            _verifier(verifier_id, fields)
            for verifier_id, fields in zip(ids, records, strict=True)
            if fields
        ]
        return sorted(found, key=lambda verifier: (verifier.name, verifier.verifier_id))

    def grant(self, verifier_id: str, purposes: Iterable[str]) -> Verifier:
        """Replace the purposes that a verifier may ask for; holds from its next request on.

        Raises:
            VerifierError: for no purpose, one that does not exist, or an unknown verifier.
        """
        return self._change(verifier_id, p=",".join(checked_purposes(purposes)))

    def block(self, verifier_id: str, *, blocked: bool = True) -> Verifier:
        """Refuse everything that a verifier asks, or serve it again.

        Raises:
            VerifierError: unknown_verifier.
        """
        return self._change(verifier_id, b=int(blocked))

    def set_rate(self, verifier_id: str, per_second: float) -> Verifier:
        """Give a verifier a rate of its own.

        Raises:
            VerifierError: unknown_verifier.
        """
        return self._change(verifier_id, r=max(per_second, 0.01))

    def _change(self, verifier_id: str, **fields: str | float) -> Verifier:
        if self.get(verifier_id) is None:
            raise VerifierError("unknown_verifier", name=verifier_id)
        write(self._database, _info(verifier_id), fields)
        changed = self.get(verifier_id)
        if changed is None:
            raise VerifierError("unknown_verifier", name=verifier_id)
        return changed


def checked_purposes(purposes: Iterable[str]) -> tuple[str, ...]:
    """The purposes in the table's order, each once.

    Raises:
        VerifierError: no_purpose, or unknown_purpose.
    """
    wanted = set(purposes)
    for purpose in sorted(wanted):
        if purpose not in PURPOSES:
            raise VerifierError("unknown_purpose", purpose=purpose, purposes=", ".join(PURPOSES))
    if not wanted:
        raise VerifierError("no_purpose", purposes=", ".join(PURPOSES))
    return tuple(purpose for purpose in PURPOSES if purpose in wanted)


def _checked_name(name: str) -> str:
    tidy = " ".join(name.split())
    if not tidy or len(tidy) > LONGEST_NAME or not tidy.isprintable():
        raise VerifierError("bad_verifier_name", limit=LONGEST_NAME)
    return tidy


def _verifier(verifier_id: str, fields: Fields) -> Verifier:
    # A purpose that the table no longer has is no longer granted.
    granted = fields.get(b"p", b"").decode().split(",")
    return Verifier(
        verifier_id=verifier_id,
        name=fields.get(b"n", b"").decode(),
        purposes=tuple(purpose for purpose in granted if purpose in PURPOSES),
        blocked=fields.get(b"b", b"0") != b"0",
    )


def _digest(api_key: str) -> str:
    return hashlib.sha256(api_key.encode()).hexdigest()


def _tag(verifier_id: str) -> str:
    return f"{{v:{verifier_id}}}"


def _info(verifier_id: str) -> str:
    return f"{_tag(verifier_id)}:info"


def _keys(verifier_id: str) -> str:
    return f"{_tag(verifier_id)}:keys"
