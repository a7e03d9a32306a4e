"""What stops a card is promised only when a replica has it: on a real primary and its replica."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest

from benchmarks.nodes import Cluster, cluster, until
from credentials.connection import connect
from credentials.errors import LifecycleError, UnavailableError
from credentials.model import State, Status
from credentials.templates import Templates
from tests.credentials.issuer import HOLDER, Desk, Issuer, Phone, person, refusal


@pytest.fixture(scope="module")
def pair() -> Iterator[Cluster]:
    with cluster("--cluster-allow-replica-migration", "no", primaries=3) as made:
        yield made


@pytest.fixture
def issuer(pair: Cluster) -> Iterator[Issuer]:
    pair.settle()
    database = connect(pair.url)
    database.flushall()
    yield Issuer(database)
    database.close()


def promised(stop: Callable[[], object]) -> LifecycleError | None:
    """Stop a card, again and again until a replica has it.

    On a busy machine that takes longer than the half second which the product waits for it; the
    same call again confirms what is in force already, and says so by the refusal that is given.
    """
    refusals: list[LifecycleError] = []

    def done() -> bool:
        try:
            stop()
        except UnavailableError:
            return False
        except LifecycleError as refusal:
            refusals.append(refusal)
        return True

    until(done, "no replica has it")
    return refusals[0] if refusals else None


def server_of(pair: Cluster, phone: Phone) -> int:
    slot: int = pair.nodes[0].ask(
        "CLUSTER", "KEYSLOT", f"{{b{int(phone.credential_id[:3], 16):04d}}}"
    )
    return slot


def test_a_revoked_card_stays_revoked_when_its_server_dies(pair: Cluster, issuer: Issuer) -> None:
    phone, desk = issuer.phone(), issuer.desk()
    slot = server_of(pair, phone)
    primary = pair.primary_of(slot)
    desk.scan(phone.show(), "internet_cafe")
    promised(lambda: issuer.cards.revoke(phone.credential_id, HOLDER))
    primary.kill()
    with pytest.raises(UnavailableError):
        issuer.cards.get(phone.credential_id)
    until(lambda: pair.primary_of(slot) is not primary, "nobody takes over")
    until(lambda: status(issuer, phone) is not None, "nobody answers")
    assert status(issuer, phone) is Status.REVOKED
    assert desk_says(issuer, desk, phone) == "revoked"
    with pytest.raises(LifecycleError):
        issuer.cards.unfreeze(phone.credential_id, HOLDER)
    primary.start()
    pair.settle()
    assert status(issuer, phone) is Status.REVOKED


def test_without_its_replica_a_stop_is_in_force_but_not_promised(
    pair: Cluster, issuer: Issuer
) -> None:
    phone, desk = issuer.phone(), issuer.desk()
    replica = pair.replica_of(pair.primary_of(server_of(pair, phone)))
    replica.kill()
    with pytest.raises(UnavailableError) as stopped:
        issuer.cards.freeze(phone.credential_id, HOLDER)
    assert stopped.value.details["why"] == "not replicated"
    assert desk_says(issuer, desk, phone) == "frozen"
    with pytest.raises(UnavailableError):  # asked again it is still not promised
        issuer.cards.freeze(phone.credential_id, HOLDER)
    replica.start()
    pair.settle()
    again = promised(lambda: issuer.cards.freeze(phone.credential_id, HOLDER))
    assert again is not None
    assert again.details["status"] == "frozen"


def test_a_denial_that_freezes_is_not_promised_without_a_replica(
    pair: Cluster, issuer: Issuer
) -> None:
    phone, desk = issuer.phone(), issuer.desk()
    assert desk.scan(phone.show(), "hotel").state is State.AWAITING_HOLDER
    asked = phone.asked().verification_id
    replica = pair.replica_of(pair.primary_of(server_of(pair, phone)))
    replica.kill()
    with pytest.raises(UnavailableError):
        issuer.verifications.deny(phone.holder, asked, freeze=True)
    assert status(issuer, phone) is Status.FROZEN
    replica.start()
    pair.settle()


def test_an_erased_card_is_promised_to_be_gone(pair: Cluster, issuer: Issuer) -> None:
    phone = issuer.phone()
    faces = Templates(issuer.database, issuer.sealer, issuer.index)
    face = faces.put(person(1).id_number, bytes(512))
    replica = pair.replica_of(pair.primary_of(server_of(pair, phone)))
    replica.kill()
    for _ in range(2):  # asked again it is still not promised
        with pytest.raises(UnavailableError):
            issuer.cards.erase(phone.holder, HOLDER)
    replica.start()
    pair.settle()
    promised(lambda: issuer.cards.erase(phone.holder, HOLDER))  # repeating it finishes it
    assert issuer.cards.of(phone.holder) is None
    assert list(faces.get([face])) == []
    again = issuer.issue(person(1), "oAgain")  # the number is free
    assert again.credential_id != phone.credential_id


def test_a_card_is_stopped_while_its_slot_is_on_the_move(pair: Cluster, issuer: Issuer) -> None:
    phone = issuer.phone()
    slot = server_of(pair, phone)
    giver = pair.primary_of(slot)
    taker = next(
        node for node in pair.nodes if node is not giver and (node.ask("ROLE"))[0] == "master"
    )
    taker.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", giver.ask("CLUSTER", "MYID"))
    giver.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", taker.ask("CLUSTER", "MYID"))
    keys = giver.ask("CLUSTER", "GETKEYSINSLOT", slot, 50)
    giver.ask("MIGRATE", "127.0.0.1", taker.port, "", 0, 5000, "KEYS", *keys)
    promised(lambda: issuer.cards.freeze(phone.credential_id, HOLDER))  # by ASK
    pair.move(range(slot, slot + 1), taker)
    promised(lambda: issuer.cards.revoke(phone.credential_id, HOLDER))  # by MOVED
    assert status(issuer, phone) is Status.REVOKED
    assert issuer.findings() == []


def test_a_server_that_was_silent_is_asked_again(pair: Cluster, issuer: Issuer) -> None:
    phone, desk = issuer.phone(), issuer.desk()
    primary = pair.primary_of(server_of(pair, phone))
    code = phone.show()
    primary.signal(signal.SIGSTOP)
    try:
        with pytest.raises(UnavailableError):
            desk.scan(code, "internet_cafe")
    finally:
        primary.signal(signal.SIGCONT)

    def accepted() -> bool:
        try:
            return desk.scan(phone.show(), "internet_cafe").state is State.ACCEPTED
        except UnavailableError:
            return False

    until(accepted, "nobody answers")
    pair.settle()


def status(issuer: Issuer, phone: Phone) -> Status | None:
    try:
        card = issuer.cards.get(phone.credential_id)
    except UnavailableError:
        return None
    return card.status if card else None


def desk_says(issuer: Issuer, desk: Desk, phone: Phone) -> str:
    """What a scan of a code is told that was made before the card was stopped."""
    return refusal(lambda: desk.scan(phone.showed(1), "internet_cafe"))
