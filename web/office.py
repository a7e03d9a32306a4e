"""What the pages of an organisation's own people share: who may, what went wrong, and acts."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from flask import Response, g, make_response, render_template
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response as BaseResponse

from credentials.errors import CredentialError
from credentials.model import Actor, Verifier
from credentials.organisations import MANAGER
from credentials.shifts import CHINA
from web import pages, sign_in

if TYPE_CHECKING:
    from credentials.services import Services

View = Callable[..., BaseResponse]
PLACES = ("shift", "paper", "team", "software", "try")
LABELS = {
    "division": "join.division",
    "contact": "join.contact",
    "desk": "desk.setup.desk",
    "ground": "join.ground",
    "why": "console.verifiers.why",
    "document": "office.paper.document",
    "name": "office.paper.name",
    "document_number": "office.paper.document_number",
}
"""What the forms call a field that an error names."""
log = structlog.get_logger("web.office")


def day(seconds: float) -> str:
    """The last whole day in China before a moment: a grant ends when a day does."""
    return datetime.datetime.fromtimestamp(seconds - 1, CHINA).date().isoformat()


def verifier_of(services: Services) -> Verifier:
    """The organisation that the signed-in person works for; 403 when it may not scan."""
    verifier = services.verifiers.get(sign_in.current().verifier_id)
    if verifier is None or verifier.blocked:
        raise Forbidden
    return verifier


def is_manager() -> bool:
    """Whether the signed-in person runs the organisation's desks: a desk PIN is too little."""
    return sign_in.current().role == MANAGER and not g.by_pin


def for_managers(services: Services) -> Callable[[View], View]:
    """Let managers in; anybody else who tries is refused and written down."""

    def guard(view: View) -> View:
        @functools.wraps(view)
        def checked(**arguments: str) -> BaseResponse:
            if not is_manager():
                account = sign_in.current()
                actor = Actor("staff", account.username)
                services.audit.note(
                    "action_refused", actor, account.verifier_id, action=view.__name__
                )
                log.warning("action_refused", action=view.__name__, staff=account.username)
                raise Forbidden
            verifier_of(services)  # of one that is blocked nothing is done, and then not shown
            return view(**arguments)

        return checked

    return guard


def did(services: Services, kind: str, about: str = "") -> None:
    """Write down in the organisation's log what the signed-in person did."""
    account = sign_in.current()
    services.organisations.act(account.verifier_id, account.username, kind, about)


def page(services: Services, template: str, *, status: int = 200, **values: object) -> Response:
    """One of these pages; `typed` is what stays in a form that was refused."""
    shown = {
        "error": "",
        "error_values": {},
        "typed": {},
        "place": template[:-5].removeprefix("desk_"),
        **values,
    }
    html = render_template(template, verifier=verifier_of(services), manager=is_manager(), **shown)
    return make_response(html, status)


def sentence_of(services: Services, error: CredentialError) -> str:
    """What to tell somebody whose form was refused."""
    details = dict(error.details)
    if "field" in details:
        details["field"] = _label(services, str(details["field"]))
    for key in (f"office.error.{error.code}", f"sign.error.{error.code}"):
        if key in services.texts:
            return services.texts.say(pages.language(), key, **details)
    return services.texts.say(pages.language(), "office.error.other")


def _label(services: Services, field: str) -> str:
    """A field as its form calls it; the ground of a purpose is named with the purpose."""
    name, _, purpose = field.partition("_") if field.startswith("ground_") else (field, "", "")
    parts = [LABELS.get(name, ""), f"purpose.{purpose}" if purpose else ""]
    known = [key for key in parts if key in services.texts]
    return " · ".join(services.texts.say(pages.language(), key) for key in known) or field
