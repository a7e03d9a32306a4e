"""Actors of the web's tests: a server on a real Redis, holders, staff, operators, software."""

from __future__ import annotations

import dataclasses
import functools
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import redis
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bot.assist import Assist
from bot.conversations import BusyError, Conversations
from bot.engine import Conversation
from bot.figures import Figures, ways
from bot.outbox import Outbox
from bot.transcripts import Transcripts
from credentials.accounts import Accounts
from credentials.authority import EmbeddedRegistry
from credentials.keyring import Keyring
from credentials.model import Holder, Verifier
from credentials.receipts import Receipt
from credentials.sealing import BlindIndex, Sealer
from credentials.services import Services, build
from handlers.dialog import DIALOG
from settings import Settings
from tests.credentials.issuer import CONSENTS, person, ring
from web import (
    api,
    console,
    console_flow,
    console_people,
    console_verifiers,
    desk,
    join,
    offline,
    pages,
    reviews,
    sessions,
    shell,
)
from web.console_shared import Register
from web.front import Front

ADDRESS = "http://127.0.0.1:8000"
PASSWORD = "a harbour in the fog"


class Office:
    """One web server, and everything behind it."""

    def __init__(
        self,
        database: redis.Redis,
        *,
        address: str = ADDRESS,
        keyring: Keyring | None = None,
        front: bool = True,
    ) -> None:
        keyring = keyring or ring()
        sealer = Sealer(keyring)
        self._told: list[Receipt] = []
        self.counted: list[tuple[str, int, float]] = []
        self.services: Services = build(
            database,
            keyring,
            address=address,
            authority=EmbeddedRegistry(database, sealer, BlindIndex(database, sealer)),
        )
        self.asked_again: list[Holder] = []
        self.withdrawn: list[tuple[Conversation, Conversation]] = []
        figures = Figures(database, steps=DIALOG.steps)
        self.conversations = Conversations(database, sealer, figures=figures)
        settings = Settings(_env_file=None, profile="production", public_url=address)  # type: ignore[call-arg]
        self.app = Flask("card", static_folder=str(pages.STATIC))
        pages.install(self.app, self.services, settings)
        sessions.install(self.app, keyring, secure=address.startswith("https://"))
        self.app.register_blueprint(api.blueprint(self.services))
        self.app.register_blueprint(offline.blueprint(self.services))
        self.app.register_blueprint(desk.blueprint(self.services))
        self.app.register_blueprint(join.blueprint(self.services))
        self.app.register_blueprint(shell.blueprint(self.services))
        self.app.register_blueprint(
            console.blueprint(self.services, self.conversations, self._console_places(database))
        )

        if front:
            self.app.wsgi_app = Front(  # type: ignore[assignment, method-assign]
                self.app.wsgi_app,
                api.hot(self.services),
                headers=pages.headers_of(settings),
                count=lambda *seen: self.counted.append(seen),
                broken=functools.partial(pages.broken, self.services.texts),
            )

    def _console_places(self, database: redis.Redis) -> Iterator[Register]:
        """What the wiring gives the console beside the card's services."""
        yield console_verifiers.register(self.services)
        yield reviews.register(self.services)
        name_of = console.step_names(self.services)
        sealer = self.services.sealer
        self.transcripts = Transcripts(database, sealer)
        self.outbox = Outbox(database, sealer, {}, lambda *_, **__: None)
        assist = Assist(
            DIALOG,
            self.conversations,
            self.transcripts,
            self.outbox,
            limits=self.services.limits,
            ask_again=self.asked_again.append,
            withdraw=lambda before, after: self.withdrawn.append((before, after)),
        )
        yield console_people.register(self.services, assist, BusyError, name_of)
        figures = self.conversations.figures
        yield console_flow.register(self.services, figures, ways(DIALOG), name_of)

    @property
    def receipts(self) -> list[Receipt]:
        """What holders were told, oldest first."""
        self.services.receipts.pass_on("test", self._told.extend)
        return self._told

    def phone(self, sequence: int = 1, name: str = "张三丰", **other: object) -> Phone:
        holder = Holder("wechat", f"oPhone{sequence}")
        card = self.services.cards.issue(
            holder, person(sequence, name, **other), CONSENTS, evidence={"liveness": "unsafe-none"}
        )
        return Phone(self.services, holder, card.credential_id)

    def software(self, *purposes: str, name: str = "Seaside Hotel") -> Software:
        verifier, key = self.services.verifiers.add(
            name, purposes or ("internet_cafe", "hotel", "courier")
        )
        return Software(self.app.test_client(), verifier, key)

    def staff(
        self, verifier: Verifier, username: str = "xiaoli", *, desk: str = "前台 1"
    ) -> Person:
        password = self.services.staff.add(username, verifier_id=verifier.verifier_id, desk=desk)
        return Person(self.app.test_client(), "desk", username, password, self.services.staff)

    def operator(self, role: str = "viewer", username: str = "laochen") -> Person:
        password = self.services.operators.add(username, role=role)
        return Person(
            self.app.test_client(), "console", username, password, self.services.operators
        )

    def audited(self) -> list[str]:
        """What the administration chain says, newest first."""
        return [use.kind for use in self.services.audit.recent(50)]


@dataclasses.dataclass
class Phone:
    """A holder with the card in hand."""

    services: Services
    holder: Holder
    credential_id: str

    def show(self, purpose: str | None = None) -> str:
        return self.services.cards.mint(self.holder, purpose).code

    def approve(self) -> None:
        self.services.verifications.approve(self.holder, self._asked())

    def deny(self, *, freeze: bool = False) -> None:
        self.services.verifications.deny(self.holder, self._asked(), freeze=freeze)

    def _asked(self) -> str:
        pending = self.services.cards.state(self.holder).pending
        assert pending is not None
        return pending.verification_id


@dataclasses.dataclass
class Software:
    """A verifier's own program, with its key."""

    browser: FlaskClient
    verifier: Verifier
    key: str
    language: str = "en"

    def scan(
        self, code: str, purpose: str = "internet_cafe", request_id: str | None = None
    ) -> TestResponse:
        body = {"code": code, "purpose": purpose}
        return self.send(body if request_id is None else {**body, "request_id": request_id})

    def send(self, body: object) -> TestResponse:
        return self.browser.post("/api/v1/verifications", json=body, headers=self.headers)

    def look(self, verification_id: str) -> TestResponse:
        path = f"/api/v1/verifications/{verification_id}"
        return self.browser.get(path, headers=self.headers)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", "Accept-Language": self.language}


@dataclasses.dataclass
class Person:
    """Somebody at a browser: staff at a desk, or an operator."""

    browser: FlaskClient
    area: str
    username: str
    password: str
    accounts: Accounts
    language: str = "en"

    def see(self, path: str, **headers: str) -> TestResponse:
        return self.browser.get(path, headers={"Accept-Language": self.language, **headers})

    def csrf(self, path: str) -> str:
        """The token in the page's form or body."""
        page = self.see(path).text
        found = re.search(r'(?:name="csrf_token" value|data-csrf)="([^"]+)"', page)
        assert found, page
        return found[1]

    def fill(self, path: str, at: str = "", **fields: str) -> TestResponse:
        """Send a form from the page `at`, or from the one it goes to."""
        if "csrf_token" not in fields:
            fields["csrf_token"] = self.csrf(at or path)
        return self.browser.post(path, data=fields, headers={"Accept-Language": self.language})

    def try_to_sign_in(self, password: str, **fields: str) -> TestResponse:
        path = f"/{self.area}/sign-in"
        return self.fill(path, username=self.username, password=password, **fields)

    def sign_in(self) -> Person:
        """Sign in for good: with the one-time password at first, then with one's own."""
        assert self.try_to_sign_in(self.password).status_code == 303
        if self.password != PASSWORD:
            answer = self.fill(f"/{self.area}/password", new=PASSWORD, again=PASSWORD)
            assert answer.status_code == 303, answer.text
            self.password = PASSWORD
        return self

    def scan(self, code: str, purpose: str = "internet_cafe", **fields: object) -> TestResponse:
        body = {"code": code, "purpose": purpose, "request_id": str(uuid.uuid4()), **fields}
        return self.ask("POST", "/desk/verifications", json=body)

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> TestResponse:
        """What the page's script sends."""
        sent = {
            "Accept": "application/json",
            "Accept-Language": self.language,
            "X-CSRF-Token": self.csrf(f"/{self.area}"),
            **(headers or {}),
        }
        return self.browser.open(path, method=method, headers=sent, **more)


def outcome(answer: TestResponse) -> tuple[int, str]:
    """Status and stable code, or state, of an answer in JSON."""
    body: Mapping[str, str] = answer.get_json()
    return answer.status_code, body.get("code") or body["state"]


def labels(answer: TestResponse) -> Sequence[str]:
    """The labels of the fields that a desk shows."""
    return [field["label"] for field in answer.get_json()["fields"]]
