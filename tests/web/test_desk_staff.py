"""A shared tablet: one signs in fully, colleagues take over by PIN, and nothing more by PIN."""

from __future__ import annotations

import json

import pytest

from tests.credentials.authenticator import Authenticator
from tests.web.office import PASSWORD, Office, Person, Phone, Software

PIN = "738291"


@pytest.fixture
def xiaoli(office: Office, software: Software) -> Person:
    return office.staff(software.verifier).sign_in()


@pytest.fixture
def colleague(office: Office, software: Software) -> str:
    """xiaowang, who works here too and has a desk PIN."""
    office.staff(software.verifier, "xiaowang", desk="").sign_in()
    office.services.desk_pins.put("xiaowang", PIN)
    return "xiaowang"


def take_over(tablet: Person, name: str, pin: str = PIN) -> int:
    return tablet.fill("/desk/locked", username=name, pin=pin).status_code


class TestLock:
    def test_a_locked_desk_shows_nothing(
        self, xiaoli: Person, phone: Phone, colleague: str
    ) -> None:
        xiaoli.scan(phone.show(), "internet_cafe")
        assert xiaoli.fill("/desk/lock", at="/desk").location == "/desk/locked"
        assert xiaoli.see("/desk").status_code == 303
        page = xiaoli.see("/desk/locked").text
        assert colleague in page
        assert "张" not in page

    def test_a_colleague_goes_on_and_the_log_says_who(
        self, office: Office, xiaoli: Person, phone: Phone, colleague: str
    ) -> None:
        xiaoli.fill("/desk/lock", at="/desk")
        assert take_over(xiaoli, colleague) == 303
        assert xiaoli.scan(phone.show(), "internet_cafe").status_code == 200
        assert "xiaowang" in xiaoli.see("/desk/shift").text
        (entry, *_) = office.services.audit.recent(1)
        assert (entry.kind, entry.detail["second"]) == ("signed_in", "pin")

    @pytest.mark.parametrize("pin", ["", "738292", "x" * 99])
    def test_a_wrong_pin(self, xiaoli: Person, colleague: str, pin: str) -> None:
        xiaoli.fill("/desk/lock", at="/desk")
        assert take_over(xiaoli, colleague, pin) == 401
        assert xiaoli.see("/desk").status_code == 303

    def test_the_session_that_was_locked_is_over(self, xiaoli: Person) -> None:
        cookie = xiaoli.browser.get_cookie("desk", path="/desk")
        assert cookie
        xiaoli.fill("/desk/lock", at="/desk")
        xiaoli.browser.set_cookie("desk", cookie.value, path="/desk")
        assert xiaoli.see("/desk").status_code == 303

    def test_after_signing_out_no_pin_is_asked_for(self, xiaoli: Person) -> None:
        cookie = xiaoli.browser.get_cookie("desk", path="/desk")
        assert cookie
        xiaoli.fill("/desk/sign-out", at="/desk")
        assert xiaoli.see("/desk/locked").location == "/desk/sign-in"
        xiaoli.browser.set_cookie("desk", cookie.value, path="/desk")
        assert xiaoli.see("/desk/locked").location == "/desk/sign-in"

    def test_a_browser_where_nobody_signed_in(self, office: Office, colleague: str) -> None:
        stranger = Person(
            office.app.test_client(), "desk", colleague, PASSWORD, office.services.staff
        )
        assert stranger.see("/desk/locked").location == "/desk/sign-in"
        token = stranger.csrf("/desk/sign-in")
        answer = stranger.fill("/desk/locked", username=colleague, pin=PIN, csrf_token=token)
        assert answer.location == "/desk/sign-in"
        assert stranger.see("/desk").status_code == 303

    def test_a_form_from_elsewhere(self, xiaoli: Person, colleague: str) -> None:
        xiaoli.fill("/desk/lock", at="/desk")
        answer = xiaoli.fill("/desk/locked", username=colleague, pin=PIN, csrf_token="x")
        assert answer.status_code == 400

    def test_who_left_is_not_on_the_list(
        self, office: Office, xiaoli: Person, colleague: str
    ) -> None:
        office.services.desk_pins.put("xiaoli", PIN)
        office.services.staff.disable(colleague)
        xiaoli.fill("/desk/lock", at="/desk")
        assert colleague not in xiaoli.see("/desk/locked").text
        assert take_over(xiaoli, colleague) == 401


class TestByPin:
    @pytest.fixture
    def by_pin(self, office: Office, xiaoli: Person, colleague: str) -> Person:
        """xiaowang at xiaoli's tablet; a manager by role."""
        office.services.staff.assign(colleague, role="manager")
        xiaoli.fill("/desk/lock", at="/desk")
        assert take_over(xiaoli, colleague) == 303
        return xiaoli

    @pytest.mark.parametrize("path", ["/desk/pin", "/desk/second", "/desk/password"])
    def test_how_one_signs_in_is_not_changed(self, by_pin: Person, path: str) -> None:
        assert "/desk/sign-in" in (by_pin.see(path).location or "")

    def test_a_manager_by_pin_manages_nothing(self, office: Office, by_pin: Person) -> None:
        assert by_pin.see("/desk/software").status_code == 403
        answer = by_pin.fill("/desk/team/people", at="/desk", username="mole", role="manager")
        assert answer.status_code == 403
        assert office.services.staff.get("mole") is None
        assert "You came in by PIN" in by_pin.see("/desk/team").text

    def test_no_passkey_is_planted(self, by_pin: Person) -> None:
        assert by_pin.ask("POST", "/desk/passkeys/options").status_code == 401


class TestPin:
    def test_it_is_set_after_a_full_sign_in(self, office: Office, xiaoli: Person) -> None:
        assert xiaoli.fill("/desk/pin", pin=PIN, again=PIN).status_code == 303
        assert office.services.desk_pins.those_with(["xiaoli"])
        assert office.audited()[0] == "desk_pin_set"

    @pytest.mark.parametrize(
        ("pin", "again"), [("123456", "123456"), (PIN, "738292"), ("7382", "7382"), ("", "")]
    )
    def test_what_is_no_pin(self, office: Office, xiaoli: Person, pin: str, again: str) -> None:
        assert xiaoli.fill("/desk/pin", pin=pin, again=again).status_code == 422
        assert not office.services.desk_pins.those_with(["xiaoli"])


class TestPasskey:
    def test_both_factors_at_once(self, secured: Person, device: Authenticator) -> None:
        secured.fill("/desk/sign-out", at="/desk")
        answer = enter(secured, device)
        assert answer == {"to": "/desk/shift"}
        assert secured.see("/desk").status_code == 200

    def test_the_password_alone_opens_nothing_any_more(self, secured: Person) -> None:
        secured.fill("/desk/sign-out", at="/desk")
        assert "/desk/code" in (secured.try_to_sign_in(PASSWORD).location or "")
        assert secured.see("/desk").status_code == 303
        assert secured.fill("/desk/code", code="000000").status_code == 401

    def test_another_origin(self, secured: Person, device: Authenticator) -> None:
        secured.fill("/desk/sign-out", at="/desk")
        device.origin = "https://evil.example"
        assert enter(secured, device) == "passkey_refused"
        assert secured.see("/desk").status_code == 303

    def test_who_left(self, secured: Person, device: Authenticator, office: Office) -> None:
        secured.fill("/desk/sign-out", at="/desk")
        office.services.staff.disable("xiaoli")
        assert enter(secured, device) == "disabled"

    def test_a_one_time_password_plants_no_passkey(
        self, secure_office: Office, software: Software
    ) -> None:
        fresh = secure_office.staff(software.verifier, "fresh")
        assert fresh.try_to_sign_in(fresh.password).status_code == 303
        token = fresh.csrf("/desk/password")
        headers = {"X-CSRF-Token": token, "Accept": "application/json"}
        for path in ("/desk/passkeys/options", "/desk/passkeys"):
            assert fresh.browser.post(path, headers=headers, data="{}").status_code == 302

    def test_a_manager_takes_a_lost_one_away(
        self, secured: Person, secure_office: Office, software: Software
    ) -> None:
        boss = secure_office.staff(software.verifier, "boss").sign_in()
        secure_office.services.staff.assign("boss", role="manager")
        boss.sign_in()
        assert boss.fill("/desk/team/people/xiaoli/second", at="/desk/team").status_code == 303
        secured.fill("/desk/sign-out", at="/desk")
        assert secured.try_to_sign_in(PASSWORD).location == "/desk"


@pytest.fixture
def secure_office(office: Office) -> Office:
    """The same, at an address that browsers make passkeys for."""
    return Office(office.services.redis, address="https://card.example")


@pytest.fixture
def device() -> Authenticator:
    return Authenticator("https://card.example", "card.example")


@pytest.fixture
def secured(secure_office: Office, software: Software, device: Authenticator) -> Person:
    """xiaoli, with a passkey."""
    person = secure_office.staff(software.verifier)
    person.browser.environ_base["wsgi.url_scheme"] = "https"
    person.sign_in()
    options = person.ask("POST", "/desk/passkeys/options").text
    made = person.ask(
        "POST", "/desk/passkeys", data=device.make(options), headers={"X-Passkey-Name": "%E5%B9%B3"}
    )
    assert made.get_json() == {"kept": True}
    assert "平" in person.see("/desk/second").text
    return person


def enter(person: Person, device: Authenticator) -> object:
    """What the page's script does; where it leads, or the refusal's code."""
    headers = {"X-CSRF-Token": person.csrf("/desk/sign-in"), "Accept": "application/json"}
    options = person.browser.post("/desk/passkey/options", headers=headers).text
    answer = person.browser.post(
        "/desk/passkey?next=/desk/shift", headers=headers, data=device.open(options)
    )
    told = json.loads(answer.text)
    return told if answer.status_code == 200 else told["code"]
