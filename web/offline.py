"""The offline check on the web: the holder's code, the status list, the uses that desks tell of.

| address | does |
|---|---|
| `GET /card/s/<tag>/offline?purpose=` | a token as QR, with the seconds until it ends |
| `GET /api/v1/offline/status` | the signed status list and the public keys; for everybody |
| `POST /desk/offline-uses` | what a desk saw while its network was away; safe to send again |
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Annotated

import pydantic
from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import Forbidden

from credentials.errors import CredentialError, RefusalError
from credentials.offline import LIFE_SECONDS, TOKEN_CHARACTERS
from credentials.pictures import qr_svg
from web import pages, problems, sign_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from credentials.services import Services
    from web.card_session import CardSession

STATUS_SECONDS = 60
MOST_USES = 50
LARGEST_BODY = 32 * 1024


class Use(pydantic.BaseModel):
    """One use, as a desk kept it."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    token: Annotated[str, pydantic.StringConstraints(max_length=TOKEN_CHARACTERS)]
    at: Annotated[float, pydantic.Field(ge=0, le=1e11)]
    desk: Annotated[str, pydantic.StringConstraints(strip_whitespace=True, max_length=40)] = ""


class Uses(pydantic.BaseModel):
    """What a desk tells when the network is back."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    uses: Annotated[list[Use], pydantic.Field(max_length=MOST_USES)]


def card_views(services: Services) -> list[tuple[str, str, Callable[..., Response]]]:
    """Path, method and view, as `holder.blueprint` takes them."""

    def offline(session: CardSession) -> Response:
        """A fresh token."""
        text = services.offline.token(session.holder, request.args.get("purpose", ""))
        return jsonify(svg=qr_svg(text), expires_in=LIFE_SECONDS)

    return [("offline", "GET", offline)]


def blueprint(services: Services) -> Blueprint:
    """The status list."""
    routes = Blueprint("offline", __name__)

    @routes.get("/api/v1/offline/status")
    def status() -> Response:
        """The signed list, and what it is checked with."""
        try:
            kept, keys = services.offline.status(), services.offline.public_keys()
        except CredentialError as error:
            return problems.problem(services.texts, error.code)
        told = {
            "signed": kept.signed,
            "key": kept.key,
            "signature": base64.b64encode(kept.signature).decode(),
            "keys": {str(key): base64.b64encode(raw).decode() for key, raw in keys.items()},
        }
        answer = Response(json.dumps(told), content_type="application/json")
        answer.headers["Cache-Control"] = f"public, max-age={STATUS_SECONDS}"
        return answer

    return routes


def register(routes: Blueprint, services: Services) -> None:
    """What the desk's page sends, behind its sign-in."""

    @routes.post("/offline-uses")
    def offline_uses() -> Response:
        """Write the uses down; each answered with what became of it."""
        account = sign_in.current()
        verifier = services.verifiers.get(account.verifier_id)
        if verifier is None or verifier.blocked:
            raise Forbidden
        request.max_content_length = LARGEST_BODY
        try:
            body = Uses.model_validate_json(request.get_data())
        except pydantic.ValidationError:
            raise RefusalError("malformed") from None
        told = [
            services.offline.use(verifier, account.desk or use.desk, use.token, use.at)
            for use in body.uses
        ]
        answer = jsonify(told=told)
        answer.headers["Content-Language"] = pages.language_tag()
        return answer
