"""Verifiers: the organisations that may scan, their purposes and their API keys.

A verifier may have several API keys (`api_keys.py`), so that one replaces another without a gap.
Who asks with one is for the door to say (`door.py`).

| key | holds |
|---|---|
| `{verifiers}` | hash: the name of each verifier by id |
| `{v:<verifier id>}:info` | hash: n name, p purposes, b blocked, t since, r requests a second, \
  u JSON: until when (s) a purpose is granted, where it ends; c division of its place |
| `{v:<verifier id>}:keys`, `:used` | its API keys, see `api_keys.py` |
| `{v:<verifier id>}:rate` | when the requests so far will have been earned, in microseconds |
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Mapping

import redis

from credentials.api_keys import digest
from credentials.connection import guard
from credentials.door import BURST, RATE_PER_S, Admission, Door, Pass, verifier_from
from credentials.errors import CredentialError
from credentials.hashes import Fields, read, read_many, write
from credentials.model import Verifier
from credentials.purposes import PURPOSES
from credentials.store import Store

NAMES = "{verifiers}"
LONGEST_NAME = 60


class VerifierError(CredentialError):
    """What a verifier cannot be registered or found with.

    unknown_purpose (`details["purpose"]`), no_purpose, bad_verifier_name, unknown_verifier,
    ambiguous_verifier (`details["ids"]`).
    """

    code = "unknown_verifier"


class Verifiers:
    """The registered verifiers; every method raises UnavailableError when Redis cannot be asked."""

    def __init__(
        self, database: redis.Redis, *, rate_per_s: float = RATE_PER_S, burst: int = BURST
    ) -> None:
        self._database = database
        self._door = Door(Store(database), rate_per_s=rate_per_s, burst=burst)

    def add(self, name: str, purposes: Iterable[str]) -> tuple[Verifier, str]:
        """Register a verifier; gives it and its first API key, which nobody can read again.

        Raises:
            VerifierError: for a bad name, no purpose, or one that does not exist.
        """
        verifier = self.register(name, purposes)
        return verifier, self.new_key(verifier.verifier_id)

    def register(self, name: str, purposes: Iterable[str]) -> Verifier:
        """Register a verifier that has no API key yet; raises as `add`."""
        verifier = Verifier(secrets.token_hex(6), checked_name(name), checked_purposes(purposes))
        fields = {"n": verifier.name, "p": ",".join(verifier.purposes), "t": f"{time.time():.0f}"}
        # Listed first: a verifier that is listed and holds no record is passed over.
        write(self._database, NAMES, {verifier.verifier_id: verifier.name})
        write(self._database, _info(verifier.verifier_id), fields)
        return verifier

    def new_key(self, verifier_id: str) -> str:
        """One more API key; the earlier ones stay good until `drop_keys`."""
        api_key = f"vk_{verifier_id}_{secrets.token_urlsafe(32)}"
        write(self._database, _keys(verifier_id), {digest(api_key): int(time.time())})
        return api_key

    def drop_keys(self, verifier_id: str, keep: str = "") -> int:
        """Make every API key worthless at once, but for `keep`; gives how many."""
        kept = digest(keep).encode()
        old = [name for name in read(self._database, _keys(verifier_id)) if name != kept]
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
        return self._door.admit(api_key)

    def remembered(self, api_key: str) -> Pass | None:
        """A pass for a script that checks it (see door.py); None where `admit` has to be asked."""
        return self._door.remembered(api_key)

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

    def grant(
        self, verifier_id: str, purposes: Iterable[str], until: Mapping[str, float] | None = None
    ) -> Verifier:
        """Replace the purposes that a verifier may ask for; holds from its next request on.

        Args:
            verifier_id: whose.
            purposes: all that it may ask for from now on.
            until: when (seconds since 1970) those of them end that do.

        Raises:
            VerifierError: for no purpose, one that does not exist, or an unknown verifier.
        """
        ends = json.dumps({name: int(at) for name, at in (until or {}).items()})
        return self._change(verifier_id, p=",".join(checked_purposes(purposes)), u=ends)

    def settle(self, verifier_id: str, division: str) -> Verifier:
        """Say where a verifier is: the six digits of its division.

        Raises:
            VerifierError: unknown_verifier.
        """
        return self._change(verifier_id, c=division[:6])

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


def checked_name(name: str) -> str:
    """The name as it is kept and as holders read it.

    Raises:
        VerifierError: bad_verifier_name.
    """
    tidy = " ".join(name.split())
    if not tidy or len(tidy) > LONGEST_NAME or not tidy.isprintable():
        raise VerifierError("bad_verifier_name", limit=LONGEST_NAME)
    return tidy


def _verifier(verifier_id: str, fields: Fields) -> Verifier:
    return verifier_from(verifier_id, {name.decode(): value for name, value in fields.items()})


def _tag(verifier_id: str) -> str:
    return f"{{v:{verifier_id}}}"


def _info(verifier_id: str) -> str:
    return f"{_tag(verifier_id)}:info"


def _keys(verifier_id: str) -> str:
    return f"{_tag(verifier_id)}:keys"
