"""The chains: what is done to them behind the product's back is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import redis

from credentials.audit import Audit, Fault, Finding
from credentials.connection import connect
from credentials.errors import UnavailableError
from credentials.keyring import Keyring, make_file, rotate_file
from credentials.model import Actor
from credentials.store import ADMINISTRATION, Place, Store, place_of
from tests.credentials.issuer import Desk, Issuer, Phone, ring

ADMIN = Actor("operator", "wang")
Entry = tuple[bytes, dict[bytes, bytes]]


@pytest.fixture
def place(phone: Phone, desk: Desk) -> Place:
    """A chain of eight entries."""
    for _ in range(6):
        desk.scan(phone.show(), "internet_cafe")
    return place_of(phone.credential_id)


def entries(issuer: Issuer, place: Place) -> list[Entry]:
    found: Any = issuer.database.xrange(place.log)
    return list(found)


def rewrite(issuer: Issuer, place: Place, kept: list[Entry]) -> None:
    """Put other entries in the stream's place, as somebody with Redis in hand can."""
    issuer.database.delete(place.log)
    for identifier, fields in kept:
        issuer.database.xadd(place.log, fields, id=identifier)  # type: ignore[arg-type]


def test_what_nobody_touched_is_whole(issuer: Issuer, place: Place) -> None:
    steps = list(issuer.audit.verify())
    assert [step.finding for step in steps if step.finding] == []
    assert steps[-1].done == steps[-1].total == 4097
    assert steps[-1].entries == 8


def test_an_empty_redis_is_whole(issuer: Issuer) -> None:
    assert issuer.findings() == []


@pytest.mark.parametrize("field", ["t", "c", "q", "d", "h", "m", "k"])
@pytest.mark.parametrize("number", [1, 4, 8])
def test_an_altered_entry(issuer: Issuer, place: Place, field: str, number: int) -> None:
    kept = entries(issuer, place)
    name = field.encode()
    value = kept[number - 1][1][name]
    kept[number - 1][1][name] = value[:-1] + (b"8" if value.endswith(b"9") else b"9")
    rewrite(issuer, place, kept)
    assert issuer.findings()[0] == Finding(place.tag, number, Fault.ALTERED)


def test_an_entry_told_otherwise(issuer: Issuer, place: Place) -> None:
    kept = entries(issuer, place)
    told = json.loads(kept[4][1][b"d"])
    kept[4][1][b"d"] = json.dumps(told | {"n": "Another Hotel"}).encode()
    rewrite(issuer, place, kept)
    assert issuer.findings() == [Finding(place.tag, 5, Fault.ALTERED)]


@pytest.mark.parametrize("number", [1, 3, 7])
def test_a_removed_entry(issuer: Issuer, place: Place, number: int) -> None:
    issuer.database.xdel(place.log, f"{number}-0")
    assert issuer.findings() == [Finding(place.tag, number, Fault.REMOVED)]


def test_a_removed_entry_with_the_others_moved_up(issuer: Issuer, place: Place) -> None:
    kept = entries(issuer, place)
    del kept[3]
    rewrite(issuer, place, [(b"%d-0" % n, fields) for n, (_, fields) in enumerate(kept, 1)])
    assert issuer.findings() == [Finding(place.tag, 4, Fault.ALTERED)]


@pytest.mark.parametrize(("first", "second"), [(3, 4), (2, 7)])
def test_entries_in_another_order(issuer: Issuer, place: Place, first: int, second: int) -> None:
    kept = entries(issuer, place)
    one, other = kept[first - 1][1], kept[second - 1][1]
    kept[first - 1], kept[second - 1] = (b"%d-0" % first, other), (b"%d-0" % second, one)
    rewrite(issuer, place, kept)
    assert issuer.findings() == [Finding(place.tag, first, Fault.REORDERED)]


def test_a_tail_cut_off(issuer: Issuer, place: Place) -> None:
    rewrite(issuer, place, entries(issuer, place)[:5])
    assert issuer.findings() == [Finding(place.tag, 6, Fault.CUT)]


def test_a_whole_log_gone(issuer: Issuer, place: Place) -> None:
    issuer.database.delete(place.log)
    assert issuer.findings() == [Finding(place.tag, 1, Fault.CUT)]


def test_a_tail_cut_off_and_the_head_set_back(issuer: Issuer, place: Place) -> None:
    kept = entries(issuer, place)[:5]
    rewrite(issuer, place, kept)
    issuer.database.hset(place.head, mapping={b"n": 5, b"m": kept[-1][1][b"m"]})
    assert issuer.findings() == [Finding(place.tag, 6, Fault.CUT)]


def test_log_and_head_gone_altogether(issuer: Issuer, place: Place) -> None:
    issuer.database.delete(place.log, place.head)
    assert issuer.findings() == [Finding(place.tag, 1, Fault.CUT)]


def test_a_head_set_back_alone(issuer: Issuer, place: Place) -> None:
    issuer.database.hset(place.head, mapping={b"n": 5, b"m": entries(issuer, place)[4][1][b"m"]})
    assert issuer.findings()[0] == Finding(place.tag, 6, Fault.ALTERED)


def test_a_head_gone_alone(issuer: Issuer, place: Place) -> None:
    issuer.database.delete(place.head)
    assert issuer.findings()[0] == Finding(place.tag, 1, Fault.ALTERED)


def test_an_entry_put_in_without_the_key(issuer: Issuer, place: Place) -> None:
    forger = Issuer(issuer.database, ring(9))
    pen = forger.audit.pen()
    entry = pen.entry("x", "accepted")
    forger.store.run("note", (place.log, place.head), (*pen.chain(place), "x", *entry))
    assert issuer.findings() == [Finding(place.tag, 9, Fault.ALTERED)]


def test_a_chain_goes_on_under_another_key(issuer: Issuer, place: Place) -> None:
    rotated = Issuer(issuer.database, ring(2, 1))
    rotated.audit.note("keys_rotated", ADMIN)
    for credential_id in rotated.credential_ids():
        rotated.cards.freeze(credential_id, ADMIN)
    assert rotated.findings() == []
    assert issuer.findings() != []  # it lacks the newer key, so it cannot vouch for the entry


def test_a_key_that_comes_in_the_middle_of_an_entry(
    database: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other processes' rotations are seen at any moment: here each time that the key is asked."""
    path = tmp_path / "keys"
    make_file(path)

    def current(keys: Keyring) -> int:
        rotate_file(path)
        keys.refresh()
        return keys.versions[0]

    monkeypatch.setattr(Keyring, "current", property(current))
    issuer = Issuer(database, Keyring.from_file(path))
    phone, desk = issuer.phone(), issuer.desk()
    desk.scan(phone.show(), "internet_cafe")
    desk.scan(phone.show(), "hotel")
    phone.approve()
    desk.scan(phone.show(), "hotel")
    issuer.verifications.deny(phone.holder, phone.asked().verification_id, freeze=True)
    phone.unfreeze()
    phone.upgrade()
    issuer.audit.note("keys_rotated", ADMIN)
    kinds = {use.kind for use in issuer.cards.history(phone.credential_id, 50)}
    assert {"issued", "asked", "denied", "frozen", "unfrozen", "upgraded", "pin_set"} <= kinds
    assert issuer.findings() == []


def test_the_administration_has_its_own(issuer: Issuer) -> None:
    assert issuer.audit.note("verifier_added", ADMIN, "0123456789ab", name="Hotel") == 1
    assert issuer.audit.note("signed_in", ADMIN) == 2
    newest, first = issuer.audit.recent(10)
    assert (newest.kind, newest.detail) == ("signed_in", {"by": "operator:wang"})
    assert first.detail["name"] == "Hotel"
    issuer.database.xdel(ADMINISTRATION.log, "1-0")
    assert issuer.findings() == [Finding("{audit}", 1, Fault.REMOVED)]


def test_what_cannot_be_written_is_an_error() -> None:
    away = connect("unix:///nowhere/redis.sock")
    with pytest.raises(UnavailableError):
        Audit(Store(away), ring()).note("signed_in", ADMIN)
    with pytest.raises(UnavailableError):
        list(Audit(Store(away), ring()).verify())


def test_a_long_chain_is_read_in_parts(issuer: Issuer) -> None:
    for _ in range(1203):
        issuer.audit.note("signed_in", ADMIN)
    assert issuer.audit.verify_chain(ADMINISTRATION) == (1203, None)
    issuer.database.xdel(ADMINISTRATION.log, "1100-0")
    assert issuer.audit.verify_chain(ADMINISTRATION)[1] == Finding("{audit}", 1100, Fault.REMOVED)
