"""Row 38. SIGTERM under load: in-flight requests finish; nothing acknowledged is lost."""

from __future__ import annotations

import collections
import signal
import threading
import time

import httpx

from commands import embedded
from credentials.codes import Codes, Payload
from tests.faults.acts import END_SECONDS, Office, office_of
from tests.faults.conftest import Figure
from tests.product.actors import Product, wait_until

SCANNERS = 4


class Scanners:
    """Threads that scan until nobody listens any more, and what each scan was answered."""

    def __init__(self, product: Product, codes: Codes, cards: list[str], key: str) -> None:
        self.accepted: list[tuple[str, str]] = []
        self.torn: list[str] = []
        self.endings: collections.Counter[str] = collections.Counter()
        self._product = product
        self._codes = codes
        self._cards = cards
        self._key = key
        self.threads = [threading.Thread(target=self._run) for _ in range(SCANNERS)]

    def _run(self) -> None:
        with httpx.Client(timeout=60, trust_env=False) as client:
            while True:
                try:
                    credential_id = self._cards.pop()
                except IndexError:
                    return
                # Made just now, without Redis: however slow the machine is, it is fresh.
                code = self._codes.write(Payload(credential_id, time.time_ns() // 1000))
                try:
                    answer = client.post(
                        f"{self._product.address}/api/v1/verifications",
                        json={"code": code, "purpose": "internet_cafe"},
                        headers={"Authorization": f"Bearer {self._key}"},
                    )
                except httpx.ConnectError:
                    self.endings["nobody listens"] += 1
                    return
                except (httpx.RemoteProtocolError, httpx.ReadError):
                    # A connection that was closed, or never taken, while the request was on its
                    # way: the request was not read. The ledger below shows whether that is so.
                    self.endings["closed before reading"] += 1
                    self.torn.append(credential_id)
                    continue
                except httpx.HTTPError as error:
                    self.endings[f"broken: {type(error).__name__}"] += 1
                    continue
                self.endings[str(answer.status_code)] += 1
                if answer.status_code == 200:
                    self.accepted.append((credential_id, answer.json()["verification_id"]))


def test_what_was_begun_is_finished_and_kept(product: Product, figure: Figure) -> None:
    with office_of(product) as office:
        _verifier, key = office.services.verifiers.add("关机网吧", ["internet_cafe"])
        cards = [office.card().credential_id for _ in range(400)]
    scanners = Scanners(product, office.services.codes, cards, key)
    for thread in scanners.threads:
        thread.start()
    assert wait_until(lambda: len(scanners.accepted) > 40, END_SECONDS)
    status = product.stop(signal.SIGTERM)
    for thread in scanners.threads:
        thread.join(END_SECONDS)
    assert status == 0
    assert not [name for name in scanners.endings if name.startswith("broken")], scanners.endings
    assert set(scanners.endings) <= {"200", "503", "nobody listens", "closed before reading"}
    server = embedded.start(product.var_dir)
    try:
        with office_of(product) as office:
            lost = [each for each in scanners.accepted if _logged(office, *each) != 1]
            unsaid = [each for each in scanners.torn if _was_accepted(office, each)]
    finally:
        embedded.stop(server)
    assert (lost, unsaid) == ([], [])
    figure("scans acknowledged", len(scanners.accepted), "")
    figure("lost", len(lost), "")
    figure("closed before reading", scanners.endings["closed before reading"], "")


def _logged(office: Office, credential_id: str, verification_id: str) -> int:
    uses = office.services.cards.history(credential_id, 20)
    return sum(use.verification_id == verification_id for use in uses)


def _was_accepted(office: Office, credential_id: str) -> bool:
    return "accepted" in {use.kind for use in office.services.cards.history(credential_id, 20)}
