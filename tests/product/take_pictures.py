"""`make pictures`: plays the product in a real browser and keeps a picture of each page.

The pictures are README's; take them anew whenever a page changes, and look at them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from simulator.phone import Phone
from tests.product import test_in_browser as play
from tests.product.actors import HotelSoftware, Product, running

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
NARROW, WIDE = 390, 1280


def main() -> None:
    """Take every picture, at phone and desktop width."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), LIVENESS="unsafe-none") as product,
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        take(chromium, product, (Path(folder) / "demo-password").read_text().strip())
        chromium.close()


def take(browser: Browser, product: Product, password: str) -> None:
    """Play once through, and take a picture wherever there is something to see."""
    phone = play.opened(browser, product, "/simulator")
    play.enrol(phone)
    keep(phone, "simulator")
    card = play.card_page(phone)
    keep(phone, "simulator-card")
    address = card.locator("body").evaluate("() => location.href")
    own = phone.context.new_page()
    own.goto(address)
    expect(own.locator("#qr svg")).to_be_visible()
    keep(own, "card")

    desk = play.opened(browser, product, "/desk")
    keep(desk, "desk-sign-in")
    play.sign_in(desk, password)
    desk.get_by_label("住宿登记").check()
    desk.get_by_role("button", name="开始核验").click()
    keep(desk, "desk-ready")
    _scan(desk, play.code_on(card))
    expect(desk.locator("#stage")).to_have_attribute("data-state", "waiting")
    keep(desk, "desk-waiting")
    expect(own.locator("#approval")).to_be_visible(timeout=5000)
    keep(own, "card-approval")
    own.locator("#approval [data-answer=approve]").click()
    expect(desk.locator("#stage")).to_have_attribute("data-state", "accepted", timeout=5000)
    keep(desk, "desk-accepted")
    expect(own.locator("#verified")).to_be_visible(timeout=5000)
    keep(own, "card-verified")
    _scan(desk, "HTTP://127.0.0.1/V/" + "A" * 52)
    expect(desk.locator("#stage")).to_have_attribute("data-state", "refused")
    keep(desk, "desk-refused")

    _write_from_elsewhere(product)
    hotel = HotelSoftware.registered(product, "星海网吧", "internet_cafe")
    hotel.scan("A" * 52, "internet_cafe")
    console = play.opened(browser, product, "/console")
    play.sign_in(console, password)
    expect(console.get_by_role("navigation").first).to_be_visible()
    for name in ("", "verifications", "cards", "verifiers"):
        console.goto(f"{product.address}/console/{name}".rstrip("/"))
        keep(console, f"console-{name or 'live'}")
    for path, name in (("/", "home"), (f"/v/{'A' * 52}", "plain-camera")):
        keep(play.opened(browser, product, path), name)


def _write_from_elsewhere(product: Product) -> None:
    """Other people, each somewhere in the conversation, for the console's list."""
    for sayings in (
        (("申请", "1/4"),),
        (("申请", "1/4"), ("同意", "2/4"), ("欧阳娜娜", "3/4"), *[("44010619", "18")] * 3),
        (("申请", "1/4"), ("同意", "2/4"), ("人工", "")),
    ):
        with Phone(product.address) as phone:
            phone.follow()
            phone.wait_for("申请")
            for said, answer in sayings:
                phone.say(said)
                phone.wait_for(answer)


def _scan(desk: Page, code: str) -> None:
    desk.keyboard.type(code)
    desk.keyboard.press("Enter")


def keep(page: Page, name: str) -> None:
    """A picture of what is on the screen, at both widths."""
    for width, height in ((NARROW, 844), (WIDE, 860)):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("() => new Promise((done) => setTimeout(done, 250))")
        page.screenshot(path=PICTURES / f"{name}-{width}.png")


if __name__ == "__main__":
    main()
