"""What a verification costs as cards become many: 10 thousand and a million, in turn.

Two Redis servers stand side by side. In each, some cards are issued by the product and scanned;
the rest are written by the product's own script for issuing, sealed as the product seals, but
many in one go, and without a portrait (a million would be 10 GB, and nobody looks at them). The
cost is processor time, of Redis and of the process that asks: a rate would tell who got which
core.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import hiredis
import redis

from benchmarks import stage
from benchmarks.harness import publish, table
from benchmarks.sheet import COLUMNS, Goal, Sheet
from credentials import record
from credentials.id_number import check_character
from credentials.issuing import PENDING_SECONDS
from credentials.model import Consent, Holder, Level, Person
from credentials.services import Services
from credentials.store import (
    RECEIPTS,
    SCRIPTS,
    card_key,
    person_key,
    place_of,
    portrait_key,
    record_key,
)

FEW, MANY, SCANNED, AT_ONCE = 10_000, 1_000_000, 400, 500
NOTE = """\
Processor time of one accepted verification (authenticated, logged, used up), in Redis and in the
process that asks together, with a million cards and with ten thousand, in turn within one run."""


def main(sheet: Sheet, many: int = MANY) -> None:
    """Fill both, measure, and publish the row."""
    with stage.stage() as small, stage.stage() as large:
        costs = [_cost(scene, _filled(scene, count)) for scene, count in
                 ((large, many), (small, FEW))]  # fmt: skip
        sheet.pair(
            "cost of a verification, among a million cards",
            lambda: next(costs[0]),
            lambda: next(costs[1]),
            against="among ten thousand",
            unit="ms",
            goal=Goal("≤", 1.1),
        )
    publish("growth", table("A verification as cards become many", NOTE, COLUMNS, sheet.table()))


def _filled(scene: stage.Stage, count: int) -> list[Holder]:
    """Holders to scan, among so many cards in all."""
    database = scene.services.redis
    database.config_set("appendonly", "no")  # rewritten as a whole below
    database.config_set("auto-aof-rewrite-percentage", "0")
    holders = scene.holders(SCANNED)
    _fill(scene.services, count - SCANNED)
    database.config_set("appendonly", "yes")
    while any(
        database.info("persistence")[at]
        for at in ("aof_rewrite_in_progress", "aof_rewrite_scheduled")
    ):
        time.sleep(0.2)
    return holders


def _fill(services: Services, count: int) -> None:
    """Issue so many cards, hundreds in one round trip."""
    # The chain's functions stand before every script that logs, as in the product's store.
    source = "".join((SCRIPTS / f"{name}.lua").read_text("utf-8") for name in ("chain", "issue"))
    digest = str(services.redis.script_load(source))
    numbers = iter(range(count))
    line: Any = services.redis.connection_pool.get_connection()
    while some := list(itertools.islice(numbers, AT_ONCE)):
        commands = [each for number in some for each in _issuing(services, digest, number)]
        line.send_packed_command([b"".join(map(hiredis.pack_command, commands))])
        for _ in commands:
            line.read_response()
    services.redis.connection_pool.release(line)


def _issuing(services: Services, digest: str, number: int) -> Iterator[tuple[Any, ...]]:
    """What `Issuing` writes for one card, and the activation, as commands."""
    holder, person = Holder("wechat", f"many{number:08d}"), _person(number)
    credential_id = services.index.credential_id(f"{holder.tag}\0{person.id_number}\0")
    own, portrait = record_key(credential_id), portrait_key(credential_id)
    place, sealer = place_of(credential_id), services.sealer
    consents = (Consent("data", "1", time.time()), Consent("face", "1", time.time()))
    pen = services.audit.pen()
    entry = pen.entry(credential_id, "issued", by="holder", consents="data:1,face:1")
    sealed = record.seal(sealer, credential_id, holder, person, consents)
    yield (
        "EVALSHA", digest, 4, own, portrait, place.log, place.head,
        *pen.chain(place), credential_id, *entry, Level.LIGHT, sealed, "", b"",
        PENDING_SECONDS,
    )  # fmt: skip
    yield ("HSET", own, "s", "active")
    yield ("PERSIST", own)
    yield ("DEL", portrait)
    person_at = person_key(services.index.of("id_number", person.id_number))
    yield ("MSET", person_at, credential_id, card_key(holder), credential_id)


def _person(number: int) -> Person:
    """Somebody whom nobody else is: the number counts through days of birth and sequences."""
    day, sequence = divmod(number, 1000)
    first = f"440115{1930 + day // 336:04d}{1 + day // 28 % 12:02d}{1 + day % 28:02d}{sequence:03d}"
    return Person(
        name="测试",
        id_number=first + check_character(first),
        residence="440115",
        address=f"广东省广州市南沙区进港大道{number % 900}号",
        valid_until=None,
        portrait=b"",
    )


def _cost(scene: stage.Stage, holders: list[Holder]) -> Iterator[float]:
    """Milliseconds of processor time of one verification, again and again."""
    services = scene.services
    _, api_key = services.verifiers.add("growth", ["internet_cafe"])
    services.verifiers.admit(api_key)
    while True:
        codes = [services.cards.mint(holder).code for holder in holders]
        began = _spent(services.redis)
        for code in codes:
            shown = services.verifiers.remembered(api_key)
            if shown is None:
                raise RuntimeError("the verifier is not remembered")
            verifier = shown.verifier
            services.verifications.verify(verifier, "API", code, "internet_cafe", shown=shown)
        took = _spent(services.redis) - began
        services.redis.delete(RECEIPTS)
        yield 1000 * took / len(codes)


def _spent(database: redis.Redis) -> float:
    """Processor seconds of this process and of the server so far."""
    said = database.info("cpu")
    return time.process_time() + float(said["used_cpu_user"]) + float(said["used_cpu_sys"])
