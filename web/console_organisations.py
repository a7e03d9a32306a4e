"""Organisations in the console: who asks to scan, and which purposes each was granted.

A viewer sees; an administrator decides. Each decision is in the audit with who made it.
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
from credentials.shifts import CHINA
from web import office
from web.console_shared import Register, actor, allowed, listed, require

if TYPE_CHECKING:
    from credentials.services import Services

YEAR = datetime.timedelta(days=365)


def register(services: Services) -> Register:
    """What adds these pages to the console's."""

    def add(routes: Blueprint) -> None:
        _register_requests(routes, services)
        _register_purposes(routes, services)

    return add


def _register_requests(routes: Blueprint, services: Services) -> None:
    @routes.get("/organisations")
    def organisations() -> BaseResponse:
        """Show the requests that wait, and every organisation's purposes."""
        return _page(services)

    @routes.post("/organisations/<request_id>/approve")
    def approve_organisation(request_id: str) -> BaseResponse:
        """Grant the chosen purposes, and let the organisation in."""

        def act() -> None:
            chosen = request.form.getlist("purpose")[:20]
            until = {name: _end(request.form.get(f"until_{name}", "")) for name in chosen}
            services.organisations.approve(request_id, actor(), until)

        return _decided(services, request_id, act)

    @routes.post("/organisations/<request_id>/refuse")
    def refuse_organisation(request_id: str) -> BaseResponse:
        """Refuse a request, and say why."""
        why = request.form.get("why", "")
        return _decided(
            services,
            request_id,
            lambda: services.organisations.refuse(request_id, actor(), why),
        )


def _register_purposes(routes: Blueprint, services: Services) -> None:
    @routes.post("/organisations/<verifier_id>/purposes/<action>")
    def change_purpose(verifier_id: str, action: str) -> BaseResponse:
        """Grant one purpose more, or take one back."""
        purpose = request.form.get("purpose", "")[:32]

        def act() -> None:
            if action == "grant":
                ground, end = request.form.get("ground", ""), request.form.get("until", "")
                services.organisations.grant(verifier_id, purpose, ground, _end(end), actor())
            elif action == "withdraw":
                services.organisations.withdraw(verifier_id, purpose, actor())
            else:
                raise NotFound

        return _decided(services, verifier_id, act)


def _decided(services: Services, about: str, act: Callable[[], None]) -> BaseResponse:
    require(services, Role.ADMIN, str(request.endpoint).rpartition(".")[2], about[:40])
    try:
        act()
    except UnavailableError:
        raise
    except CredentialError as error:
        return _page(services, error=office.sentence_of(services, error), status=422)
    return redirect("/console/organisations", 303)


def _end(text: str) -> float:
    """The end of a day in China, or 0 for no end."""
    try:
        last = datetime.date.fromisoformat(text)
    except ValueError:
        return 0.0
    following = last + datetime.timedelta(days=1)
    return datetime.datetime.combine(following, datetime.time(), CHINA).timestamp()


def _page(services: Services, *, error: str = "", status: int = 200) -> BaseResponse:
    return listed(
        "console_organisations.html",
        "organisations",
        status=status,
        error=error,
        may=allowed(Role.ADMIN),
        waiting=services.organisations.waiting(),
        organisations=[
            (one, services.organisations.grants(one.verifier_id))
            for one in services.verifiers.all()
        ],
        purposes=list(services.purposes),
        year_on=(datetime.datetime.now(CHINA).date() + YEAR).isoformat(),
    )
