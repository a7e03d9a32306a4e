"""From the first word in the chat to the scan, through the real protocol and real processes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from simulator.phone import Phone
from tests.product.actors import HotelSoftware, Product, code_in
from web.demo import CITIZENS

HOPPER, COLLINS = CITIZENS
SLOW = 180.0  # seconds; a face is measured on a busy machine


@pytest.fixture
def stranger(product: Product) -> Iterator[Phone]:
    """Somebody who just followed the account."""
    with Phone(product.address) as phone:
        phone.follow()
        phone.wait_for("申请")
        yield phone


@pytest.fixture(scope="module")
def holder(product: Product) -> Iterator[Phone]:
    """Somebody who went through the whole enrolment and holds a card."""
    with Phone(product.address) as phone:
        phone.follow()
        phone.wait_for("申请")
        _up_to_the_photo(phone, HOPPER.name, HOPPER.id_number)
        phone.send_photo(HOPPER.selfie())
        phone.wait_for_photo(seconds=SLOW)
        yield phone


def _up_to_the_photo(phone: Phone, name: str, id_number: str) -> None:
    phone.say("申请")
    phone.wait_for("1/4")
    phone.say("同意")
    phone.wait_for("2/4")
    phone.say(name)
    phone.wait_for("3/4")
    phone.say(id_number)
    phone.wait_for("4/4")


def _fresh_code(phone: Phone) -> str:
    phone.say("card")
    return code_in(phone.wait_for_photo())


def test_three_scans_are_accepted(holder: Phone, hotel: HotelSoftware) -> None:
    for _ in range(3):
        answer = hotel.scan(_fresh_code(holder), "internet_cafe")
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["state"], told["level"]) == ("accepted", "light")
        assert set(told["attributes"]) == {"age_over_18", "name_masked", "portrait"}
        assert told["attributes"]["age_over_18"] is True
        assert told["attributes"]["name_masked"] == "陈**"


def test_a_replay_is_refused(holder: Phone, hotel: HotelSoftware) -> None:
    code = _fresh_code(holder)
    assert hotel.scan(code, "internet_cafe").status_code == 200
    again = hotel.scan(code, "internet_cafe")
    assert (again.status_code, again.json()["code"]) == (409, "already_used")
    assert again.headers["Content-Type"].startswith("application/problem+json")


def test_an_older_code_is_refused_after_a_newer_one(holder: Phone, hotel: HotelSoftware) -> None:
    older, newer = _fresh_code(holder), _fresh_code(holder)
    assert hotel.scan(newer, "internet_cafe").status_code == 200
    assert hotel.scan(older, "internet_cafe").json()["code"] == "already_used"


def test_a_retry_with_its_request_id_gets_the_same_answer(
    holder: Phone, hotel: HotelSoftware
) -> None:
    code, request_id = _fresh_code(holder), str(uuid.uuid4())
    first = hotel.scan(code, "internet_cafe", request_id=request_id)
    second = hotel.scan(code, "internet_cafe", request_id=request_id)
    assert (
        (first.status_code, first.json())
        == (second.status_code, second.json())
        == (
            200,
            first.json(),
        )
    )


@pytest.mark.parametrize("place", [0, 20, 51])
def test_a_tampered_code_is_refused(holder: Phone, hotel: HotelSoftware, place: int) -> None:
    address, _, code = _fresh_code(holder).rpartition("/")
    other = "B" if code[place] != "B" else "C"
    tampered = code[:place] + other + code[place + 1 :]
    for text in (tampered, f"{address}/{tampered}"):
        answer = hotel.scan(text, "internet_cafe")
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_signature")


@pytest.mark.parametrize("code", ["", "x", "http://127.0.0.1/v/", "你好", "A" * 51, "A" * 600])
def test_what_is_no_code_is_malformed(hotel: HotelSoftware, code: str) -> None:
    answer = hotel.scan(code, "internet_cafe")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_a_frozen_card_is_refused_until_it_is_unfrozen(holder: Phone, hotel: HotelSoftware) -> None:
    code = _fresh_code(holder)
    holder.say("冻结")
    holder.wait_for("证件已冻结")  # a late receipt says 立即冻结, too
    assert hotel.scan(code, "internet_cafe").json()["code"] == "frozen"
    holder.say("card")
    holder.wait_for("不能出示")
    holder.say("解冻")
    holder.wait_for("证件已恢复使用")
    assert hotel.scan(_fresh_code(holder), "internet_cafe").status_code == 200


def test_a_purpose_that_was_not_granted_is_refused(holder: Phone, hotel: HotelSoftware) -> None:
    answer = hotel.scan(_fresh_code(holder), "banking")
    assert (answer.status_code, answer.json()["code"]) == (403, "purpose_not_granted")


def test_the_holder_approves_a_hotel_in_the_chat(holder: Phone, hotel: HotelSoftware) -> None:
    asked = hotel.scan(_fresh_code(holder), "hotel").json()
    assert asked["state"] == "awaiting_holder"
    assert asked["attributes"] == {}
    holder.wait_for(f"数字是 {asked['number']}。")
    holder.say("批准")
    holder.wait_for("已批准")
    told = hotel.ask_again(asked["verification_id"]).json()
    assert told["state"] == "accepted"
    assert told["attributes"]["id_number"] == HOPPER.id_number
    assert told["attributes"]["name"] == HOPPER.name


def test_the_holder_denies_and_the_hotel_learns_nothing(
    holder: Phone, hotel: HotelSoftware
) -> None:
    asked = hotel.scan(_fresh_code(holder), "hotel").json()
    holder.wait_for(f"数字是 {asked['number']}。")
    holder.say("拒绝")
    holder.wait_for("已拒绝")
    told = hotel.ask_again(asked["verification_id"]).json()
    assert (told["state"], told["attributes"]) == ("denied", {})


def test_the_history_names_who_asked(holder: Phone, hotel: HotelSoftware) -> None:
    assert hotel.scan(_fresh_code(holder), "internet_cafe").status_code == 200
    holder.say("记录")
    told = holder.wait_for("最近的使用记录")  # the receipt names who asked, too
    assert "南沙港湾酒店一号" in str(told["content"])


def test_another_persons_photo_is_refused(stranger: Phone) -> None:
    _up_to_the_photo(stranger, COLLINS.name, COLLINS.id_number)
    stranger.send_photo(HOPPER.selfie())
    stranger.wait_for("还可以再试 4 次", seconds=SLOW)
    stranger.say("card")
    stranger.wait_for("还没有证件")


def test_an_id_number_that_has_a_card_is_refused(stranger: Phone, holder: Phone) -> None:
    stranger.say("申请")
    stranger.wait_for("1/4")
    stranger.say("同意")
    stranger.wait_for("2/4")
    stranger.say(HOPPER.name)
    stranger.wait_for("3/4")
    stranger.say(HOPPER.id_number)
    stranger.wait_for("另一个账号")


def test_the_audit_is_whole(product: Product, holder: Phone) -> None:
    assert "each in its place" in product.command("audit", "verify")
