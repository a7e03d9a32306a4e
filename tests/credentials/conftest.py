"""What the tests of this package can ask for."""

from __future__ import annotations

import argon2
import pytest
import redis

from credentials import connection, passwords
from tests.credentials.issuer import Desk, Issuer, Phone


@pytest.fixture
def issuer(database: redis.Redis) -> Issuer:
    """An issuer on an empty Redis."""
    return Issuer(database)


@pytest.fixture
def light_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """argon2id at its cheapest: the same in all but the time it takes."""
    monkeypatch.setattr(
        passwords, "_HASHER", argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    )


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis is waited for on a machine that is busy, too: where the wait is not what is tested."""
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 60.0)
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 60.0)


@pytest.fixture
def phone(issuer: Issuer) -> Phone:
    """A holder with a light card."""
    return issuer.phone()


@pytest.fixture
def desk(issuer: Issuer) -> Desk:
    """A verifier that was granted every purpose."""
    return issuer.desk()
