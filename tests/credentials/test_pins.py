"""The PIN: what is refused as one, and that nothing that needs it is told without it."""

from __future__ import annotations

import dataclasses
import functools
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import pytest

from credentials.errors import CredentialError, NoCardError
from credentials.model import Level, State, Verification
from credentials.pins import TRIES, PinError, check_new
from credentials.resealing import Resealing
from credentials.store import pin_key, record_key, verification_key
from tests.credentials.issuer import (
    HOLDER,
    PIN,
    Desk,
    Issuer,
    Phone,
    id_number,
    person,
    refusal,
    ring,
)

pytestmark = pytest.mark.usefixtures("light_hashing")
WRONG = "274907"
BANK = {"name", "id_number", "address", "valid_until", "portrait"}


@pytest.fixture
def bank(issuer: Issuer) -> Desk:
    return issuer.desk("banking", name="Harbour Bank")


@pytest.fixture
def upgraded(phone: Phone) -> Phone:
    """A holder with an upgraded card and a PIN."""
    phone.upgrade()
    return phone


def meets(code: str, phone: Phone, pin: str) -> PinError:
    """What an approval with this PIN meets."""
    with pytest.raises(PinError) as caught:
        phone.approve(pin)
    assert caught.value.code == code
    return caught.value


def asked(phone: Phone, bank: Desk) -> Verification:
    answer = bank.scan(phone.show(), "banking")
    assert (answer.state, answer.attributes) == (State.AWAITING_HOLDER, {})
    return answer


def lock(phone: Phone, bank: Desk) -> None:
    """Five wrong tries."""
    asked(phone, bank)
    for left in (4, 3, 2, 1):
        assert meets("wrong_pin", phone, WRONG).details["left"] == left
    meets("pin_locked", phone, WRONG)


def pass_cool_off(phone: Phone) -> None:
    phone.issuer.database.hincrby(pin_key(phone.credential_id), "sa", -3_601_000_000)


# --- what a PIN is ----------------------------------------------------------------------------


@pytest.mark.parametrize("pin", ["274906", "8630175", "90417362"])
def test_a_pin(pin: str) -> None:
    check_new(pin, id_number())


@pytest.mark.parametrize(
    "pin", ["", "12345", "123456789", "27490a", " 274906", "２７４９０６", "٢٧٤٩٠٦"]
)
def test_no_pin(pin: str) -> None:
    with pytest.raises(PinError) as caught:
        check_new(pin, id_number())
    assert caught.value.code == "pin_format"


@pytest.mark.parametrize(
    ("pin", "reason"),
    [
        ("123456", "sequence"), ("87654321", "sequence"), ("789012", "sequence"),
        ("098765", "sequence"), ("666666", "repeat"), ("121212", "repeat"), ("123123", "repeat"),
        ("12341234", "repeat"), ("112211", "repeat"), ("200009", "repeat"), ("19900307", "date"),
        ("900307", "date"), ("07031990", "date"), ("030790", "date"), ("199003", "date"),
        ("03071990", "date"), ("440115", "id_number"), ("401151", "id_number"),
        ("703009", "id_number"), ("147258", "common"), ("5201314", "common"),
    ],
)  # fmt: skip
def test_a_weak_pin(pin: str, reason: str) -> None:
    with pytest.raises(PinError) as caught:
        check_new(pin, id_number())
    assert (caught.value.code, caught.value.details["reason"]) == ("pin_weak", reason)


# --- a bank ------------------------------------------------------------------------------------


def test_a_bank_is_told_after_the_pin_and_exactly_what_it_may(upgraded: Phone, bank: Desk) -> None:
    answer = asked(upgraded, bank)
    upgraded.approve(PIN)
    told = bank.look(answer)
    assert (told.state, told.level) == (State.ACCEPTED, Level.UPGRADED)
    assert set(told.attributes) == BANK
    assert upgraded.history()[:2] == ["accepted", "asked"]
    assert upgraded.issuer.findings() == []


def test_a_bank_is_told_at_once_by_a_code_that_the_pin_was_entered_for(
    upgraded: Phone, bank: Desk
) -> None:
    answer = bank.scan(upgraded.show("banking", PIN), "banking")
    assert answer.state is State.ACCEPTED
    assert set(answer.attributes) == BANK


def test_the_code_is_renewed_without_the_pin_until_it_is_used(upgraded: Phone, bank: Desk) -> None:
    first, second = upgraded.show("banking", PIN), upgraded.show("banking")
    assert bank.scan(second, "banking").state is State.ACCEPTED
    assert bank.refused(first, "banking") == "already_used"
    with pytest.raises(PinError):
        upgraded.show("banking")


def test_one_pin_is_good_for_one_scan(upgraded: Phone, bank: Desk) -> None:
    bank.scan(upgraded.show("banking", PIN), "banking")
    assert bank.refused(upgraded.showed(-1, "banking"), "banking") == "expired"


def test_a_pin_entered_for_a_purpose_serves_no_other(upgraded: Phone, issuer: Issuer) -> None:
    office = issuer.desk("government_service")
    upgraded.show("banking", PIN)
    with pytest.raises(PinError):
        upgraded.show("government_service")
    assert office.refused(upgraded.showed(-1, "government_service"), "government_service") == (
        "expired"
    )


def test_a_pin_entered_for_a_code_approves_nothing(upgraded: Phone, bank: Desk) -> None:
    answer = asked(upgraded, bank)
    upgraded.show("banking", PIN)
    meets("pin_required", upgraded, "")
    assert bank.look(answer).attributes == {}


def test_a_pin_entered_counts_for_two_minutes(upgraded: Phone, bank: Desk) -> None:
    code = upgraded.show("banking", PIN)
    upgraded.issuer.database.hincrby(pin_key(upgraded.credential_id), "gu", -121_000_000)
    assert bank.refused(code, "banking") == "expired"
    with pytest.raises(PinError):
        upgraded.show("banking")


@pytest.mark.parametrize(
    ("pin", "code"),
    [
        ("", "pin_required"),
        (WRONG, "wrong_pin"),
        ("x" * 4000, "wrong_pin"),
        ("\ud800", "wrong_pin"),
    ],
)
def test_no_approval_without_the_right_pin(
    upgraded: Phone, bank: Desk, pin: str, code: str
) -> None:
    answer = asked(upgraded, bank)
    meets(code, upgraded, pin)
    assert bank.look(answer).state is State.AWAITING_HOLDER
    assert bank.look(answer).attributes == {}


def test_no_approval_where_no_pin_was_set(phone: Phone, bank: Desk) -> None:
    phone.upgrade(pin="")
    answer = asked(phone, bank)
    meets("pin_unset", phone, PIN)
    with pytest.raises(PinError):
        phone.show("banking", PIN)
    assert bank.look(answer).attributes == {}


def test_the_script_itself_lets_nothing_pass_without_a_pin(upgraded: Phone, bank: Desk) -> None:
    answer = asked(upgraded, bank)
    upgraded.issuer.pins.enter(upgraded.credential_id, PIN, "banking")
    approvals = upgraded.issuer.verifications._approvals
    approvals._pins.enter = lambda *_: None  # type: ignore[method-assign] # as if forgotten
    meets("pin_required", upgraded, PIN)
    assert bank.look(answer).attributes == {}


def test_no_approval_of_a_card_that_fell_back_to_light(upgraded: Phone, bank: Desk) -> None:
    answer = asked(upgraded, bank)
    upgraded.issuer.database.hset(record_key(upgraded.credential_id), "l", "light")
    assert refusal(lambda: upgraded.approve(PIN)) == "level_insufficient"
    assert bank.look(answer).attributes == {}


def test_denying_needs_no_pin(upgraded: Phone, bank: Desk) -> None:
    answer = asked(upgraded, bank)
    upgraded.issuer.verifications.deny(upgraded.holder, answer.verification_id, freeze=True)
    assert bank.look(answer).state is State.DENIED


def test_a_hotel_needs_no_pin(upgraded: Phone, desk: Desk) -> None:
    answer = desk.scan(upgraded.show(), "hotel")
    upgraded.approve()
    assert desk.look(answer).state is State.ACCEPTED


def test_a_request_that_is_over_costs_no_try(upgraded: Phone, bank: Desk) -> None:
    answer = asked(upgraded, bank)
    verifications = upgraded.issuer.verifications
    verifications.deny(upgraded.holder, answer.verification_id)
    for _ in range(7):
        assert (
            refusal(lambda: verifications.approve(upgraded.holder, answer.verification_id, WRONG))
            == "already_answered"
        )
    assert not upgraded.issuer.pins.state(upgraded.credential_id).locked


def test_too_late_for_a_pin(upgraded: Phone, bank: Desk) -> None:
    answer = asked(upgraded, bank)
    key = verification_key(answer.verification_id)
    upgraded.issuer.database.hincrby(key, "ex", -61_000_000)
    approve = functools.partial(
        upgraded.issuer.verifications.approve, upgraded.holder, answer.verification_id
    )
    for pin in (PIN, *[WRONG] * 7):
        assert refusal(functools.partial(approve, pin)) == "too_late"
    assert not upgraded.issuer.pins.state(upgraded.credential_id).locked


def test_a_request_that_a_newer_one_ended_costs_no_try(upgraded: Phone, bank: Desk) -> None:
    former, newer = asked(upgraded, bank), asked(upgraded, bank)
    verifications = upgraded.issuer.verifications
    for _ in range(7):
        refused = refusal(
            lambda: verifications.approve(upgraded.holder, former.verification_id, WRONG)
        )
        assert refused == "already_answered"
    upgraded.approve(PIN)
    assert bank.look(newer).state is State.ACCEPTED


def test_a_request_to_a_card_that_was_frozen_costs_no_try(upgraded: Phone, bank: Desk) -> None:
    answer = asked(upgraded, bank)
    upgraded.freeze()
    verifications = upgraded.issuer.verifications
    for _ in range(7):
        refused = refusal(
            lambda: verifications.approve(upgraded.holder, answer.verification_id, WRONG)
        )
        assert refused == "frozen"
    assert not upgraded.issuer.pins.state(upgraded.credential_id).locked


def test_another_holder_s_request_costs_no_try(upgraded: Phone, bank: Desk) -> None:
    answer = asked(upgraded, bank)
    stranger = dataclasses.replace(upgraded.holder, openid="of-a-stranger")
    verifications = upgraded.issuer.verifications
    for _ in range(7):
        with pytest.raises(NoCardError):
            verifications.approve(stranger, answer.verification_id, WRONG)
    assert not upgraded.issuer.pins.state(upgraded.credential_id).locked


# --- brute force -------------------------------------------------------------------------------


def test_five_wrong_tries_lock_it_even_for_the_right_one(upgraded: Phone, bank: Desk) -> None:
    lock(upgraded, bank)
    meets("pin_locked", upgraded, PIN)
    with pytest.raises(PinError):
        upgraded.show("banking", PIN)
    assert upgraded.issuer.pins.state(upgraded.credential_id).locked
    assert "pin_locked" in upgraded.history()
    assert upgraded.issuer.findings() == []


def test_the_right_one_forgets_the_wrong_ones(upgraded: Phone, bank: Desk) -> None:
    for _ in range(3):
        answer = asked(upgraded, bank)
        for _ in range(4):
            meets("wrong_pin", upgraded, WRONG)
        upgraded.approve(PIN)
        assert bank.look(answer).state is State.ACCEPTED


def test_of_many_tries_at_once_five_are_compared(upgraded: Phone, bank: Desk) -> None:
    asked(upgraded, bank)

    def guess(number: int) -> str:
        try:
            upgraded.approve(f"5{number:05d}")
        except CredentialError as error:
            return error.code
        return "approved"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(guess, range(30)))
    assert outcomes.count("wrong_pin") == 4
    assert outcomes.count("pin_locked") == 26


def test_one_holders_lock_is_not_anothers(issuer: Issuer, upgraded: Phone, bank: Desk) -> None:
    lock(upgraded, bank)
    other = issuer.phone(2)
    other.upgrade(person(2))
    answer = asked(other, bank)
    other.approve(PIN)
    assert bank.look(answer).state is State.ACCEPTED


# --- setting and replacing ---------------------------------------------------------------------


def test_a_light_card_gets_no_pin(phone: Phone) -> None:
    assert refusal(lambda: phone.issuer.pins.set(phone.holder, PIN)) == "level_insufficient"
    assert refusal(lambda: phone.issuer.pins.allow(phone.credential_id, "")) == (
        "level_insufficient"
    )


def test_the_first_pin_is_set_within_half_an_hour(phone: Phone) -> None:
    phone.upgrade(pin="")
    phone.issuer.database.hincrby(pin_key(phone.credential_id), "su", -1_801_000_000)
    with pytest.raises(PinError) as caught:
        phone.issuer.pins.set(phone.holder, PIN)
    assert caught.value.code == "pin_needs_face"
    phone.issuer.pins.allow(phone.credential_id, "distance=0.3")
    phone.issuer.pins.set(phone.holder, PIN)


def test_a_pin_is_set_once_for_one_face(upgraded: Phone) -> None:
    with pytest.raises(PinError) as caught:
        upgraded.issuer.pins.set(upgraded.holder, "831502")
    assert caught.value.code == "pin_needs_face"


def test_the_owner_recovers_with_a_fresh_face_and_patience(upgraded: Phone, bank: Desk) -> None:
    lock(upgraded, bank)
    pins = upgraded.issuer.pins
    state = pins.allow(upgraded.credential_id, "distance=0.3")
    assert not state.settable
    assert state.wait_minutes == 60
    with pytest.raises(PinError) as caught:
        pins.set(upgraded.holder, "831502")
    assert (caught.value.code, caught.value.details["wait_minutes"]) == ("pin_cooling", 60)
    pass_cool_off(upgraded)
    pins.set(upgraded.holder, "831502")
    answer = asked(upgraded, bank)
    meets("wrong_pin", upgraded, PIN)
    upgraded.approve("831502")
    assert bank.look(answer).state is State.ACCEPTED


def test_a_frozen_card_gets_no_new_pin_in_the_cool_off(upgraded: Phone) -> None:
    upgraded.issuer.pins.allow(upgraded.credential_id, "")
    upgraded.freeze()
    pass_cool_off(upgraded)
    assert refusal(lambda: upgraded.issuer.pins.set(upgraded.holder, "831502")) == "frozen"


def test_the_current_one_lets_it_be_changed(upgraded: Phone, bank: Desk) -> None:
    pins = upgraded.issuer.pins
    for code, current in (("wrong_pin", WRONG), ("pin_needs_face", "")):
        with pytest.raises(PinError) as caught:
            pins.set(upgraded.holder, "831502", current)
        assert caught.value.code == code
    pins.set(upgraded.holder, "831502", PIN)
    answer = asked(upgraded, bank)
    upgraded.approve("831502")
    assert bank.look(answer).state is State.ACCEPTED


def test_the_right_one_entered_on_a_frozen_card_is_no_wrong_try(
    upgraded: Phone, bank: Desk
) -> None:
    pins = upgraded.issuer.pins
    upgraded.freeze()
    for _ in range(TRIES + 1):
        assert refusal(lambda: pins.set(upgraded.holder, "831502", PIN)) == "frozen"
    assert not pins.state(upgraded.credential_id).locked
    upgraded.unfreeze()
    answer = asked(upgraded, bank)
    upgraded.approve(PIN)
    assert bank.look(answer).state is State.ACCEPTED


def test_wrong_ones_entered_on_a_frozen_card_lock_it(upgraded: Phone) -> None:
    pins = upgraded.issuer.pins
    upgraded.freeze()
    for _ in range(TRIES):
        with pytest.raises(PinError):
            pins.set(upgraded.holder, "831502", WRONG)
    assert pins.state(upgraded.credential_id).locked
    with pytest.raises(PinError, match="pin_locked"):
        pins.set(upgraded.holder, "831502", PIN)


def test_a_weak_one_is_refused_and_changes_nothing(upgraded: Phone) -> None:
    with pytest.raises(PinError) as caught:
        upgraded.issuer.pins.set(upgraded.holder, "900307", PIN)
    assert caught.value.code == "pin_weak"
    upgraded.show("banking", PIN)


# --- what is kept ------------------------------------------------------------------------------


def test_a_stolen_dump_holds_neither_the_pin_nor_a_hash_of_it(upgraded: Phone) -> None:
    kept = upgraded.issuer.database.hget(pin_key(upgraded.credential_id), "h")
    assert isinstance(kept, bytes)
    assert b"argon2" not in kept
    assert PIN.encode() not in kept


def test_a_pin_of_another_record_does_not_open(issuer: Issuer, upgraded: Phone) -> None:
    other = issuer.phone(2)
    other.upgrade(person(2), pin="831502")
    moved = issuer.database.hget(pin_key(other.credential_id), "h")
    issuer.database.hset(pin_key(upgraded.credential_id), "h", moved)
    with pytest.raises(CredentialError) as caught:
        upgraded.show("banking", "831502")
    assert caught.value.code == "unavailable"


def test_erasing_the_card_erases_the_pin(upgraded: Phone) -> None:
    upgraded.issuer.cards.erase(upgraded.holder, HOLDER)
    assert not upgraded.issuer.database.exists(pin_key(upgraded.credential_id))


def test_it_is_sealed_anew_under_a_new_key(upgraded: Phone, bank: Desk) -> None:
    later = Issuer(upgraded.issuer.database, ring(2, 1))
    deque(Resealing(later.store, later.sealer).run(), maxlen=0)
    only = Issuer(upgraded.issuer.database, ring(2))
    only.pins.enter(upgraded.credential_id, PIN, "banking")
