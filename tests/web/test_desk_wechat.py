from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import pytest
import redis
from flask import Blueprint, Flask, render_template_string
from flask.testing import FlaskClient

from tests.commands.shell import build
from web import desk_wechat

INSIDE = {"User-Agent": "Mozilla/5.0 (iPhone) MicroMessenger/8.0.50"}
OUTSIDE = {"User-Agent": "Mozilla/5.0 (iPhone) Safari"}
SIGNED = {"appId": "wx1", "timestamp": "1", "nonceStr": "n", "signature": "s"}


class Sdk:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.out = False

    def __call__(self, url: str) -> Mapping[str, str] | None:
        self.asked.append(url)
        return None if self.out else SIGNED


@pytest.fixture
def sdk() -> Sdk:
    return Sdk()


def browser_of(database: redis.Redis, sdk: Sdk | None) -> FlaskClient:
    app, routes = Flask("desk"), Blueprint("desk", __name__, url_prefix="/desk")
    desk_wechat.register(routes, build(database), sdk, demo=False)

    @routes.get("")
    def page() -> str:
        return render_template_string("<p>{{ wechat_script }}</p>")

    app.register_blueprint(routes)
    return app.test_client()


@pytest.fixture
def browser(database: redis.Redis, sdk: Sdk) -> FlaskClient:
    return browser_of(database, sdk)


def ask(browser: FlaskClient, url: str) -> int:
    return browser.get(f"/desk/wechat?url={quote(url, safe='')}", headers=INSIDE).status_code


def test_inside_wechat_the_page_may_load_the_scanner(browser: FlaskClient) -> None:
    answer = browser.get("/desk", headers=INSIDE)
    assert desk_wechat.SCRIPT in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self' https://res.wx.qq.com" in policy
    assert "frame-ancestors 'none'" in policy


def test_elsewhere_it_may_not(browser: FlaskClient) -> None:
    answer = browser.get("/desk", headers=OUTSIDE)
    assert "res.wx.qq.com" not in answer.text
    assert "Content-Security-Policy" not in answer.headers  # the app's own stays in force


def test_without_an_account_nothing_is_loaded(database: redis.Redis) -> None:
    bare = browser_of(database, None)
    assert "res.wx.qq.com" not in bare.get("/desk", headers=INSIDE).text
    assert ask(bare, "http://card/desk") == 503


def test_our_own_page_is_signed(browser: FlaskClient) -> None:
    answer = browser.get("/desk/wechat?url=http%3A%2F%2Fcard%2Fdesk%3Fa%3D1", headers=INSIDE)
    assert (answer.status_code, answer.get_json()) == (200, SIGNED)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://evil.example/desk",
        "http://card.evil.example/desk",
        "http://card@evil.example/desk",
        "http://card/console",
        "http://card/desks",
        "https://card/desk",
        "javascript:alert(1)",
        "http://card/desk/" + "x" * 3000,
    ],
)
def test_no_other_page_is_signed(browser: FlaskClient, sdk: Sdk, url: str) -> None:
    assert ask(browser, url) == 400
    assert sdk.asked == []


def test_without_a_ticket_it_is_unavailable(browser: FlaskClient, sdk: Sdk) -> None:
    sdk.out = True
    assert ask(browser, "http://card/desk") == 503
