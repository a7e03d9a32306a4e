"""Row 23. A card frozen or revoked between showing and scanning: refused."""

from __future__ import annotations

import pytest

from credentials.model import Actor
from tests.faults.acts import Office, all_at_once
from tests.faults.conftest import Figure
from tests.product.actors import HotelSoftware, Product

HOLDER = Actor("holder")


@pytest.fixture(scope="module")
def cafe(shared_product: Product) -> HotelSoftware:
    return HotelSoftware.registered(shared_product, "中途网吧", "internet_cafe", "hotel")


@pytest.mark.parametrize(("act", "said"), [("freeze", "frozen"), ("revoke", "revoked")])
def test_a_card_that_was_stopped(
    shared_office: Office, cafe: HotelSoftware, act: str, said: str
) -> None:
    card = shared_office.card()
    code = shared_office.code(card)
    getattr(shared_office.services.cards, act)(card.credential_id, HOLDER)
    answer = cafe.scan(code, "internet_cafe")
    assert (answer.status_code, answer.json()["code"]) == (423, said)


def test_a_card_that_was_deleted(shared_office: Office, cafe: HotelSoftware) -> None:
    card = shared_office.card()
    code = shared_office.code(card)
    shared_office.services.cards.erase(card.holder, HOLDER)
    answer = cafe.scan(code, "internet_cafe")
    assert (answer.status_code, answer.json()["code"]) == (423, "revoked")


@pytest.mark.parametrize("act", ["freeze", "revoke"])
def test_a_card_that_was_stopped_while_a_hotel_waits(
    shared_office: Office, cafe: HotelSoftware, act: str
) -> None:
    card = shared_office.card()
    asked = cafe.scan(shared_office.code(card), "hotel").json()
    getattr(shared_office.services.cards, act)(card.credential_id, HOLDER)
    told = cafe.ask_again(asked["verification_id"]).json()
    assert (told["state"], told["attributes"]) == ("denied", {})


def test_results_end_with_the_card(shared_office: Office, cafe: HotelSoftware) -> None:
    card = shared_office.card()
    used = cafe.scan(shared_office.code(card), "internet_cafe").json()
    shared_office.services.cards.freeze(card.credential_id, HOLDER)
    assert cafe.ask_again(used["verification_id"]).json()["code"] == "frozen"


def test_scans_that_race_with_the_freezing(
    shared_office: Office, cafe: HotelSoftware, figure: Figure
) -> None:
    """Whatever is answered after the freezing was acknowledged is a refusal."""
    card = shared_office.card()
    codes = [shared_office.code(card) for _ in range(12)]
    all_at_once(
        [
            lambda: shared_office.services.cards.freeze(card.credential_id, HOLDER),
            *[lambda code=code: cafe.scan(code, "internet_cafe") for code in codes[:11]],
        ]
    )
    assert cafe.scan(codes[11], "internet_cafe").json()["code"] == "frozen"
    kinds = [use.kind for use in shared_office.services.cards.history(card.credential_id, 50)]
    after = kinds[: kinds.index("frozen")]  # the newest first
    assert after.count("accepted") == 0
    figure("scans accepted before the freezing", kinds.count("accepted"), "")
    figure("after it", after.count("accepted"), "")
