"""The API's description (OpenAPI 3.1), generated from the models in `bodies.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from web import bodies, openapi_more
from web.problems import STATUSES

Json = dict[str, Any]
VERIFY_REFUSALS = (
    "malformed",
    "unauthenticated",
    "purpose_not_granted",
    "scope_missing",
    "level_insufficient",
    "unknown_code",
    "method_not_allowed",
    "already_used",
    "expired",
    "bad_signature",
    "frozen",
    "revoked",
    "too_many_requests",
    "unavailable",
)
LOOK_REFUSALS = (
    "malformed",
    "unauthenticated",
    "scope_missing",
    "unknown_verification",
    "frozen",
    "revoked",
    "expired",
    "purpose_not_granted",
    "method_not_allowed",
    "too_many_requests",
    "unavailable",
)
ACCEPTED: Json = {
    "verification_id": "0424d3f8a1b2c3d4e5f6",
    "state": "accepted",
    "level": "light",
    "purpose": "internet_cafe",
    "attributes": {"age_over_18": True, "name_masked": "张*", "portrait": "/9j/4AAQSkZJRg…"},
    "verified_at": "2017-12-25T09:30:00Z",
}
AWAITING: Json = {
    "verification_id": "0424d3f8a1b2c3d4e5f6",
    "state": "awaiting_holder",
    "level": "light",
    "purpose": "hotel",
    "attributes": {},
    "verified_at": "2017-12-25T09:30:00Z",
    "number": 42,
    "expires_at": "2017-12-25T09:32:00Z",
}
DENIED: Json = {**AWAITING, "state": "denied"}


def document(address: str, purposes: Iterable[str]) -> Json:
    """The whole description.

    Args:
        address: where this server is reached, without a slash at its end.
        purposes: the purposes there are, for the field's list of known values.
    """
    _, schemas = models_json_schema(
        [
            (bodies.VerificationRequest, "validation"),
            (bodies.VerificationAnswer, "serialization"),
            (bodies.Problem, "serialization"),
            *((model, "validation") for model in openapi_more.SENT),
            *((model, "serialization") for model in openapi_more.ANSWERED),
        ],
        ref_template="#/components/schemas/{model}",
    )
    components = schemas["$defs"]
    known = ", ".join(f"`{name}`" for name in purposes)
    components["VerificationRequest"]["properties"]["purpose"]["description"] += f" Known: {known}."
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Virtual identity card: verifications",
            "version": "1.0.0",
            "description": "Verify the rotating code on a guest's phone. Identity is disclosed "
            "only as far as the purpose needs, and the holder sees every use.",
        },
        "servers": [{"url": address}],
        "security": [{"key": []}],
        "paths": {**_paths(), **openapi_more.paths(_example)},
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The API key that was shown once when the verifier was added.",
                },
                "mini": openapi_more.MINI_SCHEME,
            },
        },
    }


def _paths() -> Json:
    return {
        "/api/v1/verifications": {
            "post": {
                "operationId": "verify",
                "summary": "Verify a code",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {"$ref": "#/components/schemas/VerificationRequest"}
                        }
                    },
                },
                "responses": _responses(VERIFY_REFUSALS),
            }
        },
        "/api/v1/verifications/{verification_id}": {
            "get": {
                "operationId": "look",
                "summary": "Ask how a verification stands",
                "parameters": [
                    {
                        "name": "verification_id",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string"},
                        "example": ACCEPTED["verification_id"],
                    }
                ],
                "responses": _responses(LOOK_REFUSALS),
            }
        },
    }


def _responses(refusals: Iterable[str]) -> Json:
    """The answers of an operation: 200, and each status with the codes that it can carry."""
    by_status: dict[int, list[str]] = {}
    for code in refusals:
        by_status.setdefault(STATUSES[code], []).append(code)
    rate: Json = {
        name: {"schema": {"type": "string"}, "description": text}
        for name, text in (
            ("RateLimit-Policy", "How many requests may come at once, such as `q=4000`."),
            ("RateLimit", "How many are left, such as `r=3999`."),
        )
    }
    answers: Json = {
        "200": {
            "description": "How the verification stands.",
            "headers": rate,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/VerificationAnswer"},
                    "examples": {
                        "accepted": {"value": ACCEPTED},
                        "awaiting_holder": {"value": AWAITING},
                        "denied": {"value": DENIED},
                    },
                }
            },
        }
    }
    for status, codes in sorted(by_status.items()):
        answers[str(status)] = {
            "description": "Refused: " + " or ".join(f"`{code}`" for code in codes) + ".",
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {code: {"value": _example(code, status)} for code in codes},
                }
            },
        }
    return answers


def _example(code: str, status: int) -> Mapping[str, object]:
    return {
        "type": f"urn:virtual-identity-card:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "code": code,
        "detail": "A sentence that says what to do.",
        "instance": "/api/v1/verifications",
    }
