"""What the console's pages share: lists that renew themselves, who asks, and what is refused."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import structlog
from flask import Blueprint, Response, make_response, render_template, request
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response as BaseResponse

from credentials.accounts import Role
from credentials.model import Actor
from web import sign_in

if TYPE_CHECKING:
    from credentials.services import Services

LONGEST_QUERY = 64
LONGEST_REASON = 200
SHORTEST_REASON = 3
FORMULA = ("=", "+", "-", "@", "\t", "\r")
Register = Callable[[Blueprint], None]
"""Adds a place of the console to its blueprint."""

log = structlog.get_logger("web.console")


def listed(
    template: str,
    place: str,
    *,
    status: int = 200,
    here: str = "",
    written: Mapping[str, Mapping[str, str]] | None = None,
    **values: object,
) -> BaseResponse:
    """A page whose middle is asked for again and again; unchanged, it is answered 304.

    Args:
        template: of the page.
        place: of the console, that the page belongs to.
        status: of the answer.
        here: the page's own address, where it may be the answer to a form of another one.
        written: by its form, what was sent and could not be done: it stays in the form.
        values: what the template shows.
    """
    fragment = request.headers.get("X-Fragment") == "1"
    answered = here if request.method == "POST" else ""
    page = render_template(
        template, **values, place=place, fragment=fragment, here=answered, written=written or {}
    )
    answer = make_response(page, status)
    if fragment:
        answer.set_etag(hashlib.sha256(answer.get_data()).hexdigest()[:16])
        return answer.make_conditional(request)
    return answer


def argument(name: str) -> str:
    """A value of the address, never longer than it makes sense."""
    return request.args.get(name, "").strip()[:LONGEST_QUERY]


def actor() -> Actor:
    """Who is signed in, as the audit names them."""
    return Actor("operator", sign_in.current().username)


def allowed(role: Role) -> bool:
    """Whether whoever is signed in may do what `role` may."""
    own = sign_in.current().role
    return own in set(Role) and Role(own).includes(role)


def require(services: Services, role: Role, action: str, about: str = "-") -> None:
    """Refuse, and write down, what is beyond the role of whoever is signed in.

    Raises:
        Forbidden: when it is.
    """
    if not allowed(role):
        services.audit.note("action_refused", actor(), about, action=action)
        log.warning("action_refused", action=action, operator=sign_in.name())
        raise Forbidden


def reason() -> str:
    """The reason in the form; empty when it is too short or too long to be one."""
    given = " ".join(request.form.get("reason", "").split())
    return given if SHORTEST_REASON <= len(given) <= LONGEST_REASON else ""


def table(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """A CSV file to keep. No cell begins like a formula, whatever a person's name begins with."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    answer = Response("\ufeff" + out.getvalue(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _cell(value: object) -> str:
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
