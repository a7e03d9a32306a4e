"""The API for verifiers' own software: verify a code, and ask how a verification stands.

What a request is answered is said in `verifications.py`; here are its addresses in Flask, and
what else is asked below `/api`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from web import openapi, problems, terminal, verifications
from web.front import Asked, Route, response
from web.verifications import PATH

if TYPE_CHECKING:
    from credentials.services import Services

METHODS = dict.fromkeys((PATH, terminal.SESSIONS, terminal.ATTESTATIONS), "POST")


def hot(services: Services) -> list[Route]:
    """The route that the front answers."""
    return [Route("POST", PATH, lambda asked, _: verifications.create(services, asked))]


def blueprint(services: Services) -> Blueprint:
    """The routes below `/api`, and `/openapi.json`."""
    routes = Blueprint("api", __name__)
    _register_rest(routes, services)

    @routes.post(PATH)
    def create() -> Response:
        return response(verifications.create(services, Asked(request.environ)))

    @routes.get(f"{PATH}/<verification_id>")
    def show(verification_id: str) -> Response:
        return response(verifications.show(services, Asked(request.environ), verification_id))

    @routes.get("/openapi.json")
    def describe() -> Response:
        """The OpenAPI 3.1 description."""
        body = json.dumps(openapi.document(services.address, services.purposes), ensure_ascii=False)
        answer = Response(body, content_type="application/json")
        answer.headers["Cache-Control"] = "public, max-age=300"
        return answer

    @routes.errorhandler(HTTPException)
    def translate(_error: HTTPException) -> Response:
        """A request that Flask will not read."""
        return problems.problem(services.texts, "malformed")

    @routes.after_request
    def finish(answer: Response) -> Response:
        """Keep answers out of every cache."""
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    return routes


def _register_rest(routes: Blueprint, services: Services) -> None:
    every = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]

    @routes.route("/api/<path:rest>", methods=every, provide_automatic_options=False)
    def missing(rest: str) -> Response:
        """Answer in the API's own form what would else be an HTML page."""
        path = f"/api/{rest}".rstrip("/")
        known = path in METHODS or (path.startswith(f"{PATH}/") and path.count("/") == 4)
        if not known:
            return problems.problem(services.texts, "not_found")
        answer = problems.problem(services.texts, "method_not_allowed")
        answer.headers["Allow"] = METHODS.get(path, "GET, HEAD")
        return answer
