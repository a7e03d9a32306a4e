"""The mini-program's backend: the card in a small application inside the platform.

`POST /mini/login` turns the platform's `js_code` into a token for a quarter of an hour by Redis's
clock: signed under the keys of the ring with a salt of its own, naming the account, so it opens
that account's card and nothing else. Every other address takes it as `Authorization: Bearer …`.

| address | does |
|---|---|
| `POST /mini/login` | `{"js_code"}` → `{"token", "expires_in"}` |
| `GET /mini/card` | the card, the upgrade under way, the PIN's state, the request that waits |
| `GET /mini/state?change=` | the same, or 304 while nothing has changed (one key is asked) |
| `GET /mini/purposes` | what a code may be made for |
| `POST /mini/code` | `{"purpose"?, "pin"?}` → a fresh code |
| `POST /mini/approvals/<id>` | `{"answer": "approve" | "deny" | "deny_freeze", "pin"?}` |
| `GET /mini/history` | the last uses |
| `POST /mini/not-me` | `{"verification_id"}`: that use was not the holder's |
| `POST /mini/freeze`, `/mini/unfreeze` | |
| `POST /mini/upgrade` | begins an upgrade → a binding code for the terminal |
| `POST /mini/soter/challenge` | → a challenge for the phone's fingerprint sensor |
| `POST /mini/soter/answer` | `{"json_string", "json_signature"}`, as the sensor gave them |
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import pydantic
import structlog
from flask import Blueprint, Response, request
from itsdangerous import BadData, BadSignature, URLSafeSerializer
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException

from credentials.errors import CredentialError, RefusalError
from credentials.model import Actor, Card, Holder, Status
from credentials.store import Store
from web import mini_bodies as bodies
from web import mini_view as view
from web import pages, proxies

if TYPE_CHECKING:
    from credentials.keyring import Keyring
    from credentials.services import Services

TOKEN_SECONDS = 15 * 60
SALT = "mini-session"
KEY_PURPOSE = "mini-session"
CLOCK_KEY = "{mini}"
CLOCK_SECONDS = 60.0
LARGEST_BODY = 8 * 1024
LONGEST_TOKEN = 600
HISTORY_ENTRIES = 24
LOGINS_PER_ADDRESS = 120
LOGINS_PER_MINUTE = 3000
"""In a minute: of one address, behind which many phones of one network may be; and of all."""
ADDRESS_PAUSE_S = 60
ALL_PAUSE_S = 5
log = structlog.get_logger("web.mini")
Body = TypeVar("Body", bound=pydantic.BaseModel)
View = Callable[..., Response]
BY_HOLDER = Actor("holder")


class Platform(Protocol):
    """What the mini-program needs of the platform."""

    name: str

    def who(self, js_code: str) -> str:
        """The account behind a code, which works once."""

    def fingerprint_signed(self, openid: str, result: str, signature: str) -> bool:
        """Whether this account's phone signed this result after matching its owner's finger."""


class Clock:
    """Redis's clock, which all web servers share; it is asked once a minute.

    In between this machine's steady clock goes on from there, so nothing depends on what time
    the machine takes it to be, and most requests ask Redis nothing more than before.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ahead = 0.0
        self._until = 0.0

    def __call__(self) -> float:
        """Seconds since 1970.

        Raises:
            UnavailableError: when Redis does not answer.
        """
        steady = time.monotonic()
        if steady >= self._until:
            self._ahead = self._store.now(CLOCK_KEY) / 1e6 - steady
            self._until = steady + CLOCK_SECONDS
        return steady + self._ahead


class MiniSessions:
    """Writes and reads the tokens; nothing is stored on the server."""

    def __init__(self, keyring: Keyring, clock: Callable[[], float]) -> None:
        self._keyring = keyring
        self._clock = clock

    def begin(self, holder: Holder) -> str:
        """A token for an account."""
        until = int(self._clock()) + TOKEN_SECONDS
        token = self._serializer().dumps([holder.channel, holder.openid, until])
        return token if isinstance(token, str) else token.decode()

    def read(self, token: str) -> Holder:
        """The account that a token was given to.

        Raises:
            RefusalError: unauthenticated when it is none of ours, or over.
        """
        try:
            channel, openid, until = self._loaded(token[:LONGEST_TOKEN])
        except (BadData, ValueError, TypeError):
            raise RefusalError("unauthenticated") from None
        if not isinstance(until, int) or self._clock() >= until:
            raise RefusalError("unauthenticated")
        return Holder(str(channel), str(openid))

    def _loaded(self, token: str) -> Any:
        try:
            return self._serializer().loads(token)
        except BadSignature:
            if not self._keyring.refresh():
                raise
        return self._serializer().loads(token)  # another process had the new key before this one

    def _serializer(self) -> URLSafeSerializer:
        # Oldest first, the current one signs: as itsdangerous wants a list of keys.
        versions = reversed(self._keyring.versions)
        secrets = [self._keyring.derive(version, KEY_PURPOSE) for version in versions]
        return URLSafeSerializer(
            cast("Any", secrets),
            salt=SALT,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )


class MiniProgramViews:
    """The views; `blueprint` gives them their addresses."""

    def __init__(
        self,
        services: Services,
        platform: Platform,
        refused: type[Exception],
        unavailable: type[Exception],
    ) -> None:
        self.services = services
        self.sessions = MiniSessions(services.keyring, Clock(Store(services.redis)))
        self._platform = platform
        self._refused = refused
        self._unavailable = unavailable

    def login(self) -> Response:
        """Find out who is looking."""
        asked = _read(bodies.Login)
        # One address first: what it tries too often takes nothing of what all may.
        address = proxies.caller()
        for key, limit, pause_s in (
            (address, LOGINS_PER_ADDRESS, ADDRESS_PAUSE_S),
            ("all", LOGINS_PER_MINUTE, ALL_PAUSE_S),
        ):
            if not self.services.limits.attempt("mini_login", key, limit, 60, pause_s).allowed:
                raise RefusalError("too_many_requests")
        try:
            openid = self._platform.who(asked.js_code)
        except self._refused:
            raise RefusalError("unauthenticated") from None
        except self._unavailable:
            raise RefusalError("unavailable") from None
        token = self.sessions.begin(Holder(self._platform.name, openid))
        return _json({"token": token, "expires_in": TOKEN_SECONDS})

    def card(self, holder: Holder) -> Response:
        """Everything that the first page shows."""
        return _json(view.state(self.services, holder, pages.language()))

    def state(self, holder: Holder) -> Response:
        """The same, or 304 while the change counter is the one asked with."""
        known = request.args.get("change", "")
        is_counter = known.isascii() and known.isdigit() and len(known) <= 18
        if is_counter and self.services.cards.change(holder) == int(known):
            return Response(status=304)
        return self.card(holder)

    def purposes(self, holder: Holder) -> Response:
        """What a code may be made for, and whether this card may."""
        return _json(view.purposes(self.services, self._card(holder), pages.language()))

    def code(self, holder: Holder) -> Response:
        """A fresh code. Times are in seconds from now: the phone's clock does not matter."""
        asked = _read(bodies.Code)
        code = self.services.cards.mint(holder, asked.purpose, asked.pin)
        return _json(
            {
                "code": code.code,
                "address": code.address,
                "purpose": asked.purpose or "",
                "refresh_in": round(code.refresh_at - code.issued_at, 3),
                "expires_in": round(code.expires_at - code.issued_at, 3),
            }
        )

    def answer(self, holder: Holder, verification_id: str) -> Response:
        """Approve or deny a disclosure that waits."""
        asked = _read(bodies.Answer)
        if asked.answer == "approve":
            self.services.verifications.approve(holder, verification_id, asked.pin)
        elif asked.answer == "deny":
            self.services.verifications.deny(holder, verification_id)
        else:
            try:
                self.services.verifications.deny(holder, verification_id, freeze=True)
            except RefusalError:  # it is over: the card is frozen all the same
                self._stop(holder)
        return self.card(holder)

    def history(self, holder: Holder) -> Response:
        """The last uses, newest first: names of fields, never their values."""
        card = self._card(holder)
        uses = self.services.cards.history(card.credential_id, HISTORY_ENTRIES)
        return _json(view.history(self.services, uses, pages.language()))

    def not_me(self, holder: Holder) -> Response:
        """A use that was not the holder's: freezes the card, opens a case for operators."""
        asked = _read(bodies.NotMe)
        card = self._card(holder)
        uses = self.services.cards.history(card.credential_id, HISTORY_ENTRIES)
        if asked.verification_id not in {use.verification_id for use in uses}:
            raise RefusalError("unknown_verification")
        self.services.misuse.report(card.credential_id, asked.verification_id)
        return self.card(holder)

    def freeze(self, holder: Holder) -> Response:
        """Stop the card at once."""
        self._stop(holder)
        return self.card(holder)

    def unfreeze(self, holder: Holder) -> Response:
        """Let the card be used again."""
        card = self._card(holder)
        if card.status is not Status.ACTIVE:
            self.services.cards.unfreeze(card.credential_id, BY_HOLDER, "holder")
        return self.card(holder)

    def upgrade(self, holder: Holder) -> Response:
        """Begin an upgrade, or go on with it: a fresh binding code for the terminal."""
        code = self.services.upgrades.binding_code(holder)
        return _json(
            {"binding_code": code.digits, "expires_in": round(code.expires_at - code.now)}
            | {"upgrade": view.upgrade(self.services, holder)}
        )

    def challenge(self, holder: Holder) -> Response:
        """A challenge for the phone's fingerprint sensor."""
        return _json({"challenge": self.services.upgrades.challenge(holder), "expires_in": 120})

    def fingerprint(self, holder: Holder) -> Response:
        """What the sensor gave: the challenge is compared, then the platform is asked."""
        asked = _read(bodies.Fingerprint)

        def signed() -> bool:
            try:
                return self._platform.fingerprint_signed(
                    holder.openid, asked.json_string, asked.json_signature
                )
            except self._unavailable:
                raise RefusalError("unavailable") from None

        self.services.upgrades.fingerprint(holder, asked.json_string, signed)
        return self.card(holder)

    def problem(self, error: CredentialError) -> Response:
        """A refusal as problem+json, by its code."""
        log.info("mini_refused", code=error.code, path=request.path)
        texts = self.services.texts
        # What cannot be read here is a program's request, not a code that somebody scanned.
        key = f"error.{error.code}{'.request' if error.code == 'malformed' else ''}"
        sentence = texts.say(pages.language(), key if key in texts else "error.unavailable")
        answer = pages.problem(pages.status_of(error), error.code, sentence)
        said = {"detail": sentence, "instance": request.path}
        body = {**answer.get_json(), **said, **_helpful(error.details)}
        answer.set_data(json.dumps(body, ensure_ascii=False))
        return answer

    def _stop(self, holder: Holder) -> None:
        self.services.cards.stop(self._card(holder).credential_id, BY_HOLDER, "holder")

    def _card(self, holder: Holder) -> Card:
        card = self.services.cards.of(holder)
        if card is None:
            raise CredentialError("no_card")
        return card


def blueprint(
    services: Services,
    platform: Platform,
    *,
    refused: type[Exception],
    unavailable: type[Exception],
) -> Blueprint:
    """The addresses below `/mini`.

    Args:
        services: the product's services.
        platform: the messaging platform.
        refused: what `platform.who` raises for a code that is invalid or used.
        unavailable: what it raises when the platform does not answer.
    """
    mini = MiniProgramViews(services, platform, refused, unavailable)
    routes = Blueprint("mini", __name__, url_prefix="/mini")
    routes.add_url_rule("/login", view_func=mini.login, methods=["POST"])
    for rule, method, called in (
        ("/card", "GET", mini.card),
        ("/state", "GET", mini.state),
        ("/purposes", "GET", mini.purposes),
        ("/code", "POST", mini.code),
        ("/approvals/<verification_id>", "POST", mini.answer),
        ("/history", "GET", mini.history),
        ("/not-me", "POST", mini.not_me),
        ("/freeze", "POST", mini.freeze),
        ("/unfreeze", "POST", mini.unfreeze),
        ("/upgrade", "POST", mini.upgrade),
        ("/soter/challenge", "POST", mini.challenge),
        ("/soter/answer", "POST", mini.fingerprint),
    ):
        checked = _signed_in(mini, called)
        routes.add_url_rule(rule, called.__name__, checked, methods=[method])
    routes.register_error_handler(CredentialError, mini.problem)
    routes.register_error_handler(
        RedisError, lambda _: mini.problem(CredentialError("unavailable"))
    )
    routes.register_error_handler(HTTPException, lambda _: mini.problem(RefusalError("malformed")))

    @routes.after_request
    def finish(answer: Response) -> Response:
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return routes


def _signed_in(mini: MiniProgramViews, called: View) -> View:
    """`called` for the account of the request's token."""

    @functools.wraps(called)
    def checked(**arguments: str) -> Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > LONGEST_TOKEN:
            raise RefusalError("unauthenticated")
        return called(mini.sessions.read(token.strip()), **arguments)

    return checked


def _read(model: type[Body]) -> Body:
    """The body as a model; an empty body is an empty object.

    Raises:
        RefusalError: malformed.
    """
    request.max_content_length = LARGEST_BODY
    try:
        return model.model_validate_json(request.get_data() or b"{}")
    except pydantic.ValidationError:
        raise RefusalError("malformed") from None


def _helpful(details: Mapping[str, object]) -> dict[str, object]:
    """What of an error's details helps the holder: tries left, minutes to wait."""
    return {name: details[name] for name in ("left", "wait_minutes", "reason") if name in details}


def _json(body: object) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), content_type="application/json")
