"""Row 34. A Redis dump stolen: no name, ID number, template, openid-to-person link, PIN in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis

from bot.jobs import jobs_address
from credentials import pictures
from credentials.keyring import Keyring, make_file, rotate_file
from credentials.model import Actor
from credentials.sealing import Sealer
from faces import selfie as faces_selfie
from simulator.phone import Phone
from tests.bot.talking import World, make_world, selfie
from tests.credentials.kiosk import Kiosk
from tests.faults.acts import END_SECONDS, up_to_the_photo
from tests.faults.conftest import Figure, Phones
from tests.product.actors import HotelSoftware, Product, code_in
from web.demo import CITIZENS

HOPPER = CITIZENS[0]
PIN = "739154"


def values(database: Any) -> Iterator[tuple[bytes, bytes]]:
    """Every key, field, member and value, each with the key that it lies under."""
    found: Any = list(database.scan_iter(count=1000))
    for key in found:
        yield key, key
        kind: Any = database.type(key)
        read: Any = {
            b"none": lambda _key: [],  # it ended since it was listed
            b"string": lambda key: [database.get(key) or b""],
            b"hash": lambda key: [part for pair in database.hgetall(key).items() for part in pair],
            b"list": lambda key: database.lrange(key, 0, -1),
            b"set": database.smembers,
            b"zset": lambda key: database.zrange(key, 0, -1),
            b"stream": lambda key: [
                part
                for _, fields in database.xrange(key)
                for pair in fields.items()
                for part in pair
            ],
        }[kind]
        for value in read(key):
            yield key, value


def shapes(text: str) -> set[bytes]:
    """How a text may lie in a dump: as itself, escaped in JSON, in base64, in hexadecimal."""
    plain = text.encode()
    return {
        plain,
        text.encode("utf-16-le"),
        text.encode("unicode_escape"),
        base64.b64encode(plain[: len(plain) // 3 * 3]),  # whatever follows it
        plain.hex().encode(),
        hashlib.sha256(plain).hexdigest().encode(),
        hashlib.sha1(plain).hexdigest().encode(),
        hashlib.md5(plain).hexdigest().encode(),
    }


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    make_file(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def world(database: redis.Redis, redis_url: str, keys: Path) -> World:
    return make_world(database, redis_url, keyring=Keyring.from_file(keys))


def play(world: World) -> dict[str, set[bytes]]:
    """All that can happen to a person, and what must not be found afterwards."""
    who, phone = world.register(), world.phone("oPlayed")
    other = world.phone("oMidway")
    phone.enrols(who, selfie())
    cards, verifications = world.services.cards, world.services.verifications
    verifier, api_key = world.services.verifiers.add("海景酒店", tuple(world.services.purposes))
    verifications.verify(
        verifier, "前台", cards.mint(phone.holder, "hotel").code, "hotel", "request-1"
    )
    upgrades = world.services.upgrades
    kiosk = Kiosk.accredited(upgrades, world.services.terminals)
    upgrades.open(phone.holder)
    kiosk.attests(kiosk.attestation(kiosk.claims(upgrades.binding_code(phone.holder).digits), who))
    upgrades.face(phone.holder, {"distance": "0.4"})
    world.services.pins.set(phone.holder, PIN)
    verifications.verify(
        verifier, "柜台", cards.mint(phone.holder, "banking", pin=PIN).code, "banking"
    )
    phone.say("不是我")
    case = world.services.cases.waiting()[0]
    world.services.cases.note(
        case.case_id, Actor("operator", "wang"), f"打电话给{who.name}，{who.id_number}"
    )
    password = world.services.staff.add("front", verifier_id=verifier.verifier_id)
    midway = world.register(sequence=7, name="李清照", face="grace")
    for said in ("申请", "同意", midway.name, midway.id_number):
        other.say(said)
    other.hears()
    outside = world.register(sequence=9, name="杜甫子美", residence="310101")
    world.services.rollout.set(("44",))
    third = world.phone("oOutside")
    for said in ("申请", "同意", outside.name, outside.id_number, "通知我"):
        third.say(said)
        third.hears()
    world.platform.refuses = True
    verifications.verify(verifier, "", _unfrozen(world, phone), "courier")
    phone.hears()
    portrait = pictures.portrait(who.portrait)
    template = faces_selfie.measure(selfie()).template
    registered = faces_selfie.measure(who.portrait).template
    return {
        "names": {shape for p in (who, midway, outside) for shape in shapes(p.name)},
        "ID numbers": {shape for p in (who, midway, outside) for shape in shapes(p.id_number)},
        "addresses": shapes(who.address) | shapes("进港大道"),
        "PIN": shapes(f"{PIN}") - {PIN.encode()} | {b'"' + PIN.encode() + b'"'},
        "PIN hashes": {b"$argon2"},
        "portraits": {portrait[100:140], who.portrait[100:140], selfie()[200:240]},
        "templates": {
            np.asarray(floats, kind)[first : first + 3].tobytes()
            for floats in (template, registered)
            for kind in (np.float64, np.float32, np.float16)
            for first in (0, 60)
        },
        "API keys": shapes(api_key.split("_", 2)[2])
        - {hashlib.sha256(api_key.encode()).hexdigest().encode()},
        "passwords": shapes(password),
    }


def _unfrozen(world: World, phone: Any) -> str:
    phone.say("解冻")
    return world.services.cards.mint(phone.holder, "courier").code


def test_a_dump_tells_nothing(world: World, redis_url: str, figure: Figure) -> None:
    secrets = play(world)
    jobs = redis.Redis.from_url(jobs_address("", redis_url))
    looked = [*values(world.database), *values(jobs)]
    jobs.close()
    found = [
        (what, key)
        for what, needles in secrets.items()
        for key, value in looked
        for needle in needles
        if needle in value and not (what == "PIN hashes" and key.startswith(b"{a:"))
    ]
    assert found == []
    assert len(looked) > 300
    figure("values looked at", len(looked), "")
    figure("values in plain", len(found), "")


def test_no_key_joins_an_account_to_a_person(world: World) -> None:
    """Account to credential, and ID number to credential, are there; each end stays blind."""
    numbers = play(world)["ID numbers"]
    credential = world.database.get("{wechat:oPlayed}:card")
    assert isinstance(credential, bytes)
    record: Any = world.database.hgetall(next(iter(world.database.scan_iter(b"*:c:" + credential))))
    assert b"oPlayed" not in b"".join(record.values())
    logs: Any = world.database.xrange(next(iter(world.database.scan_iter("{b*}:log"))))
    assert b"oPlayed" not in b"".join(part for _, fields in logs for part in fields.values())
    for key in world.database.scan_iter("{id:*"):
        assert not any(number in key for number in numbers)  # six digits may be there by chance


def test_nothing_is_left_under_an_earlier_key(
    world: World, keys: Path, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    """Whatever was ever sealed under the first key: after re-sealing none of it is in Redis."""
    sealed: set[bytes] = set()
    seal = Sealer.seal

    def noting(self: Sealer, record_id: str, plain: bytes) -> bytes:
        made = seal(self, record_id, plain)
        sealed.add(made)
        return made

    monkeypatch.setattr(Sealer, "seal", noting)
    play(world)
    earlier = set(sealed)
    before = len({v for key, v in values(world.database) if v in earlier and _lasts(world, key)})
    assert before > 15
    rotate_file(keys)
    world.services.keyring.refresh()
    last = list(world.services.resealing.run())[-1]
    left = [key for key, value in values(world.database) if value in earlier]
    assert [key for key in left if _lasts(world, key)] == []
    assert last.changed >= before
    figure("values sealed anew", last.changed, "")


def _lasts(world: World, key: bytes) -> bool:
    """Whether a key is still there in an hour, as far as Redis knows now."""
    left: Any = world.database.ttl(key)
    return bool(left == -1 or left > 3600)


def test_the_append_only_file_of_a_running_product(
    product: Product, phones: Phones, figure: Figure
) -> None:
    """Not only what is kept, but all that was ever written: Redis's file on the disk."""
    hotel = HotelSoftware.registered(product, "拷贝酒店", "hotel", "internet_cafe")
    phone: Phone = phones(product)
    up_to_the_photo(phone, HOPPER.name, HOPPER.id_number)
    phone.send_photo(HOPPER.selfie())
    phone.wait_for_photo(seconds=END_SECONDS)
    phone.say("card")
    assert hotel.scan(code_in(phone.wait_for_photo()), "internet_cafe").status_code == 200
    files = list(product.var_dir.rglob("*.aof"))
    assert files
    written = b"".join(path.read_bytes() for path in files)
    assert phone.openid.encode() in written
    for needle in shapes(HOPPER.name) | shapes(HOPPER.id_number):
        assert needle not in written
    figure("bytes of the file looked at", len(written), "B")
