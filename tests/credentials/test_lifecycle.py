"""The arrows of a credential's life, as a table and as the store keeps to them."""

from __future__ import annotations

import itertools

import pytest

from credentials import lifecycle
from credentials.errors import LifecycleError
from credentials.model import Actor, Status
from credentials.store import record_key
from tests.credentials.issuer import HOLDER, Issuer, Phone

P, A, F, R, X = Status.PENDING, Status.ACTIVE, Status.FROZEN, Status.REVOKED, Status.EXPIRED
DRAWN = {(P, A), (P, R), (A, F), (F, A), (A, R), (F, R), (A, X), (F, X)}


@pytest.mark.parametrize(("here", "there"), list(itertools.product(Status, Status)))
def test_only_the_arrows_that_are_drawn(here: Status, there: Status) -> None:
    assert lifecycle.may(here, there) == ((here, there) in DRAWN)


def test_what_is_over() -> None:
    assert [status for status in Status if lifecycle.is_over(status)] == [R, X]


@pytest.mark.parametrize("status", Status)
def test_time_ends_only_what_can_end(status: Status) -> None:
    assert lifecycle.at(status, valid_until=None, now=1e12) is status
    assert lifecycle.at(status, valid_until=100.0, now=100.0) is status
    ended = lifecycle.at(status, valid_until=100.0, now=100.1)
    assert ended is (X if status in {A, F} else status)


@pytest.mark.parametrize(("here", "there"), list(itertools.product([A, F, R, X], [A, F, R, X])))
def test_the_store_keeps_to_them(phone: Phone, here: Status, there: Status) -> None:
    cards = phone.issuer.cards
    kept = record_key(phone.credential_id)
    phone.issuer.database.hset(kept, mapping={"s": here, "b": "holder" if here is F else ""})
    change = {A: cards.unfreeze, F: cards.freeze, R: cards.revoke, X: cards.expire}[there]
    if (here, there) in DRAWN:
        assert change(phone.credential_id, HOLDER).status is there
        assert len(phone.history()) == 3
    else:
        with pytest.raises(LifecycleError) as caught:
            change(phone.credential_id, HOLDER)
        assert caught.value.details["status"] == here
        assert len(phone.history()) == 2


OPERATOR, SYSTEM = Actor("operator", "wang"), Actor("system")
BY_WEIGHT = (HOLDER, SYSTEM, OPERATOR)
"""Whoever comes later outweighs whoever comes before."""


@pytest.mark.parametrize(("by", "who"), list(itertools.product(BY_WEIGHT, BY_WEIGHT)))
def test_a_freeze_is_undone_by_whoever_froze_or_outweighs_them(
    phone: Phone, by: Actor, who: Actor
) -> None:
    cards = phone.issuer.cards
    card = cards.freeze(phone.credential_id, by)
    assert (card.frozen_by, card.frozen_by_issuer) == (by.kind, by is not HOLDER)
    if BY_WEIGHT.index(who) >= BY_WEIGHT.index(by):
        card = cards.unfreeze(phone.credential_id, who)
        assert (card.status, card.frozen_by, card.frozen_by_issuer) == (A, "", False)
        return
    with pytest.raises(LifecycleError) as caught:
        cards.unfreeze(phone.credential_id, who)
    assert (caught.value.code, caught.value.details) == ("frozen_by_issuer", {"status": F})
    assert phone.history()[0] == "frozen"
    assert cards.unfreeze(phone.credential_id, OPERATOR).status is A


@pytest.mark.parametrize(("by", "who"), list(itertools.product(BY_WEIGHT, BY_WEIGHT)))
def test_a_freeze_is_taken_over_by_whoever_outweighs(phone: Phone, by: Actor, who: Actor) -> None:
    cards = phone.issuer.cards
    cards.freeze(phone.credential_id, by)
    if BY_WEIGHT.index(who) > BY_WEIGHT.index(by):
        assert cards.freeze(phone.credential_id, who).frozen_by == who.kind
        assert phone.history()[:2] == ["frozen", "frozen"]
        return
    with pytest.raises(LifecycleError, match="wrong_status"):
        cards.freeze(phone.credential_id, who)
    card = cards.get(phone.credential_id)
    assert card is not None
    assert card.frozen_by == by.kind
    assert phone.history().count("frozen") == 1


def test_a_holder_who_freezes_again_takes_no_freeze_of_the_issuers_over(phone: Phone) -> None:
    cards = phone.issuer.cards
    cards.freeze(phone.credential_id, OPERATOR)
    with pytest.raises(LifecycleError):
        phone.freeze()
    with pytest.raises(LifecycleError, match="frozen_by_issuer"):
        phone.unfreeze()


def test_a_freeze_of_which_nobody_says_whose_it_is_is_the_issuers(phone: Phone) -> None:
    phone.issuer.database.hset(record_key(phone.credential_id), "s", F)
    with pytest.raises(LifecycleError, match="frozen_by_issuer"):
        phone.unfreeze()


@pytest.mark.parametrize("end", ["revoke", "expire"])
def test_who_froze_is_forgotten_with_the_freeze(phone: Phone, end: str) -> None:
    cards, kept = phone.issuer.cards, record_key(phone.credential_id)
    cards.freeze(phone.credential_id, OPERATOR)
    assert phone.issuer.database.hget(kept, "b") == b"operator"
    assert getattr(cards, end)(phone.credential_id, OPERATOR).frozen_by == ""
    assert not phone.issuer.database.hexists(kept, "b")


def test_each_change_is_counted(phone: Phone) -> None:
    seen = [phone.issuer.cards.change(phone.holder)]
    phone.freeze()
    seen.append(phone.issuer.cards.change(phone.holder))
    phone.unfreeze()
    seen.append(phone.issuer.cards.change(phone.holder))
    assert seen == sorted(set(seen))


def test_a_lapsed_card_is_expired_before_anybody_writes_it_down(issuer: Issuer) -> None:
    phone = issuer.phone()
    issuer.database.hset(record_key(phone.credential_id), "x", "1000")
    card = issuer.cards.of(phone.holder)
    assert card is not None
    assert card.status is X
    with pytest.raises(LifecycleError):
        phone.freeze()
    assert issuer.cards.expire(phone.credential_id, HOLDER).status is X
    with pytest.raises(LifecycleError):
        issuer.cards.expire(phone.credential_id, HOLDER)
    assert phone.history().count("expired") == 1
