"""Row 22. A code relayed to another hotel: the holder sees the wrong name, denies, may freeze."""

from __future__ import annotations

from tests.faults.acts import Office
from tests.faults.conftest import Figure, Phones
from tests.product.actors import HotelSoftware, Product


def test_the_holder_sees_who_really_asks_and_freezes(
    shared_product: Product, shared_office: Office, phones: Phones, figure: Figure
) -> None:
    elsewhere = HotelSoftware.registered(shared_product, "远方酒店", "hotel")
    holder = phones(shared_product)
    card = shared_office.card(holder.openid)
    code = shared_office.code(card)  # photographed over the holder's shoulder, and sent on
    asked = elsewhere.scan(code, "hotel").json()
    assert (asked["state"], asked["attributes"]) == ("awaiting_holder", {})
    question = str(holder.wait_for(f"数字是 {asked['number']}。"))
    assert "远方酒店" in question
    holder.say("拒绝并冻结")
    holder.wait_for("冻结")
    told = elsewhere.ask_again(asked["verification_id"]).json()
    assert (told["state"], told["attributes"]) == ("denied", {})
    assert elsewhere.scan(code, "hotel").json()["code"] == "frozen"
    kept = shared_office.services.cards.of(card.holder)
    assert kept is not None
    assert kept.status == "frozen"
    figure("fields told to the wrong hotel", len(asked["attributes"] | told["attributes"]), "")


def test_the_word_for_one_request_approves_no_other(
    shared_product: Product, shared_office: Office, phones: Phones
) -> None:
    """Whether the relayed scan's question has arrived by then or not."""
    hotel = HotelSoftware.registered(shared_product, "近处酒店", "hotel")
    elsewhere = HotelSoftware.registered(shared_product, "远方机场", "security_check")
    holder = phones(shared_product)
    card = shared_office.card(holder.openid)
    read = hotel.scan(shared_office.code(card), "hotel").json()
    holder.wait_for(f"数字是 {read['number']}。")
    relayed = elsewhere.scan(shared_office.code(card), "security_check").json()
    holder.say("批准")
    holder.wait_for("还没有提供任何信息")
    told = elsewhere.ask_again(relayed["verification_id"]).json()
    assert (told["state"], told["attributes"]) == ("awaiting_holder", {})
    assert hotel.ask_again(read["verification_id"]).json()["state"] == "denied"


def test_a_code_bound_to_a_purpose_serves_no_other(
    shared_product: Product, shared_office: Office
) -> None:
    elsewhere = HotelSoftware.registered(shared_product, "远方快递", "courier", "hotel")
    card = shared_office.card()
    answer = elsewhere.scan(shared_office.code(card, "courier"), "hotel")
    assert (answer.status_code, answer.json()["code"]) == (403, "purpose_not_granted")


def test_silence_tells_nothing(shared_product: Product, shared_office: Office) -> None:
    elsewhere = HotelSoftware.registered(shared_product, "远方旅馆", "hotel")
    card = shared_office.card()
    asked = elsewhere.scan(shared_office.code(card), "hotel").json()
    told = elsewhere.ask_again(asked["verification_id"]).json()
    assert (told["state"], told["attributes"]) == ("awaiting_holder", {})


def test_a_use_that_was_relayed_and_answered_becomes_a_case(
    shared_product: Product, shared_office: Office, phones: Phones
) -> None:
    """Where nothing is asked, the receipt tells, and two words stop the card."""
    elsewhere = HotelSoftware.registered(shared_product, "远方网吧", "internet_cafe")
    holder = phones(shared_product)
    card = shared_office.card(holder.openid)
    used = elsewhere.scan(shared_office.code(card), "internet_cafe").json()
    assert "远方网吧" in str(holder.wait_for("远方网吧"))
    holder.say("不是我")
    holder.wait_for("已冻结")
    assert elsewhere.scan("A" * 52, "internet_cafe").status_code == 422
    cases = shared_office.services.cases.recent(200)
    assert used["verification_id"] in {case.verification_id for case in cases}
