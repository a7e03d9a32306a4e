"""The same on a Redis Cluster, which refuses a script whose keys are in two slots."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks import nodes
from credentials.connection import connect
from credentials.model import Holder, State
from tests.credentials.issuer import HOLDER, Issuer, person
from tests.credentials.test_replicas import promised


@pytest.fixture
def cluster() -> Iterator[str]:
    """A cluster of three primaries, each with a replica: a stop is not promised without one."""
    with nodes.cluster(*nodes.CALM) as made:
        yield made.url


def test_a_card_lives_its_whole_life_in_a_cluster(patient: None, cluster: str) -> None:
    issuer = Issuer(connect(cluster))
    phones = [issuer.phone(number) for number in range(1, 5)]
    desk = issuer.desk()
    for number, phone in enumerate(phones):
        code = phone.show()
        # Of its own: cards that happen to be of one bucket share the requests' names.
        assert desk.scan(code, "internet_cafe", f"request-{number}").state is State.ACCEPTED
        assert desk.refused(code, "internet_cafe") == "already_used"
        desk.scan(phone.show(), "hotel")
        phone.approve()
        assert phone.history()[:3] == ["accepted", "asked", "accepted"]
    assert len(issuer.verifications.recent_everywhere()) == 8
    promised(lambda: issuer.cards.freeze(phones[0].credential_id, HOLDER))
    assert desk.refused(phones[0].showed(0), "internet_cafe") == "frozen"
    promised(lambda: issuer.cards.erase(phones[1].holder, HOLDER))
    assert issuer.cards.of(phones[1].holder) is None
    assert issuer.issue(person(2), "oAgain").holder == Holder("wechat", "oAgain")
    issuer.audit.note("signed_in", HOLDER)
    assert issuer.findings() == []
    issuer.database.close()
