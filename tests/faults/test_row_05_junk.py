"""Row 5. Correctly signed junk ciphertext; 20 MB body; deep XML; entity bomb; control
characters: 400 or handled, under 50 ms, memory flat."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable

import httpx
import psutil

from tests.bot.wechat.pushes import encrypt_raw, xml
from tests.faults.conftest import Figure
from tests.faults.wire import AES_KEY, APP_ID, Wire, cost_ms
from tests.product.actors import Product

LONGEST_MS = 50
MOST_GROWTH = 32 * 1024 * 1024
KEY = base64.b64decode(AES_KEY + "=")
BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaaaaaaaaaaaa">%s]>
<xml><Content>&z8;</Content></xml>""" % b"".join(
    b'<!ENTITY z%d "%s">' % (place, b"&%s;" % (b"a" if place == 0 else b"z%d" % (place - 1)) * 20)
    for place in range(9)
)
DEEP = b"<xml>" + b"<a>" * 4000 + b"</a>" * 4000 + b"</xml>"


def test_signed_junk_is_refused_quickly(shared_product: Product, figure: Figure) -> None:
    wire = Wire(shared_product)
    shapes: dict[str, tuple[set[int], Callable[[], httpx.Response]]] = {
        "random blocks": (
            {400},
            lambda: wire.post_sealed(base64.b64encode(os.urandom(1024)).decode()),
        ),
        "half a block": (
            {400},
            lambda: wire.post_sealed(base64.b64encode(os.urandom(1001)).decode()),
        ),
        "no base64": ({400}, lambda: wire.post_sealed("密文!" * 20)),
        "padding only": ({400}, lambda: wire.post_sealed(encrypt_raw(bytes([32]) * 32, KEY))),
        "another account's": (
            {400},
            lambda: wire.push_as("wx0000000000000000", wire.text("申请")),
        ),
        "a length that lies": ({400}, lambda: wire.post_sealed(_lying_length())),
        "not XML": ({400}, lambda: wire.push(b"\xff\xfe<xml>")),
        "deep XML": ({400}, lambda: wire.push(DEEP)),
        "deep XML outside": ({400, 403}, lambda: wire.post(wire.query("x"), DEEP)),
        "entity bomb": ({400}, lambda: wire.push(BOMB)),
        "entity bomb outside": ({400, 403}, lambda: wire.post(wire.query("x"), BOMB)),
        "control characters in XML": (
            {200, 400},
            lambda: wire.push(wire.text("申请").replace(b"\xe7\x94\xb3", b"\x01\x02\x03")),
        ),
        "control characters in JSON": ({200}, lambda: wire.push(_controls(wire))),
        "a text of 60 KB": ({200}, lambda: wire.push(wire.text("申" * 14_000))),
    }
    slowest = 0.0
    for name, (statuses, act) in shapes.items():
        answer = act()
        assert answer.status_code in statuses, (name, answer.status_code, answer.text)
        took = cost_ms(act, LONGEST_MS)
        assert took < LONGEST_MS, f"{name}: {took:.0f} ms"
        slowest = max(slowest, took)
    figure("kinds of junk", len(shapes), "")
    figure("costliest answer", slowest, "ms")


def test_twenty_megabytes_are_not_read(shared_product: Product, figure: Figure) -> None:
    wire = Wire(shared_product)
    body = xml(ToUserName="gh_card", Encrypt="A" * 20_000_000)
    query = wire.query("A" * 20_000_000)
    before = _memory(shared_product)
    for _ in range(10):
        try:
            assert wire.post(query, body).status_code == 413
        except (httpx.WriteError, httpx.RemoteProtocolError, httpx.ReadError):
            continue  # it hung up in the middle of them, which is as good
    growth = _memory(shared_product) - before
    assert growth < MOST_GROWTH
    figure("memory after ten bodies of 20 MB", growth / 1024 / 1024, "MB more")


def _lying_length() -> str:
    plain = secrets.token_bytes(16) + (2**31).to_bytes(4, "big") + b"<xml/>" + APP_ID.encode()
    padding = 32 - len(plain) % 32
    return encrypt_raw(plain + bytes([padding]) * padding, KEY)


def _controls(wire: Wire) -> bytes:
    return (
        b'{"ToUserName": "gh_card", "FromUserName": "%s", "CreateTime": 1700000000, '
        b'"MsgType": "text", "Content": "\\u0000\\u0001\\u202e\\ud800", "MsgId": %d}'
        % (wire.openid.encode(), secrets.randbits(62))
    )


def _memory(product: Product) -> int:
    """The memory of the web's processes that is their own, in bytes."""
    web = psutil.Process(product.children()["web"])
    return sum(each.memory_info().rss for each in [web, *web.children(recursive=True)])
