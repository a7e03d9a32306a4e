"""What follows a verification: receipts are passed on in a thread beside a worker's others."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence

import pytest
import redis

from bot import follow_up
from bot.follow_up import Tell
from credentials.cases import Kind
from credentials.errors import UnavailableError
from credentials.keyring import KeyringError
from credentials.model import Verifier
from credentials.receipts import AT_ONCE, Receipt, Receipts
from credentials.sealing import SealBrokenError, Sealer
from credentials.services import Services
from tests.bot.talking import World, make_world
from tests.credentials.issuer import CONSENTS, person, ring
from tests.product.actors import wait_until


@pytest.fixture
def world(database: redis.Redis, redis_url: str) -> World:
    return make_world(database, redis_url)


def scanned(world: World, times: int = 1) -> None:
    """A holder's card is scanned in a cafe."""
    holder = world.phone().holder
    world.services.cards.issue(holder, person(), CONSENTS, evidence={})
    verifier = world.verifier()
    for _ in range(times):
        code = world.services.cards.mint(holder).code
        world.services.verifications.verify(verifier, "", code, "internet_cafe")


def teller(world: World) -> Tell:
    return follow_up.teller(world.talk.notify, world.services.aftermath)


def waiting(services: Services) -> int:
    return services.receipts.figures()[0]


def test_a_thread_tells_until_it_is_told_to_stop(world: World) -> None:
    stop = threading.Event()
    thread = follow_up.start_receipts(world.services.receipts, teller(world), stop)
    scanned(world, times=3)
    assert wait_until(lambda: waiting(world.services) == 0, 60)
    stop.set()
    thread.join(60)
    assert not thread.is_alive()
    assert world.phone().hears().count("海景酒店") == 3


def test_the_same_receipt_twice_is_told_once(world: World) -> None:
    scanned(world)
    tell = teller(world)

    def tell_twice(receipts: Sequence[Receipt]) -> None:
        tell(receipts)
        tell(receipts)

    world.services.receipts.pass_on("one", tell_twice)
    assert world.phone().hears().count("海景酒店") == 1


def test_a_receipt_that_cannot_be_told_holds_up_no_other(world: World) -> None:
    scanned(world, times=3)
    seen: list[str] = []

    def notify(receipt: Receipt) -> None:
        seen.append(receipt.decided.verification_id)
        if len(seen) == 2:
            raise KeyError("chat.receipt")
        world.talk.notify(receipt)

    tell = follow_up.teller(notify, world.services.aftermath)
    assert world.services.receipts.pass_on("one", tell) == 3
    assert waiting(world.services) == 0
    assert world.phone().hears().count("海景酒店") == 2


def test_what_no_key_opens_is_lost_and_does_not_wait(world: World) -> None:
    scanned(world, times=2)

    def notify(receipt: Receipt) -> None:
        raise SealBrokenError

    tell = follow_up.teller(notify, world.services.aftermath)
    assert world.services.receipts.pass_on("one", tell) == 2
    assert waiting(world.services) == 0


def test_while_nothing_can_be_promised_all_of_them_wait(world: World) -> None:
    scanned(world, times=2)

    def notify(receipt: Receipt) -> None:
        raise UnavailableError(what="jobs", why="full")

    tell = follow_up.teller(notify, world.services.aftermath)
    with pytest.raises(UnavailableError):
        world.services.receipts.pass_on("one", tell)
    assert waiting(world.services) == 2
    assert world.phone().hears() == ""


def two_scanned(world: World) -> tuple[Verifier, Verifier]:
    """A card is scanned by one whose endpoint no key opens any more, then by another."""
    phone = world.phone()
    world.services.cards.issue(phone.holder, person(), CONSENTS, evidence={})
    lost, well = world.verifier("失钥酒店"), world.verifier("海景酒店")
    for verifier in (lost, well):
        world.services.webhooks.add(verifier.verifier_id, "https://hotel.example/hook")
        code = world.services.cards.mint(phone.holder).code
        world.services.verifications.verify(verifier, "", code, "internet_cafe")
    hooks = f"{{v:{lost.verifier_id}}}:hooks"
    other = Sealer(ring(9)).seal(hooks, b"under a master key that is not here")
    world.database.hset(hooks, "endpoint", other)
    return lost, well


def test_a_verifier_whose_endpoints_do_not_open_holds_up_no_other(world: World) -> None:
    lost, well = two_scanned(world)
    assert world.services.receipts.pass_on("one", teller(world)) == 2
    assert announced(world, well) == ["accepted"]
    assert waiting(world.services) == 1
    world.services.webhooks.drop(lost.verifier_id, "endpoint")
    heard = world.phone().hears()
    assert (heard.count("失钥酒店"), heard.count("海景酒店")) == (1, 1)


def test_what_waited_for_a_key_is_told_when_it_is_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, well = two_scanned(world)
    world.services.receipts.pass_on("one", teller(world))
    world.services.webhooks.drop(lost.verifier_id, "endpoint")
    monkeypatch.setattr("credentials.receipts.SILENT_MS", 0)
    again = Receipts(world.services.verifications._store, world.services.sealer)
    assert again.pass_on("two", teller(world)) == 1
    assert (announced(world, lost), announced(world, well)) == (["accepted"], ["accepted"])
    assert waiting(world.services) == 0


def test_a_request_waits_to_be_told_while_the_holder_answers_another_question(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = world.phone()
    world.services.cards.issue(phone.holder, person(), CONSENTS, evidence={})
    phone.say("注销")
    code = world.services.cards.mint(phone.holder).code
    world.services.verifications.verify(world.verifier(), "", code, "hotel")
    monkeypatch.setattr("bot.talk.JOB_WAIT_SECONDS", 0.0)
    taken = world.conversations.take(phone.holder)
    with pytest.raises(UnavailableError):
        world.services.receipts.pass_on("one", teller(world))
    world.conversations.leave(taken)
    monkeypatch.setattr("credentials.receipts.SILENT_MS", 0)
    again = Receipts(world.services.verifications._store, world.services.sealer)
    assert again.pass_on("two", teller(world)) == 1
    assert "海景酒店" in phone.hears()
    assert phone.step() == "home"


def test_where_nobody_can_be_told_the_reason_is_raised(world: World) -> None:
    lost, _ = two_scanned(world)
    world.services.receipts.pass_on("one", teller(world))
    code = world.services.cards.mint(world.phone().holder).code
    world.services.verifications.verify(lost, "", code, "internet_cafe")
    with pytest.raises(KeyringError):
        world.services.receipts.pass_on("one", teller(world))
    assert waiting(world.services) == 2


def test_the_look_for_patterns_follows_though_no_endpoint_opens(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("credentials.patterns.BUSY", 1)
    two_scanned(world)
    world.services.receipts.pass_on("one", teller(world))
    found = [(case.kind, case.detail.split(" ")[0]) for case in world.services.cases.waiting()]
    assert (Kind.BUSY_DESK, "失钥酒店") in found


def test_the_look_for_patterns_follows_though_nobody_can_be_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("credentials.patterns.BUSY", AT_ONCE + 5)
    scanned(world, times=AT_ONCE + 5)

    def notify(receipt: Receipt) -> None:
        raise KeyError("chat.receipt")

    tell = follow_up.teller(notify, world.services.aftermath)
    while world.services.receipts.pass_on("one", tell):
        pass
    assert [case.kind for case in world.services.cases.waiting()] == [Kind.BUSY_DESK]


def test_a_thread_outlives_a_redis_that_is_out(world: World) -> None:
    stop = threading.Event()

    class Troubled(Receipts):
        calls = 0

        def pass_on(self, *arguments: object) -> int:
            self.calls += 1
            if self.calls == 1:
                raise ConnectionError
            return super().pass_on(*arguments)  # type: ignore[arg-type]

    troubled = Troubled(world.services.verifications._store, world.services.sealer)
    thread = follow_up.start_receipts(troubled, teller(world), stop)
    scanned(world)
    assert wait_until(lambda: waiting(world.services) == 0, 60)
    stop.set()
    thread.join(60)
    assert world.phone().hears().count("海景酒店") == 1


def announced(world: World, verifier: Verifier) -> list[str]:
    """The states that were sent to the verifier's software, oldest first."""
    sent = world.services.webhooks.deliveries(verifier.verifier_id)
    return [json.loads(each.body)["data"]["state"] for each in reversed(sent)]


@pytest.mark.parametrize(("approves", "state"), [(True, "accepted"), (False, "denied")])
def test_the_software_learns_of_the_holders_answer_and_the_holder_not_once_more(
    world: World, approves: bool, state: str
) -> None:
    verifications, phone = world.services.verifications, world.phone()
    world.services.cards.issue(phone.holder, person(), CONSENTS, evidence={})
    verifier = world.verifier()
    world.services.webhooks.add(verifier.verifier_id, "https://hotel.example/hook")
    code = world.services.cards.mint(phone.holder).code
    asked = verifications.verify(verifier, "", code, "hotel")
    world.services.receipts.pass_on("one", teller(world))
    assert "海景酒店" in phone.hears()
    answer = verifications.approve if approves else verifications.deny
    answer(phone.holder, asked.verification_id)
    assert world.services.receipts.pass_on("one", teller(world)) == 1
    assert announced(world, verifier) == ["awaiting_holder", state]
    assert phone.hears() == ""


def test_a_scan_that_waits_for_its_answer_is_one_scan(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("credentials.patterns.BUSY", 2)
    verifications, phone = world.services.verifications, world.phone()
    world.services.cards.issue(phone.holder, person(), CONSENTS, evidence={})
    code = world.services.cards.mint(phone.holder).code
    asked = verifications.verify(world.verifier(), "", code, "hotel")
    verifications.approve(phone.holder, asked.verification_id)
    assert world.services.receipts.pass_on("one", teller(world)) == 2
    assert world.services.cases.waiting() == []
