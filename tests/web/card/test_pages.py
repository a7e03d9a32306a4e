"""What every page shares: language, headers, static addresses, error pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask, abort

from credentials.errors import CredentialError, RefusalError, SignInError, UnavailableError
from tests.web.card.conftest import app_of, services_at
from tests.web.card.phone import Platform
from texts import Texts
from web import pages

TEMPLATES = Path(pages.__file__).parent / "templates"
MINE = ("base.html", "error.html", "home.html", "scan.html", "card")


@pytest.mark.parametrize(
    ("query", "cookie", "header", "language"),
    [
        ("", "", "", "zh-CN"),
        ("", "", "en-GB,en;q=0.9", "en"),
        ("", "", "id-ID", "id"),
        ("", "en", "zh-CN", "en"),
        ("?lang=id", "en", "zh-CN", "id"),
        ("?lang=fr", "", "en", "en"),
        ("?lang=<script>", "<b>", "zh-CN", "zh-CN"),
        ("", "../en", "en", "en"),
    ],
)
def test_the_language_is_asked_for_kept_or_the_browsers(
    app: Flask, query: str, cookie: str, header: str, language: str
) -> None:
    browser = app.test_client()
    if cookie:
        browser.set_cookie("lang", cookie)
    page = browser.get("/" + query, headers={"Accept-Language": header})
    assert f'<html lang="{language}">' in page.text


def test_a_language_that_was_asked_for_is_kept_and_nothing_else_is(app: Flask) -> None:
    browser = app.test_client()
    assert "lang=en" in browser.get("/?lang=en").headers["Set-Cookie"]
    assert '<html lang="en">' in browser.get("/").text
    assert "Set-Cookie" not in browser.get("/?lang=xx").headers


@pytest.mark.parametrize("path", ["/", "/nowhere", "/static/tokens.css", "/card"])
def test_every_answer_is_protected(app: Flask, path: str) -> None:
    with app.test_client().get(path) as answer:
        headers = answer.headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "microphone=()" in headers["Permissions-Policy"]


def test_pages_are_framed_by_the_demos_own_phone_and_by_nobody_in_production(
    app: Flask, redis_url: str
) -> None:
    production = app_of(services_at(redis_url), Platform(), "production")
    own = app.test_client().get("/").headers
    none = production.test_client().get("/").headers
    assert "frame-ancestors 'self'" in own["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in none["Content-Security-Policy"]
    assert none["X-Frame-Options"] == "DENY"


def test_a_view_may_widen_its_own_policy(app: Flask) -> None:
    @app.get("/figures")
    def figures() -> tuple[str, dict[str, str]]:
        policy = pages.content_security_policy(demo=False, style_src="'unsafe-inline'")
        return "", {"Content-Security-Policy": policy}

    policy = app.test_client().get("/figures").headers["Content-Security-Policy"]
    assert "style-src 'self' 'unsafe-inline'" in policy
    assert "default-src 'self';" in policy


def test_static_files_are_kept_while_their_hash_is_right(app: Flask) -> None:
    browser = app.test_client()
    address = re.search(r'href="(/static/tokens.css\?v=\w+)"', browser.get("/").text)
    assert address
    for path, kept in (
        (address[1], True),
        ("/static/tokens.css?v=old", False),
        ("/static/tokens.css", False),
    ):
        with browser.get(path) as answer:
            assert ("immutable" in answer.headers["Cache-Control"]) is kept


@pytest.mark.parametrize(
    "path", ["../settings.py", "..%2fsettings.py", "....//settings.py", "none.css"]
)
def test_static_gives_nothing_else(app: Flask, path: str) -> None:
    assert app.test_client().get(f"/static/{path}?v=1").status_code == 404


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (403, 403),
        (404, 404),
        (405, 405),
        (418, 418),
        (429, 429),
        (503, 503),
        (UnavailableError(), 503),
        (RefusalError("too_many_requests"), 429),
        (RefusalError("frozen"), 423),
        (SignInError(), 401),
        (CredentialError("never_heard_of"), 400),
        (RuntimeError("secret detail"), 500),
    ],
)
def test_what_goes_wrong_is_a_sentence_in_two_languages(
    app: Flask, raised: int | Exception, status: int
) -> None:
    @app.get("/wrong")
    def wrong() -> str:
        if isinstance(raised, int):
            abort(raised)
        raise raised

    browser = app.test_client()
    page = browser.get("/wrong", headers={"Accept-Language": "en"})
    assert page.status_code == status
    assert page.headers["Cache-Control"] == "no-store"
    assert 'lang="zh-CN">' in page.text
    assert "secret detail" not in page.text
    assert "Traceback" not in page.text
    answer = browser.get("/wrong", headers={"Accept": "application/json"})
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json()["status"] == status
    assert "secret detail" not in answer.text


def test_unavailable_has_the_contracts_code(app: Flask) -> None:
    @app.get("/api/v1/nothing")
    def nothing() -> str:
        raise UnavailableError

    assert app.test_client().get("/api/v1/nothing").get_json()["code"] == "unavailable"


def test_every_sentence_of_the_templates_exists() -> None:
    texts = Texts()
    files = [path for name in MINE for path in sorted(TEMPLATES.glob(f"{name}*/*"))]
    files += [TEMPLATES / name for name in MINE if name.endswith(".html")]
    quoted = re.compile(r"[\"']((?:card|web)\.[a-z0-9_.]*[a-z0-9_])[\"']")
    beginnings = {"card.none.step"}  # finished by a number
    asked = {
        key
        for path in files
        for key in quoted.findall(path.read_text())
        if not key.endswith((".css", ".js")) and key not in beginnings
    }
    assert len(asked) > 40
    assert {key for key in asked if key not in texts} == set()
