"""The services put together work as one."""

from __future__ import annotations

import pytest
import redis

from credentials.authority import EmbeddedRegistry
from credentials.errors import RefusalError
from credentials.model import Holder, State
from credentials.receipts import Receipt
from credentials.sealing import Sealer
from credentials.services import Services, build
from tests.credentials.issuer import ADDRESS, CONSENTS, person, ring


@pytest.fixture
def services(database: redis.Redis) -> Services:
    keys = ring()
    authority = EmbeddedRegistry(database, Sealer(keys))
    authority.add(person())
    return build(database, keys, address=ADDRESS, authority=authority, rollout=("440115",))


def test_from_the_registry_to_a_scan(services: Services) -> None:
    who = person()
    found = services.authority.check(who.name, who.id_number)
    assert services.rollout.covers(found.residence)
    holder = Holder("wechat", "oAnna")
    services.cards.issue(holder, found, CONSENTS, evidence={})
    _, api_key = services.verifiers.add("Seaside Hotel", ["hotel"])
    verifier = services.verifiers.authenticate(api_key)
    code = services.cards.mint(holder, "hotel")
    assert code.address.startswith("HTTPS://CARD.EXAMPLE.GOV.CN/V/")
    answer = services.verifications.verify(verifier, "", code.address, "hotel")
    assert answer.state is State.ACCEPTED
    with pytest.raises(RefusalError):
        services.verifications.verify(verifier, "", code.address, "internet_cafe")


def test_receipts_wait_until_they_are_passed_on(services: Services) -> None:
    told: list[Receipt] = []
    holder = Holder("wechat", "oAnna")
    services.cards.issue(holder, person(), CONSENTS, evidence={})
    verifier, _ = services.verifiers.add("Blue Screen", ["internet_cafe"])
    code = services.cards.mint(holder).code
    services.verifications.verify(verifier, "Desk 2", code, "internet_cafe")
    assert services.receipts.figures()[0] == 1
    assert services.receipts.pass_on("one", told.extend) == 1
    assert services.receipts.pass_on("two", told.extend) == 0
    assert [(receipt.holder, receipt.decided.desk) for receipt in told] == [(holder, "Desk 2")]
