"""What every endpoint has around it: errors as JSON, faults, the wire log."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from simulator.platform.core import Platform
from simulator.platform.errors import ApiError

HIDDEN = ("access_token", "secret")
LONGEST_FAULT = 600.0


def posted() -> dict[str, Any]:
    """The JSON object of the request's body, whatever type it is declared to be.

    Raises:
        ApiError: 44002 empty, 40033 not UTF-8, 47001 not a JSON object.
    """
    data = request.get_data()
    if not data.strip():
        raise ApiError(44002)
    try:
        found = json.loads(data.decode())
    except UnicodeDecodeError:
        raise ApiError(40033) from None
    except ValueError:
        raise ApiError(47001) from None
    if not isinstance(found, dict):
        raise ApiError(47001)
    return found


def text_of(body: Mapping[str, Any], name: str) -> str:
    """A text field, empty when it is missing or no text."""
    value = body.get(name)
    return value if isinstance(value, str) else ""


def fine(**more: object) -> Response:
    """`{"errcode": 0, "errmsg": "ok"}` and more."""
    return jsonify({"errcode": 0, "errmsg": "ok", **more})


def add(api: Blueprint, platform: Platform) -> None:
    """Hang the wrapping on the blueprint."""

    @api.before_request
    def strike() -> None:
        g.started = time.monotonic()
        if request.path.startswith("/mmbiz/"):
            return
        slow = platform.faults.take("api_latency", request.path)
        if slow:
            time.sleep(slow.seconds)
        broken = platform.faults.take("api_error", request.path)
        if broken:
            raise ApiError(broken.code)

    @api.errorhandler(ApiError)
    def refuse(error: ApiError) -> Response:
        answer = jsonify(error.body())
        if request.path == "/cgi-bin/media/get":
            answer.content_type = "text/plain"  # as the platform really does
        return answer

    @api.after_request
    def note(response: Response) -> Response:
        if request.path.startswith("/mmbiz/"):
            return response
        platform.wire.record(
            "api",
            f"{request.method} {request.path}",
            openid=_touser(),
            good=_good(response),
            took=time.monotonic() - g.started,
            sent=_request_text(),
            received=_response_text(response),
        )
        if platform.faults.take("api_lost", request.path):
            return Response("", status=502)
        return response


def _touser() -> str:
    if request.is_json or request.data[:1] == b"{":
        try:
            found = json.loads(request.data)
        except ValueError:
            return ""
        if isinstance(found, dict):
            return str(found.get("touser", ""))
    return request.args.get("openid", "")


def _good(response: Response) -> bool:
    if response.status_code >= 400:
        return False
    if response.is_json or response.content_type == "text/plain":
        with contextlib.suppress(ValueError):  # a phone's own file, which it says is of that kind
            body = json.loads(response.get_data())
            return not (isinstance(body, dict) and body.get("errcode"))
    return True


def _request_text() -> str:
    query = "&".join(
        f"{name}={'…' if name in HIDDEN else value}" for name, value in request.args.items()
    )
    if request.files:
        body = ", ".join(
            f"({file.filename}, {file.content_type})" for file in request.files.values()
        )
    else:
        body = request.data.decode(errors="replace")
    return "\n".join(part for part in (query, body) if part)


def _response_text(response: Response) -> str:
    kind = response.content_type or ""
    if kind.startswith(("application/json", "text/plain")):
        return response.get_data(as_text=True)
    return f"({kind}, {response.content_length or 0} bytes)"
