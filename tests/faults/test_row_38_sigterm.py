"""Row 38. SIGTERM under load: in-flight requests finish; nothing acknowledged is lost."""

from __future__ import annotations

import collections
import signal
import threading

import httpx

from commands import embedded
from tests.faults.acts import Office, office_of
from tests.faults.conftest import Figure
from tests.product.actors import Product, wait_until

SCANNERS = 4


class Scanners:
    """Threads that scan until nobody listens any more, and what each scan was answered."""

    def __init__(self, product: Product, codes: dict[str, str], key: str) -> None:
        self.accepted: list[tuple[str, str]] = []
        self.endings: collections.Counter[str] = collections.Counter()
        self._product = product
        self._codes = codes
        self._key = key
        self._lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run) for _ in range(SCANNERS)]

    def _run(self) -> None:
        with httpx.Client(timeout=20, trust_env=False) as client:
            while True:
                with self._lock:
                    if not self._codes:
                        return
                    credential_id, code = self._codes.popitem()
                try:
                    answer = client.post(
                        f"{self._product.address}/api/v1/verifications",
                        json={"code": code, "purpose": "internet_cafe"},
                        headers={"Authorization": f"Bearer {self._key}"},
                    )
                except httpx.ConnectError:
                    self.endings["nobody listens"] += 1
                    return
                except httpx.RemoteProtocolError:
                    # An idle connection that was closed while the request was on its way: the
                    # request was not read. The ledger below shows whether that is so.
                    self.endings["closed before reading"] += 1
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
        cards = [office.card() for _ in range(400)]
        codes = {card.credential_id: office.code(card) for card in cards}
    scanners = Scanners(product, codes, key)
    for thread in scanners.threads:
        thread.start()
    assert wait_until(lambda: len(scanners.accepted) > 40, 20)
    status = product.stop(signal.SIGTERM)
    for thread in scanners.threads:
        thread.join(30)
    assert status == 0
    assert not [name for name in scanners.endings if name.startswith("broken")], scanners.endings
    assert set(scanners.endings) <= {"200", "503", "nobody listens", "closed before reading"}
    server = embedded.start(product.var_dir)
    try:
        with office_of(product) as office:
            lost = [each for each in scanners.accepted if _logged(office, *each) != 1]
    finally:
        embedded.stop(server)
    assert lost == []
    figure("scans acknowledged", len(scanners.accepted), "")
    figure("lost", len(lost), "")
    figure("closed before reading", scanners.endings["closed before reading"], "")


def _logged(office: Office, credential_id: str, verification_id: str) -> int:
    uses = office.services.cards.history(credential_id, 20)
    return sum(use.verification_id == verification_id for use in uses)
