"""Desk PINs: enough for a colleague at a trusted tablet, and nothing anywhere else."""

from __future__ import annotations

import pytest
import redis

from credentials.accounts import Account, Accounts
from credentials.desk_pins import SHIFT_S, TABLET_TRIES, TRIES, DeskPins
from credentials.errors import SignInError
from credentials.pins import PinError
from credentials.sealing import Sealer
from tests.credentials.issuer import ring

PIN, PASSWORD = "738291", "a harbour in the fog"


@pytest.fixture
def staff(database: redis.Redis) -> Accounts:
    return Accounts(database, "staff")


@pytest.fixture
def pins(database: redis.Redis, staff: Accounts) -> DeskPins:
    return DeskPins(database, Sealer(ring()), staff)


def hired(staff: Accounts, name: str, verifier_id: str = "hotel") -> Account:
    staff.add(name, verifier_id=verifier_id)
    return staff.set_password(name, PASSWORD)


@pytest.fixture
def tablet(staff: Accounts, pins: DeskPins) -> str:
    """A tablet where xiaoli signed in fully; xiaowang has a PIN."""
    tag = pins.trust(hired(staff, "xiaoli"))
    hired(staff, "xiaowang")
    pins.put("xiaowang", PIN)
    return tag


def refusal(pins: DeskPins, tablet: str, name: str, pin: str) -> str:
    with pytest.raises(SignInError) as error:
        pins.enter(tablet, name, pin)
    return error.value.code


def test_a_colleague_takes_over(pins: DeskPins, tablet: str) -> None:
    assert pins.enter(tablet, "Xiaowang", PIN).account.username == "xiaowang"
    assert pins.those_with(["xiaoli", "xiaowang"]) == {"xiaowang"}


def test_a_busy_shift_never_locks_the_tablet(pins: DeskPins, tablet: str) -> None:
    for _ in range(TABLET_TRIES + 5):
        pins.enter(tablet, "xiaowang", PIN)


@pytest.mark.parametrize("pin", ["", "738292", "7382911", "73829", "x", "７３８２９１"])
def test_a_wrong_pin(pins: DeskPins, tablet: str, pin: str) -> None:
    assert refusal(pins, tablet, "xiaowang", pin) == "wrong_pin"


def test_five_wrong_ones_lock_the_pin(pins: DeskPins, tablet: str) -> None:
    told = [refusal(pins, tablet, "xiaowang", "000001") for _ in range(TRIES)]
    assert told == ["wrong_pin"] * (TRIES - 1) + ["locked"]
    assert refusal(pins, tablet, "xiaowang", PIN) == "locked"


def test_ones_own_pin_does_not_buy_guesses_at_others(
    staff: Accounts, pins: DeskPins, tablet: str
) -> None:
    for number in range(4):
        hired(staff, f"guest{number}")
        pins.put(f"guest{number}", "582940")
    for number in range(TABLET_TRIES - 1):
        assert refusal(pins, tablet, f"guest{number % 4}", "111112") == "wrong_pin"
        pins.enter(tablet, "xiaowang", PIN)
    assert refusal(pins, tablet, "guest3", "111112") == "wrong_pin"
    assert refusal(pins, tablet, "xiaowang", PIN) == "locked"


@pytest.mark.parametrize("tag", ["", "made-up", "x" * 40])
def test_a_tablet_where_nobody_signed_in(pins: DeskPins, tablet: str, tag: str) -> None:
    assert tag != tablet
    assert refusal(pins, tag, "xiaowang", PIN) == "no_tablet"


def test_a_shift_later(pins: DeskPins, tablet: str, database: redis.Redis) -> None:
    (key,) = database.scan_iter(match="{tablet:*")
    assert 0 < int(database.ttl(key)) <= SHIFT_S
    database.delete(key)
    assert refusal(pins, tablet, "xiaowang", PIN) == "no_tablet"


def test_who_signed_in_fully_was_cut_off(staff: Accounts, pins: DeskPins, tablet: str) -> None:
    staff.disable("xiaoli")
    assert refusal(pins, tablet, "xiaowang", PIN) == "no_tablet"


def test_the_next_full_sign_in_renames_the_tablet(
    staff: Accounts, pins: DeskPins, tablet: str
) -> None:
    account = staff.get("xiaoli")
    assert account
    fresh = pins.trust(account, before=tablet)
    assert refusal(pins, tablet, "xiaowang", PIN) == "no_tablet"
    assert pins.enter(fresh, "xiaowang", PIN)


def test_who_left_is_cut_off(staff: Accounts, pins: DeskPins, tablet: str) -> None:
    staff.disable("xiaowang")
    assert refusal(pins, tablet, "xiaowang", PIN) == "wrong_pin"


def test_a_one_time_password_comes_first(staff: Accounts, pins: DeskPins, tablet: str) -> None:
    staff.reset_password("xiaowang")
    assert refusal(pins, tablet, "xiaowang", PIN) == "wrong_pin"


def test_somebody_of_another_organisation(staff: Accounts, pins: DeskPins, tablet: str) -> None:
    hired(staff, "mallory", "cafe")
    pins.put("mallory", PIN)
    assert refusal(pins, tablet, "mallory", PIN) == "wrong_pin"


@pytest.mark.parametrize("name", ["nobody", "", "*", "xiaoli"])
def test_a_name_without_a_pin(pins: DeskPins, tablet: str, name: str) -> None:
    assert refusal(pins, tablet, name, PIN) == "wrong_pin"


def test_a_pin_that_was_taken_away(pins: DeskPins, tablet: str) -> None:
    pins.drop("xiaowang")
    assert refusal(pins, tablet, "xiaowang", PIN) == "wrong_pin"


@pytest.mark.parametrize(
    "pin",
    ["", "12345", "123456", "654321", "111111", "121212", "123456789", "12345a", "１２３４５６"],
)
def test_no_pin(pins: DeskPins, pin: str) -> None:
    with pytest.raises(PinError):
        pins.put("xiaowang", pin)
    assert pins.those_with(["xiaowang"]) == set()


def test_a_stolen_dump_has_no_hash_to_guess_from(
    pins: DeskPins, tablet: str, database: redis.Redis
) -> None:
    kept = database.get("{dp:xiaowang}")
    assert isinstance(kept, bytes)
    assert b"argon2" not in kept
