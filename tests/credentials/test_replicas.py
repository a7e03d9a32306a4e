"""What stops a card is promised only when a replica has it: on a real primary and its replica."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from benchmarks.nodes import CALM, Cluster, Node, cluster, until
from credentials.connection import connect
from credentials.errors import LifecycleError, UnavailableError
from credentials.model import State, Status
from credentials.templates import Templates
from tests.credentials.issuer import HOLDER, Desk, Issuer, Phone, person, refusal

Answer = TypeVar("Answer")


@pytest.fixture(scope="module")
def pair() -> Iterator[Cluster]:
    with cluster(*CALM, "--cluster-allow-replica-migration", "no", primaries=3) as made:
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


def answered(ask: Callable[[], Answer]) -> Answer:
    """What the cluster answers, asked again for as long as nobody does."""
    answers: list[Answer] = []

    def done() -> bool:
        with contextlib.suppress(UnavailableError):
            answers.append(ask())
        return bool(answers)

    until(done, "nobody answers")
    return answers[0]


def unconfirmed(stop: Callable[[], object]) -> bool:
    """Whether a stop is not promised because no replica has it; promised it never may be."""
    with pytest.raises(UnavailableError) as stopped:
        stop()
    return stopped.value.details["why"] == "not replicated"


@contextlib.contextmanager
def silent(*nodes: Node) -> Iterator[None]:
    """Servers that do nothing for a while: nobody can take over meanwhile, however long it is."""
    for node in nodes:
        node.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for node in nodes:
            node.signal(signal.SIGCONT)


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
    with silent(pair.replica_of(primary)):
        primary.kill()
        with pytest.raises(UnavailableError):
            issuer.cards.get(phone.credential_id)
    assert status(issuer, phone) is Status.REVOKED
    assert pair.primary_of(slot) is not primary
    assert desk_says(issuer, desk, phone) == "revoked"
    with pytest.raises(LifecycleError):
        answered(lambda: issuer.cards.unfreeze(phone.credential_id, HOLDER))
    primary.start()
    pair.settle()
    assert status(issuer, phone) is Status.REVOKED


def test_without_its_replica_a_stop_is_in_force_but_not_promised(
    pair: Cluster, issuer: Issuer
) -> None:
    phone, desk = issuer.phone(), issuer.desk()
    replica = pair.replica_of(pair.primary_of(server_of(pair, phone)))
    replica.kill()

    def stop() -> object:
        return issuer.cards.freeze(phone.credential_id, HOLDER)

    until(lambda: unconfirmed(stop), "something else is wrong")
    assert desk_says(issuer, desk, phone) == "frozen"
    until(lambda: unconfirmed(stop), "something else is wrong")  # asked again: still not promised
    replica.start()
    pair.settle()
    again = promised(stop)
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
    with silent(pair.replica_of(primary), primary), pytest.raises(UnavailableError):
        desk.scan(code, "internet_cafe")
    again = answered(lambda: desk.scan(phone.show(), "internet_cafe"))
    assert again.state is State.ACCEPTED
    pair.settle()


def status(issuer: Issuer, phone: Phone) -> Status | None:
    card = answered(lambda: issuer.cards.get(phone.credential_id))
    return card.status if card else None


def desk_says(issuer: Issuer, desk: Desk, phone: Phone) -> str:
    """What a scan of a code is told that was made before the card was stopped."""
    return answered(lambda: refusal(lambda: desk.scan(phone.showed(1), "internet_cafe")))
