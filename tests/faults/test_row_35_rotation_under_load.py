"""Row 35. Key rotation under load: no error, old records readable, old codes valid 30 s."""

from __future__ import annotations

import itertools
import threading
from collections import Counter

from credentials.keyring import rotate_file
from credentials.model import Actor
from tests.faults.acts import END_SECONDS, Office, office_of
from tests.faults.conftest import Figure
from tests.product.actors import HotelSoftware, Product

ROTATIONS = 3
SCANNERS = 3


def scan_until(
    stop: threading.Event, office: Office, cafe: HotelSoftware, answers: Counter[str]
) -> None:
    """A desk that scans and scans, each time another card's code, and looks at results."""
    cards = [office.card() for _ in range(5)]
    place = 0
    while not stop.is_set():
        card = cards[place % len(cards)]
        answer = cafe.scan(office.code(card), "internet_cafe")
        answers[str(answer.json().get("code", answer.status_code))] += 1
        if answer.status_code == 200:
            again = cafe.ask_again(answer.json()["verification_id"])
            answers[f"again {again.status_code}"] += 1
        place += 1


def test_nobody_notices_a_rotation(product: Product, figure: Figure) -> None:
    cafe = HotelSoftware.registered(product, "换钥网吧", "internet_cafe")
    answers: Counter[str] = Counter()
    stop = threading.Event()
    with office_of(product) as office:
        kept = [office.card() for _ in range(30)]
        desks = [
            threading.Thread(target=scan_until, args=(stop, office, cafe, answers))
            for _ in range(SCANNERS)
        ]
        for desk in desks:
            desk.start()
        for _ in range(ROTATIONS - 1):
            codes = [office.code(card) for card in kept[:5]]
            rotate_file(product.var_dir / "master-keys")
            for code in codes:  # shown before, scanned after
                assert cafe.scan(code, "internet_cafe").status_code == 200
            office.services.keyring.refresh()
            assert list(office.services.resealing.run())[-1].changed > 0
        said = product.command("keys", "rotate", "--reseal")
        stop.set()
        for desk in desks:
            desk.join(END_SECONDS)
        assert f"everything is under master key {ROTATIONS + 1}" in said
        assert set(answers) == {"200", "again 200"}
        for card in kept:
            found = office.services.cards.get(card.credential_id)
            assert found is not None
            assert found.name_masked
        sealed = office.database.hget(
            next(iter(office.database.scan_iter(f"*:c:{kept[0].credential_id}"))), "e"
        )
        assert isinstance(sealed, bytes)
        assert sealed[0] == ROTATIONS + 1
    assert "each in its place" in product.command("audit", "verify")
    figure("rotations", ROTATIONS, "")
    figure("scans meanwhile", answers["200"], "")
    figure("errors", sum(answers.values()) - answers["200"] - answers["again 200"], "")


def test_a_card_can_be_issued_and_stopped_right_after(product: Product) -> None:
    cafe = HotelSoftware.registered(product, "换钥酒店", "internet_cafe")
    with office_of(product) as office:
        office.numbers = itertools.count(501)
        before = office.card()
        product.command("keys", "rotate")
        after = office.card()
        office.services.cards.freeze(before.credential_id, Actor("holder"))
        assert cafe.scan(office.code(after), "internet_cafe").status_code == 200
        assert office.services.cards.find("x") is None
