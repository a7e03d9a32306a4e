"""What a holder can do with a card."""

from __future__ import annotations

import os

import pytest

from credentials.cards import Cards
from credentials.errors import LifecycleError, NoCardError, RefusalError, UnavailableError
from credentials.model import Actor, Holder, State, Status
from credentials.store import card_key, portrait_key, record_key
from credentials.templates import VECTOR_BYTES, Templates
from tests.credentials.issuer import HOLDER, Desk, Issuer, Phone, person
from tests.credentials.test_renewal import Meanwhile, cut_short

NOBODY = Holder("wechat", "oNobody")


def test_without_a_card_there_is_nothing_to_show(issuer: Issuer) -> None:
    cards = issuer.cards
    assert cards.of(NOBODY) is None
    assert cards.change(NOBODY) == 0
    for act in (cards.mint, cards.state, lambda holder: cards.erase(holder, HOLDER)):
        with pytest.raises(NoCardError):
            act(NOBODY)


@pytest.mark.parametrize(
    "identifier", ["", "x", "0" * 15, "0" * 17, "G" * 16, "{b0000}:c:00000000"]
)
def test_an_id_that_is_none(issuer: Issuer, identifier: str) -> None:
    assert issuer.cards.get(identifier) is None
    assert issuer.cards.history(identifier) == []
    with pytest.raises(NoCardError):
        issuer.cards.freeze(identifier, HOLDER)


def test_an_id_that_nobody_has(issuer: Issuer) -> None:
    assert issuer.cards.get("0" * 16) is None
    with pytest.raises(NoCardError):
        issuer.cards.revoke("0" * 16, HOLDER)


def test_every_code_is_a_new_one(phone: Phone) -> None:
    assert len({phone.show() for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("change", "code"), [("freeze", "frozen"), ("revoke", "revoked"), ("expire", "expired")]
)
def test_a_card_that_is_stopped_shows_no_code(phone: Phone, change: str, code: str) -> None:
    getattr(phone.issuer.cards, change)(phone.credential_id, HOLDER)
    with pytest.raises(RefusalError) as caught:
        phone.show()
    assert caught.value.code == code


def test_no_code_for_a_purpose_that_is_none(phone: Phone) -> None:
    with pytest.raises(RefusalError):
        phone.show("everything")


def test_a_clock_that_went_back_stops_the_card_rather_than_stretching_a_code(phone: Phone) -> None:
    key, now = record_key(phone.credential_id), phone.issuer.store.glance(phone.credential_id).now
    phone.issuer.database.hset(key, "a", now + 5_000_000)
    assert phone.show()
    phone.issuer.database.hset(key, "a", now + 600_000_000)
    with pytest.raises(UnavailableError):
        phone.show()


def test_who_froze_it_and_why_is_kept(phone: Phone) -> None:
    cards = phone.issuer.cards
    cards.freeze(phone.credential_id, Actor("operator", "wang"), "reported lost")
    (last,) = cards.history(phone.credential_id, 1)
    assert last.kind == "frozen"
    assert last.detail == {"by": "operator:wang", "reason": "reported lost"}


def test_a_holder_is_not_named_by_the_log(phone: Phone) -> None:
    phone.issuer.cards.freeze(phone.credential_id, Actor("holder", phone.holder.openid))
    (last,) = phone.issuer.cards.history(phone.credential_id, 1)
    assert last.detail == {"by": "holder"}


def test_the_history_is_each_cards_own(issuer: Issuer, desk: Desk) -> None:
    first, second = issuer.phone(1), issuer.phone(2)
    for _ in range(3):
        desk.scan(first.show(), "internet_cafe")
        desk.scan(second.show("courier"), "courier")
    assert [use.purpose for use in issuer.cards.history(first.credential_id, 3)] == [
        "internet_cafe"
    ] * 3
    assert second.history() == ["accepted"] * 3 + ["activated", "issued"]
    assert len(issuer.cards.history(first.credential_id, 2)) == 2


def test_what_the_page_shows(phone: Phone, desk: Desk) -> None:
    before = phone.issuer.cards.state(phone.holder)
    assert before.pending is None
    desk.scan(phone.show(), "internet_cafe")
    after = phone.issuer.cards.state(phone.holder)
    assert after.change > before.change
    assert after.change == phone.issuer.cards.change(phone.holder)
    assert after.last is not None
    assert (after.last.kind, after.last.verifier) == ("accepted", "Seaside Hotel")
    assert after.last.fields == ("age_over_18", "name_masked", "portrait")


def test_the_counter_follows_an_account_to_its_next_card(phone: Phone) -> None:
    cards = phone.issuer.cards
    assert cards.change(phone.holder) == 2
    phone.freeze()
    cards.revoke(phone.credential_id, HOLDER)
    phone.issuer.issue(person(7), phone.holder.openid)
    assert cards.change(phone.holder) == 2


@pytest.mark.skipif("CARD_CLUSTER" in os.environ, reason="counts what one server was asked")
def test_a_fresh_code_is_one_round_trip(phone: Phone) -> None:
    phone.show()
    before = _round_trips(phone)
    for _ in range(10):
        phone.show()
    assert _round_trips(phone) - before == 10


def test_an_account_that_lost_its_card_shows_no_code_though_it_just_did(phone: Phone) -> None:
    cards = phone.issuer.cards
    phone.show()
    cards.change(phone.holder)
    phone.issuer.database.delete(card_key(phone.holder))
    for act in (cards.mint, cards.state):
        with pytest.raises(NoCardError):
            act(phone.holder)
    assert cards.change(phone.holder) == 0


def test_an_account_shows_the_code_of_the_card_that_it_holds_now(issuer: Issuer) -> None:
    phone = issuer.phone(1)
    phone.show()
    issuer.cards.revoke(phone.credential_id, HOLDER)
    anew = issuer.issue(person(1), phone.holder.openid)
    assert anew.credential_id != phone.credential_id
    assert issuer.codes.read(phone.show()).credential_id == anew.credential_id
    assert issuer.cards.state(phone.holder).card.credential_id == anew.credential_id


def test_an_account_that_points_to_the_card_of_another_holds_none(issuer: Issuer) -> None:
    first, second = issuer.phone(1), issuer.phone(2)
    issuer.cards.revoke(first.credential_id, HOLDER)
    issuer.database.set(card_key(first.holder), second.credential_id)
    assert issuer.cards.of(first.holder) is None
    assert issuer.cards.change(first.holder) == 0
    for act in (
        issuer.cards.mint,
        issuer.cards.state,
        issuer.upgrades.identity,
        issuer.upgrades.open,
        lambda holder: issuer.cards.erase(holder, HOLDER),
        lambda holder: issuer.pins.set(holder, "831502"),
    ):
        with pytest.raises(NoCardError):
            act(first.holder)
    kept = issuer.cards.of(second.holder)
    assert kept is not None
    assert kept.status is Status.ACTIVE


def _round_trips(phone: Phone) -> int:
    """How many scripts and reads the server has done that an account could be asked with."""
    counts = phone.issuer.database.info("commandstats")
    asked = (counts.get(f"cmdstat_{name}", {}) for name in ("evalsha", "eval"))
    return sum(int(each.get("calls", 0)) for each in asked)


def test_an_erased_card_leaves_a_tombstone_and_its_log(phone: Phone, desk: Desk) -> None:
    code = phone.show()
    issuer = phone.issuer
    issuer.cards.erase(phone.holder, HOLDER)
    assert issuer.cards.of(phone.holder) is None
    assert desk.refused(code, "internet_cafe") == "revoked"
    tombstone = issuer.cards.get(phone.credential_id)
    assert tombstone is not None
    assert tombstone.status is Status.REVOKED
    assert (tombstone.name_masked, tombstone.id_number_masked) == ("", "")
    assert tombstone.holder == Holder("", "")
    assert phone.history()[0] == "erased"
    assert not issuer.database.exists(portrait_key(phone.credential_id))
    assert not issuer.database.hexists(record_key(phone.credential_id), "e")
    with pytest.raises(NoCardError):
        issuer.cards.erase(phone.holder, HOLDER)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_erasure_that_was_cut_short_leaves_no_face(phone: Phone, moment: str) -> None:
    issuer, number = phone.issuer, person().id_number
    templates = Templates(issuer.database, issuer.sealer, issuer.index)
    templates.put(number, bytes(VECTOR_BYTES))
    templates.settle(number)
    store = Meanwhile(issuer, "transition", **{moment: cut_short})
    with pytest.raises(UnavailableError):
        Cards(store, issuer.sealer, issuer.index, issuer.codes).erase(phone.holder, HOLDER)
    issuer.cards.erase(phone.holder, HOLDER)
    assert not templates.has(number)
    assert list(templates.all()) == []
    assert issuer.cards.of(phone.holder) is None


@pytest.mark.parametrize(("end", "status"), [("revoke", "revoked"), ("expire", "expired")])
def test_a_card_that_is_over_can_be_erased(phone: Phone, end: str, status: str) -> None:
    getattr(phone.issuer.cards, end)(phone.credential_id, HOLDER)
    phone.issuer.cards.erase(phone.holder, HOLDER)
    tombstone = phone.issuer.cards.get(phone.credential_id)
    assert tombstone is not None
    assert (tombstone.status, tombstone.name_masked) == (status, "")


def test_nothing_is_told_of_an_erased_card(phone: Phone, desk: Desk) -> None:
    code = phone.show()
    answer = desk.scan(code, "internet_cafe", "one")
    assert answer.state is State.ACCEPTED
    phone.issuer.cards.erase(phone.holder, HOLDER)
    assert desk.refused(code, "internet_cafe", "one") == "revoked"


def test_an_erased_card_comes_back_to_nobody(phone: Phone) -> None:
    phone.issuer.cards.erase(phone.holder, HOLDER)
    for change in (phone.issuer.cards.unfreeze, phone.issuer.cards.freeze):
        with pytest.raises(LifecycleError):
            change(phone.credential_id, HOLDER)
