"""Ends of cards: reminded of in time, once, also after missed days; written down when past."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import pytest

from credentials.errors import UnavailableError
from credentials.expiry import Expiry
from credentials.model import Holder, Status
from credentials.store import due_key, record_key
from tests.credentials.issuer import HOLDER, Issuer, Phone

LAST_DAY = datetime.date(2040, 1, 1)  # of the issuer's made-up people
Told = list[tuple[str, Mapping[str, object], str]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def expiry(issuer: Issuer, told: Told) -> Expiry:
    def tell(holder: Holder, key: str, values: Mapping[str, object], once: str) -> None:
        assert holder.openid.startswith("oPhone")
        told.append((key, values, once))

    return Expiry(issuer.store, issuer.cards, tell)


def run(expiry: Expiry, days_before: int) -> tuple[int, int]:
    last = list(expiry.remind(LAST_DAY - datetime.timedelta(days=days_before)))[-1]
    assert last.done == last.total == 4096
    return last.told, last.ended


def test_thirty_seven_and_one_day_before(expiry: Expiry, phone: Phone, told: Told) -> None:
    days = [days for days in range(40, 0, -1) if run(expiry, days) == (1, 0)]
    assert days == [30, 7, 1]
    assert [values["days"] for _, values, _ in told] == [30, 7, 1]
    assert {values["day"] for _, values, _ in told} == {"2040-01-01"}
    assert len({once for _, _, once in told}) == 3


@pytest.mark.parametrize("days", [40, 31])
def test_too_early_nobody_is_told(expiry: Expiry, phone: Phone, days: int, told: Told) -> None:
    assert run(expiry, days) == (0, 0)
    assert told == []


def test_twice_a_day_is_told_under_the_same_name(expiry: Expiry, phone: Phone, told: Told) -> None:
    run(expiry, 30)
    run(expiry, 30)
    assert len({once for _, _, once in told}) == 1


def test_days_that_were_missed_are_made_up_for(expiry: Expiry, phone: Phone, told: Told) -> None:
    run(expiry, 35)
    assert run(expiry, 5) == (1, 0)
    assert told[0][1]["days"] == 5


def test_an_end_is_written_down_and_told(
    issuer: Issuer, expiry: Expiry, phone: Phone, told: Told
) -> None:
    assert run(expiry, -1) == (0, 1)
    assert run(expiry, -2) == (0, 0)
    assert [key for key, _, _ in told] == ["life.expired"]
    card = issuer.cards.get(phone.credential_id)
    assert card is not None
    assert card.status is Status.EXPIRED
    assert phone.history()[0] == "expired"


def test_an_end_that_could_not_be_told_is_told_by_the_next_run(
    issuer: Issuer, phone: Phone, told: Told
) -> None:
    full = [True, False]

    def tell(holder: Holder, key: str, values: Mapping[str, object], once: str) -> None:
        assert holder == phone.holder
        if full.pop(0):
            raise UnavailableError(what="queue", why="full")
        told.append((key, values, once))

    expiry = Expiry(issuer.store, issuer.cards, tell)
    with pytest.raises(UnavailableError):
        run(expiry, -1)
    assert run(expiry, -1) == (0, 1)
    assert [key for key, _, _ in told] == ["life.expired"]
    assert run(expiry, -1) == (0, 0)


@pytest.mark.parametrize("act", ["revoke", "erase"])
def test_who_has_no_card_any_more_is_not_told(
    issuer: Issuer, expiry: Expiry, phone: Phone, told: Told, act: str
) -> None:
    if act == "revoke":
        issuer.cards.revoke(phone.credential_id, HOLDER)
    else:
        issuer.cards.erase(phone.holder, HOLDER)
    assert issuer.database.zcard(due_key(phone.credential_id)) == 0
    assert run(expiry, 30) == (0, 0)
    assert told == []


def test_a_card_that_does_not_open_holds_up_no_other(
    issuer: Issuer, expiry: Expiry, told: Told
) -> None:
    phones = [issuer.phone(number) for number in range(1, 5)]
    broken = sorted(phone.credential_id for phone in phones)[0]  # the first to be looked at
    issuer.database.hset(record_key(broken), "e", "torn")
    last = list(expiry.remind(LAST_DAY - datetime.timedelta(days=7)))[-1]
    assert (last.done, last.told, last.unreadable) == (4096, 3, (broken,))
    assert len(told) == 3


def test_a_card_without_an_end(issuer: Issuer, expiry: Expiry, told: Told) -> None:
    phone = issuer.phone(5, valid_until=None)
    assert issuer.database.zcard(due_key(phone.credential_id)) == 0
    assert run(expiry, 1) == (0, 0)


def test_a_frozen_card_is_reminded_of_too(expiry: Expiry, phone: Phone) -> None:
    phone.freeze()
    assert run(expiry, 7) == (1, 0)
