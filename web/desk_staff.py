"""Changing staff at a shared tablet: it locks itself, and a colleague's PIN opens it again.

| address | does |
|---|---|
| `GET/POST /desk/pin` | sets one's own desk PIN; after a full sign-in only |
| `POST /desk/lock` | ends the session here, and keeps the tablet for colleagues |
| `GET/POST /desk/locked` | who works here, and the PIN of whoever goes on |

Whoever came in by PIN scans and keeps the book. What changes who may do what (people, keys,
factors, PINs) asks for a full sign-in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from flask import Blueprint, Response, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from credentials.accounts import Account
from credentials.errors import SignInError
from credentials.model import Actor
from credentials.pins import PinError
from web import office, sign_in

if TYPE_CHECKING:
    from credentials.services import Services
    from web.sessions import Sessions

LOCKED = "/desk/locked"
log = structlog.get_logger("web.desk")


def register(routes: Blueprint, services: Services, sessions: Sessions) -> None:
    """Add these pages to the desk's."""

    @routes.route("/pin", methods=["GET", "POST"])
    def pin() -> BaseResponse:
        """Set one's own desk PIN."""
        account = sign_in.current()
        if request.method == "GET":
            return _pin_page(services, account)
        new = request.form.get("pin", "").strip()
        if new != request.form.get("again", "").strip():
            return _pin_page(services, account, error="differs")
        try:
            services.desk_pins.put(account.username, new)
        except PinError as error:
            return _pin_page(services, account, error=error.code)
        actor = Actor("staff", account.username)
        services.audit.note("desk_pin_set", actor, account.username, verifier=account.verifier_id)
        office.did(services, "pin_set")
        return redirect("/desk", 303)

    @routes.post("/lock")
    def lock() -> BaseResponse:
        """End the session here; the tablet stays one of this organisation's."""
        sessions.lock()
        return redirect(LOCKED, 303)

    @routes.route("/locked", methods=["GET", "POST"])
    def locked() -> BaseResponse:
        """Ask for the PIN of whoever goes on."""
        people = _colleagues(services, sessions)
        if people is None:
            return redirect("/desk/sign-in", 303)
        if request.method == "GET":
            return _locked_page(people)
        username, pin = request.form.get("username", "")[:64], request.form.get("pin", "")[:16]
        try:
            entered = services.desk_pins.enter(sessions.tablet(), username, pin)
        except SignInError as error:
            log.warning("desk_pin_refused", username=username, code=error.code)
            return _locked_page(people, username=username, error=error)
        actor = Actor("staff", entered.account.username)
        services.audit.note("signed_in", actor, "desk", second="pin")
        sessions.begin(entered.account, trusted_since=entered.since)
        return redirect("/desk", 303)


def _colleagues(services: Services, sessions: Sessions) -> list[Account] | None:
    """Who may go on at this tablet by PIN; None where nobody signed in fully this shift."""
    trusted = services.desk_pins.trusted(sessions.tablet())
    if trusted is None:
        return None
    verifier_id, desk = trusted.account.verifier_id, trusted.account.desk
    people = [
        account
        for account in services.staff.all()
        if account.verifier_id == verifier_id
        and (not desk or account.desk in {"", desk})
        and not (account.disabled or account.must_change_password)
    ]
    able = services.desk_pins.those_with(account.username for account in people)
    return [account for account in people if account.username in able]


def _locked_page(
    people: list[Account], *, username: str = "", error: SignInError | None = None
) -> Response:
    page = render_template("desk_locked.html", people=people, username=username, error=error)
    status = 200 if error is None else 429 if error.code == "locked" else 401
    return make_response(page, status)


def _pin_page(services: Services, account: Account, *, error: str = "") -> Response:
    there = bool(services.desk_pins.those_with([account.username]))
    page = render_template("desk_pin.html", account=account, there=there, error=error)
    return make_response(page, 422 if error else 200)
