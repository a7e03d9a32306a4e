"""What the platform's gateway answers: what is not signed by it is no answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bot.alipay.gateway import Gateway
from bot.alipay.signing import Signer
from bot.channel import ChannelError, MediaGoneError, PlatformUnavailableError
from commands.life import APP_ID
from tests.bot.alipay.account import keys

TOKEN = "alipay.system.oauth.token"
TOLD = {"user_id": "2088102122485786"}
FILE = "alipay.mobile.public.multimedia.download"
BUSY = {"code": "20000", "sub_code": "isp.unknow-error", "msg": "Service Currently Unavailable"}
GONE = {"code": "40004", "sub_code": "MEDIA_NOT_EXIST", "msg": "Business Failed"}
Ask = Callable[[str], dict[str, object]]


@pytest.fixture
def said() -> list[bytes]:
    """What the platform answers, the last of it."""
    return []


@pytest.fixture
def gateway(said: list[bytes]) -> Iterator[Gateway]:
    """The gateway of a platform that gives the one answer it is told to."""

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

    yield gateway
    gateway.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def ask(gateway: Gateway, said: list[bytes]) -> Ask:
    """Calls it, and has it answered so."""

    def asked(answer: str) -> dict[str, object]:
        said.append(answer.encode())
        return gateway.call(TOKEN, code="x")

    return asked


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


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize(
    ("answer", "error"), [(BUSY, PlatformUnavailableError), (GONE, MediaGoneError)]
)
def test_a_file_that_cannot_be_had_just_now_is_not_gone(
    gateway: Gateway,
    said: list[bytes],
    answer: dict[str, str],
    error: type[ChannelError],
    wrapped: bool,
) -> None:
    told = {f"{FILE.replace('.', '_')}_response": answer} if wrapped else answer
    said.append(json.dumps(told).encode())
    with pytest.raises(error):
        gateway.download(FILE, {"mediaId": "m"}, 1000)


@pytest.mark.parametrize("answer", ["{", "{}", '{"a": [1]}', '{"code": null}'])
def test_a_file_that_is_none_is_gone(gateway: Gateway, said: list[bytes], answer: str) -> None:
    said.append(answer.encode())
    with pytest.raises(MediaGoneError):
        gateway.download(FILE, {"mediaId": "m"}, 1000)


def test_an_answer_that_does_not_end_in_time_is_none(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.alipay.gateway.WHOLE_SECONDS", -1.0)
    inner = json.dumps(TOLD)
    with pytest.raises(PlatformUnavailableError, match="too slow"):
        ask(f'{{"alipay_system_oauth_token_response":{inner},"sign":"{signed(inner)}"}}')
