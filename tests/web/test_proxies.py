"""The caller's address, behind as many proxies as are ours and no more."""

from __future__ import annotations

import pytest
from flask import Flask, request

from web import proxies

ASKED_FROM = "192.0.2.1"


def seen(trusted: int, written: str = "") -> str:
    """The address that a view sees when the last server wrote this X-Forwarded-For."""
    app = Flask("card")
    app.add_url_rule("/", view_func=lambda: str(request.remote_addr), endpoint="address")
    proxies.trust(app, trusted)
    headers = {"X-Forwarded-For": written} if written else {}
    answer = app.test_client().get("/", headers=headers, environ_base={"REMOTE_ADDR": ASKED_FROM})
    return answer.text


@pytest.mark.parametrize("written", ["", "203.0.113.9", "203.0.113.9, 203.0.113.8"])
def test_nobody_is_believed_unless_it_is_said(written: str) -> None:
    assert seen(0, written) == ASKED_FROM


def test_a_proxy_is_believed() -> None:
    assert seen(1, "203.0.113.9") == "203.0.113.9"


def test_what_the_caller_wrote_before_the_proxy_is_not_believed() -> None:
    assert seen(1, "198.51.100.66, 203.0.113.9") == "203.0.113.9"
    assert seen(2, "198.51.100.66, 203.0.113.9, 192.0.2.7") == "203.0.113.9"


def test_a_proxy_that_wrote_nothing_is_the_caller() -> None:
    assert seen(1) == ASKED_FROM


def test_scheme_and_host_are_not_taken_from_anybody() -> None:
    app = Flask("card")
    app.add_url_rule("/", view_func=lambda: request.url_root, endpoint="root")
    proxies.trust(app, 1)
    forged = {"X-Forwarded-Proto": "ftp", "X-Forwarded-Host": "evil.example"}
    assert app.test_client().get("/", headers=forged).text == "http://localhost/"


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("a socket", "a socket"),
        ("", "-"),
    ],
)
def test_an_ipv6_network_is_one_caller(address: str, counted: str) -> None:
    app = Flask("card")
    with app.test_request_context(environ_base={"REMOTE_ADDR": address}):
        assert proxies.caller() == counted
