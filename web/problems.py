"""Refusals as `application/problem+json` (RFC 9457): a stable `code`, and a sentence to act on."""

from __future__ import annotations

import json
from collections.abc import Sequence

from flask import Response, request

from texts import Texts, negotiate
from web.front import Answer, Asked, response

STATUSES = {
    "malformed": 400,
    "bad_attestation": 400,
    "unauthenticated": 401,
    "purpose_not_granted": 403,
    "scope_missing": 403,
    "level_insufficient": 403,
    "unknown_code": 404,
    "unknown_verification": 404,
    "unknown_binding_code": 404,
    "unknown_session": 404,
    "not_found": 404,
    "method_not_allowed": 405,
    "already_used": 409,
    "not_this_person": 409,
    "already_upgraded": 409,
    "no_upgrade": 409,
    "expired": 410,
    "attestation_stale": 410,
    "bad_signature": 422,
    "physical_card_ended": 422,
    "frozen": 423,
    "revoked": 423,
    "too_many_requests": 429,
    "unavailable": 503,
}
RETRY_SECONDS = 2


def status_of(code: str) -> int:
    """The HTTP status of a refusal; one that is not in the contract says 503."""
    return STATUSES.get(code, STATUSES["unavailable"])


def answer(
    texts: Texts,
    asked: Asked,
    code: str,
    *,
    wait_s: float | None = None,
    errors: Sequence[dict[str, str]] = (),
) -> Answer:
    """The answer that refuses a request.

    Args:
        texts: the catalogues; `api.title.<code>` and `api.detail.<code>` are asked for.
        asked: the request.
        code: one of `STATUSES`; any other is answered as `unavailable`.
        wait_s: seconds after which it is worth asking again, for Retry-After.
        errors: what is wrong with the body: `pointer` (RFC 6901) and `code` of each field.
    """
    code = code if code in STATUSES else "unavailable"
    language = negotiate(asked.header("ACCEPT_LANGUAGE"))
    body: dict[str, object] = {
        "type": f"urn:virtual-identity-card:problem:{code}",
        "title": texts.say(language, f"api.title.{code}"),
        "status": STATUSES[code],
        "code": code,
        "detail": texts.say(language, f"api.detail.{code}"),
        "instance": asked.path,
    }
    if errors:
        body["errors"] = list(errors)
    headers = {
        "Content-Type": "application/problem+json",
        "Content-Language": language.replace("_", "-"),
        "Vary": "Accept-Language",
    }
    if code == "unauthenticated":
        headers["WWW-Authenticate"] = 'Bearer realm="verifications"'
    if code in {"too_many_requests", "unavailable"}:
        headers["Retry-After"] = str(max(1, round(wait_s or RETRY_SECONDS)))
    return Answer(STATUSES[code], json.dumps(body, ensure_ascii=False).encode(), headers)


def problem(texts: Texts, code: str, *, wait_s: float | None = None) -> Response:
    """The same for the request that Flask has at hand."""
    return response(answer(texts, Asked(request.environ), code, wait_s=wait_s))
