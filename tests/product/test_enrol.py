"""The page with a live camera: a fake one that films somebody, none at all, and files instead."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Playwright, expect, sync_playwright

from faces.gestures import Gesture
from simulator.phone import Phone, text_of
from tests.faces import warping
from tests.product.actors import Product, running
from tests.product.test_challenge import WORDS, asked_in, up_to_the_face
from web.demo import CITIZENS

pytestmark = pytest.mark.browser
HOPPER, COLLINS = CITIZENS
SLOW = 180.0  # a whole film and three looks, on a busy machine
RATE = 4
SECONDS_EACH = 4
# What the page said when its guide was seen green before the next gesture: for a paint at least.
WATCHING = """() => new MutationObserver(() => requestAnimationFrame(() => {
  const capture = document.getElementById("capture");
  if (!capture.hidden && document.getElementById("camera").classList.contains("good"))
    window.turnedGood = document.getElementById("hint").textContent;
})).observe(document.getElementById("camera"), { attributes: true })"""


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with running(tmp_path_factory.mktemp("enrol")) as product:
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


def filmed(path: Path, pictures: list[Image.Image]) -> Path:
    """A film for Chromium's fake camera, which plays it again and again: raw Y4M."""
    dice = np.random.default_rng(4)
    with av.open(str(path), "w", format="yuv4mpegpipe") as film:
        stream = film.add_stream("wrapped_avframe", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for picture in pictures:
            pixels = np.asarray(before_the_camera(picture)).astype(np.int16)
            for _ in range(RATE * SECONDS_EACH):
                seen = pixels + dice.integers(-2, 3, pixels.shape, dtype=np.int16)
                frame = av.VideoFrame.from_ndarray(seen.clip(0, 255).astype(np.uint8))
                film.mux(stream.encode(frame.reformat(format="yuv420p")))
        film.mux(stream.encode())
    return path


@contextlib.contextmanager
def page_of(
    playwright: Playwright, product: Product, phone: Phone, film: Path | None = None
) -> Iterator[Page]:
    """`/enrol` of this phone in a browser, with a camera that shows a film, or without one."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    if film is not None:
        arguments += [
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={film}",
        ]
    chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
    try:
        context = chromium.new_context(viewport={"width": 390, "height": 844}, locale="zh-CN")
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


@pytest.mark.timeout(400)
def test_without_a_camera_files_are_sent(
    playwright: Playwright, product: Product, phone: Phone, tmp_path: Path
) -> None:
    for _ in range(9):
        _, _, count = asked_in(up_to_the_face(phone, HOPPER))
        with page_of(playwright, product, phone) as page:
            page.get_by_role("button", name="打开摄像头").click()
            expect(page.locator("#told")).to_contain_text("没有可用的摄像头")
            expect(page.locator("#camera")).to_be_hidden()  # no empty picture
            expect(page.locator(".acts .main:visible")).to_have_text("选择照片或视频")
            if _sent_files(page, count, tmp_path):
                ready = page.get_by_role("heading", name="证件已可使用")
                expect(ready).to_be_visible(timeout=SLOW * 1000)
                break
        phone.say("取消")
        phone.wait_for_any()
    phone.wait_for("办好了", seconds=SLOW)


def _sent_files(page: Page, count: int, folder: Path) -> bool:
    """Answer each gesture with a file; False at closed eyes, which her spectacles hide."""
    for place in range(1, count + 1):
        expect(page.locator("#count")).to_have_text(f"第 {place} 个动作，共 {count} 个")
        asked = page.locator("#asked").inner_text()
        gesture = next(each for words, each in WORDS.items() if words.endswith(asked))
        if gesture is Gesture.CLOSE_EYES:
            return False
        file = folder / f"{place}.jpg"
        file.write_bytes(HOPPER.gesture(gesture))
        page.set_input_files("#file", file)
    return True


@pytest.mark.timeout(400)
def test_the_camera_takes_the_pictures_by_itself(
    playwright: Playwright, product: Product, phone: Phone, tmp_path: Path
) -> None:
    up_to_the_face(phone, COLLINS)
    pictures = [
        Image.open(io.BytesIO(COLLINS.gesture(gesture))).convert("RGB") for gesture in Gesture
    ]
    film = filmed(tmp_path / "camera.y4m", pictures)
    with page_of(playwright, product, phone, film) as page:
        page.evaluate(WATCHING)
        page.get_by_role("button", name="打开摄像头").click()
        expect(page.get_by_role("heading", name="证件已可使用")).to_be_visible(timeout=SLOW * 1000)
        assert page.evaluate("window.turnedGood") == "好，已拍下"
    phone.wait_for("办好了", seconds=SLOW)


def test_a_camera_before_a_screen_takes_nothing_for_a_person(
    playwright: Playwright, product: Product, tmp_path: Path
) -> None:
    with Phone(product.address) as thief:
        thief.follow()
        thief.wait_for("申请")
        portrait = Image.open(io.BytesIO(HOPPER.portrait())).convert("RGB")
        number = httpx.post(
            f"{product.address}/simulator/api/citizens",
            files={"photo": ("photo.jpg", warping.jpeg(portrait), "image/jpeg")},
            timeout=30,
        ).json()
        thief.say("申请")
        thief.wait_for("1/4")
        thief.say("同意")
        thief.wait_for("2/4")
        thief.say(number["name"])
        thief.wait_for("3/4")
        thief.say(number["id_number"])
        thief.wait_for("第 1/", seconds=SLOW)
        film = filmed(tmp_path / "screen.y4m", [warping.on_screen(portrait)])
        with page_of(playwright, product, thief, film) as page:
            page.get_by_role("button", name="打开摄像头").click()
            # A picture at rest on a screen shows no gesture: none is ever taken.
            expect(page.locator("#hint")).not_to_have_text("", timeout=SLOW * 1000)
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
