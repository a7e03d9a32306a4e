"""A shared tablet in a real Chromium: it locks itself, a PIN opens it, and passkeys sign in."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

import pytest
import redis
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route
from werkzeug.serving import make_server

from tests.serving import whole
from tests.web.office import PASSWORD, Office, Phone, Software
from tests.web.test_in_browser import address, open_desk, page, scan, shows, sign_in

__all__ = ["address", "page"]

pytestmark = pytest.mark.browser
PIN = "738291"
SHOTS = os.environ.get("SHOTS", "")
SIZES = ((390, 844), (1280, 800))


@pytest.fixture
def colleague(office: Office, software: Software) -> None:
    office.staff(software.verifier, "xiaowang", desk="").sign_in()
    office.services.desk_pins.put("xiaowang", PIN)


def looked_at(page: Page, name: str) -> None:
    """No finding of axe; and pictures to look at, where they are asked for."""
    report = Axe().run(page)
    assert report.violations_count == 0, report.generate_report()
    for width, height in SIZES if SHOTS else ():
        page.set_viewport_size({"width": width, "height": height})
        page.screenshot(path=f"{SHOTS}/{name}-{width}.png")


@pytest.mark.usefixtures("colleague")
def test_one_key_locks_and_a_pin_opens(
    office: Office, phone: Phone, software: Software, address: str, page: Page
) -> None:
    open_desk(page, office, software, address, "hotel")
    scan(page, phone.show("hotel"))
    shows(page, "accepted")
    page.keyboard.press("F9")
    page.wait_for_url("**/desk/locked")
    assert "张三丰" not in page.content()
    page.go_back()
    page.wait_for_url("**/desk/**")
    assert "张三丰" not in page.content()
    page.goto(f"{address}/desk/locked")
    page.fill("#pin", "000000")
    page.keyboard.press("Enter")
    page.wait_for_selector("#error")
    looked_at(page, "locked")
    page.fill("#pin", PIN)
    page.keyboard.press("Enter")
    page.wait_for_selector("header.bar")
    shows(page, "ready")  # nobody chooses purpose and desk again
    assert "xiaowang" in page.inner_text(".bar-user")
    assert page.inner_text("#purpose-name") == "Hotel check-in"
    scan(page, phone.show("hotel"))
    shows(page, "accepted")


def test_a_code_scanned_before_the_script_came_is_put_into_no_address(
    office: Office, phone: Phone, software: Software, address: str, page: Page
) -> None:
    """A slow network, and a receptionist who is faster: the code waits in its field."""
    office.staff(software.verifier)
    office.services.staff.set_password("xiaoli", PASSWORD)
    late: list[Route] = []
    page.route("**/static/desk.js*", lambda route: late.append(route))  # noqa: PLW0108 Playwright wants a function of Python's
    with page.expect_request("**/static/desk.js*"):
        sign_in(page, address, "desk", "xiaoli")
    shows(page, "starting")
    code = phone.show("hotel")
    page.click("#code")
    scan(page, code)
    assert page.url == f"{address}/desk"
    assert page.input_value("#code") == code
    late[0].continue_()
    page.check("dialog input[value=hotel]")
    page.click("dialog .button.main")
    page.press("#code", "Enter")
    shows(page, "accepted")


@pytest.mark.usefixtures("colleague")
def test_a_desk_that_nobody_touches_locks_itself(
    office: Office, phone: Phone, software: Software, address: str, page: Page
) -> None:
    page.clock.install()
    open_desk(page, office, software, address, "hotel")
    scan(page, phone.show("hotel"))
    shows(page, "accepted")
    page.clock.pause_at(page.evaluate("Date.now() / 1000 + 30"))  # ahead of whatever it is by then
    for _ in range(2):
        page.keyboard.press("Shift")
        page.clock.fast_forward("04:59")
        shows(page, "accepted")
    page.clock.fast_forward("00:02")
    page.wait_for_url("**/desk/locked")


@pytest.mark.usefixtures("colleague")
def test_a_network_that_is_back_before_the_lock_has_failed_locks(
    office: Office, software: Software, address: str, page: Page
) -> None:
    open_desk(page, office, software, address, "hotel")
    shows(page, "ready")
    late: list[Route] = []
    page.route("**/desk/lock", lambda route: late.append(route), times=1)  # noqa: PLW0108 Playwright wants a function of Python's
    with page.expect_request("**/desk/lock"):
        page.keyboard.press("F9")
    page.wait_for_selector("dialog#locked[open]")
    page.context.set_offline(True)
    page.context.set_offline(False)
    late[0].abort()  # nobody says any more that there is a network again
    page.wait_for_url("**/desk/locked")


@pytest.mark.usefixtures("colleague")
def test_without_a_network_a_locked_desk_stays_covered(
    office: Office, phone: Phone, software: Software, address: str, page: Page
) -> None:
    open_desk(page, office, software, address, "hotel")
    scan(page, phone.show("hotel"))
    shows(page, "accepted")
    page.context.set_offline(True)
    page.keyboard.press("F9")
    page.wait_for_selector("dialog#locked[open]")
    assert page.inner_text("#fields") == ""
    page.keyboard.press("Escape")
    assert page.is_visible("dialog#locked")
    assert not page.is_visible("#stage")
    page.context.set_offline(False)
    page.wait_for_url("**/desk/locked")


def test_a_passkey_is_made_and_signs_in(database: redis.Redis, page: Page) -> None:
    with served(database) as (office, place):
        verifier, _ = office.services.verifiers.add("Seaside Hotel", ["hotel"])
        office.staff(verifier)
        office.services.staff.set_password("xiaoli", PASSWORD)
        devtools = page.context.new_cdp_session(page)
        devtools.send("WebAuthn.enable")
        device = {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
            "hasUserVerification": True, "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }  # fmt: skip
        added = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": device})
        sign_in(page, place, "desk", "xiaoli")
        page.goto(f"{place}/desk/second")
        looked_at(page, "second")
        page.fill("#passkey-name", "前台平板")
        page.click("#passkey-add")
        page.wait_for_selector(".lines li")
        assert "前台平板" in page.inner_text(".lines")
        page.click(".sign-out .button")
        page.wait_for_url("**/desk/sign-in")
        looked_at(page, "sign-in")
        page.click("#passkey-enter")
        page.wait_for_selector("header.bar")

        page.evaluate("() => document.querySelector('.bar-out').submit()")
        page.wait_for_url("**/desk/sign-in")
        lost = {"authenticatorId": added["authenticatorId"], "isUserVerified": False}
        devtools.send("WebAuthn.setUserVerified", lost)
        page.click("#passkey-enter")
        page.wait_for_selector("#passkey-trouble:not([hidden])")
        page.goto(f"{place}/desk")
        page.wait_for_url("**/desk/sign-in**")


@contextlib.contextmanager
def served(database: redis.Redis) -> Iterator[tuple[Office, str]]:
    """An office whose server has a name that browsers make passkeys for."""
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
    place = f"http://localhost:{server.server_port}"
    office = Office(database, address=place)
    server.app = whole(office.app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield office, place
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
