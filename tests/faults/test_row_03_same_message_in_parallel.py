"""Row 3. The same MsgId three times in parallel: one transition, one answer."""

from __future__ import annotations

import secrets
import time

from bot.talk import AGAIN_SECONDS
from tests.faults.acts import Office, all_at_once
from tests.faults.conftest import Figure, Phones
from tests.faults.wire import Wire, said
from tests.product.actors import Product

ROUNDS = 20


def test_three_parallel_deliveries_are_one_turn(
    shared_product: Product, shared_office: Office, phones: Phones, figure: Figure
) -> None:
    answered = []
    for _ in range(ROUNDS):
        wire = Wire(shared_product)
        number = secrets.randbits(63)
        answers: list[str] = []

        def deliver(wire: Wire = wire, number: int = number, kept: list[str] = answers) -> None:
            kept.append(said(wire.push(wire.text("申请", number))))

        began = time.monotonic()
        all_at_once([deliver] * 3)
        spoken = _spoken(answers, time.monotonic() - began)
        answered.append(len(spoken))
        assert all("1/4" in answer for answer in spoken)
        talk = shared_office.database.hgetall(f"{{wechat:{wire.openid}}}:talk")
        assert talk[b"s"] == b"consent"
        assert not shared_office.database.exists(f"{{wechat:{wire.openid}}}:outbox")
    assert set(answered) == {1}
    figure("parallel deliveries", 3 * ROUNDS, "")
    figure("answers", sum(answered), "")


def test_the_person_reads_one_answer(shared_product: Product, phones: Phones) -> None:
    phone = phones(shared_product)
    wire = Wire(shared_product, phone.openid)
    number = secrets.randbits(63)
    answers: list[str] = []
    began = time.monotonic()
    all_at_once([lambda: answers.append(said(wire.push(wire.text("申请", number))))] * 3)
    spoken = _spoken(answers, time.monotonic() - began)
    phone.say("同意")
    phone.wait_for("2/4")
    read = [message for message in map(str, phone.from_account()) if "1/4" in message]
    assert len(spoken) + len(read) == 1


def _spoken(answers: list[str], took: float) -> list[str]:
    """What copies that travelled together were answered.

    Where a busy machine kept them apart, the later ones are deliveries again, which are given the
    first one's answer: that is one answer, too.
    """
    spoken = [answer for answer in answers if answer]
    return list(dict.fromkeys(spoken)) if took > AGAIN_SECONDS else spoken
