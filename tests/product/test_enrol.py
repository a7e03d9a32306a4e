"""The page with a live camera: a fake one that films somebody, none at all, and files instead."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Playwright, Route, expect, sync_playwright

from faces import liveness
from faces.errors import PhotoError
from faces.gestures import Gesture
from simulator.phone import Phone, text_of
from tests.faces import warping
from tests.product.actors import Product, running, wait_until
from tests.product.camera import Camera
from tests.product.test_challenge import WORDS, asked_in, up_to_the_face
from web.demo import CITIZENS

pytestmark = pytest.mark.browser
HOPPER, COLLINS = CITIZENS
SLOW = 300.0  # three looks, on a busy machine
HEIGHT = 720  # of what is before the camera: all of its picture
# What the page said while its guide was green before the next gesture, and for how long.
WATCHING = """() => new MutationObserver(() => {
  const good = document.getElementById("camera").classList.contains("good");
  if (good && !document.getElementById("capture").hidden && !window.turnedGood) {
    window.turnedGood = document.getElementById("hint").textContent;
    window.greenSince = performance.now();
  } else if (!good && window.turnedGood) {
    window.greenMs ??= performance.now() - window.greenSince;
  }
}).observe(document.getElementById("camera"), { attributes: true })"""
GREEN_MS = 600


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with running(tmp_path_factory.mktemp("enrol")) as product:
        product.spare_the_disk()
        yield product


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture
def phone(product: Product) -> Iterator[Phone]:
    with Phone(product.address) as phone:
        phone.follow()
        phone.wait_for("申请")
        yield phone


def before_the_camera(picture: Image.Image) -> Image.Image:
    """The person as a webcam has them: 4 by 3, the head in the upper middle."""
    width = round(picture.width * 0.86)
    left = (picture.width - width) // 2
    return picture.crop((left, 0, left + width, round(width * 3 / 4))).resize((640, 480))


def noisy(picture: bytes, dice: np.random.Generator) -> Image.Image:
    """What a webcam makes of a person: no two pictures alike."""
    pixels = np.asarray(before_the_camera(opened(picture))).astype(np.int16)
    seen = pixels + dice.integers(-2, 3, pixels.shape, dtype=np.int16)
    return Image.fromarray(seen.clip(0, 255).astype(np.uint8))


def take_of(gesture: Gesture, dice: np.random.Generator) -> bytes:
    """A picture of her making a gesture that is still seen through a webcam."""
    while True:
        taken = COLLINS.gesture(gesture)
        with contextlib.suppress(PhotoError):
            if liveness.check_photos((gesture,), [warping.jpeg(noisy(taken, dice))]).live:
                return taken


def opened(picture: bytes) -> Image.Image:
    return Image.open(io.BytesIO(picture)).convert("RGB")


@contextlib.contextmanager
def page_of(
    playwright: Playwright, product: Product, phone: Phone, camera: Camera | None = None
) -> Iterator[Page]:
    """`/enrol` of this phone in a browser, with a camera or without one."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    arguments += camera.flags if camera else []
    chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
    try:
        context = chromium.new_context(viewport={"width": 390, "height": 844}, locale="zh-CN")
        context.set_default_timeout(SLOW * 1000)
        answer = phone.open(f"{product.address}/enrol")
        assert answer.status_code == 200
        for cookie in phone.browser.cookies.jar:
            context.add_cookies(
                [
                    {
                        "name": cookie.name,
                        "value": str(cookie.value),
                        "domain": "127.0.0.1",
                        "path": cookie.path,
                    }
                ]
            )
        page = context.new_page()
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        page.goto(str(answer.url))
        yield page
    finally:
        chromium.close()


def test_before_the_face_step_the_page_leads_back_to_the_chat(
    playwright: Playwright, product: Product, phone: Phone
) -> None:
    with page_of(playwright, product, phone) as page:
        expect(page.get_by_role("heading", name="请先在聊天中继续")).to_be_visible()
        expect(page.locator("#capture")).to_be_hidden()


def test_without_a_camera_files_are_sent(playwright: Playwright, tmp_path: Path) -> None:
    """By somebody who can close her eyes (no spectacles), in a product where she has no card."""
    # Made beforehand: there are two minutes from the first question to the last picture.
    files = {gesture: tmp_path / f"{gesture}.jpg" for gesture in Gesture}
    for gesture, file in files.items():
        file.write_bytes(COLLINS.gesture(gesture))
    with running(tmp_path / "product") as product, Phone(product.address) as phone:
        phone.follow()
        phone.wait_for("申请")
        _, _, count = asked_in(up_to_the_face(phone, COLLINS))
        with page_of(playwright, product, phone) as page:
            page.get_by_role("button", name="打开摄像头").click()
            expect(page.locator("#told")).to_contain_text("没有可用的摄像头")
            expect(page.locator("#camera")).to_be_hidden()  # no empty picture
            expect(page.locator(".acts .main:visible")).to_have_text("选择照片或视频")
            for place in range(1, count + 1):
                expect(page.locator("#count")).to_have_text(f"第 {place} 个动作，共 {count} 个")
                page.set_input_files("#file", files[asked_on(page)])
            ready = page.get_by_role("heading", name="证件已可使用")
            expect(ready).to_be_visible(timeout=SLOW * 1000)
        phone.wait_for("办好了", seconds=SLOW)


def test_when_the_time_is_over_the_page_says_what_begins_anew(
    playwright: Playwright, product: Product, phone: Phone
) -> None:
    def over(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "left": 0})

    up_to_the_face(phone, COLLINS)
    with page_of(playwright, product, phone) as page:
        expect(page.locator("#left")).to_contain_text("还有")
        page.route("**/enrol/state", over)
        expect(page.locator("#left")).to_have_text("时间到了。再发一张照片，动作会换一组")
        page.unroute_all(behavior="ignoreErrors")  # the page asks on, also as it is closed


def asked_on(page: Page) -> Gesture:
    """The gesture that the page asks for."""
    asked = page.locator("#asked").inner_text()
    return next(each for words, each in WORDS.items() if words.endswith(asked))


def test_the_camera_takes_the_pictures_by_itself(
    playwright: Playwright, product: Product, phone: Phone, tmp_path: Path
) -> None:
    camera = Camera(tmp_path)
    dice = np.random.default_rng(4)
    takes = {gesture: take_of(gesture, dice) for gesture in Gesture}  # before two minutes begin
    up_to_the_face(phone, COLLINS)
    with page_of(playwright, product, phone, camera) as page:
        page.evaluate(WATCHING)
        page.get_by_role("button", name="打开摄像头").click()
        ready = page.get_by_role("heading", name="证件已可使用")

        def done() -> bool:
            """She does what the page asks for, and is never quite at rest."""
            if page.locator("#capture").is_visible():
                camera.look_at(warping.jpeg(noisy(takes[asked_on(page)], dice)), HEIGHT)
            return ready.is_visible()

        assert wait_until(done, SLOW)
        assert page.evaluate("window.turnedGood") == "好，已拍下"
        assert page.evaluate("window.greenMs") >= GREEN_MS
    phone.wait_for("办好了", seconds=SLOW)


def test_a_camera_before_a_screen_takes_nothing_for_a_person(
    playwright: Playwright, product: Product, tmp_path: Path
) -> None:
    with Phone(product.address) as thief:
        thief.follow()
        thief.wait_for("申请")
        portrait = opened(HOPPER.portrait())
        number = httpx.post(
            f"{product.address}/simulator/api/citizens",
            files={"photo": ("photo.jpg", warping.jpeg(portrait), "image/jpeg")},
            timeout=90,
        ).json()
        thief.say("申请")
        thief.wait_for("1/4")
        thief.say("同意")
        thief.wait_for("2/4")
        thief.say(number["name"])
        thief.wait_for("3/4")
        thief.say(number["id_number"])
        thief.wait_for("第 1/", seconds=SLOW)
        camera = Camera(tmp_path)
        camera.look_at(warping.jpeg(before_the_camera(warping.on_screen(portrait))), HEIGHT)
        with page_of(playwright, product, thief, camera) as page:
            page.get_by_role("button", name="打开摄像头").click()
            # A picture at rest on a screen shows no gesture: none that was looked at is taken.
            for _ in range(3):
                with page.expect_response("**/enrol/frame") as sent:
                    pass
                assert sent.value.status == 200
            expect(page.locator("#count")).to_contain_text("第 1 个动作")
        thief.say("card")
        assert "还没有证件" in text_of(thief.wait_for("还没有证件", seconds=SLOW))


def test_nobody_sends_pictures_without_the_page_s_token(product: Product, phone: Phone) -> None:
    path = str(phone.open(f"{product.address}/enrol").url)
    for place in ("frame", "upload"):
        answer = phone.browser.post(f"{path}/{place}", content=HOPPER.selfie())
        assert answer.status_code == 403


def test_junk_is_no_picture(product: Product, phone: Phone) -> None:
    page = phone.open(f"{product.address}/enrol")
    token = page.text.split('data-token="')[1].split('"')[0]
    for place in ("frame", "upload"):
        answer = phone.browser.post(
            f"{page.url}/{place}", content=b"junk", headers={"X-Card-Token": token}
        )
        assert answer.status_code in {415, 500}
        assert answer.status_code == 415
