"""Everything that the product seals, sealed once each, and where in its code that stands."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pyotp
import pytest
import redis

from bot.outbox import MOST_KEPT
from bot.transcripts import Entry
from bot.wechat.tokens import Shared
from credentials.authority import EmbeddedRegistry
from credentials.cases import Kind
from credentials.desk_pins import DeskPins
from credentials.model import Actor, Holder
from credentials.reviews import Case, Facts, ReviewKind
from credentials.sealing import Sealer
from credentials.second_factor import SecondFactors
from credentials.sightings import Look
from handlers.turn import Say
from tests.bot.talking import World, make_world
from tests.credentials.issuer import CONSENTS, Issuer, person, picture

ROOT = Path(__file__).resolve().parents[2]
SEALING = ("bot", "credentials", "handlers", "web")
PASSING = {
    ("bot/talk.py", "_seal"),  # into a job
    ("web/card_session.py", "begin"),  # into a cookie
    ("credentials/resealing.py", "_page"),
    ("credentials/sealing.py", "reseal"),
}
"""What seals for minutes, and what seals anew; besides, an answer that may be repeated."""
HOLDER = Holder("wechat", "oSealed")
NOW = 1_800_000_000.0
Place = tuple[str, int]


def places() -> dict[Place, str]:
    """Where the product seals something for good: each line, with the name of its function."""
    found: dict[Place, str] = {}
    for path in (path for package in SEALING for path in (ROOT / package).rglob("*.py")):
        name = str(path.relative_to(ROOT))
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(function, ast.FunctionDef) and (name, function.name) not in PASSING:
                found |= {(name, line): function.name for line in _sealing(function)}
    return found


def _sealing(function: ast.FunctionDef) -> Iterator[int]:
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            of = ast.unparse(call.func.value)
            seals = call.func.attr in {"seal", "seal_json"} and of.endswith("sealer")
            if seals and "_answer_record" not in ast.unparse(call):
                yield call.lineno


def noted(monkeypatch: pytest.MonkeyPatch) -> dict[bytes, Place]:
    """From now on: what was sealed, and where."""
    made: dict[bytes, Place] = {}
    seal = Sealer.seal

    def noting(self: Sealer, record_id: str, plain: bytes) -> bytes:
        sealed = seal(self, record_id, plain)
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code is Sealer.seal_json.__code__:
            frame = frame.f_back
        assert frame is not None
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT):
            made[sealed] = str(path.relative_to(ROOT)), frame.f_lineno
        return sealed

    monkeypatch.setattr(Sealer, "seal", noting)
    return made


def held(database: Any) -> Iterator[tuple[str, bytes]]:
    """Each value of strings, hashes and lists, with its key."""
    read: dict[bytes, Callable[[bytes], Iterable[bytes]]] = {
        b"string": lambda key: [database.get(key)],
        b"hash": lambda key: database.hgetall(key).values(),
        b"list": lambda key: database.lrange(key, 0, -1),
    }
    for key in sorted(database.scan_iter(count=1000)):
        kind = database.type(key)
        yield from ((key.decode(), value) for value in (read[kind](key) if kind in read else ()))


def seal_everything(issuer: Issuer, redis_url: str) -> World:
    """One of each thing that is sealed; where it lies is the product's own business."""
    world = make_world(issuer.database, redis_url, keyring=issuer.keyring)
    _cards(issuer, world)
    _people(world)
    _operators(world)
    _verifiers(world)
    _messages(world, issuer.database)
    return world


def _cards(issuer: Issuer, world: World) -> None:
    issuer.phone(1).upgrade()
    EmbeddedRegistry(issuer.database, issuer.sealer, issuer.index).add(person(2))
    issuer.phone(2)
    world.services.renewals.move(HOLDER, person(2), CONSENTS, evidence={})


def _people(world: World) -> None:
    services = world.services
    services.frames.put(HOLDER, picture())
    services.frames.hint(HOLDER, "frame", "taken")
    services.frames.tell(HOLDER, "1", "Thank you, that is all.")
    services.sightings.note(Look("exact", "00" * 32, ("band",)), "wechat:oSealed", "media")
    services.templates.put(person().id_number, bytes(512))
    services.waiting.offer(HOLDER, "440115")
    services.waiting.add(HOLDER, "440115")
    who = world.register(3)
    for said in ("申请", "同意", who.name, who.id_number):
        world.phone("oMidway").say(said)


def _operators(world: World) -> None:
    services, wang = world.services, Actor("operator", "wang")
    facts = Facts(HOLDER, "张三丰", person().id_number, images=("photo",))
    case = Case(ReviewKind.DOUBTFUL, facts, {}, {"photo": picture()}, against=False)
    services.reviews.open("a photo", case)
    opened = services.cases.open(Kind.BUSY_DESK, "", wang)
    services.cases.note(opened.case_id, wang, "Rang the hotel: a bus has come.")
    world.talk.transcripts.note(HOLDER, "wang", "Has no other phone.")
    world.talk.transcripts.add(HOLDER, [Entry(NOW, "person", "text", "你好，我是张三丰")])
    factors = SecondFactors(services.redis, services.sealer, "operator", lambda: NOW)
    factors.confirm("wang", pyotp.TOTP(factors.offer("wang").secret).at(int(NOW)))
    factors.offer("li")


def _verifiers(world: World) -> None:
    services, hotel = world.services, world.verifier().verifier_id
    services.webhooks.add(hotel, "https://hotel.example/hook")
    entry = services.shifts.write_paper(hotel, "front", "li", "hotel", {"name": "张三丰"})
    services.shifts.note(hotel, entry, "Arrives late, room 12.")
    DeskPins(services.redis, services.sealer, services.staff).put("front", "739154")
    services.organisations.ask(
        name="Seaside Hotel", division="440115", contact="Li Na, 020 1234 5678",
        grounds={"hotel": "registration of guests"}, desk="front", username="lina",
        password="orange tractor sings quietly",
    )  # fmt: skip


def _messages(world: World, database: redis.Redis) -> None:
    """One waits, twenty are kept, and one is dead, because twenty-one were."""
    world.platform.refuses = True
    words = [Say(f"message {number}") for number in range(MOST_KEPT + 1)]
    world.outbox.put(HOLDER, words, "kept")
    world.outbox.deliver(HOLDER)
    world.outbox.put(HOLDER, [Say("waits")], "waits")
    tokens = Shared(database, world.services.sealer, "{token:wx}", "access", lambda _: ("t", 7200))
    tokens.current()
