"""Phone, desk and console in a real browser, once through: enrol, show, scan, look, freeze."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect, sync_playwright

from tests.product.actors import Product
from web.demo import CITIZENS

pytestmark = pytest.mark.browser
HOPPER = CITIZENS[0]
SLOW = 40_000  # milliseconds; a face is measured on a busy machine


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def password(product: Product) -> str:
    return (product.var_dir / "demo-password").read_text().strip()


def opened(browser: Browser, product: Product, path: str, width: int = 1280) -> Page:
    """A page in a browser of its own, which fails the test when its console shows an error."""
    context = browser.new_context(viewport={"width": width, "height": 860}, locale="zh-CN")
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"{path}: {error}"))
    page.goto(f"{product.address}{path}")
    return page


def sign_in(page: Page, password: str) -> None:
    page.get_by_label("用户名").fill("demo")
    page.get_by_label("密码").fill(password)
    page.keyboard.press("Enter")


def _account_says(page: Page, text: str) -> Locator:
    said = page.locator(".row.theirs").filter(has_text=text).last
    expect(said).to_be_visible(timeout=SLOW)
    return said


def _write(page: Page, text: str) -> None:
    box = page.locator(".phone textarea")
    if not box.is_visible():
        page.locator(".phone .dock button.plain").first.click()
    box.fill(text)
    box.press("Enter")


def enrol(page: Page) -> None:
    page.get_by_role("button", name="关注公众号").click()
    _account_says(page, "申请")
    _write(page, "申请")
    _account_says(page, "1/4")
    _write(page, "同意")
    _account_says(page, "2/4")
    page.get_by_role("button", name=f"姓名: {HOPPER.name}").click()
    _account_says(page, "3/4")
    page.get_by_role("button", name=f"号码: {HOPPER.name}").click()
    _account_says(page, "4/4")
    page.get_by_role("button", name=f"照片: {HOPPER.name}").click()
    _account_says(page, "办好了")
    expect(page.locator(".row.theirs .photo img").last).to_be_visible(timeout=SLOW)


def card_page(page: Page) -> FrameLocator:
    """The card page, opened from the link in the chat, inside the phone."""
    page.locator(".row.theirs a", has_text="/card").last.click()
    card = page.frame_locator(".phone iframe")
    expect(card.locator("#qr svg")).to_be_visible(timeout=SLOW)
    return card


def code_on(card: FrameLocator) -> str:
    picture = Image.open(io.BytesIO(card.locator("#qr").screenshot(scale="device")))
    enlarged = picture.resize((picture.width * 2, picture.height * 2))
    (found,) = zxingcpp.read_barcodes(enlarged)
    return found.text


def test_phone_desk_and_console(browser: Browser, product: Product, password: str) -> None:
    phone = opened(browser, product, "/simulator")
    enrol(phone)
    card = card_page(phone)
    expect(card.locator("#card")).to_contain_text("陈**")

    desk = opened(browser, product, "/desk")
    sign_in(desk, password)
    desk.get_by_label("上网").check()
    desk.get_by_role("button", name="开始核验").click()
    desk.keyboard.type(code_on(card))  # a USB scanner is a keyboard
    desk.keyboard.press("Enter")
    stage = desk.locator("#stage")
    expect(stage).to_have_attribute("data-state", "accepted", timeout=5000)
    expect(stage.locator("#fields")).to_contain_text("陈**")
    expect(stage.locator("#portrait")).to_be_visible()
    expect(card.locator("#verified")).to_contain_text("南沙港湾酒店", timeout=5000)
    card.locator("#verified [data-close]").click()

    console = opened(browser, product, "/console/verifications")
    sign_in(console, password)
    expect(console.get_by_role("rowheader", name="南沙港湾酒店").first).to_be_visible()

    used = desk.locator("#next-button")
    used.click()
    expect(stage).to_have_attribute("data-state", "ready")
    code = code_on(card)
    desk.keyboard.type(code)
    desk.keyboard.press("Enter")
    expect(stage).to_have_attribute("data-state", "accepted")
    desk.keyboard.press("Enter")
    desk.keyboard.type(code)
    desk.keyboard.press("Enter")
    expect(stage).to_have_attribute("data-state", "refused")
    expect(desk.locator("#reason")).to_contain_text("用过")


def test_a_wrong_password_opens_neither_desk_nor_console(
    browser: Browser, product: Product
) -> None:
    for path in ("/desk", "/console"):
        page = opened(browser, product, path, width=390)
        sign_in(page, "not-the-password")
        expect(page.get_by_role("alert")).to_be_visible()
        assert page.url.startswith(f"{product.address}{path}/sign-in")
        page.goto(f"{product.address}{path}")
        assert page.url.startswith(f"{product.address}{path}/sign-in")
