"""The second factor of whoever signs in: a code from an app (TOTP, RFC 6238), once each.

The secret is sealed. A code counts for its half minute and the ones beside it, and never twice:
the last step used is kept and only a later one is accepted. Eight recovery codes help once each
when the phone is lost; they are kept as HMAC-SHA-256 (RFC 2104) under the secret, so that whoever
has only Redis's data cannot try them out. They follow from the secret, so that a confirmation that
is sent twice shows the ones that are in force.

| key | holds |
|---|---|
| `{a2:<kind>:<username>}` | hash: s sealed secret, p sealed secret not yet confirmed, u the last \
  step used, c the step that confirmed it, r MACs of recovery codes |
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any, cast

import pyotp
import redis

from credentials.accounts import Kind, normalise
from credentials.connection import guard
from credentials.errors import SignInError
from credentials.limits import Limits
from credentials.sealing import Sealer

STEP_S = 30
BESIDE = 1
ATTEMPTS = 5
LOCK_S = 15 * 60
RECOVERY_CODES = 8
ISSUER = "Virtual ID card"
_USE = """
-- Accept a step of time once. KEYS[1] {a2}   ARGV[1] the step. Gives 1, or 0 if it is not later.
local last = tonumber(redis.call('HGET', KEYS[1], 'u') or '0')
if tonumber(ARGV[1]) <= last then return 0 end
redis.call('HSET', KEYS[1], 'u', ARGV[1])
return 1
"""
_SPEND = """
-- Spend a recovery code once. KEYS[1] {a2}   ARGV[1] its MAC. Gives 1, or 0 if it is not there.
local all = redis.call('HGET', KEYS[1], 'r') or ''
local at, to = string.find(all, ARGV[1], 1, true)
if not at then return 0 end
redis.call('HSET', KEYS[1], 'r', string.sub(all, 1, at - 1) .. string.sub(all, to + 1))
return 1
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Offer:
    """A secret to be put into an app: as text, and as the address that its QR code holds."""

    secret: str
    address: str


class SecondFactors:
    """The second factors of one kind of account; every method raises UnavailableError."""

    def __init__(
        self,
        database: redis.Redis,
        sealer: Sealer,
        kind: Kind,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._redis = database
        self._sealer = sealer
        self._kind = kind
        self._limits = Limits(database)
        self._clock = clock
        self._use = database.register_script(_USE)
        self._spend = database.register_script(_SPEND)

    def enrolled(self, username: str) -> bool:
        """Whether this account has a second factor."""
        with guard():
            return bool(self._redis.hexists(self._place(username), "s"))

    def offer(self, username: str) -> Offer:
        """A secret to confirm; the same one until it is confirmed."""
        place = self._place(username)
        with guard():
            pending: Any = self._redis.hget(place, "p")
            if pending is None:
                fresh = self._sealer.seal(place, pyotp.random_base32().encode())
                self._redis.hsetnx(place, "p", fresh)
                pending = self._redis.hget(place, "p")
        secret = self._sealer.unseal(place, pending).decode()
        address = pyotp.TOTP(secret).provisioning_uri(name=normalise(username), issuer_name=ISSUER)
        return Offer(secret, address)

    def confirm(self, username: str, code: str) -> list[str]:
        """Put the offered secret in force; gives the recovery codes, which nobody can read again.

        The same code again, as after a second press of the button, gives the same ones, as long
        as it is good and nobody signed in with another.

        Raises:
            SignInError: wrong_code, locked.
        """
        place = self._place(username)
        self._count(username)
        with guard():
            sealed, used, confirmed = cast(
                "list[bytes | None]", self._redis.hmget(place, ["s", "u", "c"])
            )
        if sealed is None:
            secret = self.offer(username).secret
        else:
            secret = self._sealer.unseal(place, sealed).decode()
        step = self._step(secret, code)
        if step is None or (sealed and not used == confirmed == str(step).encode()):
            raise SignInError("wrong_code")
        codes = _recovery_codes(secret)
        if sealed is None:
            macs = ",".join(_mac(secret, each) for each in codes)
            kept = self._sealer.seal(place, secret.encode())
            with guard():
                together = self._redis.pipeline(transaction=True)
                together.hset(place, mapping={"s": kept, "u": step, "c": step, "r": macs})
                together.hdel(place, "p")
                together.execute()
        self._limits.forget(self._scope, normalise(username))
        return codes

    def check(self, username: str, code: str) -> str:
        """Accept a code of the app, or a recovery code; gives `app` or `recovery`.

        Raises:
            SignInError: wrong_code, locked after five of them.
        """
        self._count(username)
        place = self._place(username)
        with guard():
            sealed: Any = self._redis.hget(place, "s")
        if sealed is None:
            raise SignInError("wrong_code")
        secret = self._sealer.unseal(place, sealed).decode()
        step = self._step(secret, code)
        with guard():
            if step is not None and self._use(keys=[place], args=[step]):
                how = "app"
            elif step is None and self._spend(keys=[place], args=[_mac(secret, code)]):
                how = "recovery"
            else:
                raise SignInError("wrong_code")
        self._limits.forget(self._scope, normalise(username))
        return how

    def remove(self, username: str) -> None:
        """Take the second factor away, as when phone and recovery codes are lost."""
        with guard():
            self._redis.delete(self._place(username))
        self._limits.forget(self._scope, normalise(username))

    def _step(self, secret: str, code: str) -> int | None:
        """The step of time whose code this is, among now and beside it."""
        given = "".join(code.split())
        if not (given.isascii() and given.isdigit() and len(given) == 6):
            return None
        now = int(self._clock()) // STEP_S
        totp = pyotp.TOTP(secret)
        found = None
        for step in range(now - BESIDE, now + BESIDE + 1):
            if hmac.compare_digest(totp.generate_otp(step), given):
                found = step
        return found

    def _count(self, username: str) -> None:
        allowance = self._limits.attempt(self._scope, normalise(username), ATTEMPTS, LOCK_S, LOCK_S)
        if not allowance.allowed:
            raise SignInError("locked", wait_minutes=allowance.wait_minutes)

    @property
    def _scope(self) -> str:
        return f"second:{self._kind}"

    def _place(self, username: str) -> str:
        return f"{{a2:{self._kind}:{normalise(username)}}}"


def _recovery_codes(secret: str) -> list[str]:
    """The recovery codes of a secret: 40 random bits each to whoever has not got it."""
    made = (
        hmac.new(secret.encode(), f"recovery code {number}".encode(), hashlib.sha256).hexdigest()
        for number in range(RECOVERY_CODES)
    )
    return [f"{each[:4]}-{each[4:10]}" for each in made]


def _mac(secret: str, code: str) -> str:
    said = code.strip().lower().encode()
    return hmac.new(secret.encode(), said, hashlib.sha256).hexdigest()[:32]
