"""The PIN of an upgraded card: six to eight digits that agree to what needs more than a code.

It is kept as an argon2id hash, sealed under the master keys: six digits are soon guessed from a
hash alone, so a stolen dump must not hold one. A PIN is entered *for* something: one purpose of
a code that is to be shown, or one verification that waits. The scripts of those two look at
exactly that, and use it up, so whatever was forgotten elsewhere, nothing is told without it.

- A try is counted before it is compared; five wrong ones lock the PIN, from whatever addresses
  they came, until a new one is set.
- The first PIN is set within half an hour of the upgrade, or of a fresh face later.
- A forgotten or locked one is replaced after a fresh face and then an hour's cool-off, in which
  the holder sees what is going on and can freeze the card.

| field of `{b0042}:pin:<cid>` | holds |
|---|---|
| h | the argon2id hash, sealed |
| f | tries since it was last right |
| gt, gu | what it was entered for, and until when that counts (µs) |
| sa, su | from and until when a new one may be set (µs) |
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator
from typing import Any

from credentials import passwords, record
from credentials.audit import Audit
from credentials.errors import CredentialError, NoCardError, RefusalError
from credentials.model import Holder, Level
from credentials.sealing import Sealer
from credentials.store import Store, card_key, is_credential_id, pin_key, place_of, record_key

SHORTEST, LONGEST = 6, 8
TRIES = 5
ENTERED_SECONDS = 120
SETTING_SECONDS = 30 * 60
COOL_OFF_SECONDS = 60 * 60
_DIGITS = re.compile(r"[0-9]{6,8}")
_ASCENDING = "01234567890123456789"
# Paths over the keys of a phone, and numbers that are read as words; sequences, repeats and
# dates are found by rule.
_COMMON = frozenset(
    {"147258", "258369", "147369", "159357", "357159", "159753", "142536", "14725836", "147852",
     "520131", "5201314", "1314520", "131452", "168168", "518518", "100200", "112358", "314159"}
)  # fmt: skip


class PinError(CredentialError):
    """What is wrong with a PIN, or with entering it.

    pin_format, pin_weak; pin_required (none was entered), pin_unset (there is none), wrong_pin
    (`details["left"]` tries), pin_locked; pin_needs_face, pin_cooling
    (`details["wait_minutes"]`).
    """

    code = "pin_required"


@dataclasses.dataclass(frozen=True, slots=True)
class PinState:
    """How the PIN of a card stands.

    `from_s` and `until_s` (seconds since 1970) are when a new one may be set, None if a fresh
    face is needed first; `now` the moment by Redis's clock.
    """

    there: bool
    locked: bool
    from_s: float | None
    until_s: float | None
    now: float

    @property
    def settable(self) -> bool:
        """Whether a new PIN may be set now without the old one."""
        return self.from_s is not None and self.from_s <= self.now

    @property
    def wait_minutes(self) -> int:
        """How long until it may be set, in minutes, rounded up."""
        return math.ceil(max(0.0, (self.from_s or 0.0) - self.now) / 60)


class Pins:
    """The PINs. Every method raises UnavailableError when it cannot know."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer
        self._audit = Audit(store, sealer.keyring)

    def state(self, credential_id: str) -> PinState:
        """How a card's PIN stands."""
        now = self._store.glance(credential_id).now
        fields = self._store.fields(pin_key(credential_id))[0]
        until = int(fields.get("su", b"0"))
        open_still = until > now
        return PinState(
            there="h" in fields,
            locked="h" in fields and int(fields.get("f", b"0")) >= TRIES,
            from_s=int(fields["sa"]) / 1e6 if open_still else None,
            until_s=until / 1e6 if open_still else None,
            now=now / 1e6,
        )

    def enter(self, credential_id: str, pin: str, target: str) -> None:
        """Take a PIN for one thing, a purpose's name or a verification's id, for two minutes.

        Raises:
            PinError: pin_required for an empty one, pin_unset, wrong_pin, pin_locked.
        """
        for _ in range(2):  # between comparing and granting it may have been sealed anew
            sealed = self._compared(credential_id, pin)
            arguments = (sealed, target, ENTERED_SECONDS)
            if self._store.run("pin_grant", (pin_key(credential_id),), arguments):
                return
        raise PinError("wrong_pin", left=TRIES)

    def entered(self, credential_id: str, target: str) -> bool:
        """Whether a PIN that was entered for this still counts."""
        now = self._store.glance(credential_id).now
        fields = self._store.fields(pin_key(credential_id))[0]
        return fields.get("gt") == target.encode() and int(fields["gu"]) >= now

    def set(self, holder: Holder, pin: str, current: str = "") -> None:
        """Set the PIN, or replace it by giving the `current` one.

        Raises:
            NoCardError: when the account holds no card.
            PinError: pin_format, pin_weak; pin_needs_face, pin_cooling; as `enter` for the
                current one.
            RefusalError: level_insufficient for a light card, or the card's status.
        """
        credential_id = self._held(holder)
        glance = self._store.glance(credential_id)
        if "e" not in glance.record:
            raise NoCardError
        known = record.unseal(self._sealer, credential_id, glance.record["e"])
        if known.holder != holder:
            raise NoCardError
        if glance.record.get("l") != Level.UPGRADED.encode():
            raise RefusalError("level_insufficient")
        check_new(pin, known.id_number)
        was = self._compared(credential_id, current) if current else b""
        place = place_of(credential_id)
        how = "changed" if current else "face"
        pen = self._audit.pen()
        entry = pen.entry(credential_id, "pin_set", by="holder", how=how)
        sealed = self._sealer.seal(_sealed_as(credential_id), passwords.hashed(pin).encode())
        answer: list[Any] = self._store.run(
            "pin_set",
            (record_key(credential_id), pin_key(credential_id), place.log, place.head),
            (*pen.chain(place), credential_id, *entry, sealed, was),
        )
        self._checked(credential_id, answer)

    def allow(self, credential_id: str, evidence: str) -> PinState:
        """A fresh face was seen: let a PIN be set, after the cool-off where there is one already.

        Args:
            credential_id: whose.
            evidence: how the face was seen, for the audit.

        Raises:
            RefusalError: level_insufficient for a light card, or the card's status.
        """
        place = place_of(credential_id)
        pen = self._audit.pen()
        entry = pen.entry(credential_id, "pin_renewal", by="holder", evidence=evidence)
        answer: list[Any] = self._store.run(
            "pin_allow",
            (record_key(credential_id), pin_key(credential_id), place.log, place.head),
            (
                *pen.chain(place),
                credential_id,
                *entry,
                COOL_OFF_SECONDS,
                SETTING_SECONDS,
            ),
        )
        self._checked(credential_id, answer)
        return self.state(credential_id)

    def forget(self, credential_id: str) -> None:
        """Forget the PIN of a card whose data is erased."""
        self._store.drop(pin_key(credential_id))

    def _compared(self, credential_id: str, pin: str) -> bytes:
        """The sealed PIN, if `pin` is it; a try is counted first, and again forgotten by success.

        Raises:
            PinError: pin_required, pin_unset, wrong_pin, pin_locked.
        """
        if not pin:
            raise PinError("pin_required")
        answer: list[Any] = self._store.run("pin_try", (pin_key(credential_id),), (TRIES,))
        if answer[0] != b"ok":
            raise PinError(answer[1].decode())
        sealed, left = bytes(answer[1]), int(answer[2])
        kept = self._sealer.unseal(_sealed_as(credential_id), sealed).decode()
        if passwords.matches(kept, pin):
            return sealed
        if left > 0:
            raise PinError("wrong_pin", left=left)
        place, pen = place_of(credential_id), self._audit.pen()
        entry = pen.entry(credential_id, "pin_locked", by="system")
        keys = (record_key(credential_id), place.log, place.head)
        self._store.run("remark", keys, (*pen.chain(place), credential_id, *entry))
        raise PinError("pin_locked")

    def _held(self, holder: Holder) -> str:
        credential_id = self._store.get(card_key(holder))
        if credential_id is None or not is_credential_id(credential_id):
            raise NoCardError
        return credential_id

    def _checked(self, credential_id: str, answer: list[Any]) -> None:
        if answer[0] == b"ok":
            return
        code = answer[1].decode()
        if code == "pin_cooling":
            raise PinError(code, wait_minutes=self.state(credential_id).wait_minutes)
        if code == "no_card":
            raise NoCardError
        raise PinError(code) if code in {"pin_needs_face", "wrong_pin"} else RefusalError(code)


def check_new(pin: str, id_number: str) -> None:
    """Refuse what is no PIN, and what is guessed first.

    Args:
        pin: six to eight digits.
        id_number: the holder's, 18 characters: its parts and the birth date are no secrets.

    Raises:
        PinError: pin_format, or pin_weak with `details["reason"]`: sequence, repeat, date,
            id_number, common.
    """
    check_digits(pin)
    if any(date in pin or pin in date for date in _dates(id_number[6:14])):
        raise PinError("pin_weak", reason="date")
    digits = id_number[:17]
    if pin in digits or pin[::-1] in digits or pin in id_number[-len(pin) :]:
        raise PinError("pin_weak", reason="id_number")


def check_digits(pin: str) -> None:
    """Refuse what is no PIN, and what anybody's guess would be.

    Raises:
        PinError: pin_format, or pin_weak with `details["reason"]`: sequence, repeat, common.
    """
    if not _DIGITS.fullmatch(pin):
        raise PinError("pin_format", shortest=SHORTEST, longest=LONGEST)
    if pin in _ASCENDING or pin[::-1] in _ASCENDING:
        raise PinError("pin_weak", reason="sequence")
    if _repeats(pin):
        raise PinError("pin_weak", reason="repeat")
    if pin in _COMMON:
        raise PinError("pin_weak", reason="common")


def _repeats(pin: str) -> bool:
    """Two different digits or one, the same part again and again, or the same digit four times."""
    parts = (pin[:size] for size in range(1, len(pin) // 2 + 1))
    return (
        len(set(pin)) <= 2
        or any((part * len(pin))[: len(pin)] == pin for part in parts)
        or re.search(r"(.)\1{3}", pin) is not None
    )


def _dates(birth: str) -> Iterator[str]:
    """The ways to write a birth date of eight digits; each of six or more."""
    year, month, day = birth[:4], birth[4:6], birth[6:]
    for first, second in ((month, day), (day, month)):
        for one in (year, year[2:]):
            yield one + first + second
            yield first + second + one
    yield year + month
    yield month + year


def _sealed_as(credential_id: str) -> str:
    """The record id that a PIN is sealed for: moved into another place it does not open."""
    return f"{credential_id}:pin"
