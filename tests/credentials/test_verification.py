"""One scan and its outcome."""

from __future__ import annotations

import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest

from credentials import connection
from credentials.codes import LIFE_SECONDS, Payload
from credentials.disclosure import DisclosureError
from credentials.errors import RefusalError, UnavailableError
from credentials.keyring import Keyring
from credentials.model import Level, State, Verification
from credentials.store import record_key, verification_key
from tests.credentials.issuer import HOLDER, Desk, Issuer, Phone, refusal, ring

CAFE = {"age_over_18", "name_masked", "portrait"}


def test_a_cafe_is_told_what_it_needs_and_no_more(phone: Phone, desk: Desk) -> None:
    answer = desk.scan(phone.show(), "internet_cafe")
    assert answer.state is State.ACCEPTED
    assert answer.level is Level.LIGHT
    assert set(answer.attributes) == CAFE
    assert answer.attributes["age_over_18"] is True
    assert answer.attributes["name_masked"] == "张**"
    assert "accepted" in phone.history()


def test_the_whole_address_of_a_qr_is_as_good_as_its_code(phone: Phone, desk: Desk) -> None:
    address = phone.issuer.cards.mint(phone.holder).address
    assert desk.scan(f"  {address.lower()}\n", "internet_cafe").state is State.ACCEPTED


def test_the_holder_is_told_at_once(phone: Phone, desk: Desk) -> None:
    answer = desk.scan(phone.show(), "internet_cafe")
    (receipt,) = phone.issuer.receipts
    assert receipt.holder == phone.holder
    assert receipt.decided.verification_id == answer.verification_id
    assert (receipt.verifier, receipt.decided.desk) == ("Seaside Hotel", "Front desk")
    assert set(receipt.fields) == CAFE


def test_a_code_works_once(phone: Phone, desk: Desk) -> None:
    code = phone.show()
    desk.scan(code, "internet_cafe")
    assert desk.refused(code, "internet_cafe") == "already_used"
    assert desk.refused(code, "courier") == "already_used"
    assert desk.scan(phone.show(), "internet_cafe").state is State.ACCEPTED


def test_an_older_code_is_refused_after_a_newer_one(phone: Phone, desk: Desk) -> None:
    older, newer = phone.show(), phone.show()
    desk.scan(newer, "internet_cafe")
    assert desk.refused(older, "internet_cafe") == "already_used"


def test_a_hundred_scans_at_the_same_moment_find_one_accepted(phone: Phone, desk: Desk) -> None:
    code = phone.show()

    def scan(_: int) -> str:
        try:
            return desk.scan(code, "internet_cafe").state
        except RefusalError as error:
            return error.code

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(scan, range(100)))
    assert outcomes.count("accepted") == 1
    assert outcomes.count("already_used") == 99
    assert phone.history().count("accepted") == 1
    assert len(phone.issuer.receipts) == 1


@pytest.mark.parametrize(("seconds", "outcome"), [(30.5, "expired"), (86400, "expired")])
def test_a_code_dies(phone: Phone, desk: Desk, seconds: float, outcome: str) -> None:
    assert desk.refused(phone.showed(seconds), "internet_cafe") == outcome


def test_a_code_lives_for_thirty_seconds(
    phone: Phone, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a minute for each second: the last five seconds are soon over on a slow machine."""
    monkeypatch.setattr("credentials.verification.LIFE_SECONDS", LIFE_SECONDS * 60)
    assert LIFE_SECONDS == 30
    assert desk.scan(phone.showed(25 * 60), "internet_cafe").state is State.ACCEPTED


def test_a_code_from_tomorrow_is_refused(phone: Phone, desk: Desk) -> None:
    assert desk.refused(phone.showed(-86400), "internet_cafe") == "expired"


@pytest.mark.parametrize("text", ["", "   ", "hello", "A" * 51, "A" * 53, "张" * 52, "A" * 100_000])
def test_what_is_no_code_is_malformed(desk: Desk, text: str) -> None:
    assert desk.refused(text, "internet_cafe") == "malformed"


@pytest.mark.parametrize("place", [0, 10, 25, 26, 40, 51])
def test_a_code_that_was_touched_has_a_bad_signature(phone: Phone, desk: Desk, place: int) -> None:
    code = phone.show()
    other = "B" if code[place] != "B" else "C"
    touched = code[:place] + other + code[place + 1 :]
    assert desk.refused(touched, "internet_cafe") == "bad_signature"
    assert desk.scan(code, "internet_cafe").state is State.ACCEPTED


def test_a_code_of_another_issuer_has_a_bad_signature(phone: Phone, desk: Desk) -> None:
    stranger = Issuer(phone.issuer.database, ring(9))
    code = stranger.codes.write(Payload(phone.credential_id, 1))
    assert desk.refused(code, "internet_cafe") == "bad_signature"


def test_a_code_of_nobody_is_unknown(phone: Phone, desk: Desk) -> None:
    now = phone.issuer.store.glance(phone.credential_id).now
    code = phone.issuer.codes.write(Payload("0123456789abcdef", now))
    assert desk.refused(code, "internet_cafe") == "unknown_code"


def test_a_rotated_key_still_reads_and_a_retired_one_does_not(phone: Phone) -> None:
    code = phone.show()
    rotated = Issuer(phone.issuer.database, ring(2, 1))
    assert rotated.desk().scan(code, "internet_cafe").state is State.ACCEPTED
    retired = Issuer(phone.issuer.database, ring(2))
    assert retired.desk().refused(phone.show(), "internet_cafe") == "bad_signature"


def test_frozen_between_showing_and_scanning(phone: Phone, desk: Desk) -> None:
    code = phone.show()
    phone.freeze()
    assert desk.refused(code, "internet_cafe") == "frozen"
    phone.unfreeze()
    assert desk.scan(code, "internet_cafe").state is State.ACCEPTED


def test_revoked_between_showing_and_scanning(phone: Phone, desk: Desk) -> None:
    code = phone.show()
    phone.issuer.cards.revoke(phone.credential_id, HOLDER)
    assert desk.refused(code, "internet_cafe") == "revoked"


def test_a_card_whose_time_has_passed(issuer: Issuer, desk: Desk) -> None:
    old = issuer.phone(valid_until=datetime.date(2020, 1, 1))
    assert desk.refused(old.showed(1), "internet_cafe") == "expired"


@pytest.mark.parametrize("purpose", ["banking", "government_service", "business_registration"])
def test_what_needs_the_upgraded_level_is_refused(phone: Phone, desk: Desk, purpose: str) -> None:
    assert desk.refused(phone.show(), purpose) == "level_insufficient"
    assert refusal(lambda: phone.show(purpose)) == "level_insufficient"
    assert desk.refused(phone.showed(0, purpose), purpose) == "level_insufficient"


@pytest.mark.parametrize(
    ("level", "code"),
    [("upgraded", "expired"), ("god", "level_insufficient"), ("", "level_insufficient")],
)
def test_what_needs_a_pin_is_never_answered_by_a_level(
    phone: Phone, desk: Desk, level: str, code: str
) -> None:
    phone.issuer.database.hset(record_key(phone.credential_id), "l", level)
    assert desk.refused(phone.showed(1, "banking"), "banking") == code


def test_a_purpose_that_was_not_granted_is_refused_and_logged(issuer: Issuer, phone: Phone) -> None:
    cafe = issuer.desk("internet_cafe")
    assert cafe.refused(phone.show(), "hotel") == "purpose_not_granted"
    assert cafe.refused(phone.show(), "no_such_purpose") == "purpose_not_granted"
    noted = [use.kind for use in issuer.audit.recent(5)]
    assert noted == ["purpose_refused", "purpose_refused"]
    assert phone.history() == ["activated", "issued"]


def test_a_code_bound_to_a_purpose_serves_no_other(phone: Phone, desk: Desk) -> None:
    code = phone.show("internet_cafe")
    assert desk.refused(code, "hotel") == "purpose_not_granted"
    assert desk.refused(code, "courier") == "purpose_not_granted"
    assert desk.scan(code, "internet_cafe").state is State.ACCEPTED


def test_a_hotel_is_answered_at_once_by_a_code_bound_to_it(phone: Phone, desk: Desk) -> None:
    answer = desk.scan(phone.show("hotel"), "hotel")
    assert answer.state is State.ACCEPTED
    assert answer.attributes["name"] == "张三丰"
    assert answer.attributes["birth_date"] == "1990-03-07"


# --- asked again -----------------------------------------------------------------------------


def test_the_same_request_gets_the_same_answer(phone: Phone, desk: Desk) -> None:
    code = phone.show()
    first = desk.scan(code, "internet_cafe", "3f0a")
    assert desk.scan(code, "internet_cafe", "3f0a") == first
    assert len(phone.issuer.receipts) == 1
    assert phone.history().count("accepted") == 1


def test_the_same_request_from_many_at_once_is_one_use(phone: Phone, desk: Desk) -> None:
    code = phone.show()
    with ThreadPoolExecutor(8) as pool:
        answers: list[Verification] = list(
            pool.map(lambda _: desk.scan(code, "internet_cafe", "again"), range(24))
        )
    assert len({answer.verification_id for answer in answers}) == 1
    assert phone.history().count("accepted") == 1


def test_a_request_id_is_not_for_two_requests(phone: Phone, desk: Desk) -> None:
    desk.scan(phone.show(), "internet_cafe", "one")
    assert desk.refused(phone.show(), "internet_cafe", "one") == "malformed"


def test_a_request_id_is_not_for_two_cards(issuer: Issuer, phone: Phone, desk: Desk) -> None:
    own = phone.credential_id[:3]
    other = next(each for each in map(issuer.phone, range(2, 9)) if each.credential_id[:3] != own)
    first = desk.scan(phone.show(), "internet_cafe", "one")
    if not issuer.store.together:  # two slots, which no script sees together
        assert desk.scan(other.show(), "internet_cafe", "one") != first
        return
    assert desk.refused(other.show(), "internet_cafe", "one") == "malformed"
    assert other.history().count("accepted") == 0


def test_a_request_id_is_the_verifiers_own(issuer: Issuer, phone: Phone) -> None:
    code = phone.show()
    issuer.desk(number=1).scan(code, "internet_cafe", "one")
    assert issuer.desk(number=2).refused(code, "internet_cafe", "one") == "already_used"


@pytest.mark.parametrize("request_id", ["", "a" * 65, "with blank", "{tag}", "x\n"])
def test_a_request_id_that_is_none(phone: Phone, desk: Desk, request_id: str) -> None:
    assert desk.refused(phone.show(), "internet_cafe", request_id) == "malformed"


def test_a_refusal_leaves_the_request_id_free(phone: Phone, desk: Desk) -> None:
    code = phone.show()
    phone.freeze()
    assert desk.refused(code, "internet_cafe", "one") == "frozen"
    phone.unfreeze()
    assert desk.scan(code, "internet_cafe", "one").state is State.ACCEPTED


# --- looked at again -------------------------------------------------------------------------


def test_a_verification_is_its_verifiers_alone(issuer: Issuer, phone: Phone, desk: Desk) -> None:
    answer = desk.scan(phone.show(), "internet_cafe")
    assert desk.look(answer) == answer
    other = issuer.desk(number=2)
    assert refusal(lambda: other.look(answer)) == "unknown_verification"


@pytest.mark.parametrize("identifier", ["", "zz", "0" * 20, "0" * 21, "../../etc", "{b0001}"])
def test_a_verification_that_never_was(desk: Desk, identifier: str) -> None:
    looked = desk.issuer.verifications.look
    assert refusal(lambda: looked(desk.verifier, identifier)) == "unknown_verification"


def test_attributes_are_told_for_ten_minutes(
    phone: Phone, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = desk.scan(phone.show(), "internet_cafe")
    key = verification_key(answer.verification_id)
    seen = phone.issuer.store.glance(phone.credential_id)
    monkeypatch.setattr(phone.issuer.store, "glance", lambda _: seen)  # time stands still
    phone.issuer.database.hset(key, "at", seen.now - 599_000_000)
    assert set(desk.look(answer).attributes) == CAFE
    phone.issuer.database.hset(key, "at", seen.now - 601_000_000)
    assert desk.look(answer).attributes == {}
    assert desk.look(answer).state is State.ACCEPTED


def test_nothing_is_told_again_of_a_card_frozen_since(phone: Phone, desk: Desk) -> None:
    code = phone.show()
    answer = desk.scan(code, "internet_cafe", "one")
    phone.freeze()
    assert refusal(lambda: desk.look(answer)) == "frozen"
    assert desk.refused(code, "internet_cafe", "one") == "frozen"


def test_lists_hold_what_was_verified_and_nobodys_data(issuer: Issuer, phone: Phone) -> None:
    hotel, cafe = issuer.desk(number=1), issuer.desk(number=2, name="Blue Screen")
    hotel.scan(phone.show("hotel"), "hotel")
    cafe.scan(phone.show(), "internet_cafe")
    cafe.refused("A" * 52, "internet_cafe")
    cafe.refused(phone.showed(100), "internet_cafe")
    (line,) = issuer.verifications.recent(hotel.verifier.verifier_id)
    assert (line.purpose, line.desk, line.state) == ("hotel", "Front desk", State.ACCEPTED)
    everywhere = issuer.verifications.recent_everywhere()
    assert [scan.verifier for scan in everywhere] == ["Blue Screen", "Seaside Hotel"]


# --- failing closed --------------------------------------------------------------------------


def test_without_redis_nothing_is_answered(phone: Phone, desk: Desk) -> None:
    code = phone.show()
    phone.issuer.store.__init__(connection.connect("unix:///nowhere/redis.sock"))  # type: ignore[misc]
    with pytest.raises(UnavailableError):
        desk.scan(code, "internet_cafe")


def test_what_cannot_be_logged_is_not_answered(phone: Phone, desk: Desk) -> None:
    code = phone.show()
    place = record_key(phone.credential_id).split(":")[0]
    phone.issuer.database.delete(f"{place}:log")
    phone.issuer.database.set(f"{place}:log", "not a stream")
    with pytest.raises(UnavailableError):
        desk.scan(code, "internet_cafe")
    phone.issuer.database.delete(f"{place}:log")
    assert desk.scan(code, "internet_cafe").state is State.ACCEPTED


def test_a_lost_portrait_is_no_pass(phone: Phone, desk: Desk) -> None:
    code = phone.show()
    phone.issuer.database.delete(record_key(phone.credential_id).replace(":c:", ":p:"))
    with pytest.raises(UnavailableError):
        desk.scan(code, "internet_cafe")
    assert phone.history() == ["activated", "issued"]


def test_sealed_data_of_another_record_is_not_told(issuer: Issuer, desk: Desk) -> None:
    first, second = issuer.phone(1), issuer.phone(2, name="李四")
    stolen = issuer.database.hget(record_key(first.credential_id), "e")
    assert isinstance(stolen, bytes)
    issuer.database.hset(record_key(second.credential_id), "e", stolen)
    with pytest.raises(UnavailableError):
        desk.scan(second.show(), "internet_cafe")


def test_without_the_key_nothing_is_told(phone: Phone) -> None:
    class Half(Keyring):
        """A ring that lost the key the record was sealed with."""

    lost = Issuer(phone.issuer.database, Half({2: b"\x02" * 32}))
    now = phone.issuer.store.glance(phone.credential_id).now
    code = lost.codes.write(Payload(phone.credential_id, now))
    with pytest.raises(UnavailableError):
        lost.desk().scan(code, "internet_cafe")


def test_an_attribute_that_is_not_there_is_a_refusal(issuer: Issuer, desk: Desk) -> None:
    nameless = issuer.phone(name="")
    with pytest.raises(DisclosureError):
        desk.scan(nameless.show(), "internet_cafe")
