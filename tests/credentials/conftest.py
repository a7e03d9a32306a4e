"""What the tests of this package can ask for."""

from __future__ import annotations

import pytest
import redis

from tests.credentials.issuer import Desk, Issuer, Phone


@pytest.fixture
def issuer(database: redis.Redis) -> Issuer:
    """An issuer on an empty Redis."""
    return Issuer(database)


@pytest.fixture
def phone(issuer: Issuer) -> Phone:
    """A holder with a light card."""
    return issuer.phone()


@pytest.fixture
def desk(issuer: Issuer) -> Desk:
    """A verifier that was granted every purpose."""
    return issuer.desk()
