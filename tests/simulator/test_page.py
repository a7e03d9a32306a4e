"""The phone page in a real Chromium: chat, quick answers, a link with OAuth, two phones."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from flask import Response
from playwright.sync_api import Page, expect, sync_playwright

from tests.simulator.account import APP_ID, Account
from tests.simulator.conftest import Running

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Page]:
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        page = browser.new_page(locale="zh-CN", viewport={"width": 1280, "height": 800})
        page.set_default_timeout(90_000)
        yield page
        browser.close()


@pytest.fixture
def page(chromium: Page, simulator: Running) -> Page:
    errors: list[str] = []
    chromium.on("pageerror", lambda error: errors.append(str(error)))
    chromium.set_viewport_size({"width": 1280, "height": 800})
    chromium.goto(f"{simulator.url}/simulator")
    expect(chromium.locator(".phone")).to_have_count(1)
    assert not errors
    return chromium


def follow(page: Page, place: int = 0) -> None:
    phone = page.locator(".phone").nth(place)
    phone.get_by_role("button", name="关注公众号").click()
    expect(phone.locator(".welcome")).to_have_count(0)  # it covers the chat until it is done


def say(page: Page, text: str, place: int = 0) -> None:
    field = page.locator(".phone").nth(place).locator("textarea")
    field.fill(text)
    field.press("Enter")


def test_a_newcomer_writes_and_is_answered(page: Page, simulator: Running) -> None:
    follow(page)
    say(page, "申请 <b>粗</b>")
    expect(page.locator(".theirs .text").last).to_have_text("收到：申请 <b>粗</b>")
    expect(page.locator(".chat b")).to_have_count(0)


def test_an_unreachable_account_is_said(page: Page, account: Account) -> None:
    follow(page)
    expect(page.locator(".theirs")).to_have_count(1)
    account.answer = lambda _: Response("", status=500)
    say(page, "申请")
    expect(page.locator(".note")).to_have_text("该公众号暂时无法提供服务，请稍后再试")


def test_two_phones_and_their_unread_messages(page: Page, simulator: Running) -> None:
    follow(page)
    page.locator("#add").click()
    expect(page.locator(".phone")).to_have_count(2)
    follow(page, 1)
    say(page, "第二部", 1)
    expect(page.locator(".phone").nth(1).locator(".mine")).to_have_count(1)
    expect(page.locator(".phone").nth(0).locator(".mine")).to_have_count(0)


def test_a_quick_answer_and_a_link_that_signs_in(
    page: Page, simulator: Running, account: Account
) -> None:
    follow(page)
    expect(page.locator(".theirs")).to_have_count(1)
    openid = page.locator(".phone").get_attribute("data-openid") or ""
    back = quote(f"{simulator.url}/healthz", safe="")
    address = (
        f"{simulator.url}/connect/oauth2/authorize?appid={APP_ID}&redirect_uri={back}"
        "&response_type=code&scope=snsapi_base&state=s1#wechat_redirect"
    )
    menu = {
        "head_content": f'先读<a href="{address}">告知书</a>',
        "list": [{"id": "1", "content": "同意"}],
        "tail_content": "",
    }
    body = {"touser": openid, "msgtype": "msgmenu", "msgmenu": menu}
    simulator.post("/cgi-bin/message/custom/send", body)
    page.get_by_role("link", name="告知书").click()
    expect(page.frame_locator("iframe").locator("body")).to_contain_text("ok")
    landed = next(frame.url for frame in page.frames if "/healthz" in frame.url)
    code = landed.partition("code=")[2].partition("&")[0]
    assert simulator.platform.codes.spend("oauth", code)[0] == openid
    page.get_by_role("button", name="返回").click()
    page.get_by_role("button", name="同意").click()
    expect(page.locator(".theirs .text").last).to_have_text("收到：同意")
    assert account.received[-1]["bizmsgmenuid"] == "1"


def test_outside_of_a_phone_one_is_chosen(page: Page, simulator: Running) -> None:
    back = quote(f"{simulator.url}/healthz", safe="")
    page.goto(
        f"{simulator.url}/connect/oauth2/authorize?appid={APP_ID}&redirect_uri={back}"
        "&response_type=code&scope=snsapi_base&state=s1"
    )
    page.get_by_role("button", name="手机 1").click()
    expect(page.locator("body")).to_contain_text("ok")
    assert "code=" in page.url


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    follow(page)
    expect(page.locator(".theirs")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
