"""Organisations ask to scan, at `/desk/join`: anybody may ask, an operator decides.

Who asked keeps the page's address, which nobody can guess; it says how the request stands and,
once approved, leads to the desk. The limits are per address and small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from flask import Blueprint, Response, make_response, redirect, render_template, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from credentials.errors import CredentialError, RefusalError, UnavailableError
from credentials.organisations import OrganisationError
from web import office, pages, proxies
from web.sessions import Sessions

if TYPE_CHECKING:
    from credentials.services import Services

LARGEST_BODY = 16 * 1024
REQUESTS = 10
WINDOW_S = 3600
log = structlog.get_logger("web.join")


def blueprint(services: Services) -> Blueprint:
    """The routes below `/desk/join`."""
    routes = Blueprint("join", __name__, url_prefix="/desk/join")
    sessions = Sessions("desk", services.staff, services.redis, services.keyring)

    @routes.context_processor
    def offer() -> dict[str, object]:
        return {"csrf_token": sessions.csrf_token}

    @routes.after_request
    def keep_private(answer: Response) -> Response:
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    @routes.route("", methods=["GET", "POST"], strict_slashes=False)
    def join() -> BaseResponse:
        """Ask for the organisation's data, and put the request before the operators."""
        request.max_content_length = LARGEST_BODY
        if request.method == "GET":
            return _form(services)
        if not sessions.csrf_is_right():
            return _form(services, error=services.texts.say(pages.language(), "sign.error.csrf"))
        try:
            request_id = _ask(services)
        except UnavailableError:
            raise
        except CredentialError as error:
            log.info("join_refused", code=error.code)
            return _form(services, error=office.sentence_of(services, error))
        return redirect(f"/desk/join/{request_id}", 303)

    @routes.get("/<request_id>")
    def wait(request_id: str) -> BaseResponse:
        """Say how a request stands."""
        try:
            asked = services.organisations.request(request_id)
        except OrganisationError:
            raise NotFound from None
        return make_response(render_template("join_wait.html", asked=asked))

    return routes


def _ask(services: Services) -> str:
    form = request.form
    chosen = form.getlist("purpose")[:20]
    asked = {
        name: form.get(name, "")
        for name in ("name", "division", "contact", "desk", "username", "password")
    }
    # Refused ones count too: they tell which user names there are.
    if not services.limits.attempt("join", proxies.caller(), REQUESTS, WINDOW_S, WINDOW_S).allowed:
        raise RefusalError("too_many_requests")
    request_id = services.organisations.ask(
        **asked, grounds={purpose: form.get(f"ground_{purpose}", "") for purpose in chosen}
    )
    log.info("join_asked", purposes=chosen)
    return request_id


def _form(services: Services, *, error: str = "") -> Response:
    form = {name: value[:200] for name, value in request.form.items() if name != "password"}
    page = render_template(
        "join.html",
        error=error,
        form=form,
        chosen=request.form.getlist("purpose") if request.method == "POST" else ["hotel"],
        purposes=list(services.purposes.values()),
    )
    return make_response(page, 422 if error else 200)
