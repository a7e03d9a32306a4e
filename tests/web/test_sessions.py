"""Signing in: what lets somebody in, what keeps the rest out, and what ends it."""

from __future__ import annotations

import dataclasses
import math
import re
import time
from pathlib import Path

import pytest
import redis
from itsdangerous import TimestampSigner

from credentials import keyring
from credentials.connection import connect
from tests.web.office import PASSWORD, Office, Person, Software
from web.sessions import IDLE_S, SHIFT_S, own_path
from web.sign_in import TRIES_PER_ADDRESS

AREAS = ["desk", "console"]


@pytest.fixture(params=AREAS)
def newcomer(request: pytest.FixtureRequest, office: Office, software: Software) -> Person:
    """Somebody with a one-time password, in each area."""
    if request.param == "desk":
        return office.staff(software.verifier)
    return office.operator("admin")


@pytest.fixture
def person(newcomer: Person) -> Person:
    """The same, signed in with their own password."""
    return newcomer.sign_in()


def test_the_first_page_is_the_sign_in_page(newcomer: Person) -> None:
    answer = newcomer.see(f"/{newcomer.area}")
    assert answer.status_code == 303
    assert answer.location == f"/{newcomer.area}/sign-in?next=/{newcomer.area}"


def test_a_one_time_password_opens_only_the_page_that_replaces_it(newcomer: Person) -> None:
    area = newcomer.area
    assert newcomer.try_to_sign_in(newcomer.password).status_code == 303
    for path in (f"/{area}", f"/{area}/today", f"/{area}/verifiers", f"/{area}/cards"):
        assert newcomer.see(path).status_code in {302, 404}
    done = newcomer.fill(f"/{area}/password", new=PASSWORD, again=PASSWORD)
    assert done.location == f"/{area}"
    assert newcomer.see(f"/{area}").status_code == 200


def test_the_one_time_password_works_once(office: Office, person: Person) -> None:
    again = office.operator("viewer", "second")
    again.sign_in()
    assert again.fill("/console/sign-out", at="/console").status_code == 303
    assert again.try_to_sign_in("the one-time one").status_code == 401


def test_weak_passwords_are_refused(office: Office, software: Software) -> None:
    staff = office.staff(software.verifier)
    staff.try_to_sign_in(staff.password)
    for new, again, said in (
        ("short", "short", "at least 10 characters"),
        ("", "", "at least 10 characters"),
        ("x" * 300, "x" * 300, "at most 256"),
        ("aaaaaaaaaaaa", "aaaaaaaaaaaa", "too easy"),
        ("1234567890", "1234567890", "too easy"),
        ("my xiaoli password", "my xiaoli password", "too easy"),
        ("a harbour in the fog", "a harbour in the dog", "differ"),
        (staff.password, staff.password, "must differ"),
    ):
        answer = staff.fill("/desk/password", new=new, again=again)
        assert answer.status_code == 422
        assert said in answer.text
    assert staff.see("/desk").status_code == 302


def test_a_wrong_password(newcomer: Person) -> None:
    for password in ("", "wrong", "x" * 5000, "密码不对\x00"):
        answer = newcomer.try_to_sign_in(password)
        assert answer.status_code == 401
        assert "tries are left" in answer.text


def test_nobody_learns_which_names_exist(newcomer: Person) -> None:
    known = newcomer.try_to_sign_in("wrong").text
    newcomer.username = "nobody-by-this-name"
    unknown = newcomer.try_to_sign_in("wrong").text
    notice = re.compile(r'role="alert".*?</p>', re.DOTALL)
    assert notice.findall(known) == notice.findall(unknown) != []


def test_five_wrong_passwords_lock_also_the_right_one_out(newcomer: Person) -> None:
    for _ in range(4):
        assert newcomer.try_to_sign_in("wrong").status_code == 401
    assert newcomer.try_to_sign_in("wrong").status_code == 429
    answer = newcomer.try_to_sign_in(newcomer.password)
    assert answer.status_code == 429
    assert "minutes" in answer.text
    assert newcomer.see(f"/{newcomer.area}").status_code == 303


def test_one_address_cannot_try_every_name(office: Office) -> None:
    for _ in range(TRIES_PER_ADDRESS):
        allowance = office.services.limits.attempt(
            "sign_in_address", "console:127.0.0.1", TRIES_PER_ADDRESS, 60, 60
        )
        assert allowance.allowed
    answer = office.operator().try_to_sign_in("wrong")
    assert answer.status_code == 429
    assert "Wait a minute" in answer.text


def test_an_account_of_one_area_is_none_of_the_other(office: Office, software: Software) -> None:
    staff = office.staff(software.verifier)
    operator = office.operator("admin")
    staff.area, operator.area = operator.area, staff.area
    assert staff.try_to_sign_in(staff.password).status_code == 401
    assert operator.try_to_sign_in(operator.password).status_code == 401


def test_a_cookie_of_one_area_opens_nothing_in_the_other(person: Person) -> None:
    other = next(area for area in AREAS if area != person.area)
    cookie = person.browser.get_cookie(person.area, path=f"/{person.area}")
    assert cookie is not None
    person.browser.set_cookie(other, cookie.value, path=f"/{other}")
    assert person.see(f"/{other}").status_code == 303


class TestCookie:
    def test_it_is_kept_from_scripts_and_from_other_paths(self, newcomer: Person) -> None:
        header = newcomer.try_to_sign_in(newcomer.password).headers["Set-Cookie"]
        assert header.startswith(f"{newcomer.area}=")
        assert "HttpOnly" in header
        assert "SameSite=Lax" in header
        assert f"Path=/{newcomer.area}" in header
        assert "Secure" not in header

    def test_on_https_it_goes_nowhere_else(self, database: redis.Redis) -> None:
        operator = Office(database, address="https://card.example.gov.cn").operator()
        header = operator.see("/console/sign-in").headers["Set-Cookie"]
        assert "Secure" in header

    def test_a_session_planted_before_sign_in_is_not_the_one_after(self, newcomer: Person) -> None:
        path = f"/{newcomer.area}"
        planted_token = newcomer.csrf(f"{path}/sign-in")
        planted = newcomer.browser.get_cookie(newcomer.area, path=path)
        newcomer.sign_in()
        signed_in = newcomer.browser.get_cookie(newcomer.area, path=path)
        assert planted is not None
        assert signed_in is not None
        assert planted.value != signed_in.value
        refused = newcomer.fill(f"{path}/sign-out", csrf_token=planted_token)
        assert refused.status_code == 400
        newcomer.browser.set_cookie(newcomer.area, planted.value, path=path)
        assert newcomer.see(path).status_code == 303

    def test_a_changed_cookie_is_none(self, person: Person) -> None:
        path = f"/{person.area}"
        cookie = person.browser.get_cookie(person.area, path=path)
        assert cookie is not None
        for value in (cookie.value + "x", cookie.value + ".x", cookie.value[:-2], "", "é"):
            person.browser.set_cookie(person.area, value, path=path)
            assert person.see(path).status_code == 303


class TestEnding:
    @pytest.mark.parametrize("signed_in", ["before", "after"])
    def test_it_holds_where_another_server_had_a_new_key_first(
        self, database: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signed_in: str
    ) -> None:
        monkeypatch.setattr(keyring, "LOOK_SECONDS", math.inf)
        path = tmp_path / "keys"
        keyring.make_file(path)
        first, second = (
            Office(database, keyring=keyring.Keyring.from_file(path)) for _ in range(2)
        )
        person = first.operator("admin")
        if signed_in == "before":  # then the cookie is of the old key, and only the token is not
            person.sign_in()
        keyring.rotate_file(path)
        first.services.keyring.refresh()
        token = (person if signed_in == "before" else person.sign_in()).csrf("/console")
        cookie = person.browser.get_cookie("console", path="/console")
        assert cookie is not None
        there = second.app.test_client()
        there.set_cookie("console", cookie.value, path="/console")
        sent = there.post("/console/sign-out", data={"csrf_token": token})
        assert (sent.status_code, sent.location) == (303, "/console/sign-in")

    def test_signing_out_ends_a_copied_cookie(self, person: Person) -> None:
        path = f"/{person.area}"
        copied = person.browser.get_cookie(person.area, path=path)
        assert person.fill(f"{path}/sign-out", at=path).status_code == 303
        assert copied is not None
        person.browser.set_cookie(person.area, copied.value, path=path)
        assert person.see(path).status_code == 303

    def test_a_new_password_ends_every_session(self, person: Person) -> None:
        person.accounts.set_password(person.username, "another long sentence")
        assert person.see(f"/{person.area}").status_code == 303

    def test_leaving_staff_are_out_at_once(self, person: Person) -> None:
        person.accounts.disable(person.username)
        assert person.see(f"/{person.area}").status_code == 303

    def test_an_hour_without_a_request(self, office: Office, person: Person) -> None:
        (key,) = office.services.redis.keys("{s:*")
        assert 0 < office.services.redis.ttl(key) <= IDLE_S
        office.services.redis.delete(key)
        assert person.see(f"/{person.area}").status_code == 303

    def test_a_shift(self, office: Office, person: Person) -> None:
        (key,) = office.services.redis.keys("{s:*")
        began = time.time() - SHIFT_S - 1
        office.services.redis.set(key, f"{began:.0f} 2 full {person.username}")
        assert person.see(f"/{person.area}").status_code == 303

    @pytest.mark.parametrize("hours", [-1, 1, 24 * 400])
    def test_the_clock_of_the_server_that_wrote_the_cookie_ends_nothing(
        self, newcomer: Person, monkeypatch: pytest.MonkeyPatch, hours: int
    ) -> None:
        path = f"/{newcomer.area}"
        now = TimestampSigner.get_timestamp
        with monkeypatch.context() as there:
            there.setattr(TimestampSigner, "get_timestamp", lambda self: now(self) + hours * 3600)
            person = newcomer.sign_in()
            token = person.csrf(path)
        assert person.see(path).status_code == 200
        sent = person.browser.post(f"{path}/sign-out", data={"csrf_token": token})
        assert sent.status_code == 303

    def test_what_was_sent_too_late_is_said_to_be_not_done(
        self, office: Office, person: Person
    ) -> None:
        tokens = {path: person.csrf(f"/{person.area}") for path in ("second", "sign-out")}
        for key in office.services.redis.scan_iter("{s:*"):
            office.services.redis.delete(key)
        late = person.fill(f"/{person.area}/second", code="1", csrf_token=tokens["second"])
        assert late.status_code == 303
        page = person.see(late.location)
        assert page.status_code == 200
        assert "what you sent was not done" in page.text
        left = person.fill(f"/{person.area}/sign-out", csrf_token=tokens["sign-out"])
        assert left.location == f"/{person.area}/sign-in"

    def test_a_script_is_told_to_sign_in(self, person: Person) -> None:
        person.accounts.end_sessions(person.username)
        answer = person.browser.get(f"/{person.area}", headers={"Accept": "application/json"})
        assert answer.status_code == 401
        assert answer.get_json()["code"] == "unauthenticated"


class TestOneSOwnPassword:
    NEW = "three herons on the ferry"

    def test_it_is_changed_by_whoever_knows_it(self, office: Office, person: Person) -> None:
        elsewhere = dataclasses.replace(person, browser=office.app.test_client())
        elsewhere.try_to_sign_in(PASSWORD)
        path = f"/{person.area}/password"
        done = person.fill(path, present=PASSWORD, new=self.NEW, again=self.NEW)
        assert done.location == f"/{person.area}"
        assert person.see(f"/{person.area}").status_code == 200
        assert elsewhere.see(f"/{person.area}").status_code == 303
        assert elsewhere.try_to_sign_in(PASSWORD).status_code == 401
        assert elsewhere.try_to_sign_in(self.NEW).status_code == 303
        assert office.audited().count("password_set") == 2

    @pytest.mark.parametrize("present", [{}, {"present": ""}, {"present": "a guess of a guest"}])
    def test_a_session_left_open_does_not_change_it(
        self, person: Person, present: dict[str, str]
    ) -> None:
        path = f"/{person.area}/password"
        answer = person.fill(path, new=self.NEW, again=self.NEW, **present)
        assert answer.status_code == 401
        assert "not your present password; 4 tries are left" in answer.text
        assert person.try_to_sign_in(self.NEW).status_code == 401

    def test_guesses_lock_it(self, person: Person) -> None:
        path = f"/{person.area}/password"
        codes = [
            person.fill(path, present=f"guess {n}", new=self.NEW, again=self.NEW).status_code
            for n in range(5)
        ]
        assert codes == [401, 401, 401, 401, 429]
        answer = person.fill(path, present=PASSWORD, new=self.NEW, again=self.NEW)
        assert answer.status_code == 429
        assert "locked" in answer.text

    def test_a_bad_new_one_costs_no_guess(self, person: Person) -> None:
        path = f"/{person.area}/password"
        for new in ("short", PASSWORD):
            assert person.fill(path, present=PASSWORD, new=new, again=new).status_code == 422
        answer = person.fill(path, present="a guess", new=self.NEW, again=self.NEW)
        assert "4 tries are left" in answer.text

    def test_the_way_to_it_is_shown(self, person: Person) -> None:
        place = "team" if person.area == "console" else "second"
        assert f'href="/{person.area}/password"' in person.see(f"/{person.area}/{place}").text
        assert 'name="present"' in person.see(f"/{person.area}/password").text

    def test_a_one_time_password_is_not_asked_for_again(self, newcomer: Person) -> None:
        newcomer.try_to_sign_in(newcomer.password)
        assert 'name="present"' not in newcomer.see(f"/{newcomer.area}/password").text


class TestForgedForms:
    def test_signing_in_without_the_token(self, newcomer: Person) -> None:
        fields = {"username": newcomer.username, "password": newcomer.password}
        answer = newcomer.browser.post(f"/{newcomer.area}/sign-in", data=fields)
        assert answer.status_code == 400
        assert newcomer.see(f"/{newcomer.area}").status_code == 303

    def test_signing_out_with_a_wrong_token(self, person: Person) -> None:
        path = f"/{person.area}"
        for token in ("", "x", "IjEi.YQ.x"):
            answer = person.browser.post(f"{path}/sign-out", data={"csrf_token": token})
            assert answer.status_code == 400
        assert person.see(path).status_code == 200

    def test_another_sessions_token(self, office: Office, person: Person) -> None:
        other = office.operator("admin", "other").sign_in()
        token = other.csrf("/console")
        answer = person.browser.post(f"/{person.area}/sign-out", data={"csrf_token": token})
        assert answer.status_code == 400

    def test_a_setting_without_the_token(self, newcomer: Person) -> None:
        newcomer.try_to_sign_in(newcomer.password)
        fields = {"new": PASSWORD, "again": PASSWORD}
        answer = newcomer.browser.post(f"/{newcomer.area}/password", data=fields)
        assert answer.status_code == 400


class TestRedirects:
    @pytest.mark.parametrize(
        "target",
        [
            "https://evil.example", "//evil.example", "/\\evil.example", "/desk//evil.example",
            "/deskevil", "javascript:alert(1)", "/console", "/desk/../console", "/desk\n/x",
            "\x00/desk", "/desk/" + "a" * 400, "/desk\\x", "", "/desk/é",
        ],
    )  # fmt: skip
    def test_nobody_is_sent_elsewhere(self, target: str) -> None:
        assert own_path(target, "desk") == "/desk"

    def test_nor_by_the_form(self, newcomer: Person) -> None:
        answer = newcomer.try_to_sign_in(newcomer.password, next="//evil.example")
        assert answer.location == f"/{newcomer.area}"

    def test_an_own_path_is_kept(self) -> None:
        path = "/console/verifications?state=denied&q=%E6%B5%B7"
        assert own_path(path, "console") == path

    def test_one_comes_back_to_where_one_was_going(self, office: Office) -> None:
        operator = office.operator().sign_in()
        operator.fill("/console/sign-out", at="/console")
        asked = operator.see("/console/verifications?state=denied")
        assert asked.location == "/console/sign-in?next=/console/verifications?state%3Ddenied"
        page = operator.browser.get(asked.location).text
        assert 'name="next" value="/console/verifications?state=denied"' in page


def test_pages_cannot_be_framed_or_kept(person: Person) -> None:
    answer = person.see(f"/{person.area}")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"


def test_signing_in_is_audited(office: Office, person: Person) -> None:
    assert office.audited()[:2] == ["password_set", "signed_in"]


def test_a_user_name_with_markup_is_text(newcomer: Person) -> None:
    newcomer.username = '"><script>alert(1)</script>'
    answer = newcomer.try_to_sign_in("wrong")
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_without_redis_a_sentence_says_so(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def waits(_: float) -> None:
        pytest.fail("somebody waited for a Redis that is not there")

    for sleep in ("time.sleep", "redis.retry.sleep"):
        monkeypatch.setattr(sleep, waits)
    blind = Office(connect("unix:///nowhere/redis.sock"))
    client = blind.app.test_client()
    cookie = person.browser.get_cookie(person.area, path=f"/{person.area}")
    assert cookie is not None
    client.set_cookie(person.area, cookie.value, path=f"/{person.area}")
    answer = client.get(f"/{person.area}", headers={"Accept-Language": "en"})
    assert answer.status_code == 503
    assert "nothing was disclosed" in answer.text
