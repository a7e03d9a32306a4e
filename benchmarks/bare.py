"""The limits that the product is held against: bare WSGI applications, no framework, no checks.

`create` reads the body, runs one small script, and answers a little JSON: what no program in
Python under this server can do without. `chat` decrypts a push, parses it, runs as many scripts
as the product's turn asks of Redis, and seals an answer. `code` runs one script and makes the
same code and picture as the card page.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterable
from xml.etree import ElementTree

import redis

from credentials import pictures
from credentials.codes import Codes, Payload
from credentials.keyring import Keyring
from simulator import crypto

Start = Callable[[str, list[tuple[str, str]]], object]
Application = Callable[[dict[str, object], Start], Iterable[bytes]]
SCRIPT = "return redis.call('HINCRBY', KEYS[1], 'n', ARGV[1])"
ANSWER = b'{"state": "accepted"}'
TURN_SCRIPTS = 5
"""What one text turn asks of Redis: freshness, take, card, limit, keep."""
_QUERY = re.compile(r"(?:^|&)([^=&]+)=([^&]*)")


def create() -> Application:
    """One script, over the Redis of `REDIS_URL`."""
    script = redis.Redis.from_url(os.environ["REDIS_URL"]).register_script(SCRIPT)

    def application(environ: dict[str, object], start: Start) -> Iterable[bytes]:
        _body(environ)
        script(keys=["bare"], args=[1])
        return _answer(start, ANSWER, "application/json")

    return application


def chat() -> Application:
    """A safe-mode push opened, parsed, answered, with a turn's number of scripts."""
    script = redis.Redis.from_url(os.environ["REDIS_URL"]).register_script(SCRIPT)
    token = os.environ["WECHAT_TOKEN"]
    envelope = crypto.Envelope(token, os.environ["WECHAT_AES_KEY"], os.environ["WECHAT_APP_ID"])

    def application(environ: dict[str, object], start: Start) -> Iterable[bytes]:
        said = dict(_QUERY.findall(str(environ["QUERY_STRING"])))
        sealed = _text(ElementTree.fromstring(_body(environ)), "Encrypt")
        message = envelope.open(sealed, said["msg_signature"], said["timestamp"], said["nonce"])
        push = ElementTree.fromstring(message)
        for number in range(TURN_SCRIPTS):
            script(keys=[f"bare{number}"], args=[1])
        now = str(int(time.time()))
        reply = (
            f"<xml><ToUserName>{_text(push, 'FromUserName')}</ToUserName>"
            f"<FromUserName>{_text(push, 'ToUserName')}</FromUserName>"
            f"<CreateTime>{now}</CreateTime><MsgType>text</MsgType>"
            f"<Content>{'好' * 200}</Content></xml>"
        )
        closed = envelope.seal(reply)
        mark = envelope.sign(now, said["nonce"], closed)
        answer = f"<xml><Encrypt>{closed}</Encrypt><MsgSignature>{mark}</MsgSignature></xml>"
        return _answer(start, answer.encode(), "application/xml")

    return application


def code() -> Application:
    """A fresh code and its picture, with one script."""
    script = redis.Redis.from_url(os.environ["REDIS_URL"]).register_script(SCRIPT)
    keyring = Keyring.from_entries(os.environ["MASTER_KEYS"].split(","))
    codes = Codes(keyring, os.environ["PUBLIC_URL"])

    def application(environ: dict[str, object], start: Start) -> Iterable[bytes]:
        _body(environ)
        script(keys=["bare"], args=[1])
        made = codes.rotating(Payload("0" * 16, time.time_ns() // 1000, 0), None)
        said = json.dumps({"svg": pictures.qr_svg(made.address, random=True)})
        return _answer(start, said.encode(), "application/json")

    return application


def _body(environ: dict[str, object]) -> bytes:
    body: bytes = environ["wsgi.input"].read(  # type: ignore[attr-defined]
        int(str(environ.get("CONTENT_LENGTH") or 0))
    )
    return body


def _answer(start: Start, answer: bytes, kind: str) -> Iterable[bytes]:
    start("200 OK", [("Content-Type", kind), ("Content-Length", str(len(answer)))])
    return [answer]


def _text(element: ElementTree.Element, name: str) -> str:
    return element.findtext(name) or ""
