"""The mini-program's backend: nothing without its token, and each account its own card."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from credentials import keyring
from credentials.cases import Kind
from credentials.errors import RefusalError
from credentials.model import Actor, Holder
from credentials.services import Services
from credentials.store import Store
from settings import Settings
from tests.credentials.issuer import PIN, person, ring
from tests.credentials.kiosk import Kiosk
from tests.web.office import Office, Software
from web import mini, pages
from web.bodies import Problem

ADDRESSES = (
    ("GET", "card"), ("GET", "state"), ("GET", "purposes"), ("GET", "history"), ("POST", "code"),
    ("POST", "approvals/0"), ("POST", "freeze"), ("POST", "unfreeze"), ("POST", "upgrade"),
    ("POST", "soter/challenge"), ("POST", "soter/answer"), ("POST", "not-me"),
)  # fmt: skip


class RefusedError(Exception):
    """The platform does not know this code."""


class SilentError(Exception):
    """The platform does not answer."""


class Platform:
    """The messaging platform's side of the mini-program."""

    name = "wechat"

    def __init__(self) -> None:
        self.is_up = True
        self.confirms = True
        self.asked: list[tuple[str, str, str]] = []

    def who(self, js_code: str) -> str:
        if not self.is_up:
            raise SilentError
        if not js_code.startswith("code-of-"):
            raise RefusedError
        return js_code.removeprefix("code-of-")

    def fingerprint_signed(self, openid: str, result: str, signature: str) -> bool:
        if not self.is_up:
            raise SilentError
        self.asked.append((openid, result, signature))
        return self.confirms


class Small:
    """A small application on somebody's phone."""

    def __init__(self, browser: FlaskClient, openid: str) -> None:
        self.openid = openid
        self._browser = browser
        answer = browser.post("/mini/login", json={"js_code": f"code-of-{openid}"})
        assert answer.status_code == 200, answer.text
        assert answer.get_json()["expires_in"] == mini.TOKEN_SECONDS
        self.token = str(answer.get_json()["token"])

    def gets(self, path: str) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}", "Accept-Language": "en"}
        return self._browser.get(f"/mini/{path}", headers=headers)

    def sends(self, path: str, **body: object) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}", "Accept-Language": "en"}
        return self._browser.post(f"/mini/{path}", json=body, headers=headers)

    def card(self) -> dict[str, Any]:
        return dict(self.gets("card").get_json())

    def presses(self) -> TestResponse:
        challenge = self.sends("soter/challenge").get_json()["challenge"]
        result = json.dumps({"raw": challenge})
        return self.sends("soter/answer", json_string=result, json_signature="c2lnbmVk")


@pytest.fixture
def office(database: redis.Redis) -> Office:
    return Office(database)


@pytest.fixture
def services(office: Office) -> Services:
    return office.services


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def browser(office: Office, platform: Platform) -> FlaskClient:
    app = Flask("card")
    settings = Settings(_env_file=None, profile="production")  # type: ignore[call-arg]
    pages.install(app, office.services, settings)
    app.register_blueprint(
        mini.blueprint(office.services, platform, refused=RefusedError, unavailable=SilentError)
    )
    return app.test_client()


@pytest.fixture
def small(office: Office, browser: FlaskClient) -> Small:
    """The application of somebody with a light card."""
    return Small(browser, office.phone().holder.openid)


@pytest.fixture
def bank(office: Office) -> Software:
    return office.software("banking", "hotel", name="Harbour Bank")


def code_of(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["code"]


def upgrade(services: Services, small: Small) -> None:
    """Chip at a terminal, finger on the phone, face elsewhere, PIN on the card page."""
    kiosk = Kiosk.accredited(services.upgrades, services.terminals)
    kiosk.reads(small.sends("upgrade").get_json()["binding_code"], person(), "not_asked")
    assert small.presses().get_json()["upgrade"]["missing"] == ["face"]
    holder = services.cards.find(person().id_number)
    assert holder is not None
    services.upgrades.face(holder.holder, {"distance": "0.3"})
    services.pins.set(holder.holder, PIN)


# --- signing in --------------------------------------------------------------------------------


def test_the_card_of_the_account(small: Small) -> None:
    card = small.card()
    assert (card["status"], card["level"], card["name_masked"]) == ("active", "light", "张**")
    assert (card["upgrade"], card["pin"], card["approval"]) == (None, None, None)
    assert small.gets("card").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
@pytest.mark.parametrize("given", ["", "Bearer", "Bearer x", "Basic x", "Bearer " + "x" * 5000])
def test_nothing_without_a_token(browser: FlaskClient, method: str, path: str, given: str) -> None:
    answer = browser.open(f"/mini/{path}", method=method, headers={"Authorization": given})
    assert code_of(answer) == (401, "unauthenticated")


def test_a_token_is_over_after_a_quarter_of_an_hour(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mini.Clock, "__call__", lambda _: time.time() + mini.TOKEN_SECONDS + 1)
    assert code_of(small.gets("card")) == (401, "unauthenticated")


@pytest.mark.parametrize(("later_s", "opens"), [(0.0, True), (899.0, True), (900.0, False)])
def test_a_token_ends_by_the_clock_that_all_servers_share(*, later_s: float, opens: bool) -> None:
    token = mini.MiniSessions(ring(), lambda: 1000.0).begin(Holder("wechat", "oX"))
    there = mini.MiniSessions(ring(), lambda: 1000.0 + later_s)
    if opens:
        assert there.read(token) == Holder("wechat", "oX")
        return
    with pytest.raises(RefusalError):
        there.read(token)


def test_the_clock_is_redis_s_and_not_the_machine_s(
    database: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, asked = Store(database), 0
    now = store.now

    def counted(key: str) -> int:
        nonlocal asked
        asked += 1
        return now(key)

    monkeypatch.setattr(store, "now", counted)
    clock = mini.Clock(store)
    with monkeypatch.context() as wrong:
        wrong.setattr(time, "time", lambda: 0.0)
        before, read, after = (now("x") / 1e6, clock(), now("x") / 1e6)
    assert before <= read <= after
    assert read <= clock()
    assert asked == 1
    steady = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: steady + mini.CLOCK_SECONDS + 1)
    assert clock() < read + mini.CLOCK_SECONDS  # asked anew
    assert asked == 2


def test_a_token_that_was_altered_or_is_anothers(small: Small) -> None:
    payload, _, rest = small.token.partition(".")
    for token in (small.token[:-2], payload, "x" + small.token, f"{payload}x.{rest}"):
        small.token = token
        assert code_of(small.gets("card")) == (401, "unauthenticated")


def test_a_token_of_another_ring_or_purpose(small: Small, services: Services) -> None:
    small.token = mini.MiniSessions(ring(9), time.time).begin(Holder("wechat", "oPhone1"))
    assert code_of(small.gets("card")) == (401, "unauthenticated")
    assert services.cards.find(person().id_number) is not None


def test_a_token_survives_a_new_key(services: Services) -> None:
    token = mini.MiniSessions(ring(1), time.time).begin(Holder("wechat", "oX"))
    assert mini.MiniSessions(ring(2, 1), time.time).read(token) == Holder("wechat", "oX")


def test_a_token_under_a_key_that_another_server_had_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "LOOK_SECONDS", math.inf)
    path = tmp_path / "keys"
    keyring.make_file(path)
    first, second = (keyring.Keyring.from_file(path) for _ in range(2))
    keyring.rotate_file(path)
    first.refresh()
    token = mini.MiniSessions(first, time.time).begin(Holder("wechat", "oX"))
    assert mini.MiniSessions(second, time.time).read(token) == Holder("wechat", "oX")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"js_code": "made-up"}, 401, "unauthenticated"),
        ({}, 400, "malformed"),
        ({"js_code": ""}, 400, "malformed"),
        ({"js_code": "x" * 600}, 400, "malformed"),
        ({"js_code": "code-of-x", "openid": "oPhone1"}, 400, "malformed"),
    ],
)
def test_no_token_for_anything_else(
    browser: FlaskClient, body: dict[str, str], status: int, code: str
) -> None:
    assert code_of(browser.post("/mini/login", json=body)) == (status, code)


def test_who_signs_in_too_often_keeps_nobody_else_out(
    browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mini, "LOGINS_PER_ADDRESS", 3)

    def tries(address: str, code: str) -> tuple[int, str]:
        answer = browser.post(
            "/mini/login", json={"js_code": code}, environ_base={"REMOTE_ADDR": address}
        )
        return answer.status_code, answer.get_json().get("code", "")

    guesses = [tries("203.0.113.7", "made-up") for _ in range(5)]
    assert guesses == [(401, "unauthenticated")] * 3 + [(429, "too_many_requests")] * 2
    assert tries("203.0.113.7", "code-of-x") == (429, "too_many_requests")
    assert tries("203.0.113.8", "code-of-x") == (200, "")


def test_refused_tries_of_one_address_take_nothing_of_what_all_may(
    browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mini, "LOGINS_PER_ADDRESS", 2)
    monkeypatch.setattr(mini, "LOGINS_PER_MINUTE", 3)
    monkeypatch.setattr(mini, "ALL_PAUSE_S", 3600)  # five seconds may pass between two tries here
    statuses = [
        browser.post(
            "/mini/login",
            json={"js_code": "code-of-x"},
            environ_base={"REMOTE_ADDR": f"203.0.113.{host}"},
        ).status_code
        for host in (7, 7, 7, 7, 8, 9)
    ]
    assert statuses == [200, 200, 429, 429, 200, 429]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("code", {"purpose": "nonsense"}, "malformed"),
        ("code", {"purpose": "banking"}, "level_insufficient"),
        ("approvals/nonsense", {"answer": "approve"}, "unknown_verification"),
        ("soter/answer", {"json_string": "{}", "json_signature": "eA=="}, "bad_challenge"),
    ],
)
def test_a_refusal_is_as_the_description_says(
    small: Small, path: str, body: dict[str, str], code: str
) -> None:
    refusal = Problem.model_validate(small.sends(path, **body).get_json())
    assert (refusal.code, refusal.instance) == (code, f"/mini/{path}")
    assert refusal.detail
    assert "QR code" not in refusal.detail  # nobody scanned anything


def test_a_silent_platform(browser: FlaskClient, small: Small, platform: Platform) -> None:
    platform.is_up = False
    assert code_of(browser.post("/mini/login", json={"js_code": "code-of-x"})) == (
        503, "unavailable"
    )  # fmt: skip
    assert code_of(small.presses()) == (503, "unavailable")
    assert small.card()["upgrade"]["bound"] == []


def test_an_account_without_a_card(browser: FlaskClient) -> None:
    stranger = Small(browser, "oStranger")
    for path in ("card", "state", "history", "purposes"):
        assert code_of(stranger.gets(path)) == (404, "no_card")
    for path in ("code", "freeze", "upgrade", "soter/challenge"):
        assert code_of(stranger.sends(path)) == (404, "no_card")


# --- the card ----------------------------------------------------------------------------------


def test_a_code_and_its_use_in_the_history(small: Small, bank: Software) -> None:
    code = small.sends("code", purpose="hotel").get_json()
    assert (code["refresh_in"], code["expires_in"]) == (15, 30)
    assert bank.scan(code["address"], "hotel").status_code == 200
    uses = small.gets("history").get_json()
    assert (uses[0]["verifier"], uses[0]["kind"]) == ("Harbour Bank", "accepted")
    assert "张三丰" not in json.dumps(uses, ensure_ascii=False)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"purpose": "nonsense"}, 400, "malformed"),
        ({"purpose": 7}, 400, "malformed"),
        ({"pin": "123456789"}, 400, "malformed"),
        ({"more": 1}, 400, "malformed"),
        ({"purpose": "banking"}, 403, "level_insufficient"),
    ],
)
def test_no_code_for_that(small: Small, body: dict[str, object], status: int, code: str) -> None:
    assert code_of(small.sends("code", **body)) == (status, code)


def test_the_purposes_say_which_need_what(small: Small) -> None:
    told = {each["name"]: each for each in small.gets("purposes").get_json()}
    assert (told["banking"]["open"], told["banking"]["pin"]) == (False, True)
    assert (told["hotel"]["open"], told["hotel"]["pin"]) == (True, False)


def test_unchanged_is_304(small: Small) -> None:
    change = small.card()["change"]
    assert small.gets(f"state?change={change}").status_code == 304
    for other in (change - 1, "", "x", "９", "9" * 40):
        assert small.gets(f"state?change={other}").status_code == 200


def test_freeze_and_unfreeze(small: Small) -> None:
    assert small.sends("freeze").get_json()["status"] == "frozen"
    assert small.sends("freeze").get_json()["status"] == "frozen"
    assert code_of(small.sends("code")) == (423, "frozen")
    assert code_of(small.sends("upgrade")) == (423, "frozen")
    assert small.sends("unfreeze").get_json()["status"] == "active"


def test_a_use_that_was_not_the_holders(office: Office, small: Small, bank: Software) -> None:
    asked = bank.scan(small.sends("code").get_json()["code"], "hotel").get_json()
    small.sends(f"approvals/{asked['verification_id']}", answer="approve")
    use = small.gets("history").get_json()[0]["verification_id"]
    for _ in range(2):
        assert small.sends("not-me", verification_id=use).get_json()["status"] == "frozen"
    (case,) = office.services.cases.waiting()
    assert (case.kind, case.verification_id) == (Kind.NOT_ME, use)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "malformed"),
        ({"verification_id": ""}, 400, "malformed"),
        ({"verification_id": 7}, 400, "malformed"),
        ({"verification_id": "x" * 65}, 400, "malformed"),
        ({"verification_id": "0" * 20}, 404, "unknown_verification"),
    ],
)
def test_only_a_use_of_this_card_can_be_reported(
    office: Office, small: Small, body: dict[str, object], status: int, code: str
) -> None:
    assert code_of(small.sends("not-me", **body)) == (status, code)
    assert small.card()["status"] == "active"
    assert office.services.cases.waiting() == []


def test_another_holders_use_is_not_reported(office: Office, small: Small, bank: Software) -> None:
    strange = bank.scan(office.phone(2).show(), "hotel").get_json()["verification_id"]
    answer = small.sends("not-me", verification_id=strange)
    assert code_of(answer) == (404, "unknown_verification")
    assert office.services.cases.waiting() == []


def test_what_the_issuer_froze_is_not_unfrozen_here(office: Office, small: Small) -> None:
    small.sends("freeze")
    assert small.card()["can_unfreeze"] is True
    card = office.services.cards.of(Holder("wechat", small.openid))
    assert card is not None
    credential_id = card.credential_id
    office.services.cards.freeze(credential_id, Actor("operator", "wang"), "reported stolen")
    assert small.card()["can_unfreeze"] is False
    answer = small.sends("unfreeze")
    assert code_of(answer) == (423, "frozen_by_issuer")
    assert "human" in answer.get_json()["detail"]
    small.sends("freeze")
    assert code_of(small.sends("unfreeze")) == (423, "frozen_by_issuer")
    office.services.cards.unfreeze(credential_id, Actor("operator", "wang"), "it was a mistake")
    assert (small.card()["status"], small.card()["can_unfreeze"]) == ("active", False)


def test_a_hotel_asks_and_the_holder_answers(small: Small, bank: Software) -> None:
    for answer, state in (("approve", "accepted"), ("deny", "denied"), ("deny_freeze", "denied")):
        asked = bank.scan(small.sends("code").get_json()["code"], "hotel").get_json()
        waiting = small.card()["approval"]
        assert (waiting["number"], waiting["pin"]) == (asked["number"], False)
        assert small.sends(f"approvals/{waiting['id']}", answer=answer).status_code == 200
        assert bank.look(asked["verification_id"]).get_json()["state"] == state
    assert small.card()["status"] == "frozen"


@pytest.mark.parametrize("before", ["approve", "deny", "deny_freeze"])
def test_a_freezing_is_done_though_the_request_is_over(
    small: Small, bank: Software, before: str
) -> None:
    asked = bank.scan(small.sends("code").get_json()["code"], "hotel").get_json()
    path = f"approvals/{asked['verification_id']}"
    small.sends(path, answer=before)
    assert small.sends(path, answer="deny_freeze").get_json()["status"] == "frozen"


def test_nobody_answers_for_another(office: Office, small: Small, browser: FlaskClient) -> None:
    other = Small(browser, office.phone(2).holder.openid)
    hotel = office.software("hotel", name="Hotel")
    asked = hotel.scan(small.sends("code").get_json()["code"], "hotel").get_json()
    refused = other.sends(f"approvals/{asked['verification_id']}", answer="approve")
    assert code_of(refused) == (404, "unknown_verification")
    assert code_of(small.sends("approvals/x", answer="approve")) == (404, "unknown_verification")
    assert code_of(small.sends("approvals/x", answer="perhaps")) == (400, "malformed")


# --- the upgrade -------------------------------------------------------------------------------


def test_the_finger_on_the_phone(small: Small, platform: Platform) -> None:
    assert small.presses().get_json()["upgrade"]["bound"] == ["fingerprint"]
    openid, result, _ = platform.asked[0]
    assert openid == "oPhone1"
    assert "raw" in result


def test_a_finger_that_the_platform_does_not_confirm(small: Small, platform: Platform) -> None:
    platform.confirms = False
    assert code_of(small.presses()) == (422, "fingerprint_refused")
    assert small.card()["upgrade"]["bound"] == []


def test_a_challenge_that_was_not_given_is_not_even_asked_about(
    small: Small, platform: Platform
) -> None:
    for result in ('{"raw": "x"}', r'{"raw": "\ud800"}'):  # the second has half a character
        small.sends("soter/challenge")
        answer = small.sends("soter/answer", json_string=result, json_signature="s")
        assert code_of(answer) == (422, "bad_challenge")
    assert platform.asked == []
    assert code_of(small.sends("soter/answer", json_string="x")) == (400, "malformed")


def test_an_upgraded_card_and_its_pin(small: Small, services: Services, bank: Software) -> None:
    upgrade(services, small)
    assert (small.card()["level"], small.card()["pin"]["there"]) == ("upgraded", True)
    refused = small.sends("code", purpose="banking", pin="274907")
    assert code_of(refused) == (403, "wrong_pin")
    assert refused.get_json()["left"] == 4
    asked = bank.scan(small.sends("code").get_json()["code"], "banking").get_json()
    path = f"approvals/{asked['verification_id']}"
    assert small.card()["approval"]["pin"] is True
    assert code_of(small.sends(path, answer="approve")) == (403, "pin_required")
    assert small.sends(path, answer="approve", pin=PIN).status_code == 200
    assert bank.look(asked["verification_id"]).get_json()["state"] == "accepted"
    assert code_of(small.sends("upgrade")) == (409, "already_upgraded")


@pytest.mark.parametrize("path", ["/mini/", "/mini/nothing", "/mini/v2/card"])
def test_an_address_that_is_not_there_is_a_problem(browser: FlaskClient, path: str) -> None:
    answer = browser.get(path)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
