"""Row 18. A code expired, tampered, under a retired key, unknown, of another issuer: distinct."""

from __future__ import annotations

import httpx
import pytest
import redis

from credentials.codes import Codes, Payload
from tests.bot.wechat.pushes import in_one_second
from tests.credentials.issuer import Desk, Issuer, refusal, ring
from tests.faults.acts import Office
from tests.faults.conftest import Figure
from tests.product.actors import HotelSoftware, Product


@pytest.fixture(scope="module")
def cafe(shared_product: Product) -> HotelSoftware:
    return HotelSoftware.registered(shared_product, "码头网吧", "internet_cafe")


def written(office: Office, credential_id: str, seconds_ago: float = 0, index: int = 0) -> str:
    """A code that this issuer's keys sign, of any credential and moment."""
    now = office.services.cards._store.glance(credential_id).now
    issued = round(now - seconds_ago * 1e6)
    return office.services.codes.write(Payload(credential_id, issued, index))


@pytest.mark.parametrize("age", [31, 60, 3600, 86_400 * 30, -31, -3600])
def test_an_expired_code(shared_office: Office, cafe: HotelSoftware, age: float) -> None:
    def scan(_now: int) -> httpx.Response:
        card = shared_office.card()
        return cafe.scan(written(shared_office, card.credential_id, age), "internet_cafe")

    # A code of the near future becomes a good one within a second.
    answer = in_one_second(shared_office.database, scan) if age == -31 else scan(0)
    assert (answer.status_code, answer.json()["code"]) == (410, "expired")


@pytest.mark.parametrize("place", range(0, 52, 3))
def test_a_tampered_code(shared_office: Office, cafe: HotelSoftware, place: int) -> None:
    code = shared_office.code(shared_office.card())
    other = "A" if code[place] != "A" else "B"
    answer = cafe.scan(code[:place] + other + code[place + 1 :], "internet_cafe")
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_signature")


def test_an_unknown_credential(shared_office: Office, cafe: HotelSoftware) -> None:
    answer = cafe.scan(written(shared_office, "00112233445566ff"), "internet_cafe")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_code")


def test_another_issuers_code(shared_office: Office, cafe: HotelSoftware, figure: Figure) -> None:
    card = shared_office.card()
    now = shared_office.services.cards._store.glance(card.credential_id).now
    theirs = Codes(ring(1), shared_office.services.address)
    answer = cafe.scan(theirs.write(Payload(card.credential_id, now, 0)), "internet_cafe")
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_signature")
    figure("kinds of bad codes, each refused as itself", 5, "")


def test_a_retired_key(database: redis.Redis) -> None:
    phone = Issuer(database, ring(1)).phone()
    code = phone.show()
    both = Desk(Issuer(database, ring(2, 1)), Issuer(database).desk().verifier)
    after = Desk(Issuer(database, ring(2)), both.verifier)
    assert refusal(lambda: after.scan(code, "internet_cafe")) == "bad_signature"
    assert both.scan(code, "internet_cafe").attributes  # as long as the key is in the ring
