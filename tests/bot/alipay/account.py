"""A life account for tests: its keys, its settings, and the platform that pushes to it."""

from __future__ import annotations

import base64
import functools
import secrets
import time
from urllib.parse import quote_from_bytes

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from flask import Flask
from werkzeug.test import TestResponse

from commands.life import APP_ID, account
from settings import Settings

NOTIFY = "alipay.mobile.public.message.notify"
CHECK = "alipay.service.check"
USER = "2088102122485786"


@functools.cache
def keys() -> tuple[dict[str, str], dict[str, str]]:
    """What the product is told, and what the platform is; made once, since it takes a while."""
    return account("http://127.0.0.1:9", "http://127.0.0.1:9")


def settings_for(gateway: str) -> Settings:
    told = {name.lower(): value for name, value in keys()[0].items()}
    return Settings.model_validate({**told, "alipay_gateway": gateway})


def platform_key() -> rsa.RSAPrivateKey:
    from cryptography.hazmat.primitives.serialization import load_der_private_key  # noqa: PLC0415

    der = base64.b64decode(keys()[1]["SIM_ALIPAY_PRIVATE_KEY"])
    key = load_der_private_key(der, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def xml(kind: str = "text", **fields: str) -> str:
    told = {
        "AppId": APP_ID,
        "FromAlipayUserId": USER,
        "CreateTime": str(int(time.time() * 1000)),
        "MsgType": kind,
        "MsgId": secrets.token_hex(8),
        **fields,
    }
    inner = "".join(
        f"<{name}>{value if value.startswith('<') else f'<![CDATA[{value}]]>'}</{name}>"
        for name, value in told.items()
    )
    return f"<XML>{inner}</XML>"


def text(words: str, **fields: str) -> str:
    return xml("text", Text=f"<Content><![CDATA[{words}]]></Content>", **fields)


class Platform:
    """Pushes as the platform does; `sign` may be made wrong."""

    def __init__(self, app: Flask, charset: str = "GBK") -> None:
        self.web = app.test_client()
        self.charset = charset

    def push(self, content: str, service: str = NOTIFY, /, **form: str) -> TestResponse:
        """Sign and post; a value in `form` replaces the right one after signing."""
        parameters = {
            "service": service,
            "sign_type": "RSA2",
            "charset": self.charset,
            "biz_content": content,
        }
        signed = self.signed(parameters)
        return self.post({**parameters, "sign": signed, **form})

    def signed(self, parameters: dict[str, str]) -> str:
        content = "&".join(f"{name}={value}" for name, value in sorted(parameters.items()))
        raw = platform_key().sign(content.encode(self.charset), padding.PKCS1v15(), hashes.SHA256())
        return base64.b64encode(raw).decode()

    def post(self, form: dict[str, str]) -> TestResponse:
        body = "&".join(
            f"{name}={quote_from_bytes(value.encode(self.charset), safe='')}"
            for name, value in form.items()
        )
        return self.send(body.encode())

    def send(self, body: bytes) -> TestResponse:
        kind = "application/x-www-form-urlencoded"
        return self.web.post("/alipay", data=body, content_type=kind)
