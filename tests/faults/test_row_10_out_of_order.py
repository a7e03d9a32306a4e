"""Row 10. Steps skipped or out of order, two messages at once: conversation stays consistent."""

from __future__ import annotations

import functools

import pytest

from simulator.phone import Phone
from tests.faults.acts import END_SECONDS, Office, all_at_once
from tests.faults.conftest import Figure, Phones
from tests.faults.wire import Wire, said
from tests.product.actors import Product, wait_until
from web.demo import CITIZENS

COLLINS = CITIZENS[1]
STRAYS = (COLLINS.id_number, "card", "批准", "解冻", "记录", "升级", "😀", "帮助", "申请")


@pytest.mark.parametrize("at", ["consent", "name", "id_number", "face"])
def test_strays_at_any_step_lose_nothing(
    shared_product: Product, shared_office: Office, phones: Phones, at: str
) -> None:
    phone = phones(shared_product)
    way = [("consent", "申请", "1/4"), ("name", "同意", "2/4"), ("id_number", COLLINS.name, "3/4")]
    way.append(("face", COLLINS.id_number, "4/4"))
    for step, say, expected in way:
        phone.say(say)
        phone.wait_for(expected)
        if step == at:
            _stray(phone, step)
        # What is said goes to the outbox before the conversation is kept.
        assert _comes_to(shared_office, phone, step)


def _stray(phone: Phone, step: str) -> None:
    for words in STRAYS:
        if words == COLLINS.id_number and step == "id_number":
            continue  # there it is the answer
        phone.say(words)
        phone.wait_for_any()
    phone.settle()
    phone.look()


def test_two_answers_at_once_are_taken_one_after_the_other(
    shared_product: Product, shared_office: Office, phones: Phones, figure: Figure
) -> None:
    ends = set()
    for _ in range(10):
        phone = phones(shared_product)
        phone.say("申请")
        phone.wait_for("1/4")
        phone.say("同意")
        phone.wait_for("2/4")
        say = functools.partial(_push, Wire(shared_product, phone.openid))
        both = (COLLINS.name, COLLINS.id_number)
        acts = [functools.partial(say, words) for words in both]
        all_at_once(acts)
        # One that found the other under way for long is heard by a worker, a little later.
        assert _comes_to(shared_office, phone, "id_number", "registry", "face")
        ends.add(_step(shared_office, phone))
        # Whichever came first, the person can go on from where they are told to be.
        if _step(shared_office, phone) == "id_number":
            phone.say(COLLINS.id_number)
        phone.wait_for("4/4")
        assert _comes_to(shared_office, phone, "face")
    assert ends <= {"id_number", "registry", "face"}
    figure("pairs of messages at once", 10, "")


def _push(wire: Wire, words: str) -> None:
    said(wire.push(wire.text(words)))


def _comes_to(office: Office, phone: Phone, *steps: str) -> bool:
    return wait_until(lambda: _step(office, phone) in steps, END_SECONDS)


def _step(office: Office, phone: Phone) -> str:
    step = office.database.hget(f"{{wechat:{phone.openid}}}:talk", "s")
    assert isinstance(step, bytes)
    return step.decode()
