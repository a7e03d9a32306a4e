"""The rest of the API's description: terminals, and the mini-program's backend."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pydantic

from web import mini_bodies as mini
from web import terminal
from web.problems import STATUSES

Json = dict[str, Any]
Model = type[pydantic.BaseModel]
SENT: tuple[Model, ...] = (
    terminal.Signed,
    mini.Login,
    mini.Code,
    mini.Answer,
    mini.NotMe,
    mini.Fingerprint,
)
ANSWERED: tuple[Model, ...] = (
    terminal.SessionAnswer,
    terminal.AttestationAnswer,
    mini.Token,
    mini.State,
    mini.PurposeInfo,
    mini.RotatingCodeAnswer,
    mini.UseAnswer,
    mini.BindingCodeAnswer,
    mini.Challenge,
)
MINI_SCHEME: Json = {
    "type": "http",
    "scheme": "bearer",
    "description": "The token of `POST /mini/login`, for 15 minutes and one account.",
}
_SESSION_EXAMPLE: Json = {
    "statement": {
        "type": "terminal-session",
        "terminal": "t0a1b2c3d4e5f",
        "binding_code": "20171225",
        "time": 1514163000,
    },
    "signature": "(base64)",
}
_ATTESTATION_EXAMPLE: Json = {
    "statement": {
        "type": "chip-attestation",
        "version": 1,
        "terminal": "t0a1b2c3d4e5f",
        "session": "8f14e45fceea167a5a36dedd4bea2543",
        "name": "张三",
        "id_number": "440115199003070014",
        "card_serial": "00A1B2C3D4E5F607",
        "valid_from": "2016-01-01",
        "valid_until": "2036-01-01",
        "portrait_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "fingerprint": "matched",
        "time": 1514163000,
    },
    "signature": "(base64)",
}


def paths(example: Callable[[str, int], Any]) -> Json:
    """The paths; `example` makes the body of a refusal from its code and status."""
    return {**_terminal_paths(example), **_mini_paths()}


def _terminal_paths(example: Callable[[str, int], Any]) -> Json:
    return {
        terminal.SESSIONS: {
            "post": {
                "operationId": "openTerminalSession",
                "summary": "A terminal shows a binding code, and gets a nonce for one attestation",
                "security": [],
                "requestBody": _body(terminal.Signed, _SESSION_EXAMPLE),
                "responses": _ok(terminal.SessionAnswer)
                | _refusals(terminal.SESSION_REFUSALS, example),
            }
        },
        terminal.ATTESTATIONS: {
            "post": {
                "operationId": "attest",
                "summary": "A terminal says what it read from a physical card, signed",
                "description": "The signature is Ed25519 over `statement` as canonical JSON: "
                "keys in order, no blanks, UTF-8. `fingerprint` is `matched`, `not_matched` or "
                "`not_asked`; `valid_until` a day or `long-term`; `time` within 2 minutes.",
                "security": [],
                "requestBody": _body(terminal.Signed, _ATTESTATION_EXAMPLE),
                "responses": _ok(terminal.AttestationAnswer)
                | _refusals(terminal.ATTESTATION_REFUSALS, example),
            }
        },
    }


def _mini_paths() -> Json:
    given: tuple[tuple[str, str, str, str, Model | None, Model, bool], ...] = (
        ("post", "/mini/login", "miniLogin", "Sign in with the code of wx.login",
         mini.Login, mini.Token, False),
        ("get", "/mini/card", "miniCard", "The card, and what goes on with it",
         None, mini.State, False),
        ("get", "/mini/state", "miniState", "The same; 304 while `change` is the present one",
         None, mini.State, False),
        ("get", "/mini/purposes", "miniPurposes", "What a code may be made for",
         None, mini.PurposeInfo, True),
        ("post", "/mini/code", "miniCode", "A fresh code", mini.Code, mini.RotatingCodeAnswer,
         False),
        ("post", "/mini/approvals/{verification_id}", "miniApprove",
         "Approve or deny a request that waits", mini.Answer, mini.State, False),
        ("get", "/mini/history", "miniHistory", "The last uses", None, mini.UseAnswer, True),
        ("post", "/mini/not-me", "miniNotMe", "That use was not mine: freezes, and opens a case",
         mini.NotMe, mini.State, False),
        ("post", "/mini/freeze", "miniFreeze", "Stop the card", None, mini.State, False),
        ("post", "/mini/unfreeze", "miniUnfreeze", "Let it be used again", None, mini.State,
         False),
        ("post", "/mini/upgrade", "miniUpgrade", "Begin an upgrade: a code for the terminal",
         None, mini.BindingCodeAnswer, False),
        ("post", "/mini/soter/challenge", "miniChallenge", "A challenge for the fingerprint sensor",
         None, mini.Challenge, False),
        ("post", "/mini/soter/answer", "miniFingerprint", "What the fingerprint sensor gave",
         mini.Fingerprint, mini.State, False),
    )  # fmt: skip
    found: Json = {}
    for method, path, name, summary, sent, answered, many in given:
        operation: Json = {"operationId": name, "summary": summary}
        operation["security"] = [] if name == "miniLogin" else [{"mini": []}]
        if sent is not None:
            operation["requestBody"] = _body(sent)
        parameters = _parameters(path)
        if parameters:
            operation["parameters"] = parameters
        operation["responses"] = _ok(answered, many=many) | {
            "default": {
                "description": "Refused: a stable `code`, and a sentence that says what to do.",
                "content": {"application/problem+json": {"schema": _reference("Problem")}},
            }
        }
        found[path] = {method: operation}
    return found


def _parameters(path: str) -> list[Json]:
    if "{verification_id}" in path:
        return [
            {
                "name": "verification_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string"},
            }
        ]
    if path == "/mini/state":
        return [{"name": "change", "in": "query", "schema": {"type": "integer"}}]
    return []


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _body(model: Model, example: Json | None = None) -> Json:
    content: Json = {"schema": _reference(model.__name__)}
    if example:
        content["example"] = example
    return {"required": True, "content": {"application/json": content}}


def _ok(model: Model, *, many: bool = False) -> Json:
    schema = _reference(model.__name__)
    content = {"type": "array", "items": schema} if many else schema
    return {
        "200": {"description": "Done.", "content": {"application/json": {"schema": content}}},
    }


def _refusals(codes: Iterable[str], example: Callable[[str, int], Any]) -> Json:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(STATUSES[code], []).append(code)
    return {
        str(status): {
            "description": "Refused: " + " or ".join(f"`{code}`" for code in found) + ".",
            "content": {
                "application/problem+json": {
                    "schema": _reference("Problem"),
                    "examples": {code: {"value": example(code, status)} for code in found},
                }
            },
        }
        for status, found in sorted(by_status.items())
    }
