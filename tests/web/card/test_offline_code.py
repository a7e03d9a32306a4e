"""The offline code on the holder's page."""

from __future__ import annotations

import pytest

from credentials.offline import TOKEN_CHARACTERS, opened
from credentials.services import Services
from tests.web.card.phone import Phone, read_qr


def test_the_page_offers_it_and_draws_it(phone: Phone, services: Services) -> None:
    assert "offline-open" in phone.opens_card()
    told = phone.asks("offline?purpose=internet_cafe").get_json()
    text = read_qr(told["svg"])
    assert len(text) == TOKEN_CHARACTERS
    assert told["expires_in"] == 60
    assert opened(text, services.offline.public_keys()).answers == {"age_over_18": True}


@pytest.mark.parametrize("purpose", ["", "hotel", "banking", "x"])
def test_for_nothing_else(phone: Phone, purpose: str) -> None:
    phone.opens_card()
    assert phone.asks(f"offline?purpose={purpose}").status_code >= 400


def test_a_frozen_card_has_none(phone: Phone) -> None:
    phone.opens_card()
    phone.presses("freeze")
    answer = phone.asks("offline?purpose=internet_cafe")
    assert (answer.status_code, answer.get_json()["code"]) == (423, "frozen")
