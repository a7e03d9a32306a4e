"""Row 20. A scan retried with its request_id: same answer, one receipt."""

from __future__ import annotations

import uuid

from tests.faults.acts import Office, all_at_once
from tests.faults.conftest import Figure, Phones
from tests.product.actors import HotelSoftware, Product

RETRIES = 20


def test_retries_one_after_the_other_and_all_at_once(
    shared_product: Product, shared_office: Office, phones: Phones, figure: Figure
) -> None:
    hotel = HotelSoftware.registered(shared_product, "重试网吧", "internet_cafe")
    phone = phones(shared_product)
    card = shared_office.card(phone.openid)
    code, request_id = shared_office.code(card), str(uuid.uuid4())
    answers: list[tuple[int, str]] = []

    def scan() -> None:
        answer = hotel.scan(code, "internet_cafe", request_id=request_id)
        answers.append((answer.status_code, answer.text))

    all_at_once([scan] * RETRIES)
    scan()
    assert {status for status, _ in answers} == {200}
    assert len({text for _, text in answers}) == 1
    uses = shared_office.services.cards.history(card.credential_id, 50)
    assert [use.kind for use in uses].count("accepted") == 1
    phone.wait_for("重试网吧")
    phone.settle()
    phone.look()
    assert str(phone.from_account()).count("重试网吧") == 1
    figure("retries", RETRIES, "")
    figure("receipts", 1, "")


def test_the_request_id_of_another_scan_is_refused(
    shared_product: Product, shared_office: Office
) -> None:
    hotel = HotelSoftware.registered(shared_product, "另一网吧", "internet_cafe", "courier")
    request_id = str(uuid.uuid4())
    first, second = (shared_office.code(shared_office.card()) for _ in range(2))
    assert hotel.scan(first, "internet_cafe", request_id=request_id).status_code == 200
    other = hotel.scan(second, "internet_cafe", request_id=request_id)
    # Another code is another request; its id is in another bucket, or is refused in the same.
    assert other.status_code in (200, 400)
    if other.status_code == 200:
        assert other.json()["verification_id"] != ""
