"""The desk PIN: how a colleague takes over at a shared tablet in two seconds.

Six to eight digits say little, so they open nothing by themselves: only a tablet where somebody
of the same organisation signed in fully this shift asks for one. Five wrong ones lock the PIN for
a quarter of an hour, fifteen wrong ones by anybody lock the tablet, and a full sign-in is always
the other way.

| key | holds |
|---|---|
| `{dp:<username>}` | the PIN's argon2id hash, sealed: six digits are soon guessed from a hash |
| `{tablet:<tag>}` | `<time> <epoch> <username>` of who signed in fully there; ends after a shift |
"""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Iterable
from typing import Any

import redis

from credentials import passwords
from credentials.accounts import Account, Accounts, normalise
from credentials.connection import guard
from credentials.errors import SignInError
from credentials.limits import Limits
from credentials.pins import check_digits
from credentials.sealing import Sealer

TRIES = 5
TABLET_TRIES = 15
LOCK_S = 15 * 60
SHIFT_S = 12 * 60 * 60


@dataclasses.dataclass(frozen=True, slots=True)
class Entered:
    """An account at a tablet that is trusted, and since when (seconds since 1970) it is."""

    account: Account
    since: float


class DeskPins:
    """The desk PINs of staff, and the tablets that ask for them.

    Every method raises UnavailableError when it cannot know.
    """

    def __init__(self, database: redis.Redis, sealer: Sealer, staff: Accounts) -> None:
        self._redis = database
        self._staff = staff
        self._sealer = sealer
        self._limits = Limits(database)

    def put(self, username: str, pin: str) -> None:
        """Give an account its PIN.

        Raises:
            PinError: pin_format, pin_weak.
        """
        check_digits(pin)
        place = _place(username)
        with guard():
            self._redis.set(place, self._sealer.seal(place, passwords.hashed(pin).encode()))
        self._limits.forget("desk_pin", normalise(username))

    def those_with(self, usernames: Iterable[str]) -> set[str]:
        """Which of these accounts have a PIN, in one round trip."""
        names = [normalise(username) for username in usernames]
        with guard():
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                pipe.exists(_place(name))
            return {name for name, there in zip(names, pipe.execute(), strict=True) if there}

    def drop(self, username: str) -> None:
        """Make an account's PIN worthless."""
        with guard():
            self._redis.delete(_place(username))
        self._limits.forget("desk_pin", normalise(username))

    def enter(self, tablet: str, username: str, pin: str) -> Entered:
        """The account that a PIN opens at a tablet.

        1. The tablet is trusted, and the account is of the organisation whose tablet it is.
        2. Count the try, for the tablet and for the account, before anything is compared.
        3. Compare, with a hash of nobody's if there is no PIN. 4. A right PIN forgets its own
        account's tries and takes back its own try at the tablet, and none of anybody else's.

        Raises:
            SignInError: no_tablet, wrong_pin with `details["left"]`, locked with
                `details["wait_minutes"]`.
        """
        trusted = self.trusted(tablet)  # 1
        account = self._staff.get(username)
        if trusted is None:
            raise SignInError("no_tablet")
        own = account is not None and not (account.disabled or account.must_change_password)
        own = own and account is not None and account.verifier_id == trusted.account.verifier_id
        at = self._limits.attempt("desk_tablet", tablet, TABLET_TRIES, LOCK_S, LOCK_S)  # 2
        if not at.allowed:
            raise SignInError("locked", wait_minutes=at.wait_minutes)
        name = normalise(username)
        tries = self._limits.attempt("desk_pin", name, TRIES, LOCK_S, LOCK_S)
        if not tries.allowed:
            raise SignInError("locked", wait_minutes=tries.wait_minutes)
        place = _place(username)
        with guard():
            sealed: Any = self._redis.get(place) if own else None
        kept = self._sealer.unseal(place, sealed).decode() if sealed else None
        if not passwords.matches(kept, pin) or kept is None or account is None:  # 3
            if not tries.left:
                raise SignInError("locked", wait_minutes=LOCK_S // 60)
            raise SignInError("wrong_pin", left=tries.left)
        self._limits.forget("desk_pin", name)  # 4
        self._limits.give_back("desk_tablet", tablet, TABLET_TRIES)
        return Entered(account, trusted.since)

    def trust(self, account: Account, before: str = "") -> str:
        """A tablet's new name, after a full sign-in there; the one before is worthless."""
        tag = secrets.token_urlsafe(24)
        said = f"{time.time():.0f} {account.epoch} {account.username}"
        with guard():
            self._redis.set(_tablet(tag), said, ex=SHIFT_S)
        if before:
            self.distrust(before)
        return tag

    def distrust(self, tablet: str) -> None:
        """Ask for no PIN at a tablet any more."""
        with guard():
            self._redis.delete(_tablet(tablet))

    def trusted(self, tablet: str) -> Entered | None:
        """Who signed in fully at a tablet this shift; None also if they were cut off since."""
        with guard():
            found: Any = self._redis.get(_tablet(tablet)) if tablet else None
        if not found:
            return None
        since, epoch, username = found.decode().split(" ", 2)
        account = self._staff.of_session(username, int(epoch))
        return Entered(account, float(since)) if account else None


def _place(username: str) -> str:
    return f"{{dp:{normalise(username)}}}"


def _tablet(tag: str) -> str:
    return f"{{tablet:{tag}}}"
