"""The API for accredited terminals, which read the physical card and sign what they read.

| address | does |
|---|---|
| `POST /api/v1/terminal/sessions` | a binding code becomes a nonce for one attestation |
| `POST /api/v1/terminal/attestations` | what was read, signed, with that nonce |

Each body is `{"statement": {...}, "signature": base64}`; the signature (Ed25519) is over the
statement as canonical JSON (keys in order, no blanks, UTF-8). There is no other credential: who
cannot sign can ask nothing. No answer repeats anything of the holder's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import pydantic
import structlog
from flask import Blueprint, Response, request
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException

from credentials.errors import CredentialError, RefusalError
from web import problems

if TYPE_CHECKING:
    from credentials.services import Services

LARGEST_BODY = 4 * 1024
SESSIONS = "/api/v1/terminal/sessions"
ATTESTATIONS = "/api/v1/terminal/attestations"
REFUSALS = (
    "malformed",
    "unauthenticated",
    "bad_signature",
    "bad_attestation",
    "attestation_stale",
    "too_many_requests",
    "unavailable",
)
SESSION_REFUSALS = (*REFUSALS, "unknown_binding_code")
ATTESTATION_REFUSALS = (
    *REFUSALS,
    "unknown_session",
    "physical_card_ended",
    "not_this_person",
    "already_upgraded",
    "no_upgrade",
    "frozen",
    "revoked",
    "expired",
)
log = structlog.get_logger("web.terminal")


class Signed(pydantic.BaseModel):
    """A statement and its terminal's signature."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    statement: dict[
        Annotated[str, pydantic.StringConstraints(max_length=40)],
        Annotated[str, pydantic.StringConstraints(max_length=200)] | int,
    ] = pydantic.Field(max_length=20)
    signature: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=100)] = (
        pydantic.Field(description="Ed25519 over the canonical JSON of `statement`, in base64.")
    )


class SessionAnswer(pydantic.BaseModel):
    """A nonce for one attestation."""

    session: str = pydantic.Field(examples=["8f14e45fceea167a5a36dedd4bea2543"])
    expires_in: int = pydantic.Field(description="Seconds.", examples=[300])


class AttestationAnswer(pydantic.BaseModel):
    """What the attestation has bound."""

    level: str = pydantic.Field(examples=["light"])
    missing: tuple[str, ...] = pydantic.Field(
        description="What is still to be bound: `chip`, `fingerprint`, `face`.",
        examples=[["face"]],
    )


def blueprint(services: Services) -> Blueprint:
    """The routes below `/api/v1/terminal`."""
    routes = Blueprint("terminal", __name__)

    @routes.post(SESSIONS)
    def claim() -> Response:
        """Take a binding code that a holder shows."""
        body = _read()
        session, seconds = services.upgrades.claim(body.statement, body.signature)
        return _json(SessionAnswer(session=session, expires_in=round(seconds)))

    @routes.post(ATTESTATIONS)
    def attest() -> Response:
        """Take what was read."""
        body = _read()
        level, missing = services.upgrades.attest(body.statement, body.signature)
        return _json(AttestationAnswer(level=level.value, missing=missing))

    @routes.errorhandler(CredentialError)
    def refuse(error: CredentialError) -> Response:
        """Refuse by the error's code; a holder without a card is one without an upgrade."""
        code = "no_upgrade" if error.code == "no_card" else error.code
        log.info("terminal_refused", code=code, path=request.path)
        wait = error.details.get("wait_s")
        return problems.problem(
            services.texts, code, wait_s=float(wait) if wait is not None else None
        )

    @routes.errorhandler(RedisError)
    def fail_closed(_error: RedisError) -> Response:
        """Answer a lost Redis as unavailable: nothing was done."""
        return problems.problem(services.texts, "unavailable")

    @routes.errorhandler(HTTPException)
    def translate(_error: HTTPException) -> Response:
        """A body that the web server or Flask will not read."""
        return problems.problem(services.texts, "malformed")

    @routes.after_request
    def finish(answer: Response) -> Response:
        """Keep answers out of every cache."""
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return routes


def _read() -> Signed:
    """The body as a model.

    Raises:
        RefusalError: malformed.
    """
    request.max_content_length = LARGEST_BODY
    if request.mimetype != "application/json":
        raise RefusalError("malformed")
    try:
        return Signed.model_validate_json(request.get_data())
    except pydantic.ValidationError:
        raise RefusalError("malformed") from None


def _json(body: pydantic.BaseModel) -> Response:
    return Response(
        json.dumps(body.model_dump(mode="json"), ensure_ascii=False),
        content_type="application/json",
    )
