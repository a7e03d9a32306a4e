"""Row 31. Primary of a Redis Cluster killed under load: refusals for a bounded time; nothing
revoked becomes valid again."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from credentials.authority import EmbeddedRegistry
from credentials.codes import ANY_PURPOSE, Payload
from credentials.connection import connect
from credentials.errors import RefusalError, UnavailableError
from credentials.model import Verifier
from credentials.sealing import BlindIndex, Sealer
from credentials.services import build
from tests.credentials.issuer import ADDRESS, ring
from tests.faults.acts import END_SECONDS, Office
from tests.faults.conftest import Figure
from tests.faults.ledger import Load
from tests.faults.servers import RedisServer, cluster
from tests.product.actors import wait_until


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RedisServer]]:
    folder: Path = tmp_path_factory.mktemp("cluster")
    with cluster(folder) as started:
        yield started


@pytest.fixture
def office(servers: list[RedisServer]) -> Iterator[Office]:
    addresses = f"redis+cluster://127.0.0.1:{servers[0].port}"
    database = connect(addresses)
    keyring = ring()
    sealer = Sealer(keyring)
    registry = EmbeddedRegistry(database, sealer, BlindIndex(database, sealer))
    yield Office(build(database, keyring, address=ADDRESS, authority=registry), database)
    database.close()


def test_a_primary_is_killed_under_load(
    servers: list[RedisServer], office: Office, figure: Figure
) -> None:
    verifier, _key = office.services.verifiers.add("集群网吧", ["internet_cafe"])

    def scan(code: str) -> str:
        told = office.services.verifications.verify(verifier, "", code, "internet_cafe", None)
        return told.verification_id

    # Not the one that the clients were told of first, so that they find the others themselves.
    victim = next(server for server in servers[1:] if _is_primary(server))
    with Load(office, scan) as load:
        assert wait_until(lambda: load.reached(60), END_SECONDS)
        victim.stop(signal.SIGKILL)
        before = len(load.ledger.issued)
        assert wait_until(lambda: load.reached(before + 200), END_SECONDS)
    assert wait_until(lambda: _all_answer(office), END_SECONDS)
    again = [each for each in load.ledger.revoked if _is_valid(office, verifier, each)]
    assert again == [], "a revoked card is valid again"
    lost = list(load.ledger.problems(office))
    figure("revocations acknowledged", len(load.ledger.revoked), "")
    figure("valid again", len(again), "")
    figure("longest without an answer", load.ledger.longest_gap, "s")
    figure("other acknowledged writes lost", len(lost), f"of {len(load.ledger.issued)} cards")


def _is_primary(server: RedisServer) -> bool:
    with server.client() as client:
        return str(client.info("replication")["role"]) == "master"


def _all_answer(office: Office) -> bool:
    """Whether every slot has a primary again."""
    try:
        for number in range(60):
            office.services.cards.get(f"{number * 64:03x}0000000000000")
    except UnavailableError:
        return False
    return True


def _is_valid(office: Office, verifier: Verifier, credential_id: str) -> bool:
    """Whether a code made by hand for this card would be accepted."""
    glance = office.services.cards.get(credential_id)
    if glance is None:
        return False
    now = time.time_ns() // 1000
    code = office.services.codes.write(Payload(credential_id, now, ANY_PURPOSE))
    try:
        office.services.verifications.verify(verifier, "", code, "internet_cafe", None)
    except RefusalError:
        return False
    return True
