"""An organisation's own people, desks and purposes, and what was done: `/desk/team`.

Everybody may see it; only a manager may change anything. Who leaves is cut off at once: the
account is disabled and every session of it ends with that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from flask import Blueprint, redirect, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from credentials.accounts import STAFF_ROLES, Account, AccountError
from credentials.errors import CredentialError, UnavailableError
from credentials.model import Actor
from credentials.organisations import OrganisationError
from web import office, sign_in

if TYPE_CHECKING:
    from credentials.services import Services
    from web.second import Factors

MOST_PEOPLE = 500
NOT_TO_ONESELF = frozenset({"role", "reset", "disable", "second"})
"""What an open session alone must not change: how its owner signs in, and what they may."""
SOON_S = 30 * 24 * 3600


def register(routes: Blueprint, services: Services, factors: Factors) -> None:
    """Add these pages to the desk's."""
    managers = office.for_managers(services)

    @routes.get("/team")
    def team() -> BaseResponse:
        """Show people, desks, purposes and the log."""
        return _page(services)

    @routes.post("/team/people")
    @managers
    def add_person() -> BaseResponse:
        """Add somebody, and show the one-time password this once."""
        typed = {name: request.form.get(name, "")[:200] for name in ("username", "desk", "role")}
        return _tried(services, lambda: _add_person(services), typed)

    @routes.post("/team/people/<username>/<act>")
    @managers
    def change_person(username: str, act: str) -> BaseResponse:
        """Move, promote, cut off, let in again, or take a password, second factor or PIN away."""
        return _tried(services, lambda: _change_person(services, factors, username, act))

    @routes.post("/team/desks")
    @managers
    def add_desk() -> BaseResponse:
        """Add a desk."""

        def add() -> BaseResponse:
            desk = request.form.get("desk", "")
            services.organisations.add_desk(sign_in.current().verifier_id, desk)
            office.did(services, "desk_added", desk)
            return redirect("/desk/team", 303)

        return _tried(services, add, {"new_desk": request.form.get("desk", "")[:200]})

    @routes.post("/team/desks/drop")
    @managers
    def drop_desk() -> BaseResponse:
        """Take a desk away."""
        desk = request.form.get("desk", "")[:60]
        services.organisations.drop_desk(sign_in.current().verifier_id, desk)
        office.did(services, "desk_dropped", desk)
        return redirect("/desk/team", 303)


def _tried(
    services: Services, act: Callable[[], BaseResponse], typed: Mapping[str, str] | None = None
) -> BaseResponse:
    try:
        return act()
    except UnavailableError:
        raise
    except CredentialError as error:
        sentence = office.sentence_of(services, error)
        return _page(services, status=422, error=sentence, typed=typed or {})


def _add_person(services: Services) -> BaseResponse:
    verifier = office.verifier_of(services)
    role = request.form.get("role", "staff")
    if role not in STAFF_ROLES:
        raise AccountError("bad_role", role=role[:64], roles=", ".join(STAFF_ROLES))
    if len(_people(services)) >= MOST_PEOPLE:
        raise OrganisationError("too_many_people", limit=MOST_PEOPLE)
    username = request.form.get("username", "")
    password = services.staff.add(
        username, verifier_id=verifier.verifier_id, desk=request.form.get("desk", ""), role=role
    )
    actor = Actor("staff", sign_in.name())
    services.audit.note("staff_added", actor, username, verifier=verifier.verifier_id)
    office.did(services, "person_added", username)
    return _page(services, made={"username": username, "password": password})


def _change_person(services: Services, factors: Factors, username: str, act: str) -> BaseResponse:
    person = services.staff.get(username)
    own = sign_in.current()
    if person is None or person.verifier_id != own.verifier_id:
        actor = Actor("staff", own.username)
        services.audit.note("action_refused", actor, own.verifier_id, action="foreign_account")
        raise NotFound
    made: Mapping[str, str] = {}
    if act in NOT_TO_ONESELF and person.username == own.username:
        return _page(services, status=422, error=_own_account(services))
    if act == "disable":
        services.staff.disable(person.username)
    elif act == "enable":
        services.staff.disable(person.username, disabled=False)
    elif act == "reset":
        made = {
            "username": person.username,
            "password": services.staff.reset_password(person.username),
        }
    elif act == "role":
        services.staff.assign(person.username, role=request.form.get("role", ""))
    elif act == "desk":
        services.staff.assign(person.username, desk=request.form.get("desk", ""))
    elif act == "second":
        factors.remove(person.username)
    elif act == "pin":
        services.desk_pins.drop(person.username)
    else:
        raise NotFound
    actor = Actor("staff", own.username)
    services.audit.note(f"staff_{act}", actor, person.username, verifier=own.verifier_id)
    office.did(services, f"person_{act}", person.username)
    return _page(services, made=made) if made else redirect("/desk/team", 303)


def _own_account(services: Services) -> str:
    return office.sentence_of(services, CredentialError("own_account"))


def _people(services: Services) -> list[Account]:
    own = sign_in.current().verifier_id
    return [account for account in services.staff.all() if account.verifier_id == own]


def _page(services: Services, *, status: int = 200, **values: object) -> BaseResponse:
    verifier = office.verifier_of(services)
    grants = services.organisations.grants(verifier.verifier_id)
    return office.page(
        services,
        "desk_team.html",
        status=status,
        people=_people(services),
        desks=services.organisations.desks(verifier.verifier_id),
        grants=grants,
        granted=[services.purposes[name] for name in verifier.purposes],
        soon=time.time() + SOON_S,
        acts=services.organisations.acts(verifier.verifier_id, 100),
        **{"made": {}, **values},
    )
