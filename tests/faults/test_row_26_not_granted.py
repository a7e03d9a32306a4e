"""Row 26. A verifier asks for a purpose or attribute it was not granted: refused and logged."""

from __future__ import annotations

import pytest

from credentials.purposes import PURPOSES
from tests.faults.acts import Office
from tests.faults.conftest import Figure
from tests.product.actors import HotelSoftware, Product


@pytest.fixture(scope="module")
def cafe(shared_product: Product) -> HotelSoftware:
    return HotelSoftware.registered(shared_product, "只看年龄网吧", "internet_cafe")


def refusals(office: Office) -> int:
    return sum(use.kind == "purpose_refused" for use in office.services.audit.recent(1000))


@pytest.mark.parametrize("purpose", [*sorted(set(PURPOSES) - {"internet_cafe"}), "espionage"])
def test_a_purpose(shared_office: Office, cafe: HotelSoftware, purpose: str) -> None:
    card = shared_office.card()
    code, before = shared_office.code(card), refusals(shared_office)
    answer = cafe.scan(code, purpose)
    assert (answer.status_code, answer.json()["code"]) == (403, "purpose_not_granted")
    assert refusals(shared_office) == before + 1
    assert cafe.scan(code, "internet_cafe").status_code == 200  # and the code was not used up


@pytest.mark.parametrize("more", ["attributes", "fields", "level"])
def test_an_attribute(
    shared_office: Office, cafe: HotelSoftware, figure: Figure, more: str
) -> None:
    """There is no way to name attributes: the purpose says them."""
    card = shared_office.card()
    answer = cafe.scan(
        shared_office.code(card),
        "internet_cafe",
        **{more: ["id_number", "name", "address"]},  # type: ignore[arg-type]
    )
    told = answer.json().get("attributes", {})
    assert set(told) <= set(PURPOSES["internet_cafe"].attributes)
    figure("fields told beyond the purpose", len(set(told) & {"id_number", "address"}), "")


@pytest.mark.parametrize("key", ["x", "vk_000000000000_" + "x" * 43, "nonsense"])
def test_without_a_right_key_nothing_is_told(
    shared_product: Product, shared_office: Office, key: str
) -> None:
    stranger = HotelSoftware(shared_product, key)
    answer = stranger.scan(shared_office.code(shared_office.card()), "internet_cafe")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
