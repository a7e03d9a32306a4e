"""Re-sealing: all of it, once, resumable, and harmless to whoever writes meanwhile."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import redis

from credentials.keyring import Keyring, KeyringError, make_file, rotate_file
from credentials.resealing import PASSING_SECONDS, STATE, Resealing
from credentials.sealing import Sealer
from credentials.store import pin_key, portrait_key, record_key
from tests.credentials import sealed as everything
from tests.credentials.issuer import Issuer, ring


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "master.keys"
    make_file(path)
    return path


@pytest.fixture
def issuer(database: redis.Redis, keys: Path) -> Issuer:
    return Issuer(database, Keyring.from_file(keys))


def rotated(issuer: Issuer, keys: Path) -> int:
    version = rotate_file(keys)
    issuer.keyring.refresh()
    return version


def resealing(issuer: Issuer, **more: Any) -> Resealing:
    return Resealing(issuer.store, issuer.sealer, **more)


def only_the_newest(keys: Path) -> Keyring:
    return Keyring.from_entries(keys.read_text().splitlines()[:1])


def test_everything_opens_under_the_new_key_alone(
    issuer: Issuer, keys: Path, database: redis.Redis
) -> None:
    phones = [issuer.phone(number) for number in range(1, 30)]
    key = pin_key(phones[0].credential_id)
    database.hset(key, "h", issuer.sealer.seal(f"{phones[0].credential_id}:pin", b"hash"))
    issuer.index.of("id_number", "x")
    version = rotated(issuer, keys)
    last = list(resealing(issuer).run())[-1]
    assert last.changed == 2 * len(phones) + 2  # records, portraits, the index's key, a PIN
    later = Issuer(database, only_the_newest(keys))
    for phone in phones:
        card = later.cards.get(phone.credential_id)
        assert card is not None
        assert card.name_masked
        sealed = database.get(portrait_key(phone.credential_id))
        assert isinstance(sealed, bytes)
        assert sealed[0] == version
        assert later.sealer.unseal(f"{phone.credential_id}:portrait", sealed)
    assert later.index.of("id_number", "x") == issuer.index.of("id_number", "x")
    pin = database.hget(key, "h")
    assert isinstance(pin, bytes)
    assert later.sealer.unseal(f"{phones[0].credential_id}:pin", pin) == b"hash"


@pytest.mark.usefixtures("light_hashing")
def test_what_each_part_of_the_product_seals_is_sealed_anew(
    issuer: Issuer,
    keys: Path,
    database: redis.Redis,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who writes a new `seal` has this test fail until it is sealed here, and found there."""
    made = everything.noted(monkeypatch)
    everything.seal_everything(issuer, redis_url)
    kept = {value for _, value in everything.held(database)}
    missing = dict(everything.places())
    for value in kept & made.keys():
        missing.pop(made[value], None)
    assert missing == {}
    earlier = frozenset(made)
    rotated(issuer, keys)
    last = list(resealing(issuer).run())[-1]
    assert last.left == ""
    left = [key for key, value in everything.held(database) if value in earlier]
    assert [key for key in left if not key.endswith(":answer")] == []


def test_twice_is_once(issuer: Issuer, keys: Path) -> None:
    issuer.phone()
    rotated(issuer, keys)
    assert list(resealing(issuer).run())[-1].changed == 3
    assert list(resealing(issuer).run())[-1].changed == 0


def test_without_a_rotation_nothing_is_touched(issuer: Issuer, database: redis.Redis) -> None:
    phone = issuer.phone()
    before = database.hgetall(record_key(phone.credential_id))
    list(resealing(issuer).run())
    assert database.hgetall(record_key(phone.credential_id)) == before


def test_a_run_that_was_cut_short_goes_on(
    issuer: Issuer, keys: Path, database: redis.Redis
) -> None:
    for number in range(1, 400):
        database.set(f"many:{number}", issuer.sealer.seal(f"many:{number}", b"x" * 40))
    rotated(issuer, keys)
    first = next(iter(resealing(issuer).run()))
    assert 0 < first.changed < 399
    assert database.hget(STATE, "v") == b"2"
    second = resealing(issuer).run()
    assert next(iter(second)).done > first.done
    list(second)
    values = [database.get(f"many:{number}") for number in range(1, 400)]
    assert {value[0] for value in values if isinstance(value, bytes)} == {2}
    assert not database.exists(STATE)


def test_a_cursor_of_another_run_of_the_server_is_not_trusted(
    issuer: Issuer, keys: Path, database: redis.Redis
) -> None:
    issuer.phone()
    rotated(issuer, keys)
    database.hset(STATE, mapping={"v": "2", "c:one": -1, "r:one": "another run"})
    assert list(resealing(issuer).run())[-1].changed == 3


def test_a_value_that_is_replaced_meanwhile_stays_the_newer(
    issuer: Issuer, keys: Path, database: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading a value and putting it back somebody writes another."""
    database.set("thing", issuer.sealer.seal("thing", b"old" * 10))
    rotated(issuer, keys)
    put = Resealing._put

    def late(self: Resealing, key: str, change: Any) -> int:
        if key == "thing":
            database.set("thing", issuer.sealer.seal("thing", b"newer"))
        return put(self, key, change)

    monkeypatch.setattr(Resealing, "_put", late)
    list(resealing(issuer).run())
    kept = database.get("thing")
    assert isinstance(kept, bytes)
    assert issuer.sealer.unseal("thing", kept) == b"newer"


def test_what_is_being_delivered_waits_for_its_lock(
    issuer: Issuer, keys: Path, database: redis.Redis
) -> None:
    queue = "{wechat:oA}:outbox"
    database.rpush(queue, issuer.sealer.seal(queue, b"a message to somebody"))
    database.set(f"{queue}:lock", "a worker")
    rotated(issuer, keys)
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        sealed = database.lindex(queue, 0)
        assert isinstance(sealed, bytes)
        assert sealed[0] == 1
        database.delete(f"{queue}:lock")

    list(resealing(issuer, pause=pause).run())
    assert len(paused) == 1
    sealed = database.lindex(queue, 0)
    assert isinstance(sealed, bytes)
    assert sealed[0] == 2


def test_times_to_live_stay(issuer: Issuer, keys: Path, database: redis.Redis) -> None:
    database.set("brief", issuer.sealer.seal("brief", b"some secret"), ex=100_000)
    rotated(issuer, keys)
    list(resealing(issuer).run())
    assert 99_000 < database.ttl("brief") <= 100_000


@pytest.mark.parametrize("value", [b"", b"\x01", b"\x01" * 28, b"\x01" * 29, b"\x01" + b"x" * 99])
def test_what_only_looks_sealed_is_left_alone(
    issuer: Issuer, keys: Path, database: redis.Redis, value: bytes
) -> None:
    database.set("other", value)
    database.hset("others", "f", value)
    database.rpush("more", value)
    rotated(issuer, keys)
    list(resealing(issuer).run())
    assert (database.get("other"), database.hget("others", "f")) == (value, value)
    assert database.lrange("more", 0, -1) == [value]


def test_what_no_name_opens_is_named(issuer: Issuer, keys: Path, database: redis.Redis) -> None:
    sealed = issuer.sealer.seal("another name", b"lost with the old key")
    for number in range(400):
        database.set(f"text:{number}", "\x01" + "an old version's byte before a text of people's")
    database.hset("stray", "field", sealed)
    rotated(issuer, keys)
    for _ in range(2):
        last = list(resealing(issuer).run())[-1]
        assert (last.changed, last.left) == (0, "stray")
    database.delete("stray")
    assert list(resealing(issuer).run())[-1].left == ""


def test_a_run_that_was_cut_short_remembers_what_no_name_opened(
    issuer: Issuer, keys: Path, database: redis.Redis
) -> None:
    issuer.phone()
    rotated(issuer, keys)
    database.hset(STATE, mapping={"v": "2", "k": "stray"})
    steps = list(resealing(issuer).run())
    assert steps[-1].left == ""  # its second pass looked at everything again
    database.hset(STATE, mapping={"v": "2", "k": "stray"})
    assert list(resealing(issuer).run())[-1].left == "stray"
    assert not database.exists(STATE)


def test_what_ends_by_itself_within_minutes_is_not_counted(
    issuer: Issuer, keys: Path, database: redis.Redis
) -> None:
    """An answer that may be repeated is sealed under a name that its key does not tell."""
    sealed = issuer.sealer.seal("another name", b"an answer")
    database.set("brief", sealed, ex=PASSING_SECONDS)
    database.set("longer", sealed, ex=2 * PASSING_SECONDS + 100)
    rotated(issuer, keys)
    assert list(resealing(issuer).run())[-1].left == "longer"


def test_a_value_moved_into_another_record_is_not_made_to_open(
    issuer: Issuer, keys: Path, database: redis.Redis
) -> None:
    one, other = issuer.phone(1), issuer.phone(2)
    stolen = database.hget(record_key(one.credential_id), "e")
    assert isinstance(stolen, bytes)
    database.hset(record_key(other.credential_id), "e", stolen)
    rotated(issuer, keys)
    last = list(resealing(issuer).run())[-1]
    assert database.hget(record_key(other.credential_id), "e") == stolen
    assert last.left == record_key(other.credential_id)


def test_without_the_old_key_what_it_sealed_does_not_open() -> None:
    sealed = Sealer(ring(1)).seal("a", b"b")
    with pytest.raises(KeyringError):
        Sealer(ring(2)).unseal("a", sealed)


def test_progress_only_grows(issuer: Issuer, keys: Path) -> None:
    for number in range(1, 20):
        issuer.phone(number)
    rotated(issuer, keys)
    steps = list(resealing(issuer).run())
    assert all(a.changed <= b.changed for a, b in itertools.pairwise(steps))
    assert {step.passes for step in steps} == {1, 2}
