"""Row 33. The audit cannot be written: the verification is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from credentials.cases import Kind
from credentials.errors import UnavailableError
from credentials.model import Actor, Card
from credentials.store import ADMINISTRATION, place_of
from tests.faults.acts import Office
from tests.faults.conftest import Figure
from tests.product.actors import HotelSoftware, Product


@pytest.fixture(scope="module")
def cafe(shared_product: Product) -> HotelSoftware:
    return HotelSoftware.registered(shared_product, "无账网吧", "internet_cafe", "hotel")


@pytest.fixture
def card(shared_office: Office) -> Card:
    return shared_office.card()


@pytest.fixture
def no_log(shared_office: Office, card: Card) -> Iterator[None]:
    """The place of the card's log is taken by something that nothing can be added to."""
    log = place_of(card.credential_id).log
    shared_office.database.rename(log, f"{log}:aside")
    shared_office.database.set(log, "no stream")
    yield
    shared_office.database.rename(f"{log}:aside", log)


@pytest.mark.usefixtures("no_log")
def test_a_scan_is_refused_and_uses_nothing_up(
    shared_office: Office, cafe: HotelSoftware, card: Card, figure: Figure
) -> None:
    code = shared_office.code(card)
    before = shared_office.services.cards.change(card.holder)
    disclosed = 0
    for purpose in ("internet_cafe", "hotel"):
        answer = cafe.scan(code, purpose)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        disclosed += "attributes" in answer.json()
    assert disclosed == 0
    assert shared_office.services.cards.change(card.holder) == before
    figure("disclosures without an entry", disclosed, "")


def test_the_same_code_serves_once_the_log_is_back(
    shared_office: Office, cafe: HotelSoftware, card: Card
) -> None:
    code = shared_office.code(card)
    log = place_of(card.credential_id).log
    shared_office.database.rename(log, f"{log}:aside")
    shared_office.database.set(log, "no stream")
    assert cafe.scan(code, "internet_cafe").status_code == 503
    shared_office.database.rename(f"{log}:aside", log)
    assert cafe.scan(code, "internet_cafe").status_code == 200


@pytest.mark.usefixtures("no_log")
@pytest.mark.parametrize("act", ["freeze", "revoke", "expire"])
def test_no_change_without_an_entry(shared_office: Office, card: Card, act: str) -> None:
    with pytest.raises(UnavailableError):
        getattr(shared_office.services.cards, act)(card.credential_id, Actor("holder"))
    kept = shared_office.services.cards.get(card.credential_id)
    assert kept is not None
    assert kept.status == "active"


def test_nothing_is_granted_without_the_administrations_chain(shared_office: Office) -> None:
    services, database = shared_office.services, shared_office.database
    services.audit.note("exported", Actor("operator", "wang"), "audit")
    database.rename(ADMINISTRATION.log, "{audit}:aside")
    database.set(ADMINISTRATION.log, "no stream")
    try:
        with pytest.raises(UnavailableError):
            services.audit.note("verifier_added", Actor("operator", "wang"), "x")
        with pytest.raises(UnavailableError):
            services.cases.open(Kind.NOT_ME, "0" * 16, Actor("holder"))
        assert "0" * 16 not in {case.credential_id for case in services.cases.recent(1000)}
    finally:
        database.rename("{audit}:aside", ADMINISTRATION.log)
