"""One contract for both registries, then what is particular to each of them."""

import base64
import datetime
import gzip
import json
import secrets
import threading
import types
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import redis

from credentials.authority import (
    Authority,
    EmbeddedRegistry,
    HttpAuthority,
    NameMismatchError,
    NotRegisteredError,
    PersonEndedError,
)
from credentials.authority.base import Ending
from credentials.errors import UnavailableError
from credentials.keyring import Keyring
from credentials.model import Person
from credentials.sealing import Sealer
from tests.credentials.dump import everything

GOOD = "11010519491231002X"
PERSON = Person(
    name="阿迪力·买买提",
    id_number=GOOD,
    residence="440115",
    address="广东省广州市南沙区进港大道1号",
    valid_until=datetime.date(2036, 12, 31),
    portrait=b"\xff\xd8\xff a portrait",
)
KEY = "the key of the line"


def new_keyring() -> Keyring:
    return Keyring.from_entries(("1:" + base64.b64encode(secrets.token_bytes(32)).decode(),))


class Registry:
    """A registry on the other end of a line; `say` is the whole of its next answer."""

    def __init__(self) -> None:
        self.people: dict[str, tuple[Person, Ending | None]] = {}
        self.asked: list[dict[str, Any]] = []
        self.say: Callable[[BaseHTTPRequestHandler], None] | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked.append(json.loads(body))
                if outer.say:
                    outer.say(self)
                elif self.path != "/registry/check":
                    answer(self, b"{}", status=404)
                elif self.headers["Authorization"] != f"Bearer {KEY}":
                    answer(self, b"{}", status=401)
                else:
                    answer(self, json.dumps(outer.look(outer.asked[-1])).encode())

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/registry/"

    def look(self, question: dict[str, Any]) -> dict[str, Any]:
        person, ended = self.people.get(question["id_number"], (None, None))
        if person is None:
            return {"result": "not_registered"}
        if person.name != question["name"]:
            return {"result": "name_mismatch"}
        if ended:
            return {"result": "ended", "reason": ended}
        return {"result": "match", "person": as_json(person)}


def as_json(person: Person) -> dict[str, Any]:
    return {
        "name": person.name,
        "id_number": person.id_number,
        "residence": person.residence,
        "address": person.address,
        "valid_until": person.valid_until.isoformat() if person.valid_until else None,
        "portrait": base64.b64encode(person.portrait).decode(),
    }


def answer(
    handler: BaseHTTPRequestHandler, body: bytes, *, status: int = 200, **headers: str
) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def line() -> Iterator[Registry]:
    registry = Registry()
    thread = threading.Thread(target=registry.server.serve_forever, args=(0.01,))
    thread.start()
    yield registry
    registry.server.shutdown()
    thread.join()
    registry.server.server_close()


@pytest.fixture
def far(line: Registry) -> Iterator[HttpAuthority]:
    authority = HttpAuthority(line.url, KEY, whole_seconds=60)  # an end, not a wait
    yield authority
    authority.close()


@pytest.fixture
def near(database: redis.Redis) -> EmbeddedRegistry:
    return EmbeddedRegistry(database, Sealer(new_keyring()))


@pytest.fixture(params=["near", "far"])
def known(
    request: pytest.FixtureRequest, near: EmbeddedRegistry, far: HttpAuthority, line: Registry
) -> tuple[Authority, Callable[[Person, Ending | None], None]]:
    """A registry, and how it comes to know a person whose registration may have ended."""
    if request.param == "far":

        def tell(person: Person, ended: Ending | None) -> None:
            line.people[person.id_number] = (person, ended)

        return far, tell

    def register(person: Person, ended: Ending | None) -> None:
        near.add(person)
        if ended:
            near.end(person.id_number, ended)

    return near, register


Known = tuple[Authority, Callable[[Person, Ending | None], None]]


def test_a_registered_person_is_told(known: Known) -> None:
    authority, register = known
    register(PERSON, None)
    assert authority.check(PERSON.name, GOOD) == PERSON


def test_a_card_without_an_end_is_told(known: Known) -> None:
    authority, register = known
    lasting = Person(PERSON.name, GOOD, "420100", "", None, b"\x89PNG\r\n\x1a\n picture")
    register(lasting, None)
    assert authority.check(PERSON.name, GOOD) == lasting


def test_nobody_has_the_number(known: Known) -> None:
    with pytest.raises(NotRegisteredError):
        known[0].check(PERSON.name, GOOD)


def test_the_number_has_another_name(known: Known) -> None:
    authority, register = known
    register(PERSON, None)
    with pytest.raises(NameMismatchError):
        authority.check("张三", GOOD)


@pytest.mark.parametrize("reason", ["died", "cancelled"])
def test_a_registration_that_ended(known: Known, reason: Ending) -> None:
    authority, register = known
    register(PERSON, reason)
    with pytest.raises(PersonEndedError) as caught:
        authority.check(PERSON.name, GOOD)
    assert caught.value.details["reason"] == reason


def test_the_name_of_one_who_died_is_not_guessed_by_asking(known: Known) -> None:
    authority, register = known
    register(PERSON, "died")
    with pytest.raises(NameMismatchError):
        authority.check("张三", GOOD)


def test_the_embedded_registry_forgives_ways_of_writing(near: EmbeddedRegistry) -> None:
    near.add(PERSON)
    assert near.check("阿迪力•买买提", GOOD) == PERSON


def test_adding_again_replaces(near: EmbeddedRegistry) -> None:
    near.add(PERSON)
    near.end(GOOD, "died")
    moved = Person(PERSON.name, GOOD, "110101", "北京市", None, b"\xff\xd8\xff newer")
    near.add(moved)
    assert near.check(PERSON.name, GOOD) == moved
    near.remove(GOOD)
    with pytest.raises(NotRegisteredError):
        near.check(PERSON.name, GOOD)
    with pytest.raises(NotRegisteredError):
        near.end(GOOD, "died")


def test_a_stolen_dump_names_nobody(near: EmbeddedRegistry, database: redis.Redis) -> None:
    near.add(PERSON)
    held = everything(database)
    for plain in (PERSON.name, GOOD, PERSON.address, "440115", "194912"):
        assert plain.encode() not in held
    assert PERSON.portrait not in held


def test_other_keys_read_nobody(near: EmbeddedRegistry, database: redis.Redis) -> None:
    near.add(PERSON)
    thief = EmbeddedRegistry(database, Sealer(new_keyring()))
    with pytest.raises(UnavailableError):
        thief.check(PERSON.name, GOOD)


def test_without_redis_nobody_is_checked(near: EmbeddedRegistry) -> None:
    lost = redis.Redis(port=1, socket_connect_timeout=0.2)
    with pytest.raises(UnavailableError):
        EmbeddedRegistry(lost, Sealer(new_keyring())).check(PERSON.name, GOOD)


def why(authority: HttpAuthority) -> str:
    with pytest.raises(UnavailableError) as caught:
        authority.check(PERSON.name, GOOD)
    assert PERSON.name not in repr(caught.value.details)
    return str(caught.value.details["why"])


def test_a_wrong_key_is_unavailable_not_unregistered(line: Registry) -> None:
    assert why(HttpAuthority(line.url, "another key", whole_seconds=60)) == "status 401"


@pytest.mark.parametrize("status", [204, 301, 302, 400, 404, 429, 500, 503])
def test_any_other_status_passes_nobody(line: Registry, far: HttpAuthority, status: int) -> None:
    body = json.dumps({"result": "match", "person": as_json(PERSON)}).encode()
    line.say = lambda handler: answer(handler, body, status=status, Location=line.url + "check")
    assert why(far) == f"status {status}"
    assert len(line.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"<html>",
        b"\xff\xfe",
        b'{"result": "match"}',
        b'{"result": "match", "person": null}',
        b'{"result": "MATCH"}',
        b'{"result": true}',
        b'{"result": "ended"}',
        b'{"result": "ended", "reason": "bored"}',
        b"[" * 100_000,
    ],
)
def test_junk_passes_nobody(line: Registry, far: HttpAuthority, body: bytes) -> None:
    line.say = lambda handler: answer(handler, body)
    assert why(far) == "answer"


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("name", "张三", "another person"),
        ("id_number", "110105194912310038", "another person"),
        ("residence", "4401", "answer"),
        ("residence", "４４０１１５", "answer"),
        ("valid_until", "soon", "answer"),
        ("portrait", "not base64!", "answer"),
        ("portrait", "", "portrait"),
        ("portrait", base64.b64encode(b"<svg/>").decode(), "portrait"),
    ],
)
def test_a_person_who_cannot_be_trusted(
    line: Registry, far: HttpAuthority, field: str, value: str, reason: str
) -> None:
    body = json.dumps({"result": "match", "person": as_json(PERSON) | {field: value}}).encode()
    line.say = lambda handler: answer(handler, body)
    assert why(far) == reason


def test_an_answer_too_large_is_not_read_to_its_end(line: Registry, far: HttpAuthority) -> None:
    def flood(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(64):
                handler.wfile.write(b" " * 2**20)
        except OSError:
            pass  # the other side hung up, as it should

    line.say = flood
    assert why(far) == "too large"


def test_a_packed_answer_is_not_unpacked(line: Registry, far: HttpAuthority) -> None:
    bomb = gzip.compress(b" " * 2**24)
    line.say = lambda handler: answer(handler, bomb, Content_Encoding="gzip")
    assert why(far) == "answer"


def test_a_silent_authority_is_waited_for_only_so_long(line: Registry) -> None:
    over = threading.Event()

    def keep_silent(_handler: BaseHTTPRequestHandler) -> None:
        over.wait()

    line.say = keep_silent
    try:
        assert why(HttpAuthority(line.url, KEY, whole_seconds=1.0)) == "ReadTimeout"
    finally:
        over.set()


def test_an_authority_that_drips_is_waited_for_only_so_long(
    line: Registry, far: HttpAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each drop is in time, and all of them are not: by a clock that goes on with every drop."""
    over = threading.Event()
    passed = 0.0

    def drip(handler: BaseHTTPRequestHandler) -> None:
        nonlocal passed
        handler.send_response(200)
        handler.end_headers()
        try:
            while not over.wait(0.02):
                passed += 10.0
                handler.wfile.write(b" ")
        except OSError:
            pass  # the other side hung up, as it should

    line.say = drip
    clock = types.SimpleNamespace(monotonic=lambda: passed)
    monkeypatch.setattr("credentials.authority.http.time", clock)
    try:
        assert why(far) == "too slow"
    finally:
        over.set()
    assert passed > 60.0


def test_an_authority_that_is_not_there() -> None:
    assert why(HttpAuthority("http://127.0.0.1:1", KEY)) == "ConnectError"
    assert why(HttpAuthority("not an address", KEY)) == "UnsupportedProtocol"
