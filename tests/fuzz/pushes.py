"""Coverage-guided junk for everything that reads a push before it is known whose it is.

    python -m tests.fuzz.pushes -max_total_time=60

The first byte chooses the reader. What a reader may answer is a push or a refusal; any other
exception ends the run and leaves the input in a file.
"""

from __future__ import annotations

import base64
import contextlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["bot", "wechatpy"]):
    from bot.alipay import push as alipay_push
    from bot.wechat import crypto, fields
    from bot.wechat import push as wechat_push

TOKEN, APP_ID = "a-token", "wx5823bf96d3bd56c7"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
ENVELOPE = crypto.Envelope(TOKEN, AES_KEY, APP_ID)
SEEDS = (
    (
        b"\x00<xml><ToUserName>gh_1</ToUserName><FromUserName>oA</FromUserName>"
        b"<CreateTime>1700000000</CreateTime><MsgType>text</MsgType><Content>x</Content></xml>"
    ),
    b'\x00{"FromUserName": "oA", "CreateTime": 1700000000, "MsgType": "event", "Event": "SCAN"}',
    b"\x01" + b"0" * 64,
    b"\x02charset=GBK&service=s&biz_content=%3CXML%3E%3C%2FXML%3E&sign=AA%3D%3D",
    (
        b"\x03<XML><FromAlipayUserId>2088</FromAlipayUserId><CreateTime>1700000000000</CreateTime>"
        b"<MsgType>event</MsgType><EventType>click</EventType><ActionParam>CARD</ActionParam></XML>"
    ),
)


def _read(data: bytes) -> None:
    wechat_push.read(data)
    fields.parse(data)


def _decrypt(data: bytes) -> None:
    """Ciphertext whose signature is right: what somebody who knows the token could send."""
    whole, _ = ENVELOPE.close(data.decode("latin-1"), "1700000000", "nonce")
    for sealed in (whole, base64.b64encode(data).decode(), data.decode("latin-1")):
        signature = crypto.sign(TOKEN, "1700000000", "nonce", sealed)
        with contextlib.suppress(crypto.BadPushError):
            wechat_push.read(ENVELOPE.open(sealed, signature, "1700000000", "nonce"))


def _form(data: bytes) -> None:
    form = alipay_push.read_form(data)
    for name in ("service", "sign_type", "sign"):
        form[name]
    alipay_push.read(form["biz_content"])


def _content(data: bytes) -> None:
    alipay_push.read(data.decode("gb18030", "replace"))


READERS: tuple[Callable[[bytes], None], ...] = (_read, _decrypt, _form, _content)


def one_input(data: bytes) -> None:
    """Give one input to the reader that its first byte names."""
    if data:
        with contextlib.suppress(crypto.BadPushError, crypto.ForgedPushError):
            READERS[data[0] % len(READERS)](data[1:])


def main() -> None:
    """Fuzz as the arguments say, beginning with the seeds."""
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(SEEDS):
            (Path(corpus) / str(number)).write_bytes(seed)
        atheris.Setup([*sys.argv, corpus], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
