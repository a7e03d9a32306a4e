"""What people and machines do in the rows: enrol in the chat, get a card, scan, be watched."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx
import redis

from bot.jobs import jobs_address
from commands import embedded
from credentials.model import Card, Consent, Holder, Person
from credentials.services import Services
from simulator.phone import Phone
from tests.credentials.issuer import id_number, person
from tests.product.actors import Product

FIRST = 500_000  # apart from the numbers that callers choose
END_SECONDS = 240  # an end, not a wait, on a machine that does more
CONSENTS = (
    Consent("data", "2024-01", 1_700_000_000.0),
    Consent("face", "2024-01", 1_700_000_001.0),
)


@dataclasses.dataclass
class Office:
    """The services of a running product, used beside it: over the same Redis and keys."""

    services: Services
    database: redis.Redis
    jobs_url: str = ""
    numbers: Iterator[int] = dataclasses.field(default_factory=lambda: itertools.count(1))

    def card(self, openid: str = "", who: Person | None = None, *, sequence: int = 0) -> Card:
        """A card without the chat and the face step: for an account, or for a made-up one."""
        number = next(self.numbers)  # one step: two threads never have the same
        holder = Holder("wechat", openid or f"oFaults{number:06d}")
        someone = who or _somebody(sequence or FIRST + number)
        return self.services.cards.issue(
            holder, someone, CONSENTS, evidence={"liveness": "unsafe-none"}
        )

    def code(self, card: Card, purpose: str | None = None) -> str:
        """A fresh code of a card."""
        return self.services.cards.mint(card.holder, purpose).code

    def holder(self, openid: str) -> Holder:
        """The account of a phone."""
        return Holder("wechat", openid)

    def jobs_database(self) -> redis.Redis:
        """Where this product's jobs are kept; the caller closes it."""
        return redis.Redis.from_url(self.jobs_url)


def _somebody(sequence: int) -> Person:
    """A made-up person for each number: three digits of it in the ID number, the rest a day."""
    day = datetime.date(1950, 1, 1) + datetime.timedelta(days=sequence // 1000)
    return person(id_number=id_number(sequence % 1000, birth=f"{day:%Y%m%d}"))


@contextlib.contextmanager
def office_of(product: Product, **settings: object) -> Iterator[Office]:
    """Open the services of a running product."""
    with product.services(**settings) as (services, database):
        url = str(settings.get("redis_url") or embedded.url(product.var_dir))
        yield Office(services, database, jobs_address("", url))


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


def strike(product: Product, **fault: object) -> None:
    """Switch one fault of the platform on, and every other off."""
    strike_no_more(product)
    _faults(product, "POST", fault)


def strike_no_more(product: Product) -> None:
    """Switch every fault of the platform off."""
    _faults(product, "DELETE")


def strikes(product: Product) -> int:
    """How often the fault that is on has struck."""
    told = _faults(product, "GET")
    return int(told["on"][0]["used"])


def _faults(product: Product, method: str, fault: object = None) -> Any:
    address = f"{product.address}/simulator/api/faults"
    answer = httpx.request(method, address, json=fault, timeout=60, trust_env=False)
    answer.raise_for_status()
    return answer.json()


def all_at_once(acts: Sequence[Callable[[], object]]) -> list[float]:
    """Do everything in parallel, started together; how many seconds each took."""
    start = threading.Barrier(len(acts))
    took = [0.0] * len(acts)
    failures: list[BaseException] = []

    def do(place: int) -> None:
        try:
            start.wait(END_SECONDS)
            began = time.monotonic()
            acts[place]()
            took[place] = time.monotonic() - began
        except BaseException as error:  # noqa: BLE001 - told to the test below
            failures.append(error)

    threads = [threading.Thread(target=do, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(END_SECONDS)
    if failures:
        raise failures[0]
    return took
