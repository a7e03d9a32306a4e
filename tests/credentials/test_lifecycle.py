"""The arrows of a credential's life, as a table and as the store keeps to them."""

from __future__ import annotations

import itertools

import pytest

from credentials import lifecycle
from credentials.errors import LifecycleError
from credentials.model import Status
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
    phone.issuer.database.hset(record_key(phone.credential_id), "s", here)
    change = {A: cards.unfreeze, F: cards.freeze, R: cards.revoke, X: cards.expire}[there]
    if (here, there) in DRAWN:
        assert change(phone.credential_id, HOLDER).status is there
        assert len(phone.history()) == 3
    else:
        with pytest.raises(LifecycleError) as caught:
            change(phone.credential_id, HOLDER)
        assert caught.value.details["status"] == here
        assert len(phone.history()) == 2


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
