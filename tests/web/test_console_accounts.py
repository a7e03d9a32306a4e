"""Operators' accounts: second factor, sessions, roles, the audit and exports."""

from __future__ import annotations

import functools
import hashlib
import re

import pyotp
import pytest
import redis

from credentials.second_factor import SecondFactors
from tests.web.office import PASSWORD, Office, Person

WHY = "joins the night shift"
NOW = 1_800_000_015  # in the middle of a half minute; codes are told by no other time here


@pytest.fixture
def office(database: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Office:
    stands = functools.partial(SecondFactors, clock=lambda: NOW)
    monkeypatch.setattr("web.console.SecondFactors", stands)
    return Office(database)


@pytest.fixture
def admin(office: Office) -> Person:
    return office.operator("admin", "adam").sign_in()


@pytest.fixture
def viewer(office: Office) -> Person:
    return office.operator("viewer", "vera").sign_in()


def offered(person: Person) -> pyotp.TOTP:
    """The app, with the secret that the page shows."""
    found = re.search(r'id="secret">([A-Z2-7]+)<', person.see("/console/second").text)
    assert found
    return pyotp.TOTP(found[1])


def wrong(app: pyotp.TOTP) -> str:
    """Six digits that are the app's neither now nor beside it."""
    right = {app.at(NOW + beside) for beside in (-30, 0, 30)}
    return next(digits for digits in map("{:06}".format, range(4)) if digits not in right)


def enrol(person: Person) -> tuple[pyotp.TOTP, list[str]]:
    """Set up a second factor; gives the app and the recovery codes."""
    app = offered(person)
    page = person.fill("/console/second", code=app.at(NOW - 30)).text
    codes = re.findall(r"<li>([0-9a-f]{4}-[0-9a-f]{6})</li>", page)
    assert len(codes) == 8
    return app, codes


def sign_in_again(person: Person, code: str) -> int:
    person.browser.delete_cookie("console", path="/console")
    assert person.try_to_sign_in(PASSWORD).location == "/console/code?next=/console"
    assert person.see("/console").status_code == 303  # the password alone opens nothing
    return person.fill("/console/code", code=code).status_code


class TestSecondFactor:
    def test_a_code_of_the_app_opens_once(self, viewer: Person) -> None:
        app, _ = enrol(viewer)
        assert sign_in_again(viewer, app.at(NOW)) == 303
        assert viewer.see("/console").status_code == 200
        assert sign_in_again(viewer, app.at(NOW)) == 401  # the same code again

    def test_a_recovery_code_opens_once(self, viewer: Person) -> None:
        _, codes = enrol(viewer)
        assert sign_in_again(viewer, codes[0]) == 303
        assert sign_in_again(viewer, codes[0]) == 401
        assert sign_in_again(viewer, codes[1]) == 303

    def test_a_second_press_of_the_button_shows_the_codes_that_count(
        self, office: Office, viewer: Person
    ) -> None:
        app, codes = enrol(viewer)
        page = viewer.fill("/console/second", code=app.at(NOW - 30))
        assert re.findall(r"<li>([0-9a-f]{4}-[0-9a-f]{6})</li>", page.text) == codes
        assert office.audited().count("second_factor_set") == 1
        for code in (app.at(NOW), wrong(app), codes[0], ""):
            page = viewer.fill("/console/second", code=code)
            assert (page.status_code, codes[1] in page.text) == (409, False)
        assert sign_in_again(viewer, codes[0]) == 303
        viewer.fill("/console/second", code=app.at(NOW - 30))
        assert sign_in_again(viewer, codes[0]) == 401  # shown again, and not good again
        assert sign_in_again(viewer, app.at(NOW)) == 303
        page = viewer.fill("/console/second", code=app.at(NOW - 30))
        assert (page.status_code, codes[1] in page.text) == (409, False)

    def test_a_recovery_code_cannot_be_found_from_what_is_kept(
        self, office: Office, viewer: Person
    ) -> None:
        _, codes = enrol(viewer)
        kept = office.services.redis.hget("{a2:operator:vera}", "r")
        assert isinstance(kept, bytes)
        for digest in (hashlib.sha256, hashlib.sha1, hashlib.md5):
            assert digest(codes[0].encode()).hexdigest()[:32] not in kept.decode()
        assert len(set(kept.decode().split(","))) == len(codes)

    def test_what_a_password_opened_is_over_with_the_code(
        self, office: Office, viewer: Person
    ) -> None:
        app, codes = enrol(viewer)
        sign_in_again(viewer, wrong(app))
        assert list(office.services.redis.scan_iter("{s2:console:*"))
        assert viewer.fill("/console/code", code=codes[0]).status_code == 303
        assert list(office.services.redis.scan_iter("{s2:console:*")) == []

    @pytest.mark.parametrize("code", ["", "12345", "１２３４５６", "x" * 400, "0000-000000"])
    def test_a_wrong_code(self, viewer: Person, code: str) -> None:
        app, _ = enrol(viewer)
        assert sign_in_again(viewer, code) == 401
        assert sign_in_again(viewer, wrong(app)) == 401

    def test_five_wrong_codes_lock(self, viewer: Person) -> None:
        app, _ = enrol(viewer)
        for _ in range(5):
            sign_in_again(viewer, wrong(app))
        assert sign_in_again(viewer, app.at(NOW)) == 429

    def test_a_wrong_first_code_sets_nothing_up(self, office: Office, viewer: Person) -> None:
        code = wrong(offered(viewer))
        assert viewer.fill("/console/second", code=code).status_code == 422
        assert "second_factor_set" not in office.audited()
        assert viewer.try_to_sign_in(PASSWORD).location == "/console"

    def test_the_code_page_without_a_password(self, office: Office) -> None:
        stranger = office.operator("viewer", "vic")
        assert stranger.see("/console/code").location == "/console/sign-in"

    def test_the_secret_is_not_in_redis(self, office: Office, viewer: Person) -> None:
        app, codes = enrol(viewer)
        for key in office.services.redis.scan_iter(match="{a2:*"):
            kept = str(office.services.redis.hgetall(key))
            assert app.secret not in kept
            assert codes[0] not in kept

    def test_an_admin_takes_a_lost_one_away(self, viewer: Person, admin: Person) -> None:
        enrol(viewer)
        answer = admin.fill("/console/team/vera/second", "/console/team", reason="phone is lost")
        assert answer.status_code == 303
        assert viewer.try_to_sign_in(PASSWORD).location == "/console"

    def test_whoever_waits_for_that_at_the_code_page(self, viewer: Person, admin: Person) -> None:
        enrol(viewer)
        viewer.browser.delete_cookie("console", path="/console")
        viewer.try_to_sign_in(PASSWORD)
        token = viewer.csrf("/console/code")
        admin.fill("/console/team/vera/second", "/console/team", reason="phone is lost")
        assert viewer.see("/console/code").location == "/console/sign-in"
        answer = viewer.fill("/console/code", code="123456", csrf_token=token)
        assert answer.location == "/console/sign-in"
        assert viewer.see("/console").status_code == 303
        assert viewer.try_to_sign_in(PASSWORD).location == "/console"


class TestAccounts:
    def test_an_operator_is_added(self, office: Office, admin: Person) -> None:
        page = admin.fill("/console/team", username="nora", role="reviewer", reason=WHY).text
        found = re.search(r'id="one-time">([^<]+)<', page)
        assert found
        assert office.services.operators.sign_in("nora", found[1]).role == "reviewer"
        entry = next(use for use in office.services.audit.recent(5) if use.kind == "operator_added")
        assert (entry.detail["by"], entry.detail["reason"]) == ("operator:adam", WHY)

    @pytest.mark.parametrize(
        "fields",
        [
            {"username": "x", "role": "viewer", "reason": WHY},
            {"username": "adam", "role": "viewer", "reason": WHY},
            {"username": "nora", "role": "king", "reason": WHY},
            {"username": "nora", "role": "viewer", "reason": ""},
        ],
    )
    def test_what_is_no_account(
        self, office: Office, admin: Person, fields: dict[str, str]
    ) -> None:
        assert admin.fill("/console/team", **fields).status_code == 422
        assert "operator_added" not in office.audited()

    @pytest.mark.usefixtures("admin")
    @pytest.mark.parametrize("action", ["role", "reset", "second", "disable", "explode"])
    def test_not_for_a_viewer(self, office: Office, viewer: Person, action: str) -> None:
        path = f"/console/team/adam/{action}"
        answer = viewer.fill(path, "/console/team", role="viewer", reason=WHY)
        assert answer.status_code == 403
        assert office.audited()[0] == "action_refused"
        assert office.services.operators.get("adam").role == "admin"  # type: ignore[union-attr]

    @pytest.mark.parametrize("action", ["role", "reset", "disable", "second"])
    @pytest.mark.parametrize("name", ["adam", "Adam", "ＡＤＡＭ", "%20adam"])
    def test_not_to_oneself(self, office: Office, admin: Person, name: str, action: str) -> None:
        path = f"/console/team/{name}/{action}"
        assert admin.fill(path, "/console/team", role="viewer", reason=WHY).status_code == 422
        assert f"operator_{action}" not in office.audited()
        assert admin.see("/console").status_code == 200

    def test_a_role_that_is_none(self, office: Office, admin: Person, viewer: Person) -> None:
        path = "/console/team/vera/role"
        assert admin.fill(path, "/console/team", role="king", reason=WHY).status_code == 422
        assert "operator_role" not in office.audited()
        assert viewer.see("/console").status_code == 200

    def test_one_session_by_another_way_of_writing_the_name(
        self, admin: Person, viewer: Person
    ) -> None:
        page = viewer.see("/console/team").text
        (mine,) = re.findall(r'vera/session".*?name="session" value="(\w+)"', page, re.S)
        path = "/console/team/VERA/session"
        assert viewer.fill(path, "/console/team", session=mine).status_code == 303
        assert viewer.see("/console").status_code == 303
        assert admin.see("/console").status_code == 200

    def test_what_was_given_stays_in_the_form(self, office: Office, admin: Person) -> None:
        office.operator("viewer", "vera")
        given = {"username": "nora k", "role": "reviewer", "reason": WHY}
        page = admin.fill("/console/team", **given).text
        adding = page.partition('name="username"')[2]
        assert 'value="nora k"' in adding
        assert '<option value="reviewer" selected>' in adding
        assert f'value="{WHY}"' in adding
        assert 'action="/console/team"' in page
        path = "/console/team/vera/role"
        page = admin.fill(path, "/console/team", role="reviewer", reason="no").text
        changing = page.partition(path)[2].partition("</form>")[0]
        assert '<option value="reviewer" selected>' in changing
        assert 'value="no"' in changing
        assert page.count('<details class="action" open>') == page.count('value="no"') == 1
        assert 'data-here="/console/team"' in page

    def test_a_role_ends_the_sessions(self, admin: Person, viewer: Person) -> None:
        admin.fill("/console/team/vera/role", "/console/team", role="reviewer", reason=WHY)
        assert viewer.see("/console").status_code == 303

    def test_sessions_are_listed_and_ended(self, admin: Person, viewer: Person) -> None:
        page = admin.see("/console/team").text
        mine, *_ = re.findall(r'vera/session".*?name="session" value="(\w+)"', page, re.S)
        admin.fill("/console/team/vera/session", "/console/team", session=mine)
        assert viewer.see("/console").status_code == 303
        assert admin.see("/console").status_code == 200

    def test_nobody_of_that_name(self, admin: Person) -> None:
        assert admin.fill("/console/team/zoe/reset", "/console/team", reason=WHY).status_code == 404


class TestExports:
    @pytest.mark.parametrize("path", ["live.csv", "verifications.csv", "flow.csv", "audit.csv"])
    def test_a_file_and_its_entry(self, office: Office, admin: Person, path: str) -> None:
        answer = admin.see(f"/console/{path}")
        assert (answer.status_code, answer.mimetype) == (200, "text/csv")
        assert office.audited()[0] == "exported"

    @pytest.mark.parametrize("path", ["live.csv", "verifications.csv", "flow.csv", "audit.csv"])
    def test_not_for_a_viewer(self, office: Office, viewer: Person, path: str) -> None:
        assert viewer.see(f"/console/{path}").status_code == 403
        assert office.audited()[0] == "action_refused"

    def test_no_cell_is_a_formula(self, office: Office, admin: Person) -> None:
        office.software(name="=HYPERLINK(1)")
        assert "\n=" not in admin.see("/console/verifications.csv").text
