"""The card page's upgrade and PIN, as its script asks for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from credentials.model import Holder, Level, State
from credentials.services import Services
from credentials.store import pin_key
from tests.credentials.issuer import PIN
from tests.credentials.kiosk import Kiosk
from tests.web.card.phone import Desk, Phone

LIN = Holder("wechat", "oLin")
FACE = {"distance": "0.3"}


@pytest.fixture
def bank(services: Services) -> Desk:
    verifier, _ = services.verifiers.add("Harbour Bank", ("banking", "hotel"))
    return Desk(services, verifier)


@pytest.fixture
def upgraded(services: Services, phone: Phone) -> Phone:
    """Lin's phone; her card is upgraded, and has no PIN yet."""
    kiosk = Kiosk.accredited(services.upgrades, services.terminals)
    card = services.cards.of(LIN)
    assert card is not None
    who = services.upgrades.identity(LIN)
    said = kiosk.attestation(
        kiosk.claims(services.upgrades.binding_code(LIN).digits), _Named(who.name, who.id_number)
    )
    kiosk.attests(said)
    assert services.upgrades.face(LIN, FACE) is Level.UPGRADED
    phone.opens_card()
    return phone


class _Named:
    def __init__(self, name: str, id_number: str) -> None:
        self.name, self.id_number = name, id_number


def code(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["code"]


def test_a_light_card_shows_the_way_up(phone: Phone) -> None:
    page = phone.opens_card()
    assert "Upgrade your card" in page
    assert 'data-do="upgrade"' in page
    assert 'data-do="pin"' not in page


def test_a_binding_code_and_its_progress(phone: Phone, services: Services) -> None:
    phone.opens_card()
    told = phone.presses("upgrade").get_json()
    assert len(told["digits"].replace(" ", "")) == 8
    assert "<svg" in told["svg"]
    assert 290 < told["expires_in"] <= 300
    services.upgrades.face(LIN, FACE)
    assert phone.state()["upgrade"].count('class="done"') == 1


def test_a_light_card_has_no_pin(phone: Phone) -> None:
    phone.opens_card()
    assert code(phone.presses("pin", {"new": PIN})) == (403, "level_insufficient")
    unlock = {"purpose": "banking", "pin": PIN}
    assert code(phone.presses("unlock", unlock)) == (403, "level_insufficient")


def test_only_the_page_itself_changes_anything(upgraded: Phone) -> None:
    for path in ("pin", "unlock", "upgrade"):
        answer = upgraded.presses(path, {"new": PIN}, X_Card_Token="made up")
        assert code(answer) == (403, "forged")


@pytest.mark.parametrize(
    ("new", "refused"),
    [("", "pin_format"), ("12345", "pin_format"), ("123456789", "pin_format"),
     ("123456", "pin_weak"), ("900307", "pin_weak"), ("abcdef", "pin_format")],
)  # fmt: skip
def test_no_such_pin(upgraded: Phone, new: str, refused: str) -> None:
    answer = upgraded.presses("pin", {"new": new})
    assert code(answer) == (422, refused)
    assert new not in answer.text or not new


def test_a_bank_is_answered_after_the_pin(upgraded: Phone, bank: Desk) -> None:
    assert upgraded.presses("pin", {"new": PIN}).status_code == 200
    asked = bank.scans(upgraded.shows(), "banking")
    waiting = upgraded.state()["approval"]
    assert waiting["pin"] is True
    path = f"approvals/{asked.verification_id}"
    assert code(upgraded.presses(path, {"answer": "approve"})) == (403, "pin_required")
    wrong = upgraded.presses(path, {"answer": "approve", "pin": "274907"})
    assert code(wrong) == (403, "wrong_pin")
    assert "4" in wrong.get_json()["title"]
    assert bank.looks(asked.verification_id).attributes == {}
    assert upgraded.presses(path, {"answer": "approve", "pin": PIN}).status_code == 200
    assert bank.looks(asked.verification_id).state is State.ACCEPTED


def test_a_purpose_is_unlocked_for_one_scan(upgraded: Phone, bank: Desk) -> None:
    upgraded.presses("pin", {"new": PIN})
    assert code(upgraded.asks("code?purpose=banking")) == (403, "pin_required")
    wrong = {"purpose": "banking", "pin": "274907"}
    assert code(upgraded.presses("unlock", wrong)) == (403, "wrong_pin")
    assert upgraded.presses("unlock", {"purpose": "nonsense", "pin": PIN}).status_code == 400
    assert upgraded.presses("unlock", {"purpose": "banking", "pin": PIN}).status_code == 200
    answer = bank.scans(upgraded.shows("banking"), "banking")
    assert answer.state is State.ACCEPTED
    assert code(upgraded.asks("code?purpose=banking")) == (403, "pin_required")


def test_a_locked_pin_says_how_to_recover(upgraded: Phone, services: Services) -> None:
    upgraded.presses("pin", {"new": PIN})
    for _ in range(5):
        last = upgraded.presses("unlock", {"purpose": "banking", "pin": "274907"})
    assert code(last) == (423, "pin_locked")
    assert "PIN" in upgraded.state()["upgrade"]
    card = services.cards.of(LIN)
    assert card is not None
    services.pins.allow(card.credential_id, "distance=0.3")
    assert "60 minutes" in upgraded.state()["upgrade"]
    assert code(upgraded.presses("pin", {"new": "831502"})) == (409, "pin_cooling")
    services.redis.hincrby(pin_key(card.credential_id), "sa", -3_601_000_000)
    assert upgraded.presses("pin", {"new": "831502"}).status_code == 200


def test_a_hotel_needs_no_pin(upgraded: Phone, bank: Desk) -> None:
    bank.scans(upgraded.shows(), "hotel")
    assert upgraded.state()["approval"]["pin"] is False


def test_nobody_upgrades_for_another(
    phone: Phone, stranger: Phone, services: Services, phone_of: Callable[[str], Phone]
) -> None:
    stranger.opens_card()
    stranger.presses("upgrade")
    assert services.upgrades.look(LIN) is None
    nobody = phone_of("oNobody")
    nobody.opens_card()
    assert code(nobody.presses("upgrade"))[0] in {403, 404}
    assert phone.openid == "oLin"
