"""One ID number, one account, one card; whatever dies between two steps."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from credentials.errors import CredentialError, IdNumberTakenError, UnavailableError
from credentials.model import Card, Holder, Level, Person, Status
from credentials.store import Argument, Store, card_key, portrait_key, record_key
from tests.credentials.issuer import HOLDER, Issuer, id_number, person, picture

ANNA = Holder("wechat", "oAnna")


class DyingStore(Store):
    """A store whose process dies before a certain script runs."""

    def __init__(self, store: Store, dies_at: int) -> None:
        super().__init__(store.redis)
        self._left = dies_at

    def run(self, name: str, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        if name != "look":
            if self._left == 0:
                raise UnavailableError(what="power")
            self._left -= 1
        return super().run(name, keys, args)


def enrolled(issuer: Issuer) -> list[str]:
    """The ids of all credentials that are in use."""
    return issuer.credential_ids(Status.ACTIVE, Status.FROZEN)


def age(issuer: Issuer) -> None:
    """Let a minute pass: reservations fade, pending records grow old."""
    for key in issuer.database.scan_iter("*"):
        if 0 < issuer.database.ttl(key) <= 60:
            issuer.database.delete(key)
        if b":c:" in key and issuer.database.hget(key, "s") == b"pending":
            issuer.database.hincrby(key, "t", -61)


def test_a_card_of_a_person(issuer: Issuer) -> None:
    card = issuer.issue(person())
    assert (card.status, card.level, card.holder) == (Status.ACTIVE, Level.LIGHT, ANNA)
    assert card.name_masked == "张**"
    assert id_number() not in card.id_number_masked
    assert issuer.cards.of(ANNA) == card
    assert issuer.cards.find(id_number()) == card
    assert issuer.cards.get(card.credential_id) == card


def test_it_lasts(issuer: Issuer) -> None:
    issuer.issue(person())
    assert {issuer.database.ttl(key) for key in issuer.database.scan_iter("*")} == {-1}


def test_how_it_came_to_be_is_logged_without_data(issuer: Issuer) -> None:
    card = issuer.issue(person())
    activated, issued = issuer.cards.history(card.credential_id)
    assert (issued.kind, activated.kind) == ("issued", "activated")
    assert issued.detail["consents"] == "data:2024-01,face:2024-01"
    assert issued.detail["evidence"] == "distance=0.41,liveness=unsafe-none"


def test_a_stolen_dump_tells_nothing(issuer: Issuer) -> None:
    who = person()
    issuer.issue(who)
    dump = b"".join(issuer.database.dump(key) or b"" for key in issuer.database.scan_iter("*"))
    for secret in (who.name, who.id_number, who.id_number[:14], who.address[:6], "2040-01-01"):
        assert secret.encode() not in dump
    # Long enough that chance does not write it into some ten thousand sealed bytes.
    assert b"\xff\xd8\xff\xe0\x00\x10JFIF" not in dump


def test_an_account_has_one_card(issuer: Issuer) -> None:
    issuer.issue(person(1))
    for who in (person(1), person(2)):
        with pytest.raises(CredentialError) as caught:
            issuer.issue(who)
        assert caught.value.code == "has_card"
    assert len(enrolled(issuer)) == 1


def test_an_id_number_has_one_card(issuer: Issuer) -> None:
    issuer.issue(person(1), "oAnna")
    with pytest.raises(IdNumberTakenError):
        issuer.issue(person(1), "oBert")
    assert issuer.cards.of(Holder("wechat", "oBert")) is None


def test_a_frozen_card_still_counts(issuer: Issuer) -> None:
    card = issuer.issue(person(1), "oAnna")
    issuer.cards.freeze(card.credential_id, HOLDER)
    with pytest.raises(IdNumberTakenError):
        issuer.issue(person(1), "oBert")
    with pytest.raises(CredentialError):
        issuer.issue(person(2), "oAnna")


@pytest.mark.parametrize("end", ["revoke", "expire", "erase"])
def test_after_a_card_is_over_there_may_be_another(issuer: Issuer, end: str) -> None:
    first = issuer.issue(person(1), "oAnna")
    if end == "erase":
        issuer.cards.erase(ANNA, HOLDER)
    else:
        getattr(issuer.cards, end)(first.credential_id, HOLDER)
    second = issuer.issue(person(1), "oBert")
    assert second.credential_id != first.credential_id
    third = issuer.issue(person(2), "oAnna")
    assert sorted(enrolled(issuer)) == sorted([second.credential_id, third.credential_id])


def test_the_same_person_again_and_again(issuer: Issuer) -> None:
    seen = set()
    for _ in range(4):
        card = issuer.issue(person())
        seen.add(card.credential_id)
        issuer.cards.revoke(card.credential_id, HOLDER)
    assert len(seen) == 4


@pytest.mark.parametrize("accounts", [1, 2, 12])
def test_one_id_number_from_many_at_once(issuer: Issuer, accounts: int) -> None:
    barrier = threading.Barrier(12)

    def enrol(number: int) -> str:
        barrier.wait()
        try:
            return issuer.issue(person(1), f"o{number % accounts}").credential_id
        except CredentialError as error:
            return error.code

    with ThreadPoolExecutor(12) as pool:
        outcomes = list(pool.map(enrol, range(12)))
    assert len(enrolled(issuer)) == 1
    assert set(outcomes) - {"id_number_taken", "has_card"} == set(enrolled(issuer))


def test_one_account_with_many_id_numbers_at_once(issuer: Issuer) -> None:
    barrier = threading.Barrier(8)

    def enrol(number: int) -> str | None:
        barrier.wait()
        try:
            return issuer.issue(person(number), "oAnna").credential_id
        except CredentialError:
            return None

    with ThreadPoolExecutor(8) as pool:
        outcomes = [outcome for outcome in pool.map(enrol, range(1, 9)) if outcome]
    assert outcomes == enrolled(issuer)
    assert len(outcomes) == 1


def try_to_issue(issuer: Issuer, who: Person, openid: str) -> Card | None:
    try:
        return issuer.issue(who, openid)
    except CredentialError:
        return None


@pytest.mark.parametrize("step", range(6))
def test_a_process_that_dies_is_taken_over_at_once_by_the_same_request(
    issuer: Issuer, step: int
) -> None:
    dying = Issuer(issuer.database)
    object.__setattr__(dying.cards._issuing, "store", DyingStore(issuer.store, step))
    with pytest.raises(UnavailableError):
        dying.issue(person())
    assert issuer.cards.of(ANNA) is None
    card = issuer.issue(person())
    assert card.status is Status.ACTIVE
    assert enrolled(issuer) == [card.credential_id]
    assert {issuer.database.ttl(key) for key in issuer.database.scan_iter("*")} == {-1}
    assert issuer.findings() == []


@pytest.mark.parametrize("step", range(6))
def test_a_process_that_dies_holds_nobody_up_for_more_than_a_minute(
    issuer: Issuer, step: int
) -> None:
    dying = Issuer(issuer.database)
    object.__setattr__(dying.cards._issuing, "store", DyingStore(issuer.store, step))
    with pytest.raises(UnavailableError):
        dying.issue(person(1), "oAnna")
    soon = try_to_issue(issuer, person(1), "oBert")
    assert (soon is None) == (step > 0)
    age(issuer)
    later = soon or issuer.issue(person(1), "oBert")
    assert enrolled(issuer) == [later.credential_id]
    other = issuer.issue(person(2), "oAnna")
    assert sorted(enrolled(issuer)) == sorted([later.credential_id, other.credential_id])


def test_a_process_that_slept_too_long_issues_nothing(issuer: Issuer) -> None:
    """It wakes up between its last reservation and the step that decides."""
    slow = Issuer(issuer.database)

    class SleepyStore(Store):
        def run(self, name: str, keys: Sequence[str], args: Sequence[Argument]) -> Any:
            if name == "transition":
                age(issuer)
                issuer.issue(person(1), "oBert")
            return super().run(name, keys, args)

    object.__setattr__(slow.cards._issuing, "store", SleepyStore(issuer.database))
    with pytest.raises(UnavailableError):
        slow.issue(person(1), "oAnna")
    found = issuer.cards.find(id_number(1))
    assert found is not None
    assert found.holder.openid == "oBert"
    assert enrolled(issuer) == [found.credential_id]


def test_a_pending_card_can_do_nothing(issuer: Issuer) -> None:
    card = issuer.issue(person())
    issuer.database.hset(record_key(card.credential_id), "s", "pending")
    assert issuer.cards.of(ANNA) is None
    with pytest.raises(CredentialError) as caught:
        issuer.cards.mint(ANNA)
    assert caught.value.code == "no_card"


@pytest.mark.parametrize("portrait", [b"", b"no picture", picture()[:200], b"\x89PNG\r\n\x1a\n"])
def test_no_card_without_a_portrait(issuer: Issuer, portrait: bytes) -> None:
    with pytest.raises(UnavailableError):
        issuer.issue(person(portrait=portrait))
    assert not list(issuer.database.scan_iter("{b*"))
    assert issuer.cards.of(ANNA) is None


def test_the_portrait_is_kept_small_and_apart(issuer: Issuer) -> None:
    card = issuer.issue(person())
    kept = issuer.database.strlen(portrait_key(card.credential_id))
    assert 0 < kept <= 12_100


def test_a_light_card_takes_less_than_700_bytes(issuer: Issuer) -> None:
    issuer.issue(person(1), "oFirst-28-characters-openid0")
    record = [
        key
        for key in issuer.database.scan_iter("*")
        if b":c:" in key or b"{id:" in key or b":card" in key or b":head" in key
    ]
    assert len(record) == 4
    assert sum(issuer.database.memory_usage(key) or 0 for key in record) < 900
    (own,) = [key for key in record if b":c:" in key]
    assert (issuer.database.memory_usage(own) or 0) < 700
    assert card_key(Holder("wechat", "oFirst-28-characters-openid0")).encode() in record
