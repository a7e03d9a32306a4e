"""Row 28. Session fixation, CSRF, clickjacking, open redirect, XSS through name or chat text:
blocked."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.credentials.issuer import id_number, person
from tests.faults.acts import Office
from tests.faults.browser import PASSWORD, Browser
from tests.faults.conftest import Figure, Phones
from tests.product.actors import HotelSoftware, Product

EVIL = '<img src=x onerror="alert(1)"><script>alert(1)</script>'
ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "/%09/evil.example",
    "javascript:alert(1)",
    "https:evil.example",
    "/desk/../../\\evil.example",
)


@pytest.fixture(scope="module")
def staff(shared_product: Product, shared_office: Office) -> Browser:
    verifier, _key = shared_office.services.verifiers.add("安全旅馆", ["internet_cafe"])
    password = shared_office.services.staff.add("row28", verifier_id=verifier.verifier_id)
    return Browser(shared_product, "desk").sign_in("row28", password)


def test_a_session_planted_before_signing_in_is_worth_nothing(
    shared_product: Product, shared_office: Office
) -> None:
    attacker = Browser(shared_product, "desk")
    attacker.csrf("/sign-in")
    planted = dict(attacker.client.cookies)
    assert planted
    verifier, _key = shared_office.services.verifiers.add("固定旅馆", ["internet_cafe"])
    victim = Browser(shared_product, "desk")
    victim.client.cookies.set("desk", planted["desk"], domain="127.0.0.1", path="/desk")
    password = shared_office.services.staff.add("row28f", verifier_id=verifier.verifier_id)
    victim.sign_in("row28f", password)
    assert victim.client.get(victim.base).status_code == 200
    assert attacker.client.get(attacker.base).status_code in (302, 303)
    cookie = victim.client.get(f"{victim.base}/sign-in").headers.get("set-cookie", "")
    assert "HttpOnly" in cookie or not cookie


def test_a_request_of_another_site_is_refused(
    shared_product: Product, shared_office: Office, staff: Browser, phones: Phones
) -> None:
    code = shared_office.code(shared_office.card())
    scan = {"code": code, "purpose": "internet_cafe", "request_id": "x" * 36}
    for headers in ({}, {"X-CSRF-Token": "made-up"}, {"X-CSRF-Token": ""}):
        answer = staff.client.post(f"{staff.base}/verifications", json=scan, headers=headers)
        assert answer.status_code in (400, 403), answer.text
    for path in ("sign-out", "password"):
        answer = staff.client.post(f"{staff.base}/{path}", data={"new": PASSWORD})
        assert answer.status_code in (400, 403)
    phone = phones(shared_product)
    card = shared_office.card(phone.openid)
    page = phone.open(f"{shared_product.address}/card")
    token = re.search(r'data-token="([^"]+)"', page.text)
    assert token
    for sent in (
        {},
        {"X-Card-Token": "made-up"},
        {"X-Card-Token": token[1], "Sec-Fetch-Site": "cross-site"},
    ):
        answer = phone.browser.post(f"{page.url}freeze", headers=sent)
        assert answer.status_code == 403, answer.text
    after = shared_office.services.cards.get(card.credential_id)
    assert after is not None
    assert after.status == "active"


def test_no_page_can_be_framed_by_another_site(shared_product: Product) -> None:
    for path in ("/", "/desk/sign-in", "/console/sign-in", "/card", "/v/x", "/nowhere"):
        answer = httpx.get(f"{shared_product.address}{path}", timeout=60)
        policy = answer.headers["content-security-policy"]
        assert re.search(r"frame-ancestors ('none'|'self')(;|$)", policy), (path, policy)
        scripts = re.search(r"script-src ([^;]*)", policy) or re.search(
            r"default-src ([^;]*)", policy
        )
        assert scripts
        assert "unsafe" not in scripts[1]
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("where", ELSEWHERE)
def test_nobody_is_led_elsewhere(
    shared_product: Product, shared_office: Office, where: str
) -> None:
    name = f"row28n{ELSEWHERE.index(where)}"
    password = shared_office.services.operators.add(name, role="viewer")
    browser = Browser(shared_product, "console")
    browser.sign_in(name, password)
    browser.client.cookies.clear()
    form = browser.client.get(f"{browser.base}/sign-in", params={"next": where}).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', form)
    assert token
    told = {"csrf_token": token[1], "username": name, "password": PASSWORD, "next": where}
    answer = browser.client.post(f"{browser.base}/sign-in", params={"next": where}, data=told)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/console")


def test_markup_in_names_and_words_stays_text(
    shared_product: Product, shared_office: Office, phones: Phones, figure: Figure
) -> None:
    number = id_number(281, birth="19710105")
    phone = phones(shared_product)
    card = shared_office.card(phone.openid, person(name=EVIL, id_number=number))
    hotel = HotelSoftware.registered(shared_product, EVIL, "hotel")
    asked = hotel.scan(shared_office.code(card), "hotel").json()
    assert asked["state"] == "awaiting_holder", asked
    operator = Browser(shared_product, "console").sign_in(
        "row28x", shared_office.services.operators.add("row28x", role="admin")
    )
    stranger = phones(shared_product)
    stranger.say(EVIL)
    stranger.say("人工")
    stranger.settle()
    pages = {
        "card": phone.open(f"{shared_product.address}/card").text,
        "console": operator.client.get(operator.base).text,
        "cards": operator.client.get(f"{operator.base}/cards/{card.credential_id}").text,
        "verifications": operator.client.get(f"{operator.base}/verifications").text,
        "verifiers": operator.client.get(f"{operator.base}/verifiers").text,
        "chat": operator.client.get(f"{operator.base}/holders/wechat/{stranger.openid}").text,
    }
    for name, page in pages.items():
        assert "<script>alert" not in page, name
        assert "<img src=x" not in page, name
    assert "&lt;img src=x" in pages["verifiers"]
    figure("pages held against markup", len(pages), "")
