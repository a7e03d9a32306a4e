"""What the benchmarks play with: a Redis of their own, made-up holders, verifiers and pushes."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import io
import json
import os
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from benchmarks.harness import post
from commands import embedded
from credentials.connection import connect
from credentials.id_number import check_character
from credentials.model import Consent, Holder, Person
from credentials.services import Services
from parts import services_of
from settings import Settings
from simulator import crypto

TOKEN = "benchmark"
APPENDFSYNC = "everysec"  # the disk is no part of what is compared
APP_ID = "wx0000000000bench0"
AES_KEY = base64.b64encode(bytes(range(32))).decode().rstrip("=")
ACCOUNT = "gh_benchmark"


@dataclasses.dataclass(frozen=True, slots=True)
class Stage:
    """One Redis, the services over it, and the environment that servers are started with."""

    services: Services
    environment: dict[str, str]

    def holders(self, count: int) -> list[Holder]:
        """So many holders of a light card."""
        portrait = _portrait()
        made = []
        for number in range(count):
            holder = Holder("wechat", f"bench{number:06d}")
            first = f"4401151990{1 + number // 900 % 12:02d}{1 + number // 1000 % 28:02d}"
            first += f"{number % 1000:03d}"
            person = Person(
                name="测试",
                id_number=first + check_character(first),
                residence="440115",
                address="广东省广州市南沙区进港大道1号",
                valid_until=None,
                portrait=portrait,
            )
            now = time.time()
            self.services.cards.issue(
                holder, person, [Consent("data", "1", now), Consent("face", "1", now)], evidence={}
            )
            made.append(holder)
        return made

    def verifications(self, holders: list[Holder], api_key: str, purpose: str) -> list[bytes]:
        """One request for each holder, each with a fresh code."""
        headers = {"Authorization": f"Bearer {api_key}"}
        return [
            post(
                "/api/v1/verifications",
                json.dumps(
                    {"code": self.services.cards.mint(holder).code, "purpose": purpose}
                ).encode(),
                "application/json",
                headers,
            )
            for holder in holders
        ]


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """A stage with a Redis of its own, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        server = embedded.start(Path(folder), appendfsync=APPENDFSYNC)
        url = embedded.url(Path(folder))
        environment = {
            "PROFILE": "production",
            "REDIS_URL": url,
            "VAR_DIR": folder,
            "PUBLIC_URL": "http://127.0.0.1:8000",
            "WECHAT_APP_ID": APP_ID,
            "WECHAT_APP_SECRET": "benchmark",
            "WECHAT_TOKEN": TOKEN,
            "WECHAT_AES_KEY": AES_KEY,
            "WECHAT_API_BASE": "http://127.0.0.1:9",
            "MASTER_KEYS": "1:" + base64.b64encode(os.urandom(32)).decode(),
            "LOG_LEVEL": "error",
        }
        settings = Settings(
            redis_url=url,
            public_url=environment["PUBLIC_URL"],
            master_keys=(environment["MASTER_KEYS"],),
        )
        try:
            yield Stage(services_of(settings, connect(url)), environment)
        finally:
            embedded.stop(server)


def strangers(count: int) -> list[str]:
    """The accounts of so many people who never said anything."""
    return [f"bench{random.getrandbits(48):012x}" for _ in range(count)]


def text_turns(people: Sequence[str], text: str) -> list[bytes]:
    """A safe-mode push of a text for each of these accounts, signed now."""
    dice = random.Random()
    made = []
    for number, openid in enumerate(people):
        message = (
            f"<xml><ToUserName><![CDATA[{ACCOUNT}]]></ToUserName>"
            f"<FromUserName><![CDATA[{openid}]]></FromUserName>"
            f"<CreateTime>{int(time.time())}</CreateTime><MsgType><![CDATA[text]]></MsgType>"
            f"<Content><![CDATA[{text}]]></Content>"
            f"<MsgId>{dice.getrandbits(62) + number}</MsgId></xml>"
        )
        made.append(push(message, str(dice.getrandbits(34)), openid))
    return made


def again(request: bytes) -> bytes:
    """The same push, sent once more by the platform: another nonce around the same message."""
    head, _, body = request.partition(b"\r\n\r\n")
    encrypted = body.partition(b"<Encrypt><![CDATA[")[2].partition(b"]]>")[0].decode()
    query = dict(
        part.split("=", 1) for part in head.split()[1].decode().partition("?")[2].split("&")
    )
    message = crypto.Envelope(TOKEN, AES_KEY, APP_ID).open(
        encrypted, query["msg_signature"], query["timestamp"], query["nonce"]
    )
    openid = query["openid"]
    return push(message, str(random.getrandbits(34)), openid)


def push(message: str, nonce: str, openid: str) -> bytes:
    """The request of a safe-mode push."""
    timestamp = str(int(time.time()))
    encrypted = crypto.Envelope(TOKEN, AES_KEY, APP_ID).seal(message)
    body = (
        f"<xml><ToUserName><![CDATA[{ACCOUNT}]]></ToUserName>"
        f"<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    )
    query = (
        f"signature={crypto.signature(TOKEN, timestamp, nonce)}&timestamp={timestamp}&nonce={nonce}"
        f"&openid={openid}&encrypt_type=aes"
        f"&msg_signature={crypto.signature(TOKEN, timestamp, nonce, encrypted)}"
    )
    return post(f"/wechat?{query}", body.encode(), "text/xml")


def _portrait() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((240, 300), 40).convert("RGB").save(out, "JPEG", quality=75)
    return out.getvalue()
