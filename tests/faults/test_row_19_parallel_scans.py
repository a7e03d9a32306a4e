"""Row 19. 100 parallel scans of one code: exactly one accepted."""

from __future__ import annotations

from collections import Counter

from tests.faults.acts import Office, all_at_once
from tests.faults.conftest import Figure
from tests.product.actors import HotelSoftware, Product

SCANS = 100


def test_one_of_a_hundred_scans_is_accepted(
    shared_product: Product, shared_office: Office, figure: Figure
) -> None:
    hotel = HotelSoftware.registered(shared_product, "百人网吧", "internet_cafe")
    card = shared_office.card()
    code = shared_office.code(card)
    told: list[str] = []

    def scan() -> None:
        answer = hotel.scan(code, "internet_cafe")
        told.append(answer.json().get("code") or answer.json()["state"])

    took = all_at_once([scan] * SCANS)
    answers = Counter(told)  # not counted by the threads, which could lose a count
    assert answers == {"accepted": 1, "already_used": SCANS - 1}
    kinds = [use.kind for use in shared_office.services.cards.history(card.credential_id, 200)]
    assert kinds.count("accepted") == 1
    figure("scans", SCANS, "")
    figure("accepted", answers["accepted"], "")
    figure("slowest answer", max(took), "s")
