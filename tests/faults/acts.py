"""What people and machines do in the rows: enrol in the chat, get a card, scan, be watched."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import redis

from app import services_of
from bot.jobs import jobs_address
from commands import embedded
from credentials.connection import connect
from credentials.model import Card, Consent, Holder, Person
from credentials.services import Services
from settings import Settings
from simulator.phone import Phone
from tests.credentials.issuer import person
from tests.product.actors import Product

CONSENTS = (
    Consent("data", "2024-01", 1_700_000_000.0),
    Consent("face", "2024-01", 1_700_000_001.0),
)


@dataclasses.dataclass
class Office:
    """The services of a running product, used beside it: over the same Redis and keys."""

    product: Product
    services: Services
    database: redis.Redis
    issued: int = 0

    def card(self, openid: str = "", who: Person | None = None) -> Card:
        """A card without the chat and the face step: for an account, or for a made-up one."""
        self.issued += 1
        holder = Holder("wechat", openid or f"oFaults{self.issued:06d}")
        return self.services.cards.issue(
            holder, who or person(self.issued), CONSENTS, evidence={"liveness": "unsafe-none"}
        )

    def code(self, card: Card, purpose: str | None = None) -> str:
        """A fresh code of a card."""
        return self.services.cards.mint(card.holder, purpose).code

    def jobs_database(self) -> redis.Redis:
        """Where this product's jobs are kept; the caller closes it."""
        return redis.Redis.from_url(jobs_address("", embedded.url(self.product.var_dir)))


@contextlib.contextmanager
def office_of(product: Product, **settings: object) -> Iterator[Office]:
    """Open the services of a running product."""
    known: dict[str, object] = {
        "profile": "demo",
        "var_dir": product.var_dir,
        "port": product.port,
        "redis_url": embedded.url(product.var_dir),
    }
    chosen = Settings(**{**known, **settings})  # type: ignore[arg-type]
    database = connect(chosen.redis_url)
    try:
        yield Office(product, services_of(chosen, database), database)
    finally:
        database.close()


def up_to_the_photo(phone: Phone, name: str, id_number: str) -> None:
    """Enrol, as far as the face step."""
    phone.say("申请")
    phone.wait_for("1/4")
    phone.say("同意")
    phone.wait_for("2/4")
    phone.say(name)
    phone.wait_for("3/4")
    phone.say(id_number)
    phone.wait_for("4/4")


def all_at_once(acts: Sequence[Callable[[], object]]) -> list[float]:
    """Do everything in parallel, started together; how many seconds each took."""
    start = threading.Barrier(len(acts))
    took = [0.0] * len(acts)
    failures: list[BaseException] = []

    def do(place: int) -> None:
        try:
            start.wait(30)
            began = time.monotonic()
            acts[place]()
            took[place] = time.monotonic() - began
        except BaseException as error:  # noqa: BLE001 - told to the test below
            failures.append(error)

    threads = [threading.Thread(target=do, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    if failures:
        raise failures[0]
    return took
