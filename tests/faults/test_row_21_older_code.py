"""Row 21. An older code after a newer one was accepted: refused."""

from __future__ import annotations

from tests.faults.acts import Office
from tests.faults.conftest import Figure
from tests.product.actors import HotelSoftware, Product


def test_every_older_code_is_worthless(
    shared_product: Product, shared_office: Office, figure: Figure
) -> None:
    cafe = HotelSoftware.registered(shared_product, "旧码网吧", "internet_cafe")
    card = shared_office.card()
    codes = [shared_office.code(card) for _ in range(20)]
    assert cafe.scan(codes[10], "internet_cafe").status_code == 200
    for older in codes[:11]:
        answer = cafe.scan(older, "internet_cafe")
        assert (answer.status_code, answer.json()["code"]) == (409, "already_used")
    assert cafe.scan(codes[11], "internet_cafe").status_code == 200
    figure("older codes refused", 11, "")


def test_also_when_the_newer_one_waits_for_the_holder(
    shared_product: Product, shared_office: Office
) -> None:
    hotel = HotelSoftware.registered(shared_product, "旧码酒店", "hotel")
    card = shared_office.card()
    older, newer = shared_office.code(card), shared_office.code(card)
    assert hotel.scan(newer, "hotel").json()["state"] == "awaiting_holder"
    assert hotel.scan(older, "hotel").json()["code"] == "already_used"
