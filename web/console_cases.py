"""The console's cases: reports of "not me", scans that cannot both be true, and whose they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Blueprint, redirect, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from credentials.accounts import Role
from credentials.cases import CaseError
from web.console_shared import actor, allowed, argument, listed, require

if TYPE_CHECKING:
    from credentials.services import Services

ROWS = 200


def register(services: Services) -> Callable[[Blueprint], None]:
    """What adds the pages below `/console/cases`."""
    cases = services.cases

    def add(routes: Blueprint) -> None:
        @routes.get("/cases")
        def all_cases() -> BaseResponse:
            """List the cases that wait, longest first; or all, newest first."""
            show = "all" if argument("show") == "all" else "open"
            rows = cases.recent(ROWS) if show == "all" else cases.waiting(ROWS)
            return listed(
                "console_cases.html", "cases", rows=rows, counts=cases.counts(), show=show
            )

        @routes.get("/cases/<case_id>")
        def case(case_id: str) -> BaseResponse:
            """Show one case."""
            return _page(services, case_id)

        @routes.post("/cases/<case_id>/<action>")
        def case_act(case_id: str, action: str) -> BaseResponse:
            """Take a case, write about it, or close it; the audit's entry is written with it."""
            require(services, Role.REVIEWER, f"case_{action}"[:40], case_id[:16])
            text = request.form.get("text", "")
            acts: dict[str, Callable[[], object]] = {
                "take": lambda: cases.take(case_id, actor()),
                "note": lambda: cases.note(case_id, actor(), text),
                "close": lambda: cases.close(case_id, actor(), text),
            }
            if action not in acts:
                raise NotFound
            try:
                acts[action]()
            except CaseError as error:
                return _page(services, case_id, failed=action, error=error.code)
            return redirect(url_for(".case", case_id=case_id), 303)

    return add


def _page(services: Services, case_id: str, *, failed: str = "", error: str = "") -> BaseResponse:
    """The page; after an action that failed, with what was written for it."""
    try:
        found = services.cases.get(case_id)
    except CaseError as unknown:
        raise NotFound from unknown
    return listed(
        "console_case.html",
        "cases",
        status=422 if error else 200,
        here=url_for(".case", case_id=case_id),
        written={failed: request.form} if failed else {},
        case=found,
        notes=services.cases.notes(case_id),
        card=services.cards.get(found.credential_id),
        may=allowed(Role.REVIEWER),
        error=error,
    )
