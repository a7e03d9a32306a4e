"""An account's server for the simulator's tests: real HTTP, written with wechatpy alone.

wechatpy is the independent implementation: it checks and decrypts what the simulator sends, and
encrypts the replies that the simulator must read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import xmltodict
from flask import Flask, Response, request
from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import check_signature
from werkzeug.serving import make_server

TOKEN = "spamtest"
AES_KEY = "1234567890123456789012345678901234567890123"
APP_ID = "wx2c2769f8efd9abc2"
SECRET = "made-up-secret"

Answer = Callable[[dict[str, Any]], object]


def text_reply(message: dict[str, Any], text: str) -> str:
    """The plain XML of a text reply."""
    fields = {
        "ToUserName": message["FromUserName"],
        "FromUserName": message["ToUserName"],
        "CreateTime": "1514164271",
        "MsgType": "text",
        "Content": text,
    }
    return str(xmltodict.unparse({"xml": fields}, full_document=False))


class Account:
    """The server. `answer` is called with each decrypted message; what it gives is the reply:
    a text, None for `success`, or a whole Response.
    """

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self.nonces: list[str] = []
        self.answer: Answer = lambda message: f"收到：{message.get('Content', '')}"
        self._crypto = WeChatCrypto(TOKEN, AES_KEY, APP_ID)
        self._lock = threading.Lock()
        app = Flask(__name__)
        app.add_url_rule("/wechat", view_func=self._hook, methods=["GET", "POST"])
        self._server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/wechat"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _hook(self) -> Response:
        told = request.args
        try:
            check_signature(TOKEN, told["signature"], told["timestamp"], told["nonce"])
            if request.method == "GET":
                return Response(told["echostr"])
            message = self._open()
        except Exception as error:  # noqa: BLE001 - any failure of wechatpy is a refusal
            self.refused.append(f"{type(error).__name__}")
            return Response("", status=403)
        with self._lock:
            self.received.append(message)
            self.nonces.append(told["nonce"])
        reply = self.answer(message)
        if isinstance(reply, Response):
            return reply
        if reply is None:
            return Response("success")
        plain = text_reply(message, str(reply))
        if told.get("encrypt_type") != "aes":
            return Response(plain)
        return Response(self._crypto.encrypt_message(plain, told["nonce"], told["timestamp"]))

    def _open(self) -> dict[str, Any]:
        told = request.args
        if request.content_type.startswith("application/json"):
            found: dict[str, Any] = request.get_json()
            return found
        body = request.get_data(as_text=True)
        if told.get("encrypt_type") == "aes":
            body = self._crypto.decrypt_message(
                body, told["msg_signature"], told["timestamp"], told["nonce"]
            )
        opened: dict[str, Any] = xmltodict.parse(body)["xml"]
        return opened
