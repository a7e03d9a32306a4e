"""What the tests of the pages and of the API can ask for."""

from __future__ import annotations

import pytest
import redis

from tests.web.office import Office, Person, Phone, Software


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
