"""The offline check on the web: list, uses, and a desk in Chromium whose network goes away."""

from __future__ import annotations

import base64
import json

import pytest
from playwright.sync_api import Page

from credentials.cases import Kind
from credentials.model import Actor
from tests.web import test_in_browser
from tests.web.office import Office, Person, Phone, Software
from tests.web.test_in_browser import open_desk, scan, shows

address, page = test_in_browser.address, test_in_browser.page
CAFE = "internet_cafe"


def token(phone: Phone) -> str:
    return phone.services.offline.token(phone.holder, CAFE)


def uses(*tokens: str) -> dict[str, object]:
    return {"uses": [{"token": each, "at": 1.0, "desk": "x"} for each in tokens]}


def test_the_list_is_for_everybody_and_can_be_kept(office: Office, phone: Phone) -> None:
    token(phone)
    office.services.cards.freeze(phone.credential_id, Actor("holder"))
    answer = office.app.test_client().get("/api/v1/offline/status")
    told = answer.get_json()
    said = json.loads(told["signed"])
    assert "max-age=60" in answer.headers["Cache-Control"]
    assert len(base64.b64decode(said["stopped"])) == 3 * 8
    assert set(told["keys"]) == {"1"}
    assert phone.credential_id not in answer.text


def test_uses_are_told_once(phone: Phone, desk: Person) -> None:
    text = token(phone)
    first = desk.ask("POST", "/desk/offline-uses", json=uses(text, "nonsense"))
    again = desk.ask("POST", "/desk/offline-uses", json=uses(text))
    assert first.get_json() == {"told": ["new", "refused"]}
    assert again.get_json() == {"told": ["again"]}
    kinds = [use.kind for use in phone.services.cards.history(phone.credential_id)]
    assert kinds.count("offline_used") == 1


@pytest.mark.parametrize("body", [{}, {"uses": 1}, {"uses": [{"token": "A" * 136, "at": 1}]}])
def test_a_body_that_is_none(desk: Person, body: object) -> None:
    assert desk.ask("POST", "/desk/offline-uses", json=body).status_code == 400


def test_strangers_tell_nothing(office: Office, phone: Phone) -> None:
    answer = office.app.test_client().post("/desk/offline-uses", json=uses(token(phone)))
    assert answer.status_code in {302, 303, 400, 401, 403}
    assert "offline_used" not in str(phone.services.cards.history(phone.credential_id))


@pytest.mark.browser
def test_a_desk_without_a_network(
    office: Office, phone: Phone, software: Software, address: str, page: Page
) -> None:
    open_desk(page, office, software, address, CAFE)
    shows(page, "ready")
    kept = "Object.keys(localStorage).some((key) => key.endsWith('status'))"
    page.wait_for_function(kept)
    page.context.set_offline(True)
    text = token(phone)
    scan(page, text)
    shows(page, "offline")
    assert "status as of" in page.inner_text("#offline-as-of")
    assert page.inner_text("#offline-adult") == "yes"
    assert "not noticed" in page.inner_text("#offline-limits")
    assert "reported: 1" in page.inner_text("#offline-uses")
    page.keyboard.press("Enter")
    scan(page, text)  # the same again
    shows(page, "refused")
    assert "used here already" in page.inner_text("#reason")
    page.keyboard.press("Enter")
    scan(page, text[:-20] + ("A" * 20))
    page.wait_for_selector("#reason:has-text('did not sign')")
    page.keyboard.press("Enter")
    other = office.services.verifiers.add("Net Bar", (CAFE,))[0]
    office.services.offline.use(other, "Desk 9", text, 1.0)  # meanwhile elsewhere
    page.context.set_offline(False)
    page.wait_for_selector("#offline-uses:has-text('elsewhere')")
    (case,) = office.services.cases.waiting()
    assert (case.kind, case.credential_id) == (Kind.DOUBLE_USE, phone.credential_id)
