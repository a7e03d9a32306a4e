"""What the tests of the pages and of the API can ask for."""

from __future__ import annotations

import datetime

import argon2
import pytest
import redis

from credentials import passwords, shifts
from tests.web.office import Office, Person, Phone, Software
from web import shift, shown


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real argon2id hashes with the smallest parameters: its cost is tested where it is chosen."""
    quick = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", quick)


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk's day that ends half a day from now: midnight in China parts no scan from its list."""
    hour = datetime.datetime.now(datetime.UTC).hour
    zone = datetime.timezone(datetime.timedelta(hours=12 - hour))
    for place in (shifts, shift, shown):
        monkeypatch.setattr(place, "CHINA", zone)


@pytest.fixture
def office(database: redis.Redis) -> Office:
    """A web server on an empty Redis."""
    return Office(database)


@pytest.fixture
def phone(office: Office) -> Phone:
    """A holder with a light card."""
    return office.phone()


@pytest.fixture
def software(office: Office) -> Software:
    """A hotel's own program."""
    return office.software()


@pytest.fixture
def desk(office: Office, software: Software) -> Person:
    """Staff of that hotel, signed in at the front desk."""
    return office.staff(software.verifier).sign_in()
