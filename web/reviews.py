"""The console's reviews: faces that people decide about, portrait and frames side by side.

| role | may |
|---|---|
| viewer | see that cases wait, and for how long; nobody's name or picture |
| reviewer, admin | open a case, which the audit notes, and approve or reject it for a reason |

Approving against the machine takes two different reviewers (`credentials.reviews`). A picture is
sent only while its case waits, and never kept by a browser.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response as BaseResponse

from credentials.accounts import Role
from credentials.reviews import Review, ReviewError
from web import sign_in
from web.console_shared import Register, actor, allowed, listed, reason, require

if TYPE_CHECKING:
    from credentials.services import Services

ROWS = 100
DECIDED_ROWS = 30
VERDICTS = ("approve", "reject")


def register(services: Services) -> Register:
    """What adds the reviews to the console."""

    def add(routes: Blueprint) -> None:
        _add_list(routes, services)
        _add_case(routes, services)
        _add_decision(routes, services)

    return add


def _add_list(routes: Blueprint, services: Services) -> None:
    @routes.get("/reviews")
    def reviews() -> BaseResponse:
        """Show what waits, longest first, and what was decided lately."""
        return listed(
            "console_reviews.html",
            "reviews",
            waiting=services.reviews.waiting(ROWS),
            decided=services.reviews.decided(DECIDED_ROWS),
            may=allowed(Role.REVIEWER),
            now=time.time(),
        )


def _add_case(routes: Blueprint, services: Services) -> None:
    @routes.get("/reviews/<review_id>")
    def review(review_id: str) -> BaseResponse:
        """Show one case."""
        require(services, Role.REVIEWER, "review", review_id)
        found = _found(services, review_id)
        if found.facts is not None:
            first = services.reviews.first_look(review_id, actor())
            if first or request.headers.get("X-Fragment") != "1":  # an open page asks on
                services.audit.note("review_seen", actor(), review_id)
        return _page(services, found)

    @routes.get("/reviews/<review_id>/images/<name>")
    def review_image(review_id: str, name: str) -> Response:
        """Give one picture of a case that waits."""
        require(services, Role.REVIEWER, "review_image", review_id)
        image = services.reviews.picture(review_id, name)
        if image is None:
            raise NotFound
        return Response(image, content_type="image/jpeg", headers={"Cache-Control": "no-store"})


def _add_decision(routes: Blueprint, services: Services) -> None:
    @routes.post("/reviews/<review_id>/decide")
    def decide_review(review_id: str) -> BaseResponse:
        """Approve or reject a case, for a reason."""
        verdict = request.form.get("verdict", "")
        require(services, Role.REVIEWER, "review_decide", review_id)
        if verdict not in VERDICTS:
            raise BadRequest
        found = _found(services, review_id)
        why = reason()
        if not why:
            return _page(services, found, error="reason", status=422)
        try:
            services.reviews.decide(review_id, actor(), why, approve=verdict == "approve")
        except ReviewError as error:
            return _page(services, _found(services, review_id), error=error.code, status=409)
        return redirect("/console/reviews", 303)


def _page(services: Services, found: Review, *, error: str = "", status: int = 200) -> BaseResponse:
    waiting = [each.review_id for each in services.reviews.waiting(ROWS)]
    place = waiting.index(found.review_id) if found.review_id in waiting else -1
    return listed(
        "console_review.html",
        "reviews",
        status=status,
        here=url_for(".review", review_id=found.review_id),
        written={"decide": request.form} if error else {},
        review=found,
        error=error,
        own=sign_in.current().username,
        before=waiting[place - 1] if place > 0 else "",
        after=waiting[place + 1] if 0 <= place < len(waiting) - 1 else "",
        now=time.time(),
    )


def _found(services: Services, review_id: str) -> Review:
    found = services.reviews.get(review_id)
    if found is None:
        raise NotFound
    return found
