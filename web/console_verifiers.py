"""Verifiers in the console: who asks to become one, what each was granted, and stopping one.

| role | may |
|---|---|
| viewer | see who may scan, for what, on which legal ground and until when |
| reviewer | also block a verifier: whoever watches at night must be able to stop it at once |
| admin | also decide requests, grant and withdraw purposes, and serve a blocked verifier again |

Each decision is in the audit with who made it; blocking and serving again also with why.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Blueprint, redirect, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from credentials.accounts import Role
from credentials.errors import CredentialError, UnavailableError
from credentials.model import Verifier
from credentials.organisations import OrganisationError
from credentials.shifts import CHINA
from web import office, pages, shown
from web.console_shared import Register, actor, allowed, argument, listed, reason, require

if TYPE_CHECKING:
    from credentials.services import Services

YEAR = datetime.timedelta(days=365)
LAST_ROWS = 50
LIST = "/console/verifiers"
BLOCKING = {"block": Role.REVIEWER, "unblock": Role.ADMIN}


def register(services: Services) -> Register:
    """What adds these pages to the console's."""

    def add(routes: Blueprint) -> None:
        _register_list(routes, services)
        _register_one(routes, services)

    return add


def _register_list(routes: Blueprint, services: Services) -> None:
    @routes.get("/verifiers")
    def verifiers() -> BaseResponse:
        """Show the requests that wait, and who may scan for what."""
        return _list(services)

    @routes.post("/verifiers/requests/<request_id>/approve")
    def approve_organisation(request_id: str) -> BaseResponse:
        """Grant the chosen purposes, and let the organisation in."""

        def act() -> None:
            chosen = request.form.getlist("purpose")[:20]
            until = {name: _end(request.form.get(f"until_{name}", "")) for name in chosen}
            services.organisations.approve(request_id, actor(), until)

        require(services, Role.ADMIN, "approve_organisation", request_id[:40])
        refused = _refused(services, act)
        failed = f"approve {request_id}"
        return _list(services, failed, refused) if refused else redirect(LIST, 303)

    @routes.post("/verifiers/requests/<request_id>/refuse")
    def refuse_organisation(request_id: str) -> BaseResponse:
        """Refuse a request, and say why."""
        require(services, Role.ADMIN, "refuse_organisation", request_id[:40])
        why = request.form.get("why", "")
        refused = _refused(
            services, lambda: services.organisations.refuse(request_id, actor(), why)
        )
        failed = f"refuse {request_id}"
        return _list(services, failed, refused) if refused else redirect(LIST, 303)


def _register_one(routes: Blueprint, services: Services) -> None:
    @routes.get("/verifiers/<verifier_id>")
    def verifier(verifier_id: str) -> BaseResponse:
        """Show one verifier: its purposes, desks and last scans."""
        return _one(services, _known(services, verifier_id))

    @routes.post("/verifiers/<verifier_id>/purposes/<action>")
    def change_purpose(verifier_id: str, action: str) -> BaseResponse:
        """Grant one purpose more, or take one back."""
        known = _known(services, verifier_id)
        require(services, Role.ADMIN, "change_purpose", verifier_id)
        purpose = request.form.get("purpose", "")[:32]

        def act() -> None:
            if action == "grant":
                ground, end = request.form.get("ground", ""), request.form.get("until", "")
                services.organisations.grant(verifier_id, purpose, ground, _end(end), actor())
            elif action == "withdraw":
                services.organisations.withdraw(verifier_id, purpose, actor())
            else:
                raise NotFound

        refused = _refused(services, act)
        return _one(services, known, action, refused) if refused else redirect(_at(known), 303)

    @routes.post("/verifiers/<verifier_id>/<action>")
    def block_verifier(verifier_id: str, action: str) -> BaseResponse:
        """Refuse everything that a verifier asks, or serve it again, for a reason."""
        known = _known(services, verifier_id)
        if action not in BLOCKING:
            raise NotFound
        require(services, BLOCKING[action], f"verifier_{action}", verifier_id)
        why = reason()
        if not why:
            return _one(services, known, action, _say(services, "console.verifiers.reason"))
        services.audit.note(f"verifier_{action}ed", actor(), verifier_id, reason=why)
        services.verifiers.block(verifier_id, blocked=action == "block")
        return redirect(_at(known), 303)


def _at(verifier: Verifier) -> str:
    return f"{LIST}/{verifier.verifier_id}"


def _known(services: Services, verifier_id: str) -> Verifier:
    found = services.verifiers.get(verifier_id[:40])
    if found is None:
        raise NotFound
    return found


def _refused(services: Services, act: Callable[[], None]) -> str:
    """What was wrong, in a sentence; empty when it was done."""
    try:
        act()
    except UnavailableError:
        raise
    except CredentialError as error:
        return office.sentence_of(services, error)
    return ""


def _say(services: Services, key: str) -> str:
    return services.texts.say(pages.language(), key)


def _end(text: str) -> float:
    """The end of a day in China, or 0 where no day is given: without an end.

    Raises:
        OrganisationError: bad_day; what does not read must not become a grant for ever.
    """
    if not text.strip():
        return 0.0
    try:
        last = datetime.date.fromisoformat(text.strip())
    except ValueError:
        raise OrganisationError("bad_day", day=text[:20]) from None
    following = last + datetime.timedelta(days=1)
    return datetime.datetime.combine(following, datetime.time(), CHINA).timestamp()


def _list(services: Services, failed: str = "", error: str = "") -> BaseResponse:
    """The list; after a form that failed, with what was given in it."""
    query = argument("q")
    sought = query.lower()
    return listed(
        "console_verifiers.html",
        "verifiers",
        status=422 if error else 200,
        here=LIST,
        written={failed: request.form} if failed else {},
        error=error,
        may=allowed(Role.ADMIN),
        waiting=services.organisations.waiting(),
        verifiers=[
            one
            for one in services.verifiers.all()
            if sought in f"{one.name} {one.verifier_id}".lower()
        ],
        query=query,
        year_on=(datetime.datetime.now(CHINA).date() + YEAR).isoformat(),
    )


def _one(services: Services, verifier: Verifier, failed: str = "", error: str = "") -> BaseResponse:
    """One verifier; after a form that failed, with what was given in it."""
    action = "unblock" if verifier.blocked else "block"
    return listed(
        "console_verifier.html",
        "verifiers",
        status=422 if error else 200,
        here=_at(verifier),
        written={failed: request.form} if failed else {},
        error=error,
        verifier=verifier,
        grants=services.organisations.grants(verifier.verifier_id),
        desks=services.organisations.desks(verifier.verifier_id),
        scans=shown.recent(
            services.verifications.recent(verifier.verifier_id, LAST_ROWS),
            services.texts,
            pages.language(),
        ),
        purposes=list(services.purposes),
        may=allowed(Role.ADMIN),
        action=action if allowed(BLOCKING[action]) else "",
    )
