"""What a plain camera opens, and the front page: they tell nothing and use nothing up."""

from __future__ import annotations

import pytest
from flask import Flask

from credentials.model import State
from tests.web.card.conftest import app_of, services_at
from tests.web.card.phone import Desk, Phone, Platform

ENGLISH = {"Accept-Language": "en"}


def test_a_plain_camera_learns_nothing_and_uses_nothing_up(phone: Phone, desk: Desk) -> None:
    phone.opens_card()
    address = phone.shows()
    path = "/V/" + address.rpartition("/")[2]
    page = phone.browser.get(path, headers=ENGLISH)
    assert page.status_code == 200
    assert "rotating identity code" in page.text
    assert "林" not in page.text
    assert path[3:] not in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert desk.scans(address, "internet_cafe").state is State.ACCEPTED


def test_a_code_that_nobody_made_looks_the_same(phone: Phone) -> None:
    phone.opens_card()
    real = phone.browser.get("/v/" + phone.shows().rpartition("/")[2].lower())
    made_up = phone.browser.get("/v/" + "a" * 52)
    assert real.text == made_up.text


def test_it_needs_no_redis(tmp_path: object) -> None:
    app = app_of(services_at(f"unix://{tmp_path}/none.sock"), Platform())
    assert app.test_client().get("/v/" + "A" * 52).status_code == 200


@pytest.mark.parametrize(
    "code",
    ["A" * 51, "A" * 53, "A" * 51 + "1", "A" * 51 + "8", "é" * 52, "%3Cscript%3E", "A" * 9000],
)
def test_what_is_no_code_is_said_so(app: Flask, code: str) -> None:
    page = app.test_client().get(f"/v/{code}", headers=ENGLISH)
    assert page.status_code == 404
    assert "not one of our identity codes" in page.text
    assert "<script>" not in page.text


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_a_code_is_only_looked_at(app: Flask, method: str) -> None:
    assert app.test_client().open("/v/" + "A" * 52, method=method.upper()).status_code == 405


def test_the_front_page_leads_to_the_simulator_in_the_demo_only(app: Flask) -> None:
    demo = app.test_client().get("/").text
    assert all(f'href="{path}"' in demo for path in ("/card", "/desk", "/console", "/simulator"))


def test_the_front_page_of_production_has_no_simulator(redis_url: str) -> None:
    app = app_of(services_at(redis_url), Platform(), "production")
    assert "/simulator" not in app.test_client().get("/").text
