"""A fresh code: asked for in front of Flask and behind it, the answer is the same."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from credentials.model import Actor, Holder
from credentials.services import Services
from tests.web.card.conftest import app_of, services_at
from tests.web.card.phone import Desk, Phone, Platform, read_qr

LIGHT_BYTES = 2600
QUERIES = {
    "a plain code": "",
    "for no purpose": "purpose=",
    "for a purpose": "purpose=hotel",
    "for one that needs the PIN": "purpose=banking",
    "for no such purpose": "purpose=spying",
    "with what is no name": "purpose=%00",
    "with a name in other letters": "purpose=%68otel",
    "twice": "purpose=hotel&purpose=courier",
    "with something else": "purpose=hotel&else=1",
    "in another language": "purpose=&lang=zh_CN",
    "only digits": "short=",
    "nonsense": "&&=&",
}


@pytest.fixture
def plain(services: Services, platform: Platform) -> Flask:
    """The same pages without the front."""
    return app_of(services, platform, front=False)


def ask(app: Flask, phone: Phone, query: str, **headers: str) -> TestResponse:
    """Ask as the page's script does, with the visit's cookie."""
    cookie = phone.browser.get_cookie("card", path=phone.path)
    own = {"Cookie": f"card={cookie.value}" if cookie else ""}
    own |= {"Accept": "application/json", "Accept-Language": "en"}
    own |= {name.replace("_", "-"): value for name, value in headers.items()}
    browser = app.test_client(use_cookies=False)
    address = f"{phone.path}code?{query}".removesuffix("?")
    return browser.get(address, headers={name: value for name, value in own.items() if value})


def seen(answer: TestResponse) -> object:
    """All that a browser can tell, but not the code itself."""
    headers = {name: value for name, value in answer.headers.items() if name != "Content-Length"}
    if cookie := headers.get("Set-Cookie"):  # Max-Age says the same, and not by the second
        assert "; Max-Age=" in cookie
        headers["Set-Cookie"] = re.sub(r"; Expires=[^;]+", "", cookie)
    body = answer.get_json() if answer.is_json and answer.data else answer.text
    if isinstance(body, dict) and "svg" in body:
        assert read_qr(body.pop("svg")).startswith("HTTP://CARD.EXAMPLE/V/")
        body["short"] = bool(body["short"])
    return answer.status, headers, body


@pytest.fixture
def alike(app: Flask, plain: Flask) -> Callable[..., object]:
    """Asks both ways, compares, and gives what was seen."""

    def both(phone: Phone, query: str = "", **headers: str) -> object:
        first, second = (seen(ask(each, phone, query, **headers)) for each in (app, plain))
        assert first == second, query
        return first

    return both


def test_every_wish_is_answered_alike(phone: Phone, alike: Callable[..., object]) -> None:
    phone.opens_card()
    for query in QUERIES.values():
        alike(phone, query)


def test_digits_are_given_alike(phone: Phone, alike: Callable[..., object]) -> None:
    phone.opens_card()
    told = alike(phone, "purpose=hotel&short=1")
    assert isinstance(told, tuple)
    assert told[2]["short"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": ""},
        {"Cookie": "card=x"},
        {"Cookie": 'card="x"'},
        {"Cookie": "lang=id; card_state_x=1"},
        {"Cookie": "card=" + "A" * 3000},
        {"Cookie": "", "Accept": "text/html"},
    ],
    ids=["none", "not sealed", "in quotes", "others", "too long", "a person"],
)
def test_no_visit_is_refused_alike(
    phone: Phone, alike: Callable[..., object], headers: dict[str, str]
) -> None:
    phone.opens_card()
    assert isinstance(told := alike(phone, **headers), tuple)
    assert told[0] in {"401 UNAUTHORIZED", "303 SEE OTHER"}


def test_a_cookie_opens_no_other_visit_by_either_way(
    phone: Phone, stranger: Phone, alike: Callable[..., object]
) -> None:
    phone.opens_card()
    stranger.opens_card()
    phone.path = stranger.path
    assert isinstance(told := alike(phone), tuple)
    assert told[0] == "401 UNAUTHORIZED"


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_a_refusal_is_told_alike(
    services: Services, phone: Phone, alike: Callable[..., object], accept: str
) -> None:
    phone.opens_card()
    card = services.cards.of(Holder("wechat", phone.openid))
    assert card is not None
    services.cards.freeze(card.credential_id, Actor("holder"))
    told = alike(phone, "purpose=hotel", Accept=accept)
    assert isinstance(told, tuple)
    assert told[0] == "423 LOCKED"


def test_without_redis_it_is_told_once_and_soon(phone: Phone, platform: Platform) -> None:
    phone.opens_card()
    asked: list[str] = []
    apart = services_at("unix:///nowhere/redis.sock")
    mint = apart.cards.mint
    apart.cards.mint = lambda *given: asked.append("mint") or mint(*given)  # type: ignore[func-returns-value, method-assign]
    answer = ask(app_of(apart, platform), phone, "")
    assert (answer.status_code, answer.get_json()["code"]) == (503, "unavailable")
    assert asked == ["mint"]


def test_the_answer_is_light_and_needs_no_flask(
    app: Flask, phone: Phone, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.opens_card()
    monkeypatch.setattr(app, "full_dispatch_request", lambda *_: 1 / 0)
    answer = ask(app, phone, "purpose=internet_cafe")
    assert len(answer.data) < LIGHT_BYTES
    assert desk.scans(read_qr(answer.get_json()["svg"]), "internet_cafe").attributes


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "DELETE"])
def test_other_methods_are_flasks(app: Flask, plain: Flask, phone: Phone, method: str) -> None:
    phone.opens_card()
    cookie = phone.browser.get_cookie("card", path=phone.path)
    assert cookie
    answers = [
        each.test_client(use_cookies=False).open(
            phone.path + "code", method=method, headers={"Cookie": f"card={cookie.value}"}
        )
        for each in (app, plain)
    ]
    assert seen(answers[0]) == seen(answers[1])
