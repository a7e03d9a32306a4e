"""Row 25. PIN brute force, many addresses: per-account lock; the owner recovers with a fresh
face."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from credentials.pins import COOL_OFF_SECONDS, TRIES
from credentials.store import pin_key
from simulator.phone import Phone
from tests.credentials.issuer import id_number
from tests.credentials.kiosk import Kiosk
from tests.faults.acts import CONSENTS, END_SECONDS, Office, all_at_once
from tests.faults.conftest import Figure
from tests.product.actors import HotelSoftware, Product
from web.demo import CITIZENS

PIN, OTHER, NEXT = "274906", "590318", "831502"
ADDRESSES = 20
PURPOSE = "banking"


@dataclasses.dataclass
class Visit:
    """The card page's address and token, and the cookies that open it: all that a thief needs."""

    path: str
    token: str
    cookies: list[tuple[str, str, str]]

    def send(self, what: str, source: str = "127.0.0.1", **body: object) -> str:
        """What comes back from a browser at another address: 'ok' or the problem's code."""
        transport = httpx.HTTPTransport(local_address=source)
        with httpx.Client(transport=transport, timeout=60) as client:
            for name, value, path in self.cookies:
                client.cookies.set(name, value, path=path)
            headers = {"X-Card-Token": self.token, "Accept": "application/json"}
            answer = client.post(self.path + what, json=body, headers=headers)
        return "ok" if answer.status_code == 200 else str(answer.json()["code"])

    def unlock(self, pin: str, source: str = "127.0.0.1") -> str:
        return self.send("unlock", source, purpose=PURPOSE, pin=pin)


@dataclasses.dataclass
class Owner:
    """Somebody with an upgraded card, a PIN, and the card's page open."""

    phone: Phone
    credential_id: str
    visit: Visit


@pytest.fixture(scope="module")
def owners(shared_product: Product, shared_office: Office) -> Iterator[list[Owner]]:
    with Phone(shared_product.address) as first, Phone(shared_product.address) as second:
        phones = (first, second)
        yield [
            owner(shared_product, shared_office, phone, place) for place, phone in enumerate(phones)
        ]


def owner(product: Product, office: Office, phone: Phone, place: int) -> Owner:
    """An account with a card that a terminal upgraded, all with the product's own services."""
    phone.follow()
    phone.wait_for("申请")
    who = dataclasses.replace(
        CITIZENS[place].person(), name="安全测试", id_number=id_number(251 + place)
    )
    services = office.services
    services.authority.add(who)  # type: ignore[attr-defined] # the demo's own registry
    holder = office.holder(phone.openid)
    card = services.cards.issue(holder, who, CONSENTS, evidence={"liveness": "unsafe-none"})
    kiosk = Kiosk.accredited(services.upgrades, services.terminals, f"终端{place}")
    kiosk.reads(services.upgrades.binding_code(holder).digits, who)
    services.upgrades.face(holder, {"distance": "0.3"})
    services.pins.set(holder, PIN)
    page = phone.open(f"{product.address}/card")
    token = re.search(r'data-token="([^"]+)"', page.text)
    assert token, page.text[:300]
    cookies = [(each.name, each.value or "", each.path) for each in phone.browser.cookies.jar]
    return Owner(phone, card.credential_id, Visit(str(page.url), token[1], cookies))


def test_guesses_from_many_addresses_at_once_are_counted_together(
    owners: list[Owner], figure: Figure
) -> None:
    victim, neighbour = owners
    told: list[str] = []
    sources = [f"127.0.0.{place + 10}" for place in range(ADDRESSES)]

    def guess(number: int) -> None:
        told.append(victim.visit.unlock(f"59{number:04d}", sources[number]))

    all_at_once([functools.partial(guess, number) for number in range(ADDRESSES)])
    answers = Counter(told)
    assert answers == {"wrong_pin": TRIES - 1, "pin_locked": ADDRESSES - TRIES + 1}
    figure("guesses that were compared, of 20 at once", TRIES, "")
    assert neighbour.visit.unlock(PIN) == "ok"  # nobody else is locked out


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.10", "127.0.0.99"])
def test_it_is_locked_from_every_address_also_for_the_right_one(
    owners: list[Owner], source: str
) -> None:
    assert owners[0].visit.unlock(PIN, source) == "pin_locked"
    assert owners[0].visit.send("pin", source, new=NEXT, current=PIN) == "pin_locked"
    assert owners[0].visit.send("pin", source, new=NEXT) == "pin_needs_face"


def test_waiting_unlocks_nothing_and_the_lock_is_written_down(
    owners: list[Owner], shared_office: Office
) -> None:
    key = pin_key(owners[0].credential_id)
    assert shared_office.database.ttl(key) == -1
    assert shared_office.services.pins.state(owners[0].credential_id).locked
    history = shared_office.services.cards.history(owners[0].credential_id)
    assert [use.kind for use in history].count("pin_locked") == 1


def test_a_bank_is_told_nothing_meanwhile(
    shared_product: Product, shared_office: Office, owners: list[Owner]
) -> None:
    bank = HotelSoftware.registered(shared_product, "防猜测银行", PURPOSE)
    card = shared_office.services.cards.get(owners[0].credential_id)
    assert card is not None
    asked = bank.scan(shared_office.code(card), PURPOSE).json()
    answer = f"approvals/{asked['verification_id']}"
    assert owners[0].visit.send(answer, answer="approve", pin=PIN) == "pin_locked"
    assert bank.ask_again(asked["verification_id"]).json()["attributes"] == {}
    assert owners[0].visit.send(answer, answer="deny") == "ok"


def test_another_face_recovers_nothing(owners: list[Owner]) -> None:
    phone = owners[0].phone
    phone.say("记录")  # in Chinese; the word PIN alone would be taken for English
    phone.wait_for("记录")
    phone.say("PIN")
    phone.wait_for("面容")
    phone.send_photo(CITIZENS[1].selfie())
    phone.wait_for("还可以再试", seconds=END_SECONDS)
    assert owners[0].visit.send("pin", new=NEXT) == "pin_needs_face"


def test_the_owner_recovers_with_a_fresh_face_and_an_hours_patience(
    owners: list[Owner], shared_office: Office
) -> None:
    victim = owners[0]
    victim.phone.send_photo(CITIZENS[0].selfie())
    victim.phone.wait_for("分钟后才能", seconds=END_SECONDS)
    assert victim.visit.send("pin", new=NEXT) == "pin_cooling"
    assert victim.visit.unlock(PIN) == "pin_locked"  # the old one stays locked
    shared_office.database.hincrby(
        pin_key(victim.credential_id), "sa", -COOL_OFF_SECONDS * 1_000_000
    )
    assert victim.visit.send("pin", new=NEXT) == "ok"
    assert victim.visit.unlock(OTHER) == "wrong_pin"
    assert victim.visit.unlock(PIN) == "wrong_pin"
    assert victim.visit.unlock(NEXT) == "ok"
