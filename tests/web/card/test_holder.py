"""The holder's page: what it shows, what it lets happen, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from credentials.model import Actor, Holder, State
from credentials.services import Services
from tests.web.card.conftest import app_of, services_at
from tests.web.card.phone import (
    ADDRESS,
    Desk,
    Phone,
    Platform,
    json_of,
    modules_of_quiet_zone,
)
from web import card_session

HOTEL_FIELDS = {"name", "sex", "birth_date", "id_number", "portrait", "valid_until"}
LIN = Holder("wechat", "oLin")


def _credential(services: Services, holder: Holder = LIN) -> str:
    card = services.cards.of(holder)
    assert card
    return card.credential_id


# ---- coming in ----


def test_the_page_shows_the_holders_own_card_and_never_the_whole_number(phone: Phone) -> None:
    page = phone.opens_card()
    assert "林**" in page
    assert "林小雨" not in page
    assert "440106199003071231" not in page
    assert "Light" in page
    assert "Active" in page


def test_the_page_has_nothing_inline_and_nothing_of_others(phone: Phone) -> None:
    page = phone.opens_card()
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page)
    assert not re.search(r"(src|href)=\"(https?:)?//", page)


def test_the_address_of_a_visit_is_worthless_without_its_cookie(
    phone: Phone, stranger: Phone
) -> None:
    phone.opens_card()
    stranger.path = phone.path
    page = stranger.browser.get(phone.path)
    assert (page.status_code, page.headers["Location"]) == (303, "/card")
    assert stranger.asks("state").status_code == 401
    assert stranger.asks("code").status_code == 401
    assert stranger.presses("freeze").status_code == 401


def test_two_phones_in_one_browser_do_not_mix(phone: Phone, stranger: Phone) -> None:
    stranger.browser = phone.browser
    assert "林**" in phone.opens_card()
    assert "欧阳**" in stranger.opens_card()
    assert "林**" in phone.state()["card"]
    assert "欧阳**" in stranger.state()["card"]


def test_a_cookie_moved_to_another_visit_does_not_open_it(phone: Phone, stranger: Phone) -> None:
    phone.opens_card()
    stranger.opens_card()
    cookie = phone.browser.get_cookie("card", path=phone.path)
    assert cookie
    stranger.browser.set_cookie("card", cookie.value, path=stranger.path)
    assert stranger.asks("state").status_code == 401


@pytest.mark.parametrize("value", ["x", "A" * 40, "A" * 3900, "%00", "é"])
def test_a_cookie_that_we_did_not_make_opens_nothing(phone: Phone, value: str) -> None:
    phone.opens_card()
    phone.browser.set_cookie("card", value, path=phone.path)
    assert phone.asks("state").status_code == 401


def test_the_cookie_does_not_tell_the_account_and_is_for_one_path(
    phone_of: Callable[[str], Phone],
) -> None:
    phone = phone_of("oLinXiaoyuOfHarbourRoad")  # so long that no random letters spell it
    phone.opens_card()
    cookie = phone.browser.get_cookie("card", path=phone.path)
    assert cookie
    assert phone.openid not in cookie.value
    assert (cookie.path, cookie.http_only, cookie.same_site) == (phone.path, True, "Lax")


def test_a_visit_ends_after_half_an_hour(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    phone.opens_card()
    monkeypatch.setattr(card_session, "SESSION_SECONDS", -1)
    assert phone.asks("state").status_code == 401
    assert phone.presses("freeze").status_code == 401


def test_the_way_back_needs_the_browser_that_began(phone: Phone, stranger: Phone) -> None:
    state = phone.begins()
    answer = stranger.comes_back("code", state)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers
    assert "从聊天里重新打开" in answer.text


@pytest.mark.parametrize("state", ["", "0" * 32, "x" * 5000, "../../", "é" * 32])
def test_the_way_back_needs_the_state_that_was_given(phone: Phone, state: str) -> None:
    phone.begins()
    assert phone.comes_back("code", state).status_code == 403


def test_the_way_back_works_once(phone: Phone, platform: Platform) -> None:
    state = phone.begins()
    assert phone.comes_back(platform.code_for("oLin"), state).status_code == 303
    assert phone.comes_back(platform.code_for("oLin"), state).status_code == 403


@pytest.mark.parametrize(("code", "status"), [("", 400), ("x" * 600, 400), ("stolen", 403)])
def test_a_code_that_the_platform_does_not_confirm_opens_nothing(
    phone: Phone, code: str, status: int
) -> None:
    answer = phone.comes_back(code, phone.begins())
    assert answer.status_code == status
    assert "card/s/" not in str(answer.headers)
    assert "我的证件" in answer.text


def test_a_platform_that_is_silent_is_said_so_with_a_way_on(
    phone: Phone, platform: Platform
) -> None:
    platform.is_up = False
    answer = phone.comes_back("code", phone.begins())
    assert answer.status_code == 503
    assert 'href="/card"' in answer.text


def test_the_way_back_leads_nowhere_else(phone: Phone, platform: Platform) -> None:
    begun = phone.browser.get("/card?next=https://evil.example&redirect_uri=//evil.example")
    assert f"redirect_uri={ADDRESS}/card/back&" in begun.headers["Location"]
    state = begun.headers["Location"].rpartition("state=")[2]
    query = {"code": platform.code_for("oLin"), "state": state, "next": "https://evil.example"}
    answer = phone.browser.get("/card/back", query_string=query)
    assert answer.headers["Location"].startswith("/card/s/")


# ---- the code ----


def test_the_code_is_scanned_and_the_page_says_by_whom(phone: Phone, desk: Desk) -> None:
    phone.opens_card()
    address = phone.shows()
    assert address.startswith("HTTP://CARD.EXAMPLE/V/")
    assert desk.scans(address, "internet_cafe").state is State.ACCEPTED
    last = phone.state()["last"]["html"]
    assert "Desk 1" in last
    assert "Bay &lt;b&gt;Hotel&lt;/b&gt;" in last
    assert "<b>" not in last


def test_the_code_says_how_long_it_lasts_and_has_its_quiet_zone(phone: Phone) -> None:
    phone.opens_card()
    answer = phone.asks("code")
    code = answer.get_json()
    assert (code["refresh_in"], code["expires_in"]) == (15.0, 30.0)
    assert modules_of_quiet_zone(code["svg"]) == 4
    assert answer.headers["Cache-Control"] == "no-store"
    assert "style" not in code["svg"]


def test_a_code_for_a_purpose_is_answered_at_once(phone: Phone, desk: Desk) -> None:
    phone.opens_card()
    scan = desk.scans(phone.shows("hotel"), "hotel")
    assert scan.state is State.ACCEPTED
    assert set(scan.attributes) == HOTEL_FIELDS


@pytest.mark.parametrize("purpose", ["everything", "HOTEL", "hotel%00", "1"])
def test_a_purpose_that_does_not_exist_makes_no_code(phone: Phone, purpose: str) -> None:
    phone.opens_card()
    assert phone.asks(f"code?purpose={purpose}").status_code == 400


@pytest.mark.parametrize("status", ["frozen", "revoked"])
def test_a_card_that_is_not_active_shows_no_code(
    phone: Phone, services: Services, status: str
) -> None:
    change = {"frozen": services.cards.freeze, "revoked": services.cards.revoke}[status]
    change(_credential(services), Actor("operator", "ops"), "lost")
    page = phone.opens_card()
    answer = phone.asks("code")
    assert (answer.status_code, answer.get_json()["code"]) == (423, status)
    assert json_of(page, "data-state")["usable"] is False


def test_nothing_changed_is_304_and_a_scan_is_not(phone: Phone, desk: Desk) -> None:
    phone.opens_card()
    change = phone.state()["change"]
    assert phone.asks(f"state?change={change}").status_code == 304
    desk.scans(phone.shows(), "internet_cafe")
    assert phone.asks(f"state?change={change}").status_code == 200
    assert phone.asks("state?change=-1").status_code == 200
    assert phone.asks("state?change=²").status_code == 200


# ---- approvals ----


def test_a_plain_code_at_a_hotel_waits_for_the_holder(
    phone: Phone, desk: Desk, services: Services
) -> None:
    phone.opens_card()
    scan = desk.scans(phone.shows(), "hotel")
    assert (scan.state, scan.attributes) == (State.AWAITING_HOLDER, {})
    asked = phone.state()["approval"]
    assert asked["id"] == scan.verification_id
    seconds, micros = services.redis.time()
    assert scan.expires_at is not None
    assert scan.expires_at - (seconds + micros / 1e6) - 0.1 <= asked["expires_in"] <= 60
    assert str(scan.number) in asked["html"]
    assert "Hotel check-in" in asked["html"]
    assert phone.presses(f"approvals/{asked['id']}", {"answer": "approve"}).status_code == 200
    assert set(desk.looks(scan.verification_id).attributes) == HOTEL_FIELDS
    assert phone.state()["approval"] is None
    assert phone.state()["last"]["id"] == scan.verification_id


def test_a_denial_tells_nothing_and_can_freeze(phone: Phone, desk: Desk) -> None:
    phone.opens_card()
    scan = desk.scans(phone.shows(), "hotel")
    path = f"approvals/{scan.verification_id}"
    answer = phone.presses(path, {"answer": "deny_freeze"})
    assert answer.get_json()["status"] == "frozen"
    assert desk.looks(scan.verification_id).attributes == {}
    assert answer.get_json()["last"] is None
    assert "Denied" in answer.get_json()["uses"]


@pytest.mark.parametrize("before", ["approve", "deny", "deny_freeze"])
def test_a_freezing_is_done_though_the_request_is_over(
    phone: Phone, desk: Desk, before: str
) -> None:
    phone.opens_card()
    path = f"approvals/{desk.scans(phone.shows(), 'hotel').verification_id}"
    phone.presses(path, {"answer": before})
    answer = phone.presses(path, {"answer": "deny_freeze"})
    assert (answer.status_code, answer.get_json()["status"]) == (200, "frozen")


def test_nobody_freezes_anothers_card(phone: Phone, stranger: Phone, desk: Desk) -> None:
    phone.opens_card()
    stranger.opens_card()
    scan = desk.scans(phone.shows(), "hotel")
    path = f"approvals/{scan.verification_id}"
    assert stranger.presses(path, {"answer": "deny_freeze"}).get_json()["status"] == "frozen"
    assert phone.state()["usable"]
    assert desk.looks(scan.verification_id).state is State.AWAITING_HOLDER


def test_an_answer_is_given_once(phone: Phone, desk: Desk) -> None:
    phone.opens_card()
    path = f"approvals/{desk.scans(phone.shows(), 'hotel').verification_id}"
    assert phone.presses(path, {"answer": "deny"}).status_code == 200
    again = phone.presses(path, {"answer": "approve"})
    assert (again.status_code, again.get_json()["code"]) == (409, "already_answered")


def test_nobody_answers_for_another(phone: Phone, stranger: Phone, desk: Desk) -> None:
    phone.opens_card()
    stranger.opens_card()
    scan = desk.scans(phone.shows(), "hotel")
    answer = stranger.presses(f"approvals/{scan.verification_id}", {"answer": "approve"})
    assert (answer.status_code, answer.get_json()["code"]) == (404, "unknown_verification")
    assert desk.looks(scan.verification_id).state is State.AWAITING_HOLDER


@pytest.mark.parametrize("body", [{"answer": "yes"}, {"answer": None}, {"answer": ["approve"]}])
def test_an_answer_that_is_none_changes_nothing(phone: Phone, desk: Desk, body: object) -> None:
    phone.opens_card()
    scan = desk.scans(phone.shows(), "hotel")
    assert phone.presses(f"approvals/{scan.verification_id}", body).status_code == 400
    assert desk.looks(scan.verification_id).state is State.AWAITING_HOLDER


def test_an_approval_that_was_never_asked_is_not_found(phone: Phone) -> None:
    phone.opens_card()
    assert phone.presses("approvals/" + "0" * 20, {"answer": "approve"}).status_code == 404


# ---- freezing ----


def test_freezing_stops_the_code_on_the_screen(phone: Phone, desk: Desk) -> None:
    phone.opens_card()
    shown = phone.shows()
    assert phone.presses("freeze").get_json()["status"] == "frozen"
    with pytest.raises(Exception, match="frozen"):
        desk.scans(shown, "internet_cafe")
    assert phone.presses("freeze").status_code == 200  # twice is once
    assert phone.presses("unfreeze").get_json()["usable"] is True


def test_this_was_not_me_freezes(phone: Phone, desk: Desk, services: Services) -> None:
    phone.opens_card()
    scan = desk.scans(phone.shows(), "internet_cafe")
    answer = phone.presses("not-me", {"verification_id": scan.verification_id})
    assert answer.get_json()["status"] == "frozen"
    newest = services.cards.history(_credential(services), limit=1)[0]
    assert scan.verification_id in str(newest.detail)


def test_this_was_not_me_of_a_card_that_was_revoked_since(
    phone: Phone, desk: Desk, services: Services
) -> None:
    phone.opens_card()
    scan = desk.scans(phone.shows(), "internet_cafe")
    services.cards.revoke(_credential(services), Actor("operator", "ops"), "lost")
    answer = phone.presses("not-me", {"verification_id": scan.verification_id})
    assert (answer.status_code, answer.get_json()["status"]) == (200, "revoked")
    (case,) = services.cases.waiting()
    assert case.verification_id == scan.verification_id


def test_this_was_not_me_twice_is_one_case(phone: Phone, desk: Desk, services: Services) -> None:
    phone.opens_card()
    body = {"verification_id": desk.scans(phone.shows(), "internet_cafe").verification_id}
    for _ in range(2):
        assert phone.presses("not-me", body).get_json()["status"] == "frozen"
    assert len(services.cases.waiting()) == 1


@pytest.mark.parametrize("body", [{}, {"verification_id": "0" * 20}, {"verification_id": ""}])
def test_this_was_not_me_names_a_use_of_this_card(
    phone: Phone, services: Services, body: object
) -> None:
    phone.opens_card()
    assert phone.presses("not-me", body).status_code == 404
    assert phone.state()["status"] == "active"


def test_what_the_issuer_froze_is_not_unfrozen_here(phone: Phone, services: Services) -> None:
    operator = Actor("operator", "ops")
    services.cards.freeze(_credential(services), operator, "reported stolen")
    phone.opens_card()
    assert (phone.state()["status"], phone.state()["stopped"]) == ("frozen", "held")
    assert phone.presses("freeze").status_code == 200
    answer = phone.presses("unfreeze")
    assert (answer.status_code, answer.get_json()["code"]) == (423, "frozen_by_issuer")
    assert "human" in answer.get_json()["title"]
    assert phone.state()["status"] == "frozen"
    services.cards.unfreeze(_credential(services), operator, "it was a mistake")
    assert phone.presses("freeze").get_json()["stopped"] == "frozen"
    assert phone.presses("unfreeze").get_json()["usable"] is True


def test_a_revoked_card_is_not_brought_back(phone: Phone, services: Services) -> None:
    services.cards.revoke(_credential(services), Actor("operator", "ops"), "died")
    phone.opens_card()
    answer = phone.presses("unfreeze")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "wrong_status")
    assert phone.state()["status"] == "revoked"


# ---- requests that another site, or nobody, made ----


@pytest.mark.parametrize("what", ["freeze", "unfreeze", "not-me", "approvals/00"])
@pytest.mark.parametrize(
    "headers",
    [
        {"X_Card_Token": ""},
        {"X_Card_Token": "guessed"},
        {"X_Card_Token": "é"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
    ],
)
def test_only_the_page_itself_changes_anything(
    phone: Phone, what: str, headers: dict[str, str]
) -> None:
    phone.opens_card()
    answer = phone.presses(what, {}, **headers)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "forged")
    assert phone.state()["status"] == "active"


def test_the_token_of_one_visit_is_not_good_for_another(phone: Phone, stranger: Phone) -> None:
    phone.opens_card()
    stranger.opens_card()
    assert phone.presses("freeze", {}, X_Card_Token=stranger.token).status_code == 403


def test_a_form_of_another_site_changes_nothing(phone: Phone) -> None:
    phone.opens_card()
    path = phone.path + "freeze"
    assert phone.browser.post(path, data={"a": "b"}).status_code == 403
    answer = phone.browser.post(path, data={"a": "b"}, headers={"X-Card-Token": phone.token})
    assert answer.status_code == 415
    assert phone.browser.get(path).status_code == 405
    assert phone.state()["status"] == "active"


@pytest.mark.parametrize(
    ("data", "status"), [(b"{", 400), (b"[]", 400), (b'"x"', 400), (b"[" + b" " * 4000, 413)]
)
def test_a_body_that_is_not_ours_is_refused(phone: Phone, data: bytes, status: int) -> None:
    phone.opens_card()
    headers = {"X-Card-Token": phone.token, "Content-Type": "application/json"}
    answer = phone.browser.post(phone.path + "freeze", data=data, headers=headers)
    assert answer.status_code == status
    assert phone.state()["status"] == "active"


# ---- without a card, without Redis ----


def test_without_a_card_the_page_says_how_to_apply(phone_of: Callable[[str], Phone]) -> None:
    nobody = phone_of("oNobody")
    page = nobody.opens_card("zh-CN")
    assert "您还没有证件" in page
    assert "申请" in page
    assert nobody.asks("code").status_code == 404
    assert nobody.state() == {"change": 0, "status": "", "usable": False}
    assert nobody.asks("state?change=0").status_code == 304


def test_without_a_card_there_is_nothing_to_freeze(
    phone_of: Callable[[str], Phone], phone: Phone
) -> None:
    nobody = phone_of("oNobody")
    nobody.opens_card()
    phone.opens_card()
    path = nobody.path + "freeze"
    assert nobody.browser.post(path, json={}).status_code == 403  # that page carries no token
    assert phone.state()["status"] == "active"


def test_with_redis_down_it_says_so_and_shows_nothing(tmp_path: Path) -> None:
    platform = Platform()
    app: Flask = app_of(services_at(f"unix://{tmp_path}/none.sock"), platform)
    phone = Phone(app, platform, "oLin")
    back = phone.comes_back(platform.code_for("oLin"), phone.begins())
    phone.path = back.headers["Location"]
    page = phone.browser.get(phone.path)
    assert page.status_code == 503
    assert "服务暂时不可用" in page.text
    for what in ("code", "state", "state?change=1"):
        answer = phone.asks(what)
        assert (answer.status_code, answer.get_json()["code"]) == (503, "unavailable")
