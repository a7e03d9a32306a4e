"""The card page in a real browser: what is on the glass, and how soon."""

from __future__ import annotations

import contextlib
import io
import re
import threading
from collections.abc import Iterator
from urllib.parse import urlencode

import numpy as np
import pytest
import zxingcpp
from flask import Flask, redirect, request
from PIL import Image
from playwright.sync_api import (
    Browser,
    Page,
    Route,
    expect,
    sync_playwright,
)
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from credentials.model import Actor, Holder, State
from credentials.services import Services
from tests.serving import whole
from tests.web.card.phone import Desk, Phone, Platform
from web.camera import QR_ALONE

pytestmark = pytest.mark.browser
CHROMIUM = "/usr/bin/chromium"
SOON = 2000  # milliseconds of the page's own clock within which a scan shows
START = 1_514_164_271.0  # 25 December 2017


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


@pytest.fixture(autouse=True)
def patient_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a code for ten minutes: a slow machine reads the glass when the half minute is over.

    The page goes by the half minute that it is told, and by a clock of its own.
    """
    monkeypatch.setattr("credentials.verification.LIFE_SECONDS", 600)


@pytest.fixture
def address(app: Flask, platform: Platform) -> Iterator[str]:
    """A server of the pages, whose platform takes whoever comes for Lin."""
    platform.address = "/platform"

    @app.get("/platform")
    def authorize() -> Response:
        query = urlencode({"code": platform.code_for("oLin"), "state": request.args["state"]})
        return redirect(f"/card/back?{query}")

    server = make_server("127.0.0.1", 0, whole(app), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(browser: Browser, address: str, phone: Phone) -> Iterator[Page]:
    """Lin's card page on a phone of 390 x 720, in English."""
    with _tab(browser) as tab:
        tab.goto(f"{address}/card")
        expect(tab.locator("#qr svg")).to_be_visible()
        yield tab


@pytest.fixture
def still(browser: Browser, address: str, phone: Phone) -> Iterator[Page]:
    """The same page with a clock that stands, and no question of its own on the way."""
    with _tab(browser) as tab:
        tab.clock.install(time=START)
        tab.clock.pause_at(START + 3600)  # ahead of whatever it is by then: it goes until it stands
        with tab.expect_response("**/state?*"):
            tab.goto(f"{address}/card")
        expect(tab.locator("#qr svg")).to_be_visible()
        yield tab


@contextlib.contextmanager
def _tab(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 720}, locale="en-GB")
    tab = context.new_page()
    faults: list[str] = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("console", lambda said: faults.append(said.text) if "Content Sec" in said.text else None)
    yield tab
    context.close()
    assert faults == []


def _read(page: Page) -> list[str]:
    pixels = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("L"))
    found = zxingcpp.read_barcodes(pixels, formats=QR_ALONE)
    return [each.text for each in found]


def test_above_the_fold_are_card_code_and_purpose(page: Page) -> None:
    card = page.locator(".card").bounding_box()
    code = page.locator("#qr svg").bounding_box()
    purpose = page.locator("#choose").bounding_box()
    assert card
    assert code
    assert purpose
    assert card["width"] / card["height"] == pytest.approx(85.6 / 54, rel=0.01)
    assert code["width"] * 33 / 41 >= 0.6 * 390
    assert purpose["y"] + purpose["height"] < 720
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_scan_off_the_glass_shows_within_two_seconds(still: Page, desk: Desk) -> None:
    (shown,) = _read(still)
    assert desk.scans(shown, "internet_cafe").state is State.ACCEPTED
    still.clock.run_for(SOON)
    expect(still.locator("#verified")).to_be_visible()
    expect(still.locator("#verified")).to_contain_text("Bay <b>Hotel</b>")
    assert _read(still) == []
    still.locator("#verified [data-close]").click()
    expect(still.locator("#qr svg")).to_be_visible()
    assert _read(still) not in ([shown], [])


def test_digits_show_only_when_they_are_asked_for(page: Page) -> None:
    digits = page.locator("#digits")
    expect(digits).to_be_hidden()
    page.get_by_role("button", name="Show digits").click()
    expect(digits).to_have_text(re.compile(r"\d{4} \d{4}"))
    page.get_by_role("button", name="Hide the digits").click()
    expect(page.locator("#qr svg")).to_be_visible()
    expect(digits).to_be_hidden()


def test_this_was_not_me_freezes_from_the_page(page: Page, desk: Desk) -> None:
    desk.scans(_read(page)[0], "internet_cafe")
    page.locator("#not-me").click()
    expect(page.locator(".card-status")).to_have_text("Frozen")
    assert _read(page) == []
    page.locator("#unfreeze").click()
    expect(page.locator("#qr svg")).to_be_visible()


def test_an_approval_is_answered_by_keyboard_alone(page: Page, desk: Desk) -> None:
    scan = desk.scans(_read(page)[0], "hotel")
    sheet = page.locator("#approval")
    expect(sheet).to_be_visible()
    expect(sheet).to_contain_text(str(scan.number))
    page.keyboard.press("Escape")
    expect(sheet).to_be_visible()  # it goes only with an answer, or with its time
    for _ in range(4):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('#approval') !== null")
    assert page.evaluate("document.activeElement.dataset.answer") == "approve"
    page.keyboard.press("Enter")
    expect(page.locator("#verified")).to_be_visible()
    assert desk.looks(scan.verification_id).state is State.ACCEPTED


def test_a_denial_from_the_page_tells_nothing(page: Page, desk: Desk) -> None:
    scan = desk.scans(_read(page)[0], "hotel")
    page.locator("[data-answer=deny]").click()
    expect(page.locator("#approval")).to_be_hidden()
    assert desk.looks(scan.verification_id).state is State.DENIED
    expect(page.locator("#announce")).to_contain_text("Denied")


def test_a_purpose_that_was_picked_binds_the_code(page: Page, desk: Desk) -> None:
    page.locator("#choose").click()
    page.locator("[data-purpose=hotel]").click()
    expect(page.locator("#purpose")).to_have_text("Hotel check-in")
    expect(page.locator("#qr svg")).to_be_visible()
    assert desk.scans(_read(page)[0], "hotel").state is State.ACCEPTED


def test_a_purpose_of_the_upgraded_card_cannot_be_picked(page: Page) -> None:
    page.locator("#choose").click()
    expect(page.locator("[data-purpose=banking]")).to_be_disabled()


def test_offline_takes_the_code_away_at_once_and_it_comes_back(still: Page) -> None:
    still.context.set_offline(True)
    expect(still.locator("#qr svg")).to_have_count(0)  # no second of the page's passes
    expect(still.locator("#note")).to_contain_text("offline")
    still.clock.resume()
    still.context.set_offline(False)
    expect(still.locator("#qr svg")).to_be_visible()


def test_a_hidden_page_holds_no_code_and_asks_for_none(still: Page) -> None:
    still.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    expect(still.locator("#qr svg")).to_have_count(0)
    asked: list[str] = []
    still.on("request", lambda request: asked.append(request.url))
    still.clock.run_for(30_000)
    assert asked == []
    still.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    expect(still.locator("#qr svg")).to_be_visible()


def test_frozen_elsewhere_the_code_leaves_the_glass(still: Page, services: Services) -> None:
    card = services.cards.of(Holder("wechat", "oLin"))
    assert card
    services.cards.freeze(card.credential_id, Actor("operator", "ops"), "reported lost")
    still.clock.run_for(SOON)
    expect(still.locator("#pass")).to_be_hidden()
    expect(still.locator(".card-status")).to_have_text("Frozen")
    expect(still.get_by_text("only our staff can unfreeze it")).to_be_visible()
    expect(still.locator("#unfreeze")).to_be_hidden()


def test_what_was_said_before_the_card_was_frozen_is_not_shown_after(
    still: Page, desk: Desk
) -> None:
    """The page asks how things stand, and the holder is faster than the answer."""
    late: list[Route] = []
    still.route("**/state?*", lambda route: late.append(route))  # noqa: PLW0108 Playwright wants a function of Python's
    desk.scans(_read(still)[0], "hotel")
    with still.expect_request("**/state?*"):
        still.clock.run_for(1000)
    still.locator("#freeze").click()
    (route,) = late
    answer = route.fetch()  # before the holder presses the last button, however slow the server is
    assert answer.json()["approval"]
    still.locator("#freeze-now").click()
    expect(still.locator(".card-status")).to_have_text("Frozen")
    assert late == [route]
    with still.expect_response("**/state?*"):
        route.fulfill(response=answer)
    still.unroute_all(behavior="ignoreErrors")
    with still.expect_response("**/state?*"):
        still.clock.run_for(1000)  # and it asks on
    expect(still.locator("#approval-what")).to_be_empty()  # not even for a moment
    expect(still.locator("#pass")).to_be_hidden()


def test_the_code_is_replaced_while_the_old_one_is_still_good(still: Page, desk: Desk) -> None:
    (first,) = _read(still)
    still.clock.run_for(250)
    expect(still.locator("#count")).to_contain_text("A new code in 15 s")
    still.locator("#qr svg").evaluate("svg => { svg.dataset.old = ''; }")
    still.clock.fast_forward(14_750)
    expect(still.locator("#qr svg:not([data-old])")).to_be_visible()
    still.clock.run_for(250)
    expect(still.locator("#count")).to_contain_text("15 s")
    assert _read(still) not in ([first], [])
    assert desk.scans(first, "internet_cafe").state is State.ACCEPTED


def test_a_server_that_hangs_leaves_no_dead_code_on_the_glass(still: Page) -> None:
    still.route("**/code?*", lambda _: None)
    still.clock.fast_forward(28_000)
    expect(still.locator("#qr svg")).to_have_count(1)
    still.clock.fast_forward(600)
    expect(still.locator("#qr svg")).to_have_count(0)
    still.unroute_all(behavior="ignoreErrors")


def test_a_phone_that_slept_wakes_without_a_dead_code(still: Page) -> None:
    (first,) = _read(still)
    still.clock.fast_forward("10:00")
    expect(still.locator("#qr svg")).to_be_visible()
    assert _read(still) not in ([first], [])


def test_an_approval_ends_after_a_minute(still: Page, desk: Desk) -> None:
    desk.scans(_read(still)[0], "hotel")
    still.clock.run_for(SOON)
    expect(still.locator("#approval")).to_be_visible()
    still.clock.fast_forward(61_000)
    expect(still.locator("[data-answer=approve]")).to_be_disabled()
    still.clock.fast_forward(4_000)
    expect(still.locator("#approval")).to_be_hidden()
