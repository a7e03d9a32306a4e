"""Row 30. kill -9 of Redis under load: no acknowledged credential, revocation or log entry lost."""

from __future__ import annotations

import os
import signal

import httpx

from tests.faults.acts import END_SECONDS, office_of
from tests.faults.conftest import Figure
from tests.faults.ledger import Load
from tests.product.actors import HotelSoftware, Product, wait_until

KILLS = 3


def test_nothing_acknowledged_is_lost(product: Product, figure: Figure) -> None:
    hotel = HotelSoftware.registered(product, "断电网吧", "internet_cafe")

    def scan(code: str) -> str:
        try:
            answer = hotel.scan(code, "internet_cafe")
        except httpx.HTTPError:
            return ""
        return str(answer.json()["verification_id"]) if answer.status_code == 200 else ""

    with office_of(product) as office, Load(office, scan) as load:
        for _ in range(KILLS):
            before = len(load.ledger.issued)
            assert wait_until(lambda wanted=before + 25: load.reached(wanted), END_SECONDS)  # type: ignore[misc] # mypy knows no defaults
            os.kill(product.children()["redis-server"], signal.SIGKILL)
        before = len(load.ledger.issued)
        assert wait_until(lambda: load.reached(before + 10), END_SECONDS)
    with office_of(product) as office:
        lost = list(load.ledger.problems(office))
    assert lost == []
    figure("kills", KILLS, "")
    figure("cards acknowledged", len(load.ledger.issued), "")
    figure("scans acknowledged", len(load.ledger.accepted), "")
    figure("revocations acknowledged", len(load.ledger.revoked), "")
    figure("lost", len(lost), "")
    figure("longest without an answer", load.ledger.longest_gap, "s")
