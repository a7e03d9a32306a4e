"""What the platform would post, written down by the protocol and without the product's code."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

import redis
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

TOKEN = "a-token"
APP_ID = "wx5823bf96d3bd56c7"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
OPENID = "oPhone-1"
ACCOUNT = "gh_card"
T = TypeVar("T")


def sha1(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


def xml(**fields: str | int) -> bytes:
    inner = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in fields.items())
    return f"<xml>{inner}</xml>".encode()


def message(kind: str = "text", openid: str = OPENID, **fields: str | int) -> bytes:
    now = int(time.time())
    return xml(ToUserName=ACCOUNT, FromUserName=openid, CreateTime=now, MsgType=kind, **fields)


def event(name: str, **fields: str | int) -> bytes:
    return message("event", OPENID, Event=name, **fields)


def text(words: str, message_id: int | None = None) -> bytes:
    return message(Content=words, MsgId=message_id or secrets.randbits(63))


def encrypt(plain: bytes, app_id: str = APP_ID, aes_key: str = AES_KEY) -> str:
    key = base64.b64decode(aes_key + "=")
    data = secrets.token_bytes(16) + len(plain).to_bytes(4, "big") + plain + app_id.encode()
    padding = 32 - len(data) % 32
    return encrypt_raw(data + bytes([padding]) * padding, key)


def encrypt_raw(blocks: bytes, key: bytes) -> str:
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(blocks) + encryptor.finalize()).decode()


def decrypt(encrypted: str, aes_key: str = AES_KEY) -> bytes:
    key = base64.b64decode(aes_key + "=")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
    data = decryptor.update(base64.b64decode(encrypted)) + decryptor.finalize()
    size = int.from_bytes(data[16:20], "big")
    return data[20 : 20 + size]


def in_one_second(database: redis.Redis, act: Callable[[int], T]) -> T:
    """What comes of an act that begins and ends in one second of Redis's clock, which it is told.

    Ages are counted in whole seconds: where one ends in the middle of the act, it says nothing.
    """
    while True:
        now = _second_of(database)
        told = act(now)
        if _second_of(database) == now:
            return told


def _second_of(database: redis.Redis) -> int:
    told: Any = database.time()
    return int(told[0])


def cost_s(act: Callable[[], object], times: int = 5) -> float:
    """What something costs this thread in seconds: the least of some tries.

    Into any one of them falls what is not its own: everybody's garbage is collected just then.
    """
    took = []
    for _ in range(times):
        began = time.thread_time()
        act()
        took.append(time.thread_time() - began)
    return min(took)


@dataclasses.dataclass
class Platform:
    """Posts to a webhook as the platform does, in safe mode or (`safe=False`) in plain mode."""

    web: FlaskClient
    safe: bool = True
    nonce: str = ""
    timestamp: int = 0

    def post(self, plain: bytes) -> TestResponse:
        return self.post_encrypted(encrypt(plain)) if self.safe else self.send(plain)

    def post_encrypted(self, encrypted: str, **fields: str) -> TestResponse:
        return self.send(xml(ToUserName=ACCOUNT, Encrypt=encrypted, **fields), encrypted)

    def send(self, body: bytes, encrypted: str = "") -> TestResponse:
        return self.web.post(self.address(encrypted), data=body, content_type="text/xml")

    def address(self, encrypted: str = "") -> str:
        nonce = self.nonce or str(secrets.randbelow(10**10))
        timestamp = str(self.timestamp or int(time.time()))
        query = {"timestamp": timestamp, "nonce": nonce, "openid": OPENID}
        query["signature"] = sha1(TOKEN, timestamp, nonce)
        if encrypted:
            query["encrypt_type"] = "aes"
            query["msg_signature"] = sha1(TOKEN, timestamp, nonce, encrypted)
        return "/wechat?" + urlencode(query)
