"""The API for terminals: who cannot sign can ask nothing, and no answer tells of the holder."""

from __future__ import annotations

import json

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from credentials.services import Services
from credentials.terminals import sign
from settings import Settings
from tests.credentials.issuer import person
from tests.credentials.kiosk import Kiosk
from tests.web.office import Office, Phone
from web import api, pages, terminal

SESSIONS, ATTESTATIONS = terminal.SESSIONS, terminal.ATTESTATIONS


@pytest.fixture
def services(database: redis.Redis) -> Services:
    return Office(database).services


@pytest.fixture
def browser(services: Services) -> FlaskClient:
    app = Flask("card")
    settings = Settings(_env_file=None, profile="production")  # type: ignore[call-arg]
    pages.install(app, services, settings)
    app.register_blueprint(api.blueprint(services))
    app.register_blueprint(terminal.blueprint(services))
    return app.test_client()


@pytest.fixture
def kiosk(services: Services) -> Kiosk:
    return Kiosk.accredited(services.upgrades, services.terminals)


@pytest.fixture
def holder(services: Services, database: redis.Redis) -> Phone:
    return Office(database).phone()


def post(browser: FlaskClient, path: str, kiosk: Kiosk, said: dict[str, object]) -> TestResponse:
    body = {"statement": said, "signature": sign(kiosk.key, said)}
    return browser.post(path, json=body, headers={"Accept-Language": "en"})


def claim(browser: FlaskClient, kiosk: Kiosk, services: Services, holder: Phone) -> str:
    digits = services.upgrades.binding_code(holder.holder).digits
    answer = post(browser, SESSIONS, kiosk, kiosk.session_request(digits))
    assert answer.status_code == 200, answer.text
    return str(answer.get_json()["session"])


def test_from_the_code_to_the_bindings(
    browser: FlaskClient, kiosk: Kiosk, services: Services, holder: Phone
) -> None:
    nonce = claim(browser, kiosk, services, holder)
    answer = post(browser, ATTESTATIONS, kiosk, kiosk.attestation(nonce, person()))
    assert answer.get_json() == {"level": "light", "missing": ["face"]}
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("other", "status", "code"),
    [
        ({"name": "李四"}, 409, "not_this_person"),
        ({"fingerprint": "not_matched"}, 409, "not_this_person"),
        ({"valid_until": "2001-01-01"}, 422, "physical_card_ended"),
        ({"time": 1}, 410, "attestation_stale"),
        ({"session": "0" * 32}, 404, "unknown_session"),
        ({"card_serial": ""}, 400, "bad_attestation"),
        ({"more": "x"}, 400, "bad_attestation"),
    ],
)
def test_a_refusal_is_a_problem(  # noqa: PLR0917 - fixtures
    browser: FlaskClient,
    kiosk: Kiosk,
    services: Services,
    holder: Phone,
    other: dict[str, object],
    status: int,
    code: str,
) -> None:
    nonce = claim(browser, kiosk, services, holder)
    answer = post(browser, ATTESTATIONS, kiosk, kiosk.attestation(nonce, person()) | other)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert answer.mimetype == "application/problem+json"
    assert "张" not in answer.text


def test_a_wrong_code(browser: FlaskClient, kiosk: Kiosk) -> None:
    answer = post(browser, SESSIONS, kiosk, kiosk.session_request("00000000"))
    assert (answer.status_code, answer.get_json()["code"]) == (404, "unknown_binding_code")


def test_who_is_not_accredited_learns_nothing(browser: FlaskClient, kiosk: Kiosk) -> None:
    said = kiosk.session_request("00000000", terminal="t000000000000")
    answer = post(browser, SESSIONS, kiosk, said)
    assert (answer.status_code, answer.get_json()["code"]) == (401, "unauthenticated")
    body = {"statement": kiosk.session_request("00000000"), "signature": "AAAA"}
    answer = browser.post(SESSIONS, json=body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "bad_signature")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"x", b"[]", b"null", b"{}", b'{"statement": {}}', b'{"signature": "x"}',
        b'{"statement": [], "signature": "x"}', b'{"statement": {"a": {}}, "signature": "x"}',
        b'{"statement": {"a": null}, "signature": "x"}', b'{"statement": {}, "signature": ""}',
        b'{"statement": {"a": 1e999}, "signature": "x"}', b"\xff\xfe", b"{" * 4000, b"x" * 9000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [SESSIONS, ATTESTATIONS])
def test_junk_is_malformed(browser: FlaskClient, path: str, body: bytes) -> None:
    answer = browser.post(path, data=body, content_type="application/json")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "malformed")


def test_a_form_is_malformed(browser: FlaskClient) -> None:
    assert browser.post(SESSIONS, data={"statement": "x"}).status_code == 400


@pytest.mark.parametrize("path", [SESSIONS, ATTESTATIONS])
def test_only_post(browser: FlaskClient, path: str) -> None:
    answer = browser.get(path, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.headers.get("Allow")) == (405, "POST")


def test_it_is_described(browser: FlaskClient) -> None:
    document = browser.get("/openapi.json").get_json()
    for path in (SESSIONS, ATTESTATIONS):
        operation = document["paths"][path]["post"]
        assert operation["security"] == []
        assert {"200", "400", "401", "404", "422", "503"} <= set(operation["responses"])
    assert "张三" in json.dumps(document["paths"][ATTESTATIONS], ensure_ascii=False)
