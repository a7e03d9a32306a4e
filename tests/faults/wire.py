"""Pushes posted straight to a running webhook, as the platform or a forger would post them."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Callable
from urllib.parse import urlencode

import httpx

from commands.run import DEMO_ACCOUNT
from simulator import markup
from simulator.crypto import Envelope, signature
from tests.bot.wechat.pushes import encrypt, message, xml
from tests.faults.acts import END_SECONDS
from tests.product.actors import Product

TOKEN = DEMO_ACCOUNT["wechat_token"]
APP_ID = DEMO_ACCOUNT["wechat_app_id"]
AES_KEY = DEMO_ACCOUNT["wechat_aes_key"]
LINE = httpx.Client(timeout=60, trust_env=False)  # a new one would cost more than an answer


@dataclasses.dataclass
class Wire:
    """The line to one product's webhook, and one account at its other end."""

    product: Product
    openid: str = dataclasses.field(default_factory=lambda: f"oWire{secrets.token_hex(8)}")

    def text(self, words: str, message_id: int | None = None) -> bytes:
        """A text message of this account."""
        number = message_id or secrets.randbits(63)
        return message("text", self.openid, Content=words, MsgId=number)

    def event(self, name: str, created: int, **fields: str) -> bytes:
        """An event of this account, which has no MsgId."""
        return xml(
            ToUserName="gh_card",
            FromUserName=self.openid,
            CreateTime=created,
            MsgType="event",
            Event=name,
            **fields,
        )

    def push(self, plain: bytes, *, timestamp: int = 0, nonce: str = "") -> httpx.Response:
        """Seal, sign and post a message."""
        return self.post_sealed(encrypt(plain, APP_ID, AES_KEY), timestamp=timestamp, nonce=nonce)

    def push_as(self, app_id: str, plain: bytes) -> httpx.Response:
        """Push a message sealed for another account, under our key and signatures."""
        return self.post_sealed(encrypt(plain, app_id, AES_KEY))

    def post_sealed(self, sealed: str, *, timestamp: int = 0, nonce: str = "") -> httpx.Response:
        """Sign and post what is said to be a ciphertext."""
        query = self.query(sealed, timestamp=timestamp, nonce=nonce)
        return self.post(query, xml(ToUserName="gh_card", Encrypt=sealed))

    def query(self, sealed: str, *, timestamp: int = 0, nonce: str = "") -> dict[str, str]:
        """The query of a push, with both signatures right."""
        stamp, nonce = str(timestamp or int(time.time())), nonce or str(secrets.randbelow(10**10))
        return {
            "timestamp": stamp,
            "nonce": nonce,
            "openid": self.openid,
            "signature": signature(TOKEN, stamp, nonce),
            "encrypt_type": "aes",
            "msg_signature": signature(TOKEN, stamp, nonce, sealed),
        }

    def post(self, query: dict[str, str], body: bytes) -> httpx.Response:
        """Post anything to the webhook."""
        return LINE.post(
            f"{self.product.address}/wechat?{urlencode(query)}",
            content=body,
            headers={"Content-Type": "text/xml"},
        )


def said(answer: httpx.Response) -> str:
    """What an answer of the webhook says to the person; empty when it says nothing."""
    assert answer.status_code == 200, (answer.status_code, answer.text)
    if answer.text in ("", "success"):
        return ""
    outer = {name: str(value) for name, value in markup.read(answer.content).items()}
    opened = Envelope(TOKEN, AES_KEY, APP_ID).open(
        outer["Encrypt"], outer["MsgSignature"], outer["TimeStamp"], outer["Nonce"]
    )
    return str(markup.read(opened).get("Content", opened))


def cost_ms(act: Callable[[], object], most: float, times: int = 9) -> float:
    """What something costs in milliseconds: the shortest of some, since others disturb the rest.

    Where none of them was short enough the machine is busy, and it is done on until one is, or
    until it is clear that none will be.
    """
    took: list[float] = []
    end = time.monotonic() + END_SECONDS
    while len(took) < times or (min(took) >= most and time.monotonic() < end):
        began = time.perf_counter()
        act()
        took.append((time.perf_counter() - began) * 1000)
    return min(took)
