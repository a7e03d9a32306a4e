"""Row 32. An audit entry altered, removed, reordered: `audit verify` names it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from credentials.store import Place, place_of, record_key
from tests.faults.acts import Office
from tests.faults.conftest import Figure
from tests.product.actors import COMMAND_SECONDS, ROOT, HotelSoftware, Product, environment

Entry = tuple[bytes, dict[bytes, bytes]]
Entries = list[Entry]


def verify(product: Product) -> tuple[int, str]:
    """What the command says, and its exit status."""
    done = subprocess.run(
        [sys.executable, "app.py", "audit", "verify"],
        cwd=ROOT,
        env=environment(product.var_dir, product.port),
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
    )
    return done.returncode, done.stdout + done.stderr


def rewrite(office: Office, place: Place, entries: Entries) -> None:
    """As somebody can who has Redis in hand, and no master key."""
    office.database.delete(place.log)
    for identifier, fields in entries:
        office.database.xadd(place.log, fields, id=identifier)  # type: ignore[arg-type]


@pytest.fixture
def chain(shared_product: Product, shared_office: Office) -> Iterator[tuple[Place, Entries]]:
    """A chain of some entries, put back afterwards."""
    cafe = HotelSoftware.registered(shared_product, "审计网吧", "internet_cafe")
    card = shared_office.card()
    for _ in range(4):
        assert cafe.scan(shared_office.code(card), "internet_cafe").status_code == 200
    place = place_of(card.credential_id)
    found: Any = shared_office.database.xrange(place.log)
    head: Any = shared_office.database.hgetall(place.head)
    yield place, list(found)
    rewrite(shared_office, place, list(found))
    shared_office.database.delete(place.head)
    shared_office.database.hset(place.head, mapping=head)


def altered(entries: Entries) -> Entries:
    identifier, fields = entries[3]
    told = fields[b"d"].replace("审计网吧".encode(), "别的网吧".encode())
    return [*entries[:3], (identifier, fields | {b"d": told}), *entries[4:]]


def removed(entries: Entries) -> Entries:
    return [*entries[:2], *entries[3:]]


def reordered(entries: Entries) -> Entries:
    moved = [fields for _, fields in entries]
    moved[2], moved[3] = moved[3], moved[2]
    return [(identifier, fields) for (identifier, _), fields in zip(entries, moved, strict=True)]


def cut(entries: Entries) -> Entries:
    return entries[:-1]


@pytest.mark.parametrize(
    "tampering",
    [
        (altered, 4, "altered"),
        (removed, 3, "removed"),
        (reordered, 3, "reordered"),
        (cut, 6, "cut"),
    ],
)
def test_the_command_names_the_entry(
    shared_product: Product,
    shared_office: Office,
    chain: tuple[Place, Entries],
    tampering: tuple[Callable[[Entries], Entries], int, str],
    figure: Figure,
) -> None:
    (act, number, named), (place, entries) = tampering, chain
    offset = int(entries[-1][0].split(b"-")[0]) - 6  # another card may share the bucket
    rewrite(shared_office, place, entries[:offset] + act(entries[offset:]))
    status, said = verify(shared_product)
    assert status == 1
    assert f"entry {number + offset} of chain {place.tag} is {named}" in said
    figure("kinds of tampering named", 4, "")


def test_what_nobody_touched_is_whole(
    shared_product: Product, chain: tuple[Place, Entries]
) -> None:
    assert chain
    status, said = verify(shared_product)
    assert status == 0, said


def test_a_log_set_back_with_all_that_tells_of_it(
    shared_product: Product, shared_office: Office, chain: tuple[Place, Entries]
) -> None:
    place, entries = chain
    assert verify(shared_product)[0] == 0
    about = entries[-1][1][b"c"].decode()
    before = [entry for entry in entries[:-1] if entry[1][b"c"].decode() == about][-1]
    number = int(entries[-2][0].split(b"-")[0])
    rewrite(shared_office, place, entries[:-1])
    mac = entries[-2][1][b"m"]
    shared_office.database.hset(place.head, mapping={"n": number, "m": mac})
    shared_office.database.hset(record_key(about), "g", before[0].split(b"-")[0])
    try:
        status, said = verify(shared_product)
    finally:
        shared_office.database.hset(record_key(about), "g", entries[-1][0].split(b"-")[0])
    assert status == 1
    assert f"entry {number + 1} of chain {place.tag} is cut" in said
