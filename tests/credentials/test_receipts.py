"""Receipts: written with the verification, passed on at least once, whoever dies in between."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import cast

import pytest
import redis

from credentials import receipts as module
from credentials.errors import UnavailableError
from credentials.keyring import KeyringError
from credentials.model import State
from credentials.receipts import GROUP, Receipt, Receipts
from credentials.store import RECEIPTS
from tests.credentials.issuer import HOLDER, Desk, Issuer, Phone, ring


def another(issuer: Issuer) -> Receipts:
    """The receipts as another process sees them."""
    return Receipts(issuer.store, issuer.sealer)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does not finish at once counts as dead."""
    monkeypatch.setattr(module, "SILENT_MS", 0)


def test_nothing_in_a_receipt_says_who_the_holder_is(
    phone: Phone, desk: Desk, database: redis.Redis
) -> None:
    answer = desk.scan(phone.show(), "internet_cafe")
    found = cast("list[tuple[bytes, dict[bytes, bytes]]]", database.xrange(RECEIPTS))
    assert [fields for _, fields in found] == [{b"accepted": answer.verification_id.encode()}]


def test_a_refused_scan_leaves_none(phone: Phone, desk: Desk, database: redis.Redis) -> None:
    desk.refused(phone.showed(60), "internet_cafe")
    assert database.xlen(RECEIPTS) == 0


def test_each_is_given_to_one_reader_and_struck_off(phone: Phone, desk: Desk) -> None:
    first = desk.scan(phone.show(), "internet_cafe")
    second = desk.scan(phone.show(), "hotel")
    told: list[Receipt] = []
    assert another(phone.issuer).pass_on("one", told.extend) == 2
    assert another(phone.issuer).pass_on("two", told.extend) == 0
    assert [(each.decided.verification_id, each.decided.state) for each in told] == [
        (first.verification_id, State.ACCEPTED),
        (second.verification_id, State.AWAITING_HOLDER),
    ]
    assert [each.number for each in told] == [None, second.number]
    assert phone.issuer.waiting.figures() == (0, 0.0)


@pytest.mark.usefixtures("impatient")
def test_what_a_killed_worker_had_read_is_passed_on_by_another(phone: Phone, desk: Desk) -> None:
    answer = desk.scan(phone.show(), "internet_cafe")

    class KilledError(BaseException):
        pass

    def die(_: Sequence[Receipt]) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        another(phone.issuer).pass_on("dead", die)
    told: list[Receipt] = []
    assert another(phone.issuer).pass_on("alive", told.extend) == 1
    assert [each.decided.verification_id for each in told] == [answer.verification_id]


@pytest.mark.usefixtures("impatient")
def test_while_the_broker_is_out_they_wait(phone: Phone, desk: Desk) -> None:
    desk.scan(phone.show(), "internet_cafe")
    desk.scan(phone.show(), "internet_cafe")
    reader = another(phone.issuer)

    def out(_: Sequence[Receipt]) -> None:
        raise UnavailableError(what="jobs", why="full")

    with pytest.raises(UnavailableError):
        reader.pass_on("one", out)
    length, age_s = reader.figures()
    assert length == 2
    assert age_s >= 0
    told: list[Receipt] = []
    assert reader.pass_on("one", told.extend) == 2


def test_beyond_the_bound_the_scan_stands_and_nobody_is_told(
    phone: Phone, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("credentials.verification.MOST_WAITING", 1)
    for _ in range(3):
        assert desk.scan(phone.show(), "internet_cafe").state is State.ACCEPTED
    assert len(phone.issuer.receipts) == 1
    assert phone.history().count("accepted") == 3


def test_who_has_left_meanwhile_is_not_told(phone: Phone, desk: Desk) -> None:
    desk.scan(phone.show(), "internet_cafe")
    phone.issuer.cards.erase(phone.holder, HOLDER)
    assert phone.issuer.receipts == []
    assert phone.issuer.waiting.figures()[0] == 0


def test_a_receipt_that_cannot_be_read_holds_up_no_other(
    phone: Phone, desk: Desk, database: redis.Redis
) -> None:
    other = phone.issuer.phone(2)
    desk.scan(phone.show(), "internet_cafe")
    desk.scan(other.show(), "internet_cafe")
    bucket = f"{{b{int(phone.credential_id[:3], 16):04d}}}"
    database.hset(f"{bucket}:c:{phone.credential_id}", "e", b"\x01" + b"?" * 60)
    assert [each.holder for each in phone.issuer.receipts] == [other.holder]
    assert phone.issuer.waiting.figures()[0] == 0


@pytest.mark.usefixtures("impatient")
def test_one_under_a_key_that_is_not_here_waits_and_holds_up_no_other(
    issuer: Issuer, desk: Desk, database: redis.Redis
) -> None:
    ahead = Issuer(database, ring(2, 1))  # a server that has the new key already
    here, there = issuer.phone(2), ahead.phone(1)
    ahead.desk().scan(there.show(), "internet_cafe")
    desk.scan(here.show(), "internet_cafe")
    told: list[Receipt] = []
    for _ in range(2):
        with contextlib.suppress(KeyringError):  # once it is alone
            another(issuer).pass_on("behind", told.extend)
    assert [receipt.holder for receipt in told] == [here.holder]
    assert database.xlen(RECEIPTS) == 1
    ahead.waiting.pass_on("ahead", told.extend)
    assert [receipt.holder for receipt in told] == [here.holder, there.holder]
    assert database.xlen(RECEIPTS) == 0


def test_readers_that_are_gone_are_forgotten(
    phone: Phone, desk: Desk, database: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = phone.issuer.waiting
    waiting.tend()  # nobody has read yet
    desk.scan(phone.show(), "internet_cafe")
    waiting.pass_on("gone", lambda _: None)
    waiting.tend()
    assert len(database.xinfo_consumers(RECEIPTS, GROUP)) == 1
    monkeypatch.setattr(module, "GONE_MS", -1)
    waiting.tend()
    assert database.xinfo_consumers(RECEIPTS, GROUP) == []


@pytest.mark.usefixtures("impatient")
def test_what_cannot_be_told_holds_up_nothing_behind_it(
    phone: Phone, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a dead reader left is found behind a batch that fails each time."""
    monkeypatch.setattr(module, "AT_ONCE", 2)
    answers = [desk.scan(phone.show(), "internet_cafe").verification_id for _ in range(6)]
    bad, dead = set(answers[:2]), another(phone.issuer)

    class KilledError(BaseException):
        pass

    def die(_: Sequence[Receipt]) -> None:
        raise KilledError

    for _ in range(3):
        monkeypatch.setattr(module, "SILENT_MS", 10_000)
        with pytest.raises(KilledError):
            dead.pass_on("dead", die)
    monkeypatch.setattr(module, "SILENT_MS", 0)
    told: list[str] = []

    def tell(receipts: Sequence[Receipt]) -> None:
        ids = [each.decided.verification_id for each in receipts]
        if bad & set(ids):
            raise UnavailableError(what="talk")
        told.extend(ids)

    alive = another(phone.issuer)
    for _ in range(4):
        with contextlib.suppress(UnavailableError):
            alive.pass_on("alive", tell)
    assert set(told) == set(answers[2:])
    assert alive.figures()[0] == 2


def test_after_an_outage_nothing_waits_for_the_next_look(
    phone: Phone, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 1)
    for _ in range(5):
        desk.scan(phone.show(), "internet_cafe")
    reader = another(phone.issuer)

    def out(_: Sequence[Receipt]) -> None:
        raise UnavailableError(what="jobs")

    for _ in range(5):
        with pytest.raises(UnavailableError):
            reader.pass_on("one", out)
    monkeypatch.setattr(module, "SILENT_MS", 0)
    told: list[Receipt] = []
    back = another(phone.issuer)
    for _ in range(5):
        back.pass_on("two", told.extend)
    assert len(told) == 5
