"""From a light card to an upgraded one, and a bank that is told only after the PIN."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from simulator.phone import Phone
from tests.product.actors import HotelSoftware, Product, code_in
from web.demo import CITIZENS

HOPPER, COLLINS = CITIZENS
PIN = "274906"
BANK_FIELDS = {"name", "id_number", "address", "valid_until", "portrait"}
OWN, OTHER, NONE = "own", "other", "none"
SLOW = 180.0  # seconds; a face is measured on a busy machine


@pytest.fixture(scope="module")
def bank(product: Product) -> HotelSoftware:
    return HotelSoftware.registered(product, "南沙海湾银行", "banking")


@pytest.fixture(scope="module")
def hopper(product: Product) -> Iterator[Phone]:
    """Somebody with a light card."""
    with Phone(product.address) as phone:
        enrol(phone, 0)
        yield phone


@pytest.fixture(scope="module")
def collins(product: Product) -> Iterator[Phone]:
    """Somebody else with a light card."""
    with Phone(product.address) as phone:
        enrol(phone, 1)
        yield phone


def enrol(phone: Phone, place: int) -> None:
    phone.follow()
    phone.wait_for("申请")
    for said, seen in (
        ("申请", "1/4"),
        ("同意", "2/4"),
        (CITIZENS[place].name, "3/4"),
        (CITIZENS[place].id_number, "4/4"),
    ):
        phone.say(said)
        phone.wait_for(seen)
    phone.send_photo(CITIZENS[place].selfie())
    phone.wait_for_photo(seconds=SLOW)


def kiosk(product: Product, code: str, place: int, finger: str = OWN) -> httpx.Response:
    """Enter a binding code at the terminal, put down a citizen's card, press a finger."""
    return httpx.post(
        f"{product.address}/simulator/api/terminal/read",
        json={"code": code, "place": place, "finger": finger},
        timeout=60,
    )


def binding_code(phone: Phone) -> str:
    """What the chat says after the word for an upgrade."""
    phone.say("升级")
    found = re.search(r"\d{4} \d{4}", str(phone.wait_for("绑定码")["content"]))
    assert found
    return found[0]


class MiniProgram:
    """The small application on a phone."""

    def __init__(self, product: Product, phone: Phone) -> None:
        self._phone, self._address = phone, f"{product.address}/mini"
        self._headers: dict[str, str] = {}
        told = self.sends("/login", js_code=phone.js_code()).json()
        self._headers = {"Authorization": f"Bearer {told['token']}"}

    def sees(self, path: str = "/card") -> Any:
        answer = httpx.get(self._address + path, headers=self._headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def sends(self, path: str, **body: object) -> httpx.Response:
        return httpx.post(self._address + path, json=body, headers=self._headers, timeout=30)

    def presses_finger(self) -> httpx.Response:
        challenge = self.sends("/soter/challenge").json()["challenge"]
        return self.sends("/soter/answer", **self._phone.touch_sensor(challenge))


class CardPage:
    """The card's page in the phone's browser."""

    def __init__(self, product: Product, phone: Phone) -> None:
        page = phone.open(f"{product.address}/card")
        assert page.status_code == 200, page.text[:500]
        self._phone, self._path = phone, str(page.url)
        token = re.search(r'data-token="([^"]+)"', page.text)
        assert token
        self._token = token[1]

    def sends(self, what: str, **body: object) -> httpx.Response:
        headers = {"X-Card-Token": self._token, "Accept": "application/json"}
        return self._phone.browser.post(self._path + what, json=body, headers=headers)

    def sees(self, what: str) -> httpx.Response:
        headers = {"Accept": "application/json"}
        return self._phone.browser.get(self._path + what, headers=headers)


def fresh_code(phone: Phone) -> str:
    phone.say("card")
    return code_in(phone.wait_for_photo())


# --- a light card is not enough ----------------------------------------------------------------


def test_a_bank_refuses_a_light_card(hopper: Phone, bank: HotelSoftware) -> None:
    answer = bank.scan(fresh_code(hopper), "banking")
    assert (answer.status_code, answer.json()["code"]) == (403, "level_insufficient")


def test_another_persons_card_binds_nothing(product: Product, hopper: Phone) -> None:
    answer = kiosk(product, binding_code(hopper), 1)
    assert (answer.status_code, answer.json()["code"]) == (422, "not_this_person")
    hopper.wait_for("与您不符")


def test_another_persons_finger_binds_nothing(product: Product, hopper: Phone) -> None:
    assert kiosk(product, binding_code(hopper), 0, OTHER).json()["code"] == "not_this_person"
    assert MiniProgram(product, hopper).sees()["upgrade"]["bound"] == []


def test_a_made_up_binding_code_opens_nothing(product: Product, hopper: Phone) -> None:
    assert kiosk(product, "0000 0000", 0).json()["code"] == "unknown_binding_code"


def test_a_terminal_that_was_disabled_is_not_believed(product: Product, hopper: Phone) -> None:
    (known,) = map(json.loads, product.command("terminal", "list").splitlines())
    product.command("terminal", "disable", known["terminal_id"])
    try:
        assert kiosk(product, binding_code(hopper), 0).json()["code"] == "unauthenticated"
    finally:
        product.command("terminal", "disable", "--undo", known["terminal_id"])


# --- through the terminal ----------------------------------------------------------------------


def test_upgraded_through_the_terminal(product: Product, hopper: Phone) -> None:
    code = binding_code(hopper)
    assert kiosk(product, code, 0).json() == {"level": "light", "missing": ["face"]}
    hopper.wait_for("已读取您的身份证")
    assert kiosk(product, code, 0).json()["code"] == "unknown_binding_code"  # it works once
    hopper.send_photo(HOPPER.selfie())
    hopper.wait_for("升级完成", seconds=SLOW)
    assert MiniProgram(product, hopper).sees()["level"] == "upgraded"


def test_a_bank_waits_for_ever_without_a_pin(
    product: Product, hopper: Phone, bank: HotelSoftware
) -> None:
    asked = bank.scan(fresh_code(hopper), "banking").json()
    assert (asked["state"], asked["attributes"]) == ("awaiting_holder", {})
    hopper.wait_for(f"数字是 {asked['number']}。")
    hopper.say("批准")
    hopper.wait_for("PIN")
    page = CardPage(product, hopper)
    refused = page.sends(f"approvals/{asked['verification_id']}", answer="approve", pin=PIN)
    assert refused.json()["code"] == "pin_unset"
    assert bank.ask_again(asked["verification_id"]).json()["state"] == "awaiting_holder"
    hopper.say("拒绝")
    hopper.wait_for("已拒绝")


@pytest.mark.parametrize("weak", ["123456", "111111", HOPPER.id_number[6:14], "12345"])
def test_a_weak_pin_is_refused(product: Product, hopper: Phone, weak: str) -> None:
    assert CardPage(product, hopper).sends("pin", new=weak).status_code == 422


def test_the_pin_is_set_on_the_card_page(product: Product, hopper: Phone) -> None:
    assert CardPage(product, hopper).sends("pin", new=PIN).status_code == 200
    assert MiniProgram(product, hopper).sees()["pin"]["there"] is True


def test_a_bank_is_told_after_the_pin_and_exactly_what_it_may(
    product: Product, hopper: Phone, bank: HotelSoftware
) -> None:
    asked = bank.scan(fresh_code(hopper), "banking").json()
    assert (asked["state"], asked["attributes"]) == ("awaiting_holder", {})
    page = CardPage(product, hopper)
    answer = f"approvals/{asked['verification_id']}"
    assert page.sends(answer, answer="approve").json()["code"] == "pin_required"
    assert page.sends(answer, answer="approve", pin="274907").json()["code"] == "wrong_pin"
    assert bank.ask_again(asked["verification_id"]).json()["attributes"] == {}
    assert page.sends(answer, answer="approve", pin=PIN).status_code == 200
    told = bank.ask_again(asked["verification_id"]).json()
    assert (told["state"], told["level"]) == ("accepted", "upgraded")
    assert set(told["attributes"]) == BANK_FIELDS
    assert told["attributes"]["id_number"] == HOPPER.id_number
    hopper.say("记录")
    told = hopper.wait_for("最近的使用记录")  # the question named the bank, too
    assert "南沙海湾银行" in str(told["content"])


def test_a_code_for_the_bank_is_shown_after_the_pin_and_serves_once(
    product: Product, hopper: Phone, bank: HotelSoftware
) -> None:
    mini = MiniProgram(product, hopper)
    assert mini.sends("/code", purpose="banking").json()["code"] == "pin_required"
    code = mini.sends("/code", purpose="banking", pin=PIN).json()["code"]
    told = bank.scan(code, "banking").json()
    assert (told["state"], set(told["attributes"])) == ("accepted", BANK_FIELDS)
    assert mini.sends("/code", purpose="banking").json()["code"] == "pin_required"


def test_an_upgraded_card_cannot_be_upgraded(product: Product, hopper: Phone) -> None:
    hopper.say("升级")
    hopper.wait_for("已经是升级版")
    assert MiniProgram(product, hopper).sends("/upgrade").json()["code"] == "already_upgraded"


# --- through the mini-program ------------------------------------------------------------------


def test_a_mini_program_shows_nothing_without_its_token(product: Product) -> None:
    for token in ("", "Bearer", "Bearer x", "Basic eA=="):
        for path in ("card", "state", "history", "purposes"):
            answer = httpx.get(
                f"{product.address}/mini/{path}", headers={"Authorization": token}, timeout=30
            )
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_a_js_code_works_once(product: Product, collins: Phone) -> None:
    code = collins.js_code()
    login = f"{product.address}/mini/login"
    assert httpx.post(login, json={"js_code": code}, timeout=30).status_code == 200
    assert httpx.post(login, json={"js_code": code}, timeout=30).status_code == 401
    assert httpx.post(login, json={"js_code": "made-up"}, timeout=30).status_code == 401


def test_another_phones_fingerprint_is_refused(
    product: Product, hopper: Phone, collins: Phone
) -> None:
    mini = MiniProgram(product, collins)
    challenge = mini.sends("/soter/challenge").json()["challenge"]
    answer = mini.sends("/soter/answer", **hopper.touch_sensor(challenge))
    assert answer.json()["code"] == "fingerprint_refused"
    challenge = mini.sends("/soter/challenge").json()["challenge"]
    answer = mini.sends("/soter/answer", **collins.touch_sensor("0" * 64))
    assert answer.json()["code"] == "bad_challenge"
    assert mini.sees()["upgrade"]["bound"] == []


def test_upgraded_through_the_mini_program(product: Product, collins: Phone) -> None:
    mini = MiniProgram(product, collins)
    code = mini.sends("/upgrade").json()["binding_code"]
    assert kiosk(product, code, 1, NONE).json()["missing"] == ["fingerprint", "face"]
    assert mini.presses_finger().json()["upgrade"]["bound"] == ["chip", "fingerprint"]
    collins.say("升级")
    collins.wait_for("面容")
    collins.send_photo(HOPPER.selfie())
    collins.wait_for("还可以再试", seconds=SLOW)
    assert mini.sees()["level"] == "light"
    collins.send_photo(COLLINS.selfie())
    collins.wait_for("升级完成", seconds=SLOW)
    assert mini.sees()["level"] == "upgraded"


def test_five_wrong_pins_lock_it_and_a_fresh_face_begins_the_recovery(
    product: Product, hopper: Phone, bank: HotelSoftware
) -> None:
    mini = MiniProgram(product, hopper)
    refusals = [
        mini.sends("/code", purpose="banking", pin=f"27490{digit}").json()["code"]
        for digit in (1, 2, 3, 4, 5, 6)
    ]
    assert refusals == ["wrong_pin"] * 4 + ["pin_locked"] * 2
    hopper.say("PIN")
    hopper.wait_for("面容")
    hopper.send_photo(HOPPER.selfie())
    hopper.wait_for("分钟后才能", seconds=SLOW)
    refused = CardPage(product, hopper).sends("pin", new="831502")
    assert refused.json()["code"] == "pin_cooling"
    assert 50 < mini.sees()["pin"]["wait_minutes"] <= 60  # an hour, and what has passed of it


def test_the_audit_is_whole_and_has_no_name(product: Product, hopper: Phone) -> None:
    assert "each in its place" in product.command("audit", "verify")
    uses = [use["kind"] for use in MiniProgram(product, hopper).sees("/history")]
    assert {"upgraded", "bound", "pin_set", "pin_locked"} <= set(uses)
