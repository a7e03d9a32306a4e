"""Row 4. An event without MsgId, repeated: deduplicated on FromUserName + CreateTime + Event +
EventKey."""

from __future__ import annotations

import time

from tests.faults.acts import Office
from tests.faults.conftest import Figure
from tests.faults.wire import Wire, said
from tests.product.actors import Product

GOING = "正在办理中"


def test_the_same_event_again_is_the_same_turn(
    shared_product: Product, shared_office: Office, figure: Figure
) -> None:
    wire, created = Wire(shared_product), int(time.time())
    first = said(wire.push(wire.event("CLICK", created, EventKey="APPLY")))
    assert "1/4" in first
    again = [said(wire.push(wire.event("CLICK", created, EventKey="APPLY"))) for _ in range(3)]
    assert all(answer in ("", first) for answer in again)
    assert not any(GOING in answer for answer in again)
    talk = shared_office.database.hgetall(f"{{wechat:{wire.openid}}}:talk")
    assert talk[b"s"] == b"consent"
    figure("repeated events ignored", len(again), "")


def test_any_other_part_makes_it_another_event(shared_product: Product) -> None:
    wire, created = Wire(shared_product), int(time.time())
    assert "1/4" in said(wire.push(wire.event("CLICK", created, EventKey="APPLY")))
    assert GOING in said(wire.push(wire.event("CLICK", created + 1, EventKey="APPLY")))
    assert "申请：办理证件" in said(wire.push(wire.event("CLICK", created, EventKey="HELP")))
    other = Wire(shared_product)
    assert "1/4" in said(other.push(other.event("CLICK", created, EventKey="APPLY")))


def test_a_following_repeated_greets_once(shared_product: Product) -> None:
    wire, created = Wire(shared_product), int(time.time())
    first = said(wire.push(wire.event("subscribe", created)))
    assert "您好" in first
    assert said(wire.push(wire.event("subscribe", created))) in ("", first)
