"""What the last check saw: a log that was set back as a whole looks whole, and is found out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from credentials.archive import Archives
from credentials.audit import Fault, Finding
from credentials.model import Actor
from credentials.store import ADMINISTRATION, Place, place_of, record_key
from credentials.witness import NAME, Witness
from tests.credentials.issuer import Desk, Issuer, Phone, ring
from tests.credentials.test_archive import SOON

ADMIN = Actor("operator", "wang")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def witness(issuer: Issuer, folder: Path) -> Witness:
    return Witness(folder, issuer.store, issuer.keyring)


@pytest.fixture
def checked(issuer: Issuer, phone: Phone, desk: Desk, witness: Witness) -> Place:
    """A card's chain and the administration's, some entries each, after a check."""
    for _ in range(3):
        desk.scan(phone.show(), "internet_cafe")
        issuer.audit.note("signed_in", ADMIN)
    witness.keep(witness.ends())
    return place_of(phone.credential_id)


def set_back(issuer: Issuer, place: Place, number: int) -> None:
    """As somebody does who has Redis in hand: the end cut off, and the head where it was then."""
    log: Any = issuer.database.xrange(place.log)
    issuer.database.delete(place.log)
    for identifier, fields in log[:number]:
        issuer.database.xadd(place.log, fields, id=identifier)
    if number:
        issuer.database.hset(place.head, mapping={"n": number, "m": log[number - 1][1][b"m"]})
    else:
        issuer.database.delete(place.head)


def test_a_log_that_only_grew_is_as_it_was(
    issuer: Issuer, checked: Place, witness: Witness, phone: Phone, desk: Desk
) -> None:
    assert checked
    assert list(witness.findings()) == []
    desk.scan(phone.show(), "internet_cafe")
    issuer.audit.note("signed_in", ADMIN)
    assert list(witness.findings()) == []


def test_without_an_earlier_check_nothing_is_found(witness: Witness, phone: Phone) -> None:
    assert phone
    assert list(witness.findings()) == []


@pytest.mark.parametrize("number", [0, 2])
def test_the_administrations_log_set_back_looks_whole_and_is_found(
    issuer: Issuer, checked: Place, witness: Witness, number: int
) -> None:
    assert checked
    set_back(issuer, ADMINISTRATION, number)
    assert issuer.findings() == [], "from inside Redis nothing can be seen"
    assert list(witness.findings()) == [Finding(ADMINISTRATION.tag, number + 1, Fault.CUT)]


@pytest.mark.parametrize("number", [0, 1])
def test_a_cards_log_set_back_with_its_record_is_found(
    issuer: Issuer, checked: Place, witness: Witness, phone: Phone, number: int
) -> None:
    set_back(issuer, checked, number)
    issuer.database.hset(record_key(phone.credential_id), "g", number)
    assert issuer.findings() == []
    assert list(witness.findings()) == [Finding(checked.tag, number + 1, Fault.CUT)]


def test_a_log_that_was_written_again_is_found(
    issuer: Issuer, checked: Place, witness: Witness
) -> None:
    assert checked
    set_back(issuer, ADMINISTRATION, 2)
    issuer.audit.note("signed_in", Actor("operator", "somebody else"))
    assert issuer.findings() == []
    assert list(witness.findings()) == [Finding(ADMINISTRATION.tag, 3, Fault.ALTERED)]


@pytest.mark.parametrize("harm", ["number", "signature", "version", "junk", "empty"])
def test_an_altered_file_is_named(
    issuer: Issuer, checked: Place, witness: Witness, folder: Path, harm: str
) -> None:
    assert checked
    path = folder / NAME
    signed, said = path.read_text().splitlines()
    told = json.loads(said)
    told["seen"][ADMINISTRATION.tag][0] = 2
    other = said.replace('"version":1', '"version":9')
    path.write_text(
        {
            "number": f"{signed}\n{json.dumps(told, separators=(',', ':'))}\n",
            "signature": f"{'0' * 64}\n{said}\n",
            "version": f"{signed}\n{other}\n",
            "junk": "hello",
            "empty": "",
        }[harm]
    )
    assert [found.fault for found in witness.findings()] == [Fault.FORGED]
    assert issuer.findings() == []


def test_what_was_archived_since_is_left_to_the_archives(
    issuer: Issuer, checked: Place, witness: Witness, folder: Path, phone: Phone
) -> None:
    assert checked
    archives = Archives(folder, issuer.store, issuer.audit, issuer.keyring)
    list(archives.write(SOON))
    assert list(witness.findings()) == []
    witness.keep(witness.ends())
    assert list(witness.findings()) == []
    issuer.desk().scan(phone.show(), "internet_cafe")
    list(archives.write(SOON))
    assert list(witness.findings()) == []


def test_an_archived_chain_that_redis_forgot_is_found(
    issuer: Issuer, checked: Place, folder: Path
) -> None:
    assert checked
    archives = Archives(folder, issuer.store, issuer.audit, issuer.keyring)
    list(archives.write(SOON))
    set_back(issuer, ADMINISTRATION, 0)
    found = [finding for _, finding in archives.verify() if finding]
    assert found == [Finding(ADMINISTRATION.tag, 1, Fault.CUT)]


def test_a_rotated_key_still_reads_it(issuer: Issuer, checked: Place, folder: Path) -> None:
    assert checked
    later = Witness(folder, issuer.store, ring(2, 1))
    assert list(later.findings()) == []
    later.keep(later.ends())
    assert list(later.findings()) == []


def test_a_key_that_left_the_ring_reads_nothing(
    issuer: Issuer, checked: Place, folder: Path
) -> None:
    assert checked
    later = Witness(folder, issuer.store, ring(2))
    assert [found.fault for found in later.findings()] == [Fault.FORGED]
