"""Row 24. Web servers' and phones' clocks 10 minutes off: no effect."""

from __future__ import annotations

import calendar
import re
import time
from pathlib import Path

import httpx
import pytest

from simulator.phone import Phone
from tests.faults.acts import Office
from tests.faults.browser import Browser
from tests.faults.conftest import Phones
from tests.faults.servers import web_beside
from tests.faults.wire import Wire, said
from tests.product.actors import HotelSoftware, Product

LIBRARIES = sorted(Path("/usr/lib").glob("**/libfaketimeMT.so.1"))


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_web_server_with_a_wrong_clock_serves_as_the_others(
    shared_product: Product,
    shared_office: Office,
    phones: Phones,
    tmp_path: Path,
    minutes: int,
) -> None:
    hotel = HotelSoftware.registered(shared_product, f"钟表店{minutes}", "internet_cafe")
    clock = {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME": f"{minutes:+d}m",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    phone = phones(shared_product)
    card = shared_office.card(phone.openid)
    with web_beside(shared_product, tmp_path, **clock) as wrong:
        assert _minutes_off(wrong) == pytest.approx(minutes, abs=1), "the clock is not off"
        # A code from a right server is accepted by the wrong one, once; and a push is taken.
        code = shared_office.code(card)
        there = HotelSoftware(wrong, hotel.api_key)
        assert there.scan(code, "internet_cafe").json()["state"] == "accepted"
        assert hotel.scan(code, "internet_cafe").json()["code"] == "already_used"
        stranger = Wire(wrong)
        assert "1/4" in said(stranger.push(stranger.text("申请")))
        # A visit that began at the wrong server goes on at the right one, codes and all.
        page = phone.open(f"{wrong.address}/card")
        assert page.status_code == 200, page.text
        path = re.sub(r"^https?://[^/]+", "", str(page.url))
        for server in (wrong, shared_product):
            told = phone.browser.get(f"{server.address}{path}code").json()
            assert 10 <= told["refresh_in"] <= 30 <= told["expires_in"] + 1
        # So does a mini-program's, whichever server began it.
        for begun, asked in ((wrong, shared_product), (shared_product, wrong)):
            assert _mini_program_goes_on(phone, begun, asked)
        # And somebody's at the desk, forms and all.
        name, password = f"clocks{minutes}", _staff_password(shared_office, f"clocks{minutes}")
        desk = Browser(wrong, "desk").sign_in(name, password)
        token = desk.csrf()
        desk.base = f"{shared_product.address}/desk"
        assert desk.client.get(desk.base).status_code == 200
        sent = desk.client.post(f"{desk.base}/sign-out", data={"csrf_token": token})
        assert sent.status_code == 303, sent.text
        assert _page_scans(shared_product, shared_office, phone, hotel)


def _minutes_off(product: Product) -> float:
    """How far the server's clock is from ours, by the Date of its answers and its log."""
    Wire(product).post({}, b"")  # which is logged, now
    lines = re.findall(r"timestamp=(\S+)Z", product.log.read_text())
    stamp = calendar.timegm(time.strptime(lines[-1][:19], "%Y-%m-%dT%H:%M:%S"))
    return (stamp - time.time()) / 60


def _mini_program_goes_on(phone: Phone, begun: Product, asked: Product) -> bool:
    """Whether a mini-program that signed in at one server is known at another."""
    code = {"js_code": phone.js_code()}
    told = httpx.post(f"{begun.address}/mini/login", json=code, timeout=60).json()
    known = {"Authorization": f"Bearer {told['token']}"}
    return httpx.get(f"{asked.address}/mini/card", headers=known, timeout=60).status_code == 200


def _staff_password(office: Office, username: str) -> str:
    verifier, _key = office.services.verifiers.add(f"钟{username}", ["internet_cafe"])
    return office.services.staff.add(username, verifier_id=verifier.verifier_id)


def _page_scans(product: Product, office: Office, phone: Phone, hotel: HotelSoftware) -> bool:
    phone.say("card")
    phone.wait_for_photo()
    holder = office.services.cards.of(office.holder(phone.openid))
    assert holder is not None
    return hotel.scan(office.code(holder), "internet_cafe").status_code == 200
