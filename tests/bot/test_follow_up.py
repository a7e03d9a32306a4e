"""What follows a verification: its receipt becomes a job, in a thread beside a worker's others."""

from __future__ import annotations

import threading

import redis

from bot import follow_up
from credentials.receipts import Receipt, Receipts
from tests.bot.talking import World, make_world
from tests.credentials.issuer import CONSENTS, person
from tests.product.actors import wait_until


def scanned(world: World) -> None:
    """A holder's card is scanned in a cafe."""
    holder = world.phone().holder
    world.services.cards.issue(holder, person(), CONSENTS, evidence={})
    code = world.services.cards.mint(holder).code
    world.services.verifications.verify(world.verifier(), "", code, "internet_cafe")


def test_a_thread_makes_jobs_of_receipts_until_it_is_told_to_stop(
    database: redis.Redis, redis_url: str
) -> None:
    world, stop = make_world(database, redis_url), threading.Event()
    thread = follow_up.start_receipts(world.jobs, world.services.receipts, stop)
    scanned(world)
    assert wait_until(lambda: world.waiting("talk") == 1, 10)
    assert wait_until(lambda: world.services.receipts.figures()[0] == 0, 10)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_the_same_receipt_twice_is_told_once(database: redis.Redis, redis_url: str) -> None:
    world = make_world(database, redis_url)
    scanned(world)
    tell = follow_up.teller(world.jobs)

    def tell_twice(receipt: Receipt) -> None:
        tell(receipt)
        tell(receipt)

    world.services.receipts.pass_on("one", tell_twice)
    assert world.waiting("talk") == 2
    assert world.phone().hears().count("海景酒店") == 1


def test_a_thread_outlives_a_redis_that_is_out(database: redis.Redis, redis_url: str) -> None:
    world, stop = make_world(database, redis_url), threading.Event()

    class Troubled(Receipts):
        calls = 0

        def pass_on(self, *arguments: object) -> int:
            self.calls += 1
            if self.calls == 1:
                raise ConnectionError
            return super().pass_on(*arguments)  # type: ignore[arg-type]

    troubled = Troubled(world.services.verifications._store, world.services.sealer)
    thread = follow_up.start_receipts(world.jobs, troubled, stop)
    scanned(world)
    assert wait_until(lambda: world.waiting("talk") == 1, 10)
    stop.set()
    thread.join(5)
