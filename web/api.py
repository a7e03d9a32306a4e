"""The API for verifiers' own software: verify a code, and ask how a verification stands.

A request is taken in this order, and the first thing that is wrong answers:

1. The bearer key names the verifier, and was made for this (401, 403). A sandbox key is
   answered by `sandbox.py` from here on.
2. The verifier is within its rate (429).
3. The body is small, JSON, and has the right fields (400).
4. The verification itself, in `credentials.verification` (its refusals).

No input makes a 5xx; a 503 means that nothing was done and the same request may be sent again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pydantic
import structlog
from flask import Blueprint, Response, g, request
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException

from credentials.errors import CredentialError, RefusalError
from credentials.verifiers import Admission
from web import bodies, openapi, problems, sandbox, terminal

if TYPE_CHECKING:
    from credentials.services import Services

LARGEST_BODY = 8 * 1024  # bytes; the largest true one is under 1 kB
LONGEST_KEY = 256
DESK = "API"
log = structlog.get_logger("web.api")
METHODS = dict.fromkeys(("/api/v1/verifications", terminal.SESSIONS, terminal.ATTESTATIONS), "POST")


def blueprint(services: Services) -> Blueprint:
    """The routes below `/api`, and `/openapi.json`."""
    routes = Blueprint("api", __name__)
    _register_verifications(routes, services)
    _register_rest(routes, services)
    _register_errors(routes, services)

    @routes.get("/openapi.json")
    def describe() -> Response:
        """The OpenAPI 3.1 description."""
        answer = _json(openapi.document(services.address, services.purposes))
        answer.headers["Cache-Control"] = "public, max-age=300"
        return answer

    @routes.after_request
    def finish(answer: Response) -> Response:
        """Say what is left of the rate, and keep answers out of every cache."""
        admission: Admission | None = g.get("api_admission")
        if admission is not None:
            answer.headers["RateLimit-Policy"] = f'"verifier";q={admission.burst}'
            answer.headers["RateLimit"] = f'"verifier";r={admission.left}'
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    return routes


def _register_verifications(routes: Blueprint, services: Services) -> None:
    @routes.post("/api/v1/verifications")
    def create() -> Response:
        """Verify one code."""
        admission = _authenticate(services, "verify")
        verifier = admission.verifier
        body = _read_body()
        if admission.key.sandbox:
            return _json(bodies.answer_of(sandbox.verify(verifier, body.code, body.purpose)))
        request_id = None if body.request_id is None else str(body.request_id)
        code = services.short_codes.take(
            body.code, verifier_id=verifier.verifier_id, desk=DESK, request_id=request_id
        )
        verification = services.verifications.verify(verifier, DESK, code, body.purpose, request_id)
        return _json(bodies.answer_of(verification))

    @routes.get("/api/v1/verifications/<verification_id>")
    def show(verification_id: str) -> Response:
        """Say how a verification of this verifier stands."""
        admission = _authenticate(services, "read")
        if admission.key.sandbox:
            return _json(bodies.answer_of(sandbox.look(admission.verifier, verification_id)))
        found = services.verifications.look(admission.verifier, verification_id)
        return _json(bodies.answer_of(found))


def _register_rest(routes: Blueprint, services: Services) -> None:
    every = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]

    @routes.route("/api/<path:rest>", methods=every, provide_automatic_options=False)
    def missing(rest: str) -> Response:
        """Answer in the API's own form what would else be an HTML page."""
        path = f"/api/{rest}".rstrip("/")
        known = path in METHODS or (
            path.startswith("/api/v1/verifications/") and path.count("/") == 4
        )
        if not known:
            return problems.problem(services.texts, "not_found")
        answer = problems.problem(services.texts, "method_not_allowed")
        answer.headers["Allow"] = METHODS.get(path, "GET, HEAD")
        return answer


def _register_errors(routes: Blueprint, services: Services) -> None:
    @routes.errorhandler(CredentialError)
    def refuse(error: CredentialError) -> Response:
        """Answer what the credentials refuse, by its code."""
        admission: Admission | None = g.get("api_admission")
        verifier = admission.verifier.verifier_id if admission else ""
        log.info("api_refused", code=error.code, verifier=verifier, path=request.path)
        wait = error.details.get("wait_s")
        return problems.problem(
            services.texts,
            error.code,
            wait_s=float(wait) if wait is not None else None,
            errors=error.errors if isinstance(error, MalformedError) else (),
        )

    @routes.errorhandler(RedisError)
    def fail_closed(_error: RedisError) -> Response:
        """Answer a lost Redis as unavailable: nothing was done."""
        return problems.problem(services.texts, "unavailable")

    @routes.errorhandler(HTTPException)
    def translate(_error: HTTPException) -> Response:
        """A body that the web server or Flask will not read (too large, broken off)."""
        return problems.problem(services.texts, "malformed")


class MalformedError(RefusalError):
    """A body that does not say what it must; `errors` names each field."""

    code = "malformed"

    def __init__(self, errors: tuple[dict[str, str], ...] = ()) -> None:
        super().__init__()
        self.errors = errors


def _authenticate(services: Services, scope: str) -> Admission:
    """Steps 1 and 2: who asks with which key, and whether within its rate.

    Raises:
        RefusalError: unauthenticated, too_many_requests, or scope_missing.
    """
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key or len(key) > LONGEST_KEY or not key.isascii():
        raise RefusalError("unauthenticated")
    admission = services.verifiers.admit(key)
    g.api_admission = admission
    if scope not in admission.key.scopes:
        raise RefusalError("scope_missing")
    return admission


def _read_body() -> bodies.VerificationRequest:
    """Step 3: the body as a model.

    Raises:
        MalformedError: when it is too large, not JSON, or lacks or adds a field.
    """
    request.max_content_length = LARGEST_BODY
    if request.mimetype != "application/json":
        raise MalformedError(({"pointer": "", "code": "content_type"},))
    if request.content_encoding:
        raise MalformedError(({"pointer": "", "code": "content_encoding"},))
    try:
        return bodies.VerificationRequest.model_validate_json(request.get_data())
    except pydantic.ValidationError as error:
        found = tuple(
            {"pointer": "".join(f"/{_escape(part)}" for part in one["loc"]), "code": one["type"]}
            for one in error.errors(include_url=False, include_context=False, include_input=False)
        )
        raise MalformedError(found) from None


def _escape(part: str | int) -> str:
    """One step of a JSON pointer; a name longer than any of ours is cut."""
    return str(part)[:64].replace("~", "~0").replace("/", "~1")


def _json(body: object) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), content_type="application/json")
