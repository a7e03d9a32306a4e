"""A simulator over HTTP, the account that it pushes to, and a clock that tests move."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator

import httpx
import pytest
from werkzeug.serving import make_server

from simulator.config import Config
from simulator.phone import Phone
from simulator.platform.core import Platform
from simulator.server import create_simulator
from tests.serving import whole
from tests.simulator.account import AES_KEY, APP_ID, SECRET, TOKEN, Account

START = 1_514_164_271.0  # 25 December 2017


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def account() -> Iterator[Account]:
    server = Account()
    yield server
    server.close()


@pytest.fixture
def config(account: Account) -> Config:
    return Config(
        webhook=account.url,
        app_id=APP_ID,
        secret=SECRET,
        token=TOKEN,
        aes_key=AES_KEY,
        deadline=20.0,  # an end: where a webhook's slowness matters, a test has its own
        pause=0.0,
    )


class Running:
    """A simulator that listens, and the calls of an account's server to it."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.clock = clock
        self._server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.platform = Platform(dataclasses.replace(config, base=self.url), clock)
        self._server.app = whole(create_simulator(self.platform.config, self.platform))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()
        self.http = httpx.Client(base_url=self.url, timeout=20.0, trust_env=False)

    def phone(self, *, following: bool = True, language: str = "zh_CN") -> Phone:
        phone = Phone(self.url, language=language, client=None)
        if following:
            phone.follow()
            phone.settle()
        return phone

    def token(self, *, force: bool = False) -> str:
        told = {
            "grant_type": "client_credential",
            "appid": APP_ID,
            "secret": SECRET,
            "force_refresh": force,
        }
        found: str = self.http.post("/cgi-bin/stable_token", json=told).json()["access_token"]
        return found

    def post(self, path: str, body: object, token: str = "") -> httpx.Response:
        return self.http.post(path, params={"access_token": token or self.token()}, json=body)

    def get(self, path: str, **query: str) -> httpx.Response:
        return self.http.get(path, params={"access_token": self.token(), **query})

    def send(self, phone: Phone, text: str = "您好") -> int:
        body = {"touser": phone.openid, "msgtype": "text", "text": {"content": text}}
        code: int = self.post("/cgi-bin/message/custom/send", body).json()["errcode"]
        return code

    def fault(self, kind: str, **more: object) -> None:
        answer = self.http.post("/simulator/api/faults", json={"kind": kind, **more})
        assert answer.status_code == 200, answer.text

    def close(self) -> None:
        self.platform.courier.idle("", 60.0)  # a push that is shown is not yet struck off
        self.http.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.platform.close()


@pytest.fixture
def simulator(config: Config, clock: Clock) -> Iterator[Running]:
    running = Running(config, clock)
    yield running
    running.close()
