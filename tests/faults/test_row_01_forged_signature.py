"""Row 1. Forged or missing webhook signature: 403, no side effect."""

from __future__ import annotations

import pytest

from simulator.crypto import signature
from tests.bot.wechat.pushes import encrypt, xml
from tests.faults.acts import Office
from tests.faults.conftest import Figure
from tests.faults.wire import AES_KEY, APP_ID, TOKEN, Wire, said
from tests.product.actors import Product

FORGED = signature("another token", "1", "2")
TAMPERINGS: dict[str, dict[str, str | None]] = {
    "no signature": {"signature": None},
    "an empty signature": {"signature": ""},
    "another token's signature": {"signature": FORGED},
    "a signature in capitals and not ours": {"signature": FORGED.upper()},
    "no msg_signature": {"msg_signature": None},
    "another message's msg_signature": {"msg_signature": FORGED},
    "no timestamp": {"timestamp": None},
    "another timestamp": {"timestamp": "1700000000"},
    "no nonce": {"nonce": None},
    "another nonce": {"nonce": "12345"},
    "not a hexadecimal signature": {"signature": "签名", "msg_signature": "\x00"},
}


@pytest.mark.parametrize("change", TAMPERINGS.values(), ids=TAMPERINGS)
def test_a_forged_push_is_refused_and_leaves_nothing(
    shared_product: Product, shared_office: Office, change: dict[str, str | None]
) -> None:
    wire = Wire(shared_product)
    sealed = encrypt(wire.text("申请"), APP_ID, AES_KEY)
    query = {**wire.query(sealed), **{name: value or "" for name, value in change.items()}}
    for name, value in change.items():
        if value is None:
            del query[name]
    answer = wire.post(query, xml(ToUserName="gh_card", Encrypt=sealed))
    assert answer.status_code == 403, answer.text
    assert list(shared_office.database.scan_iter(match=f"*{wire.openid}*")) == []


def test_a_plain_message_is_refused_where_encrypted_ones_are_agreed(
    shared_product: Product, shared_office: Office
) -> None:
    wire = Wire(shared_product)
    query = wire.query("")
    for name in ("encrypt_type", "msg_signature"):
        del query[name]
    assert wire.post(query, wire.text("申请")).status_code == 403
    assert list(shared_office.database.scan_iter(match=f"*{wire.openid}*")) == []


def test_the_first_call_gives_nothing_back_to_a_forger(shared_product: Product) -> None:
    wire = Wire(shared_product)
    query = {**wire.query(""), "echostr": "42", "signature": signature("guess", "1", "2")}
    assert wire.post(query, b"").status_code == 403


def test_the_same_push_with_its_own_signatures_is_taken(
    shared_product: Product, figure: Figure
) -> None:
    wire = Wire(shared_product)
    assert TOKEN not in wire.query("").values()
    assert "1/4" in said(wire.push(wire.text("申请")))
    figure("forgeries refused", len(TAMPERINGS) + 2, "")
