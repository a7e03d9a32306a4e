"""Row 2. Replayed valid push (old timestamp, repeated nonce): refused, no side effect."""

from __future__ import annotations

import httpx

from tests.bot.wechat.pushes import encrypt, in_one_second, xml
from tests.faults.acts import Office
from tests.faults.conftest import Figure
from tests.faults.wire import AES_KEY, APP_ID, Wire, said
from tests.product.actors import Product


def test_a_push_with_an_old_timestamp_is_refused(
    shared_product: Product, shared_office: Office
) -> None:
    for seconds in (-3600, -301, 301, 86400):

        def push(now: int, seconds: int = seconds) -> tuple[Wire, httpx.Response]:
            wire = Wire(shared_product)
            return wire, wire.push(wire.text("申请"), timestamp=now + seconds)

        wire, answer = in_one_second(shared_office.database, push)
        assert (answer.status_code, "five minutes" in answer.text) == (403, True)
        assert list(shared_office.database.scan_iter(match=f"*{wire.openid}*")) == []


def test_a_recorded_push_is_answered_as_a_redelivery_thrice_and_then_refused(
    shared_product: Product, shared_office: Office, figure: Figure
) -> None:
    wire = Wire(shared_product)
    sealed = encrypt(wire.text("申请"), APP_ID, AES_KEY)
    query, body = wire.query(sealed), xml(ToUserName="gh_card", Encrypt=sealed)
    assert "1/4" in said(wire.post(query, body))
    place = _place(shared_office, wire)
    replays = [wire.post(query, body).status_code for _ in range(6)]
    assert replays[2:] == [403] * 4, "a platform delivers a push three times, not more"
    assert _place(shared_office, wire) == place
    figure("replays of one push that were answered", replays.count(200), "")


def test_a_recorded_nonce_around_other_words_is_refused(
    shared_product: Product, shared_office: Office
) -> None:
    wire = Wire(shared_product)
    assert "1/4" in said(wire.push(wire.text("申请"), nonce="8642"))
    place = _place(shared_office, wire)
    answer = wire.push(wire.text("同意"), nonce="8642")
    assert (answer.status_code, "nonce" in answer.text) == (403, True)
    assert _place(shared_office, wire) == place


def _place(office: Office, wire: Wire) -> object:
    return office.database.hgetall(f"{{wechat:{wire.openid}}}:talk")
