"""A disclosure that waits for the holder."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from credentials.errors import CredentialError, RefusalError
from credentials.model import Holder, State, Verification
from credentials.store import Glance, Store, verification_key
from tests.credentials.issuer import HOLDER, Desk, Issuer, Phone, refusal


def asked(phone: Phone, desk: Desk) -> Verification:
    answer = desk.scan(phone.show(), "hotel")
    assert answer.state is State.AWAITING_HOLDER
    return answer


def approve(phone: Phone, answer: Verification) -> str:
    """The refusal that an approval meets, or '' if it is accepted."""
    try:
        phone.issuer.verifications.approve(phone.holder, answer.verification_id)
    except RefusalError as error:
        return error.code
    return ""


def let_pass(phone: Phone, answer: Verification) -> None:
    """Let the minute pass."""
    key = verification_key(answer.verification_id)
    phone.issuer.database.hincrby(key, "ex", -61_000_000)


def test_a_hotel_waits_and_both_see_the_same_number(phone: Phone, desk: Desk) -> None:
    answer = asked(phone, desk)
    assert answer.attributes == {}
    waiting = phone.asked()
    assert waiting.verification_id == answer.verification_id
    assert waiting.number == answer.number
    assert 10 <= waiting.number <= 99
    assert (waiting.verifier, waiting.desk, waiting.purpose) == (
        "Seaside Hotel",
        "Front desk",
        "hotel",
    )
    assert "id_number" in waiting.fields
    assert waiting.expires_at == answer.expires_at
    assert waiting.expires_at - answer.verified_at == pytest.approx(60)
    assert phone.issuer.receipts[-1].decided.state is State.AWAITING_HOLDER
    assert phone.issuer.receipts[-1].number == answer.number


def test_approved(phone: Phone, desk: Desk) -> None:
    answer = asked(phone, desk)
    assert desk.look(answer).state is State.AWAITING_HOLDER
    assert desk.look(answer).attributes == {}
    phone.approve()
    result = desk.look(answer)
    assert result.state is State.ACCEPTED
    assert result.attributes["name"] == "张三丰"
    assert result.number is None
    assert phone.history()[:2] == ["accepted", "asked"]
    assert phone.issuer.cards.state(phone.holder).pending is None


def test_the_result_is_told_for_ten_minutes_from_the_approval(phone: Phone, desk: Desk) -> None:
    answer = asked(phone, desk)
    phone.approve()
    key = verification_key(answer.verification_id)
    phone.issuer.database.hincrby(key, "at", -601_000_000)
    assert desk.look(answer).attributes == {}


def test_denied(phone: Phone, desk: Desk) -> None:
    answer = asked(phone, desk)
    phone.issuer.verifications.deny(phone.holder, answer.verification_id)
    assert desk.look(answer).state is State.DENIED
    assert desk.look(answer).attributes == {}
    assert approve(phone, answer) == "already_answered"
    assert desk.scan(phone.show(), "internet_cafe").state is State.ACCEPTED


def test_denied_and_frozen_in_one_step(phone: Phone, desk: Desk) -> None:
    answer = asked(phone, desk)
    phone.issuer.verifications.deny(phone.holder, answer.verification_id, freeze=True)
    assert desk.look(answer).state is State.DENIED
    assert phone.history()[:3] == ["frozen", "denied", "asked"]
    card = phone.issuer.cards.of(phone.holder)
    assert card is not None
    assert card.frozen_by == "holder"
    assert desk.refused(phone.showed(0), "internet_cafe") == "frozen"
    assert phone.issuer.findings() == []


@pytest.mark.parametrize(
    ("change", "code"), [("freeze", "frozen"), ("revoke", "revoked"), ("expire", "expired")]
)
def test_no_approval_of_a_card_stopped_meanwhile(
    phone: Phone, desk: Desk, change: str, code: str
) -> None:
    answer = asked(phone, desk)
    getattr(phone.issuer.cards, change)(phone.credential_id, HOLDER)
    assert phone.issuer.cards.state(phone.holder).pending is None
    assert approve(phone, answer) == code
    assert desk.look(answer).state is State.DENIED


def test_no_approval_after_freezing_and_unfreezing(phone: Phone, desk: Desk) -> None:
    answer = asked(phone, desk)
    phone.freeze()
    phone.unfreeze()
    assert approve(phone, answer) == "already_answered"
    assert desk.look(answer).state is State.DENIED


def test_too_late(phone: Phone, desk: Desk) -> None:
    answer = asked(phone, desk)
    let_pass(phone, answer)
    assert phone.issuer.cards.state(phone.holder).pending is None
    assert approve(phone, answer) == "too_late"
    assert desk.look(answer).state is State.DENIED


def test_a_newer_scan_takes_the_older_ones_place(phone: Phone, desk: Desk) -> None:
    first, second = asked(phone, desk), asked(phone, desk)
    assert approve(phone, first) == "already_answered"
    assert desk.look(first).state is State.DENIED
    assert approve(phone, second) == ""
    assert desk.look(second).state is State.ACCEPTED


def test_nobody_approves_for_another(issuer: Issuer, desk: Desk) -> None:
    anna, bert = issuer.phone(1), issuer.phone(2)
    answer = asked(anna, desk)
    assert approve(bert, answer) == "unknown_verification"
    stranger = Holder("wechat", "oStranger")
    with pytest.raises(CredentialError) as caught:
        issuer.verifications.approve(stranger, answer.verification_id)
    assert caught.value.code == "no_card"
    assert desk.look(answer).state is State.AWAITING_HOLDER


@pytest.mark.parametrize("identifier", ["", "x", "0" * 20, "f" * 20, "{b0001}:v:1"])
def test_a_verification_that_is_none(phone: Phone, identifier: str) -> None:
    verifications = phone.issuer.verifications
    assert (
        refusal(lambda: verifications.approve(phone.holder, identifier)) == "unknown_verification"
    )


@pytest.mark.parametrize("said", [State.ACCEPTED, State.DENIED])
def test_an_answer_between_the_desks_two_readings_is_the_one_told(
    phone: Phone, desk: Desk, monkeypatch: pytest.MonkeyPatch, said: State
) -> None:
    """The verification is read as waiting, then answered, then the card as waiting for nothing."""
    answer = asked(phone, desk)
    verifications = phone.issuer.verifications
    look = Store.glance

    def meanwhile(store: Store, credential_id: str, entries: int = 0) -> Glance:
        monkeypatch.undo()
        if said is State.ACCEPTED:
            verifications.approve(phone.holder, answer.verification_id)
        else:
            verifications.deny(phone.holder, answer.verification_id)
        return look(store, credential_id, entries)

    monkeypatch.setattr(Store, "glance", meanwhile)
    told = desk.look(answer)
    assert told.state is said
    assert bool(told.attributes) is (said is State.ACCEPTED)


def test_a_newer_scan_between_the_desks_two_readings_is_a_denial(
    phone: Phone, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = asked(phone, desk)
    look = Store.glance

    def meanwhile(store: Store, credential_id: str, entries: int = 0) -> Glance:
        monkeypatch.undo()
        asked(phone, desk)
        return look(store, credential_id, entries)

    monkeypatch.setattr(Store, "glance", meanwhile)
    told = desk.look(first)
    assert (told.state, told.attributes) == (State.DENIED, {})


def test_one_answer_counts_of_many_at_once(phone: Phone, desk: Desk) -> None:
    answer = asked(phone, desk)

    def answer_it(number: int) -> str:
        try:
            if number % 2:
                phone.issuer.verifications.deny(phone.holder, answer.verification_id)
            else:
                phone.issuer.verifications.approve(phone.holder, answer.verification_id)
        except RefusalError as error:
            return error.code
        return "answered"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(answer_it, range(20)))
    assert outcomes.count("answered") == 1
    assert outcomes.count("already_answered") == 19


def test_an_approval_does_not_hold_up_other_uses(phone: Phone, desk: Desk) -> None:
    answer = asked(phone, desk)
    desk.scan(phone.show(), "internet_cafe")
    assert desk.look(answer).state is State.DENIED


def test_the_same_request_waits_for_the_same_answer(phone: Phone, desk: Desk) -> None:
    code = phone.show()
    first = desk.scan(code, "hotel", "one")
    assert desk.scan(code, "hotel", "one") == first
    phone.approve()
    assert desk.scan(code, "hotel", "one").attributes["name"] == "张三丰"


@pytest.mark.parametrize("answered", ["approve", "deny"])
def test_an_answer_leaves_a_receipt_of_its_own(phone: Phone, desk: Desk, answered: str) -> None:
    answer = asked(phone, desk)
    getattr(phone.issuer.verifications, answered)(phone.holder, answer.verification_id)
    state = State.ACCEPTED if answered == "approve" else State.DENIED
    told = [(each.answered, each.decided.verification_id) for each in phone.issuer.receipts]
    assert told == [(False, answer.verification_id), (True, answer.verification_id)]
    assert phone.issuer.receipts[-1].decided.state is state


def test_an_answer_that_is_refused_leaves_none(phone: Phone, desk: Desk) -> None:
    answer = asked(phone, desk)
    let_pass(phone, answer)
    assert approve(phone, answer) == "too_late"
    assert [each.answered for each in phone.issuer.receipts] == [False]


def test_an_answer_stands_though_no_receipt_can_wait(
    phone: Phone, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("credentials.approvals.MOST_WAITING", 1)
    answer = asked(phone, desk)
    phone.approve()
    assert desk.look(answer).state is State.ACCEPTED
    assert [each.answered for each in phone.issuer.receipts] == [False]
