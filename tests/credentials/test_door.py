"""The door: what is remembered of who asks never lets anybody in whom Redis would refuse now."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import pytest
import redis

from credentials.api_keys import ApiKeys, digest
from credentials.door import Door, Pass, StalePassError
from credentials.errors import RefusalError
from credentials.model import State
from credentials.store import Store
from credentials.verifiers import Verifiers
from tests.credentials.issuer import Issuer, Phone


@dataclasses.dataclass
class Hotel:
    """A verifier's software, on a server that remembers it."""

    issuer: Issuer
    verifiers: Verifiers
    api_key: str

    @property
    def verifier_id(self) -> str:
        return self.api_key.split("_")[1]

    @property
    def key_id(self) -> str:
        return digest(self.api_key)[:10]

    def shows(self) -> Pass:
        shown = self.verifiers.remembered(self.api_key)
        assert shown is not None
        return shown

    def scan(self, code: str, shown: Pass | None = None) -> State:
        shown = shown or self.shows()
        verifications = self.issuer.verifications
        found = verifications.verify(shown.verifier, "API", code, "internet_cafe", shown=shown)
        return found.state


@pytest.fixture
def verifiers(database: redis.Redis) -> Verifiers:
    return Verifiers(database)


@pytest.fixture
def hotel(issuer: Issuer, verifiers: Verifiers) -> Hotel:
    _, api_key = verifiers.add("Hotel", ["internet_cafe", "hotel"])
    verifiers.admit(api_key)
    return Hotel(issuer, verifiers, api_key)


def slow(issuer: Issuer, database: redis.Redis, burst: int) -> Hotel:
    """A verifier whose rate is used up in a test; one admission has gone already."""
    few = Verifiers(database, rate_per_s=0.0001, burst=burst)
    _, api_key = few.add("Hotel", ["internet_cafe"])
    few.admit(api_key)
    return Hotel(issuer, few, api_key)


def test_a_key_that_was_admitted_verifies_in_one_round_trip(hotel: Hotel, phone: Phone) -> None:
    code, database = phone.show(), hotel.issuer.database
    before = database.info("commandstats")["cmdstat_evalsha"]["calls"]
    assert hotel.scan(code) is State.ACCEPTED
    assert database.info("commandstats")["cmdstat_evalsha"]["calls"] == before + 1


def test_a_pass_tells_what_is_left_and_refused_scans_count_too(
    issuer: Issuer, phone: Phone, database: redis.Redis
) -> None:
    hotel = slow(issuer, database, 10)
    code, passes = phone.show(), [hotel.shows() for _ in range(2)]
    assert [each.counted for each in passes] == [False, False]
    hotel.scan(code, passes[0])
    with pytest.raises(RefusalError):
        hotel.scan(code, passes[1])
    assert [each.left for each in passes] == [8, 7]  # one went for the admission


def test_nobody_is_remembered_who_was_not_admitted(verifiers: Verifiers) -> None:
    _, api_key = verifiers.add("Hotel", ["hotel"])
    assert verifiers.remembered(api_key) is None
    assert verifiers.remembered("") is None
    assert verifiers.remembered(api_key * 10) is None
    with pytest.raises(RefusalError):
        verifiers.admit(api_key + "A")
    assert verifiers.remembered(api_key + "A") is None


Change = Callable[[Hotel, Verifiers], object]
CHANGES: dict[str, Change] = {
    "blocked": lambda hotel, there: there.block(hotel.verifier_id),
    "another purpose": lambda hotel, there: there.grant(hotel.verifier_id, ["hotel"]),
    "an end for a purpose": lambda hotel, there: there.grant(
        hotel.verifier_id, ["internet_cafe"], {"internet_cafe": time.time() + 60}
    ),
    "another rate": lambda hotel, there: there.set_rate(hotel.verifier_id, 5),
    "another place": lambda hotel, there: there.settle(hotel.verifier_id, "440115"),
    "keys dropped": lambda hotel, there: there.drop_keys(hotel.verifier_id),
    "its key dropped": lambda hotel, _: ApiKeys(hotel.issuer.database).drop(
        hotel.verifier_id, hotel.key_id
    ),
    "its key replaced": lambda hotel, _: ApiKeys(hotel.issuer.database).rotate(
        hotel.verifier_id, hotel.key_id, 60
    ),
    "gone": lambda hotel, _: hotel.issuer.database.delete(f"{{v:{hotel.verifier_id}}}:info"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_was_changed_by_another_server_makes_the_next_pass_stale(
    hotel: Hotel, phone: Phone, change: Change
) -> None:
    code = phone.show()
    change(hotel, Verifiers(hotel.issuer.database))
    with pytest.raises(StalePassError):
        hotel.scan(code)
    assert "accepted" not in phone.history()
    assert hotel.issuer.receipts == []


def test_a_change_that_was_seen_is_remembered_in_its_turn(hotel: Hotel, phone: Phone) -> None:
    Verifiers(hotel.issuer.database).grant(hotel.verifier_id, ["internet_cafe"])
    hotel.verifiers.admit(hotel.api_key)
    assert hotel.shows().verifier.purposes == ("internet_cafe",)
    assert hotel.scan(phone.show()) is State.ACCEPTED


def test_who_is_refused_at_the_door_is_forgotten(hotel: Hotel) -> None:
    hotel.verifiers.block(hotel.verifier_id)
    with pytest.raises(RefusalError):
        hotel.verifiers.admit(hotel.api_key)
    assert hotel.verifiers.remembered(hotel.api_key) is None


def test_what_ends_by_itself_is_not_remembered_beyond_its_end(
    hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    hotel.verifiers.grant(hotel.verifier_id, ["internet_cafe", "hotel"], {"hotel": now + 60})
    hotel.verifiers.admit(hotel.api_key)
    assert hotel.verifiers.remembered(hotel.api_key) is not None
    monkeypatch.setattr("credentials.door.time.time", lambda: now + 61)
    assert hotel.verifiers.remembered(hotel.api_key) is None
    assert hotel.verifiers.admit(hotel.api_key).verifier.purposes == ("internet_cafe",)


def test_a_rate_that_is_used_up_refuses_and_does_nothing(
    issuer: Issuer, phone: Phone, database: redis.Redis
) -> None:
    hotel = slow(issuer, database, 2)
    assert hotel.scan(phone.show()) is State.ACCEPTED
    with pytest.raises(RefusalError) as caught:
        hotel.scan(phone.show())
    assert caught.value.code == "too_many_requests"
    assert 9_500 < float(caught.value.details["wait_s"]) <= 10_000
    assert phone.history().count("accepted") == 1


def test_in_a_cluster_nothing_is_remembered(verifiers: Verifiers, database: redis.Redis) -> None:
    _, api_key = verifiers.add("Hotel", ["hotel"])
    store = Store(database)
    store.together = False
    door = Door(store)
    door.admit(api_key)
    assert door.remembered(api_key) is None
