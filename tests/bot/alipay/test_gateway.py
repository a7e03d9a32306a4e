"""What the platform's gateway answers: what is not signed by it is no answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bot.alipay.gateway import Gateway
from bot.alipay.signing import Signer
from bot.channel import ChannelError, PlatformUnavailableError
from commands.life import APP_ID
from tests.bot.alipay.account import keys

TOKEN = "alipay.system.oauth.token"
TOLD = {"user_id": "2088102122485786"}
Ask = Callable[[str], dict[str, object]]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Calls the gateway of a platform that gives the one answer it is told to."""
    said: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(said[-1])))
            self.end_headers()
            self.wfile.write(said[-1])

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    told = keys()[0]
    signer = Signer(told["ALIPAY_PRIVATE_KEY"], told["ALIPAY_PUBLIC_KEY"])
    gateway = Gateway(f"http://127.0.0.1:{server.server_port}/gateway.do", APP_ID, signer)

    def asked(answer: str) -> dict[str, object]:
        said.append(answer.encode())
        return gateway.call(TOKEN, code="x")

    yield asked
    gateway.close()
    server.shutdown()
    thread.join()
    server.server_close()


def signed(inner: str) -> str:
    """The platform's signature of an answer."""
    told = keys()[1]
    return Signer(told["SIM_ALIPAY_PRIVATE_KEY"], told["SIM_ALIPAY_APP_PUBLIC_KEY"]).sign(
        inner.encode()
    )


def test_a_signed_answer(ask: Ask) -> None:
    inner = json.dumps(TOLD)
    answer = f'{{"alipay_system_oauth_token_response":{inner},"sign":"{signed(inner)}"}}'
    assert ask(answer) == TOLD


@pytest.mark.parametrize("name", ["error_response", "alipay_system_oauth_token_response"])
def test_an_unsigned_answer_is_none(ask: Ask, name: str) -> None:
    with pytest.raises(PlatformUnavailableError):
        ask(json.dumps({name: TOLD}))


def test_a_signed_error_without_a_code_is_no_success(ask: Ask) -> None:
    inner = json.dumps(TOLD)
    with pytest.raises(PlatformUnavailableError):
        ask(f'{{"error_response":{inner},"sign":"{signed(inner)}"}}')


def test_an_error_about_the_signature_is_not_signed(ask: Ask) -> None:
    with pytest.raises(ChannelError, match="40002"):
        ask(json.dumps({"error_response": {"code": "40002", "sub_code": "isv.invalid-signature"}}))
