"""The card page over a real Redis, with a stand-in of the platform only."""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable

import pytest
import redis
from flask import Flask

from credentials import connection
from credentials import services as parts
from credentials.authority import EmbeddedRegistry
from credentials.connection import connect
from credentials.keyring import Keyring
from credentials.sealing import BlindIndex, Sealer
from credentials.services import Services
from settings import Settings
from tests.web.card.phone import (
    ADDRESS,
    Desk,
    NotConfirmedError,
    Phone,
    Platform,
    SilentError,
    give_card,
)
from web import health, holder, offline, pages, scan
from web.front import Front

LIN = ("林小雨", "440106199003071231")
OUYANG = ("欧阳建国", "440106198506123422")
KEY = "1:" + base64.b64encode(b"a key that tests made, 32 bytes.").decode()


def services_at(redis_url: str) -> Services:
    """The services on the Redis at an address, there or not."""
    keyring = Keyring.from_entries((KEY,))
    database = connect(redis_url)
    sealer = Sealer(keyring)
    registry = EmbeddedRegistry(database, sealer, BlindIndex(database, sealer))
    return parts.build(database, keyring, address=ADDRESS, authority=registry)


def app_of(
    services: Services, platform: Platform, profile: str = "demo", *, front: bool = True
) -> Flask:
    """The holder's pages alone."""
    settings = Settings.model_validate({"profile": profile, "public_url": ADDRESS})
    app = Flask("card")
    pages.install(app, services, settings)
    app.register_blueprint(
        holder.blueprint(
            services,
            platform,
            refused=NotConfirmedError,
            unavailable=SilentError,
            more=offline.card_views(services),
        )
    )
    app.register_blueprint(scan.blueprint(settings))
    if front:
        app.wsgi_app = Front(  # type: ignore[assignment, method-assign] # Flask's own way
            app.wsgi_app,
            holder.hot(services),
            headers=pages.headers_of(settings),
            count=health.Measures().count,
            broken=functools.partial(pages.broken, services.texts),
        )
    return app


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a Redis that waits for its turn, or for the disk, on a machine that does more."""
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 60.0)


@pytest.fixture
def services(database: redis.Redis, redis_url: str) -> Services:
    """The services on an empty Redis."""
    return services_at(redis_url)


@pytest.fixture
def platform() -> Platform:
    """The messaging platform."""
    return Platform()


@pytest.fixture
def app(services: Services, platform: Platform) -> Flask:
    """The holder's pages."""
    return app_of(services, platform)


@pytest.fixture
def phone_of(app: Flask, platform: Platform) -> Callable[[str], Phone]:
    """A phone for an account."""
    return lambda openid: Phone(app, platform, openid)


@pytest.fixture
def phone(services: Services, phone_of: Callable[[str], Phone]) -> Phone:
    """Lin's phone; she has a card."""
    give_card(services, "oLin", *LIN)
    return phone_of("oLin")


@pytest.fixture
def stranger(services: Services, phone_of: Callable[[str], Phone]) -> Phone:
    """Ouyang's phone; he has a card too."""
    give_card(services, "oOuyang", *OUYANG)
    return phone_of("oOuyang")


@pytest.fixture
def desk(services: Services) -> Desk:
    """A hotel's desk, whose name has markup in it."""
    verifier, _ = services.verifiers.add("Bay <b>Hotel</b>", ("hotel", "internet_cafe"))
    return Desk(services, verifier)
