"""Phone, desk and console in a real browser, once through: enrol, show, scan, look, freeze."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, FrameLocator, Locator, Page, Route, expect, sync_playwright

from tests.product.actors import HotelSoftware, Product, wait_until
from tests.product.camera import Camera
from web.camera import QR_ALONE
from web.demo import CITIZENS

pytestmark = pytest.mark.browser
HOPPER = CITIZENS[0]
SLOW = 180_000  # milliseconds; a face is measured on a busy machine
# When the video shows something else than the table, in a picture after the first that does.
SOMEBODY = """video => new Promise((seen) => {
  const small = Object.assign(document.createElement("canvas"), { width: 16, height: 9 });
  const pen = small.getContext("2d");
  const look = () => {
    pen.drawImage(video, 0, 0, 16, 9);
    const { data } = pen.getImageData(6, 3, 4, 3);
    const there = data.some((value, place) => place % 4 < 3 && Math.abs(value - 120) > 24);
    video.requestVideoFrameCallback(there ? () => video.requestVideoFrameCallback(seen) : look);
  };
  look();
}).then(() => true)"""


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Camera:
    """What stands on the desk and looks at phones."""
    return Camera(tmp_path_factory.mktemp("camera"))


@pytest.fixture(scope="module")
def browser(camera: Camera) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                *camera.flags,
            ],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def password(product: Product) -> str:
    return (product.var_dir / "demo-password").read_text().strip()


def opened(browser: Browser, product: Product, path: str, width: int = 1280) -> Page:
    """A page in a browser of its own, which fails the test when its console shows an error."""
    context = browser.new_context(viewport={"width": width, "height": 860}, locale="zh-CN")
    context.set_default_timeout(SLOW)
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"{path}: {error}"))
    page.goto(f"{product.address}{path}")
    return page


def sign_in(page: Page, password: str, username: str = "demo") -> None:
    page.get_by_label("用户名").fill(username)
    page.get_by_label("密码").fill(password)
    page.keyboard.press("Enter")


def _account_says(page: Page, text: str) -> Locator:
    said = page.locator(".row.theirs").filter(has_text=text).last
    expect(said).to_be_visible(timeout=SLOW)
    return said


def _write(page: Page, text: str) -> None:
    box = page.locator(".phone textarea")
    box.fill(text)
    box.press("Enter")


def enrol(page: Page) -> None:
    page.get_by_role("button", name="关注公众号").click()
    _account_says(page, "申请")
    page.locator(".phone .menu button.plain").click()  # the keyboard in the menu's place
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
    return _code_in(card.locator("#qr").screenshot(scale="device"))


def _code_in(screenshot: bytes) -> str:
    picture = Image.open(io.BytesIO(screenshot))
    enlarged = picture.resize((picture.width * 2, picture.height * 2))
    (found,) = zxingcpp.read_barcodes(enlarged, formats=QR_ALONE)
    return found.text


@pytest.fixture(scope="module")
def holder(browser: Browser, product: Product) -> Page:
    """A guest's phone, which shows the card page alone."""
    simulator = opened(browser, product, "/simulator")
    enrol(simulator)
    address = card_page(simulator).locator("body").evaluate("() => location.href")
    phone = simulator.context.new_page()
    phone.on("pageerror", lambda error: pytest.fail(f"card: {error}"))
    phone.set_viewport_size({"width": 390, "height": 844})
    phone.goto(address)
    simulator.close()
    expect(phone.locator("#qr svg")).to_be_visible()
    return phone


def open_desk(browser: Browser, product: Product, password: str, purpose: str) -> Page:
    desk = opened(browser, product, "/desk")
    sign_in(desk, password)
    desk.get_by_label(purpose).check()
    desk.get_by_role("button", name="开始核验").click()
    return desk


def shows(desk: Page, state: str) -> None:
    expect(desk.locator("#stage")).to_have_attribute("data-state", state, timeout=SLOW)


def hold(holder: Page, camera: Camera, desk: Page) -> None:
    """The guest holds the phone before the camera until the desk has seen it, and waits."""

    def seen() -> bool:
        place = holder.locator("#qr").bounding_box()  # none while there is no code
        if place:
            camera.look_at(holder.screenshot(clip=place))
        state = desk.locator("#stage").get_attribute("data-state")
        if state == "refused":  # a machine that takes half a minute for it: the next code counts
            assert "过期" in desk.locator("#reason").inner_text()
        return state == "waiting"

    assert wait_until(seen, SLOW / 1000)
    camera.look_away()


def _lose_the_second() -> Callable[[Route], None]:
    """The network of a bad day: the second request of a kind is lost, all others are not."""
    seen = itertools.count(1)
    return lambda route: route.abort() if next(seen) == 2 else route.continue_()


def test_check_in_by_camera(
    browser: Browser, product: Product, password: str, camera: Camera, holder: Page
) -> None:
    desk = open_desk(browser, product, password, "住宿登记")
    desk.locator("#camera-switch-on").click()
    expect(desk.locator("#camera")).to_be_visible()
    hold(holder, camera, desk)
    shows(desk, "waiting")
    number = desk.locator("#number").inner_text()
    expect(holder.locator("#approval .matching strong")).to_have_text(number, timeout=SLOW)
    expect(holder.locator("#approval .asker")).to_contain_text("南沙港湾酒店")
    holder.locator("#approval [data-answer=approve]").click()
    shows(desk, "accepted")
    expect(desk.locator("#fields")).to_contain_text(HOPPER.name)
    expect(desk.locator("body")).to_have_attribute("data-signal", "accepted")  # and it was heard
    holder.locator("#verified [data-close]").click()

    # Is it this person? The guest agrees that the camera looks, too; staff decide.
    desk.route("**/comparison", _lose_the_second())
    desk.locator("#compare-ask").click()
    expect(holder.locator("#compare .asker")).to_contain_text("南沙港湾酒店", timeout=SLOW)
    camera.look_at(HOPPER.portrait(), 700)
    holder.locator("#compare-agree").click()
    expect(desk.locator("#compare-take")).to_be_visible(timeout=SLOW)
    desk.locator("#compare-video").evaluate(SOMEBODY)
    desk.locator("#compare-take").click()
    expect(desk.locator("#compare")).to_have_attribute("data-outcome", "like", timeout=SLOW)
    expect(holder.locator("#compare")).to_be_hidden(timeout=SLOW)
    desk.locator("#compare-same").click()
    expect(desk.locator("#compare-told")).to_contain_text("是本人", timeout=SLOW)
    camera.look_away()

    # The next guest: neither page was loaded again, and the code is another one.
    desk.keyboard.press("Enter")
    shows(desk, "ready")
    hold(holder, camera, desk)
    shows(desk, "waiting")
    expect(holder.locator("#approval")).to_be_visible(timeout=SLOW)
    holder.locator("#approval [data-answer=deny]").click()
    shows(desk, "refused")
    desk.context.close()


def test_a_denial_is_on_the_desks_screen_within_two_seconds(
    browser: Browser, product: Product, password: str, holder: Page
) -> None:
    """Two seconds of the desk's own clock, which stands still while the guest decides."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, locale="zh-CN")
    context.set_default_timeout(SLOW)
    desk = context.new_page()
    desk.clock.install()
    desk.goto(f"{product.address}/desk")
    sign_in(desk, password)
    desk.get_by_label("住宿登记").check()
    desk.get_by_role("button", name="开始核验").click()
    shows(desk, "ready")
    expect(desk.locator("#setup")).to_be_hidden()
    desk.clock.pause_at(desk.evaluate("Date.now() / 1000 + 30"))  # ahead of whatever it is by then
    holder.locator("#show-digits").click()  # eight digits, for when nothing scans
    expect(holder.locator("#digits")).to_be_visible()
    desk.keyboard.type(holder.locator("#digits").inner_text())
    desk.keyboard.press("Enter")
    shows(desk, "waiting")
    expect(holder.locator("#approval")).to_be_visible(timeout=SLOW)
    holder.locator("#approval [data-answer=deny]").click()
    expect(holder.locator("#approval")).to_be_hidden(timeout=SLOW)
    desk.clock.run_for(2000)
    shows(desk, "refused")
    expect(desk.locator("#reason")).to_contain_text("拒绝")
    holder.locator("#show-digits").click()
    context.close()


def test_from_i_run_a_hotel_to_the_first_guest(
    browser: Browser, product: Product, password: str, holder: Page
) -> None:
    """By the pages alone: ask, be approved, sign in, scan; and the hotel's software beside it."""
    hotel = opened(browser, product, "/")
    hotel.get_by_role("link", name="我要核验客人").click()
    hotel.get_by_label("名称").first.fill("灯塔客栈")
    hotel.get_by_label("所在地区划代码").fill("440115")
    hotel.get_by_label("联系人和电话").fill("林女士 020 8888 0000")
    hotel.get_by_label("用户名").fill("lin")
    hotel.get_by_label("密码").fill("a harbour in the fog")
    hotel.locator("form .button.main").click()
    expect(hotel.get_by_role("heading", level=1)).to_have_text("申请已提交")

    operator = opened(browser, product, "/console/verifiers")
    sign_in(operator, password)
    asked = operator.get_by_role("region", name="灯塔客栈")
    asked.get_by_role("button", name="批准选中的用途").click()
    # The page saw it by itself.
    hotel.get_by_role("link", name="登录", exact=True).click()

    sign_in(hotel, "a harbour in the fog", "lin")
    hotel.get_by_role("button", name="开始核验").click()
    hotel.keyboard.type(code_of(holder))
    hotel.keyboard.press("Enter")
    shows(hotel, "waiting")
    expect(holder.locator("#approval .asker")).to_contain_text("灯塔客栈", timeout=SLOW)
    holder.locator("#approval [data-answer=approve]").click()
    shows(hotel, "accepted")
    expect(hotel.locator("#fields")).to_contain_text(HOPPER.name)
    holder.locator("#verified [data-close]").click()

    software = HotelSoftware.registered(product, "灯塔客栈的系统", "hotel")
    asked_by_api = software.scan(code_of(holder), "hotel").json()
    expect(holder.locator("#approval .asker")).to_contain_text("灯塔客栈的系统", timeout=SLOW)
    holder.locator("#approval [data-answer=approve]").click()
    expect(holder.locator("#verified")).to_be_visible(timeout=SLOW)
    told = software.ask_again(asked_by_api["verification_id"]).json()
    assert told["attributes"]["name"] == HOPPER.name
    holder.locator("#verified [data-close]").click()
    hotel.context.close()
    operator.context.close()


def code_of(holder: Page) -> str:
    """What the QR on the guest's phone says, anew: half a minute is left for what follows."""
    holder.locator("#choose").click()
    holder.locator(".choice[data-purpose='']").click()
    expect(holder.locator("#qr svg")).to_be_visible(timeout=SLOW)
    return _code_in(holder.locator("#qr").screenshot())


def test_phone_desk_and_console(
    browser: Browser, product: Product, password: str, holder: Page
) -> None:
    expect(holder.locator("#card")).to_contain_text("陈**")
    desk = open_desk(browser, product, password, "上网")
    desk.keyboard.type(code_of(holder))  # a USB scanner is a keyboard
    desk.keyboard.press("Enter")
    shows(desk, "accepted")
    stage = desk.locator("#stage")
    expect(stage.locator("#fields")).to_contain_text("陈**")
    expect(stage.locator("#portrait")).to_be_visible()
    expect(holder.locator("#verified")).to_contain_text("南沙港湾酒店", timeout=SLOW)
    holder.locator("#verified [data-close]").click()

    console = opened(browser, product, "/console/verifications")
    sign_in(console, password)
    expect(console.get_by_role("rowheader", name="南沙港湾酒店").first).to_be_visible()

    desk.locator("#next-button").click()
    shows(desk, "ready")
    code = code_of(holder)
    desk.keyboard.type(code)
    desk.keyboard.press("Enter")
    shows(desk, "accepted")
    desk.keyboard.press("Enter")
    desk.keyboard.type(code)
    desk.keyboard.press("Enter")
    shows(desk, "refused")
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
