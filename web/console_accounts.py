"""The console's accounts and audit: operators, their second factor and sessions, what was done.

| role | may |
|---|---|
| viewer, reviewer | see; set up their own second factor; end their own sessions |
| admin | also add operators, change roles, reset, disable; end anybody's sessions; export |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from flask import Blueprint, redirect, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from credentials.accounts import AccountError, Role
from web import pages, shown, sign_in
from web.console_shared import actor, allowed, argument, listed, reason, require, table

if TYPE_CHECKING:
    from credentials.model import Use
    from credentials.services import Services
    from web.second import Factors
    from web.sessions import Sessions

AUDIT_ROWS = 100
EXPORT_ROWS = 10_000
NOT_TO_ONESELF = frozenset({"role", "reset", "disable", "second"})
"""What an open session alone must not change: how its owner signs in, and what they may."""


def register(routes: Blueprint, services: Services, sessions: Sessions, factors: Factors) -> None:
    """Add the pages below `/console/team`."""

    @routes.get("/team")
    def team() -> BaseResponse:
        """List operators, open sessions and the newest entries of the audit."""
        return _page(services, sessions, factors)

    @routes.post("/team")
    def operator_add() -> BaseResponse:
        """Add an operator; the one-time password is shown once."""
        require(services, Role.ADMIN, "operator_add")
        name, role = request.form.get("username", "")[:64], request.form.get("role", "")
        why = reason()
        if not why:
            return _page(services, sessions, factors, failed="add", error="reason")
        try:
            whose = services.operators.free(name)
            _check_role(role)
            services.audit.note("operator_added", actor(), whose, reason=why)
            password = services.operators.add(whose, role=role)
        except AccountError as error:
            return _page(services, sessions, factors, failed="add", error=error.code)
        return _page(services, sessions, factors, password=password, whose=whose)

    @routes.post("/team/<username>/<action>")
    def operator_act(username: str, action: str) -> BaseResponse:
        """Change one operator's account."""
        known = services.operators.get(username)  # however the address writes the name
        whose = known.username if known else username[:64]
        if whose != sign_in.name() or action not in {"sessions", "session"}:
            require(services, Role.ADMIN, f"operator_{action[:20]}", whose)
        if known is None:
            raise NotFound
        return _act(services, sessions, factors, whose, action)

    @routes.get("/audit.csv")
    def audit_file() -> BaseResponse:
        """The administration's audit as a file to keep; itself written into the audit."""
        require(services, Role.ADMIN, "export")
        services.audit.note("exported", actor(), "audit")
        rows = (
            (use.at, use.kind, *(use.detail.get(name, "") for name in ("by", "reason")), use.detail)
            for use in services.audit.recent(EXPORT_ROWS)
        )
        return table("audit", ("at", "kind", "by", "reason", "detail"), rows)


def _act(
    services: Services, sessions: Sessions, factors: Factors, username: str, action: str
) -> BaseResponse:
    operators = services.operators
    form, shown_password, failed = request.form, "", f"{action} {username}"
    acts: Mapping[str, Callable[[], object]] = {
        "role": lambda: operators.assign(username, role=form.get("role", "")),
        "reset": lambda: operators.reset_password(username),
        "second": lambda: factors.remove(username),
        "disable": lambda: operators.disable(username),
        "enable": lambda: operators.disable(username, disabled=False),
        "sessions": lambda: operators.end_sessions(username),
        "session": lambda: sessions.end_one(username, form.get("session", "")),
    }
    if action not in acts:
        raise NotFound
    why = reason()
    if not why and action not in {"sessions", "session"}:
        return _page(services, sessions, factors, failed=failed, error="reason")
    if username == sign_in.name() and action in NOT_TO_ONESELF:
        return _page(services, sessions, factors, error="own")
    detail = {"role": form.get("role", "")[:20]} if action == "role" else {}
    try:
        if action == "role":
            _check_role(form.get("role", ""))
        services.audit.note(f"operator_{action}", actor(), username, reason=why, **detail)
        found = acts[action]()
    except AccountError as error:
        return _page(services, sessions, factors, failed=failed, error=error.code)
    if action == "reset":
        shown_password = str(found)
        return _page(services, sessions, factors, password=shown_password, whose=username)
    return redirect("/console/team", 303)


def _check_role(role: str) -> None:
    """Refuse what is no role before the audit says that somebody was given it."""
    if role not in set(Role):
        raise AccountError("bad_role", role=role[:20], roles=", ".join(Role))


def _page(
    services: Services,
    sessions: Sessions,
    factors: Factors,
    *,
    failed: str = "",
    error: str = "",
    **values: object,
) -> BaseResponse:
    """The page; after a form that failed, with what was given in it."""
    query = argument("q").lower()
    entries = [
        entry
        for entry in _worded(services, services.audit.recent(AUDIT_ROWS))
        if query in f"{entry[0].kind} {entry[0].detail} {entry[1:]}".lower()
    ]
    everyone = services.operators.all()
    admin = allowed(Role.ADMIN)
    visible = [each for each in everyone if admin or each.username == sign_in.name()]
    return listed(
        "console_team.html",
        "team",
        status=422 if error else 200,
        here=url_for(".team"),
        written={failed: request.form} if failed else {},
        error=error,
        operators=everyone,
        second={each.username: factors.has(each.username) for each in everyone},
        opened={each.username: sessions.open_of(each.username) for each in visible},
        entries=entries,
        roles=list(Role),
        admin=admin,
        own=sign_in.name(),
        query=query,
        **values,
    )


def _worded(services: Services, uses: Iterable[Use]) -> Iterator[tuple[Use, str, str]]:
    """Entries, each with what it records and who did it, in the reader's language."""
    language = pages.language()
    for use in uses:
        event = shown.event(use, services.texts, language)
        yield use, event, shown.by(use, services.texts, language)
