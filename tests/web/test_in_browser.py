"""Desk and console in a real Chromium: camera, scanner, taps and keys."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, Page, Route, sync_playwright
from werkzeug.serving import make_server

from credentials import offline, verification
from tests.serving import whole
from tests.web.office import PASSWORD, Office, Phone, Software

pytestmark = pytest.mark.browser
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
IMMEDIATELY_MS = 30_000  # an end, not a wait: on a machine that does other things too
CODE_SECONDS = 600  # a camera that begins, or a scanner's keys, may take half a minute there


@pytest.fixture
def address(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the office's server listens, which takes codes that are older than a busy browser."""
    for place in (verification, offline):
        monkeypatch.setattr(place, "LIFE_SECONDS", CODE_SECONDS)
    server = make_server("127.0.0.1", 0, whole(office.app), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def chromium(*more: str) -> Iterator[Browser]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *more])
        yield browser
        browser.close()


@pytest.fixture
def page() -> Iterator[Page]:
    """A desk's screen."""
    for browser in chromium():
        context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
        page = context.new_page()
        page.set_default_timeout(IMMEDIATELY_MS)
        yield page


def sign_in(page: Page, address: str, area: str, username: str) -> None:
    page.goto(f"{address}/{area}")
    page.fill("#username", username)
    page.fill("#password", PASSWORD)
    page.click("form.sign .button.main")
    page.wait_for_selector("header.bar" if area == "desk" else "header.side")


def open_desk(page: Page, office: Office, software: Software, address: str, purpose: str) -> None:
    office.staff(software.verifier)
    office.services.staff.set_password("xiaoli", PASSWORD)
    sign_in(page, address, "desk", "xiaoli")
    page.check(f"dialog input[value={purpose}]")
    page.click("dialog .button.main")


def hears(page: Page, outcome: str) -> None:
    """The desk has sounded; a device's sound may take a moment to be there at all."""
    page.wait_for_selector(f"body[data-signal={outcome}]")


def renewed(page: Page) -> None:
    """The console's list has been asked for again, and what came first is shown."""
    for _ in range(2):
        with page.expect_response(lambda answer: "x-fragment" in answer.request.headers):
            pass


def scan(page: Page, code: str) -> None:
    """What a USB scanner does: it types, wherever the focus is, and ends with Enter."""
    page.keyboard.type(code)
    page.keyboard.press("Enter")


def shows(page: Page, state: str) -> None:
    page.wait_for_selector(f"#stage[data-state={state}]")


def test_a_receptionist_with_a_queue(
    office: Office, phone: Phone, software: Software, address: str, page: Page
) -> None:
    open_desk(page, office, software, address, "hotel")
    shows(page, "ready")
    scan(page, phone.show())
    shows(page, "waiting")
    approval = office.services.cards.state(phone.holder).pending
    assert approval is not None
    assert page.inner_text("#number") == str(approval.number)
    phone.approve()
    shows(page, "accepted")
    assert page.inner_text("#fields dd >> nth=0") == "张三丰"
    assert page.get_attribute("#portrait", "src")
    page.keyboard.press("Enter")  # the next guest
    shows(page, "ready")
    assert page.inner_text("#fields") == ""
    assert page.get_attribute("#portrait", "src") is None

    scan(page, phone.show())
    shows(page, "waiting")
    phone.deny()
    shows(page, "refused")
    hears(page, "refused")
    assert "denied" in page.inner_text("#reason")
    scan(page, phone.show("hotel"))  # scanning again is the next guest, too
    shows(page, "accepted")
    page.wait_for_timeout(700)  # a tap right after a result is not meant for it
    page.click(".verdict >> visible=true")
    shows(page, "ready")
    page.wait_for_selector("#today li >> nth=2")
    page.click("#change")
    page.check("#device-large")
    page.uncheck("#device-sound")
    page.click("dialog .button.main")
    scan(page, phone.show("hotel"))
    shows(page, "accepted")
    assert page.get_attribute("body", "data-signal") == ""  # sound is off, and so it is silent
    page.reload()  # the purpose is remembered, and what this device does
    assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == "22px"
    shows(page, "ready")
    assert not page.is_visible("dialog")


def test_a_code_that_is_scanned_twice(
    office: Office, phone: Phone, software: Software, address: str, page: Page
) -> None:
    open_desk(page, office, software, address, "internet_cafe")
    code = phone.show()
    scan(page, code)
    shows(page, "accepted")
    scan(page, code)
    shows(page, "refused")
    assert "already used" in page.inner_text("#reason")
    page.keyboard.press("Escape")
    shows(page, "ready")


def sign_in_beside(page: Page, address: str) -> None:
    """Somebody signs in in another window of the browser: this page's session is over."""
    other = page.context.new_page()
    other.goto(f"{address}/desk/sign-in")
    other.fill("#username", "xiaoli")
    other.fill("#password", PASSWORD)
    other.click("form.sign .button.main")
    other.wait_for_selector("header.bar")
    other.close()


def test_a_page_whose_session_is_over_is_asked_for_anew(
    office: Office, phone: Phone, software: Software, address: str, page: Page
) -> None:
    open_desk(page, office, software, address, "hotel")
    shows(page, "ready")
    token = page.get_attribute("body", "data-csrf")
    sign_in_beside(page, address)
    scan(page, phone.show("hotel"))
    page.wait_for_selector(f"body:not([data-csrf='{token}']) #stage[data-state=ready]")
    scan(page, phone.show("hotel"))
    shows(page, "accepted")


def test_a_page_whose_session_is_over_can_be_locked(
    office: Office, software: Software, address: str, page: Page
) -> None:
    open_desk(page, office, software, address, "hotel")
    shows(page, "ready")
    sign_in_beside(page, address)
    page.keyboard.press("F9")
    page.wait_for_url("**/desk/locked")


def test_a_fault_of_the_server_is_a_refusal_with_words(
    office: Office, phone: Phone, software: Software, address: str, page: Page
) -> None:
    open_desk(page, office, software, address, "hotel")
    shows(page, "ready")
    broken = {"status": 500, "code": "internal_error", "title": "The fault is ours"}
    page.route("**/desk/verifications", lambda route: route.fulfill(status=500, json=broken))
    scan(page, phone.show("hotel"))
    shows(page, "refused")
    assert "not available" in page.inner_text("#reason")
    assert "Scan again" in page.inner_text("#do")


def test_waiting_ends_also_where_the_server_cannot_be_asked(
    office: Office, phone: Phone, software: Software, address: str, page: Page
) -> None:
    open_desk(page, office, software, address, "hotel")
    shows(page, "ready")
    waits = {"state": "awaiting_holder", "verification_id": "0" * 20, "number": 42, "wait_s": 0.1}
    away = {"status": 503, "code": "unavailable"}
    page.route("**/desk/verifications", lambda route: route.fulfill(json=waits))
    page.route("**/desk/verifications/*", lambda route: route.fulfill(status=503, json=away))
    scan(page, phone.show())
    shows(page, "refused")
    assert "not available" in page.inner_text("#reason")


def test_a_camera_that_is_let_in_after_the_desk_was_locked_stays_off(
    office: Office, software: Software, address: str, page: Page
) -> None:
    page.add_init_script("""
        navigator.mediaDevices.getUserMedia = () => new Promise((let_in) => {
            window.track = document.createElement("canvas").captureStream().getTracks()[0];
            window.letIn = () => let_in(new MediaStream([window.track]));
            document.documentElement.classList.add("camera-asked");
        });
    """)
    open_desk(page, office, software, address, "hotel")
    shows(page, "ready")
    page.click("#camera-switch-on")
    page.wait_for_selector("html.camera-asked")
    page.context.set_offline(True)
    page.keyboard.press("F9")
    page.wait_for_selector("dialog#locked[open]")
    page.evaluate("letIn()")
    page.evaluate("new Promise((turn) => setTimeout(turn))")  # whatever follows from it has run
    assert page.evaluate("track.readyState") == "ended"
    assert page.evaluate("document.getElementById('video').srcObject") is None


def test_a_camera_whose_frames_the_server_reads(
    office: Office, phone: Phone, software: Software, address: str, tmp_path: Path
) -> None:
    film = tmp_path / "guest.mjpeg"
    office.staff(software.verifier)
    office.services.staff.set_password("xiaoli", PASSWORD)
    camera = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    )
    for browser in chromium(*camera):
        context = browser.new_context(locale="en-GB", permissions=["camera"])
        page = context.new_page()
        page.set_default_timeout(IMMEDIATELY_MS)
        sign_in(page, address, "desk", "xiaoli")
        page.check("dialog input[value=hotel]")
        page.click("dialog .button.main")
        # A code is good for half a minute: it is shown when everything else is there.
        film.write_bytes(_film(f"{office.services.address}/V/{phone.show('hotel')}".upper()))
        page.click("#camera-switch-on")
        page.wait_for_selector("#stage[data-state=accepted], #stage[data-state=refused]")
        assert page.inner_text("#fields dd >> nth=0") == "张三丰"


def test_the_console_by_keyboard(
    office: Office, phone: Phone, software: Software, address: str, page: Page
) -> None:
    office.operator("viewer")
    office.services.operators.set_password("laochen", PASSWORD)
    sign_in(page, address, "console", "laochen")
    page.wait_for_load_state()  # with its script
    assert "Nobody is in the middle" in page.inner_text("#list")
    key = page.get_attribute('a[href="/console/verifications"]', "data-key")
    page.keyboard.press(str(key))
    page.wait_for_url("**/console/verifications")
    software.scan(phone.show())
    page.wait_for_selector("#list .rows")  # without a reload
    page.keyboard.press("/")
    page.keyboard.type("j")
    assert page.input_value("#q") == "j"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.wait_for_selector("#help[open]")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/console/cards/{phone.credential_id}")


def test_what_an_operator_has_begun_in_a_list_stays(
    office: Office, address: str, page: Page
) -> None:
    """The list renews itself; a purpose that was unticked is not granted by it."""
    office.operator("admin")
    office.services.operators.set_password("laochen", PASSWORD)
    _asks_to_verify(office, "Corner Café", "corner")
    sign_in(page, address, "console", "laochen")
    page.goto(f"{address}/console/verifiers")
    page.uncheck("input[value=courier]")
    renewed(page)
    assert not page.is_checked("input[value=courier]")
    page.fill("input[name=why]", "no such place")
    _asks_to_verify(office, "Hill Hotel", "hill")
    renewed(page)
    assert not page.is_checked("input[value=courier]")
    assert page.input_value("input[name=why]") == "no such place"
    page.fill("input[name=why]", "")
    page.click("form[action$=approve] .button.main")
    page.wait_for_selector("text=Hill Hotel")  # it waited its turn
    assert page.is_checked("input[value=courier]")
    assert tuple(office.services.verifiers.find("Corner Café").purposes) == ("hotel",)


def test_the_answer_to_a_form_that_failed(office: Office, address: str, page: Page) -> None:
    """It renews itself and is searched as the page that it is, and keeps what was given."""
    office.operator("admin")
    office.services.operators.set_password("laochen", PASSWORD)
    _asks_to_verify(office, "Corner Café", "corner")
    sign_in(page, address, "console", "laochen")
    page.goto(f"{address}/console/verifiers")
    for purpose in ("hotel", "courier"):
        page.uncheck(f"input[value={purpose}]")
    page.fill("input[name=until_hotel]", "2030-12-31")
    page.click("form[action$=approve] .button.main")
    page.wait_for_selector(".notice.refused")
    page.wait_for_url(f"{address}/console/verifiers")
    _asks_to_verify(office, "Hill Hotel", "hill")
    renewed(page)
    assert page.inner_text("#live-sign") == "Updates by itself"
    assert not page.is_checked("input[value=hotel]")
    assert page.input_value("input[name=until_hotel]") == "2030-12-31"
    page.fill("#q", "corner")
    page.press("#q", "Enter")
    page.wait_for_url(f"{address}/console/verifiers?q=corner")
    page.wait_for_selector("text=Hill Hotel")


def test_a_session_that_ends_while_somebody_writes(
    office: Office, software: Software, address: str, page: Page
) -> None:
    office.operator("admin")
    office.services.operators.set_password("laochen", PASSWORD)
    sign_in(page, address, "console", "laochen")
    page.goto(f"{address}/console/verifiers/{software.verifier.verifier_id}")
    page.click(".action:last-of-type summary")
    page.fill("#reason", "seen to photograph cards")
    office.services.operators.end_sessions("laochen")
    page.wait_for_selector("text=Your session has ended")
    assert page.input_value("#reason") == "seen to photograph cards"
    sign_in(page.context.new_page(), address, "console", "laochen")
    page.wait_for_selector("text=Updates by itself")
    page.click("form[action$=block] .button")
    page.wait_for_selector(".mark.denied")
    found = office.services.verifiers.get(software.verifier.verifier_id)
    assert found is not None
    assert found.blocked


def _asks_to_verify(office: Office, name: str, username: str) -> None:
    office.services.organisations.ask(
        name=name,
        division="440115",
        contact="Li, 020-12345678",
        grounds={"hotel": "registration of guests", "courier": "parcels"},
        desk="door",
        username=username,
        password=PASSWORD,
    )


def test_a_press_that_a_renewal_falls_into_counts(
    office: Office, phone: Phone, software: Software, address: str, page: Page
) -> None:
    office.operator("viewer")
    office.services.operators.set_password("laochen", PASSWORD)
    software.scan(phone.show())
    sign_in(page, address, "console", "laochen")
    page.goto(f"{address}/console/verifications")
    page.hover("#list .rows a.open")
    page.mouse.down()
    software.scan(phone.show())
    renewed(page)
    page.mouse.up()
    page.wait_for_url(f"**/console/cards/{phone.credential_id}")


def test_an_older_list_that_comes_after_a_newer_one_is_not_shown(
    office: Office, phone: Phone, software: Software, address: str, page: Page
) -> None:
    office.operator("viewer")
    office.services.operators.set_password("laochen", PASSWORD)
    sign_in(page, address, "console", "laochen")
    page.goto(f"{address}/console/verifications")
    told = "fetch(location.href, {headers: {'X-Fragment': '1'}}).then((answer) => answer.text())"
    older = page.evaluate(told)
    late: list[Route] = []
    held: list[Route] = []
    page.route("**/console/verifications", lambda route: late.append(route), times=1)  # noqa: PLW0108 Playwright wants a function of Python's
    with page.expect_request("**/console/verifications"):
        pass
    software.scan(phone.show())
    page.wait_for_selector("#list .rows")
    page.route("**/console/verifications", lambda route: held.append(route))  # noqa: PLW0108 nor may a newer one mend it
    with page.expect_response(lambda answer: answer.request == late[0].request) as answer:
        late[0].fulfill(body=older, content_type="text/html")
    answer.value.finished()
    page.wait_for_function("new Promise((done) => setTimeout(done, 0, true))")
    assert page.is_visible("#list .rows")
    page.unroute_all(behavior="ignoreErrors")


def _film(text: str) -> bytes:
    """A camera's picture of a phone that shows a code, as a film of a few frames."""
    drawn = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode).to_image(scale=8)
    picture = Image.new("RGB", (1280, 720), (150, 150, 150))
    picture.paste(Image.fromarray(drawn).resize((420, 420)).convert("RGB"), (430, 150))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return buffer.getvalue() * 5
