"""Row 11. Bad ID number (each kind), impossible date, residence outside the rollout: refused
with its own reason."""

from __future__ import annotations

import datetime

from credentials.authority import EmbeddedRegistry
from simulator.phone import text_of
from tests.credentials.issuer import id_number, person
from tests.faults.acts import Office
from tests.faults.conftest import Figure, Phones
from tests.product.actors import Product

NEXT_YEAR = f"{datetime.date.today().year + 1}0307"  # noqa: DTZ011 - any day of that year will do
CHILD = f"{datetime.date.today().year - 5}0307"  # noqa: DTZ011 - and of that one
GOOD = id_number(901)
BAD = {
    "too short": ("4401151990", "18 位"),
    "too long": (GOOD + "1", "18 位"),
    "an old number of 15": ("440115900307123", "15 位的旧号码"),
    "a letter inside": (GOOD[:5] + "O" + GOOD[6:], "第 6 位不是数字"),
    "the 30th of February": (id_number(birth="19900230"), "并不存在"),
    "the 13th month": (id_number(birth="19901301"), "并不存在"),
    "not born yet": (id_number(birth=NEXT_YEAR), "还没有到"),
    "born too early": (id_number(birth="18490307"), "太早"),
    "a child": (id_number(birth=CHILD), "监护人"),
    "one digit wrong": (GOOD[:-1] + ("1" if GOOD[-1] != "1" else "2"), "最后一位与前面不符"),
    "unknown to the registry": (id_number(902), "没有查到"),
}


def test_each_kind_has_its_own_reason(
    shared_product: Product, phones: Phones, figure: Figure
) -> None:
    reasons = set()
    phone = phones(shared_product)
    for say, expected in (("申请", "1/4"), ("同意", "2/4"), ("王小明", "3/4")):
        phone.say(say)
        phone.wait_for(expected)
    for number, reason in BAD.values():
        phone.say(number)
        answer = text_of(phone.wait_for(reason))
        assert number not in answer, "a number is not said back"
        reasons.add(reason)
    figure("kinds", len(BAD) + 1, "")
    figure("reasons", len(reasons) + 1, "")


def test_outside_the_rollout(
    shared_product: Product, shared_office: Office, phones: Phones
) -> None:
    registry = shared_office.services.authority
    assert isinstance(registry, EmbeddedRegistry)
    elsewhere = person(903, "高远", residence="540102", id_number=id_number(903, division="540102"))
    registry.add(elsewhere)
    shared_office.services.rollout.set(["44"])
    try:
        phone = phones(shared_product)
        for say, expected in (("申请", "1/4"), ("同意", "2/4"), ("高远", "3/4")):
            phone.say(say)
            phone.wait_for(expected)
        phone.say(elsewhere.id_number)
        phone.wait_for("还没有开放")
    finally:
        shared_office.services.rollout.set([])
    assert shared_office.services.cards.find(elsewhere.id_number) is None
