"""The operators' page: who is stuck now, what was verified, whose card, which verifiers.

What an operator may do follows from the role, and every act is written into the audit with who
and why; an act that is beyond the role is refused and written down too.

| role | may |
|---|---|
| viewer | see everything here; personal data is masked |
| reviewer | also freeze and unfreeze a card |
| admin | also revoke a card |

Lists ask again every second or two with the tag of what they show (`If-None-Match`) and are
answered 304 while nothing changed; a connection held open would cost a worker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import structlog
from flask import Blueprint, make_response, redirect, render_template, request
from werkzeug.exceptions import Forbidden, NotFound
from werkzeug.wrappers import Response as BaseResponse

from credentials import id_number
from credentials.accounts import Role
from credentials.errors import LifecycleError
from credentials.model import Actor, Card, Holder, Status
from web import pages, shown, sign_in
from web.sessions import Sessions

if TYPE_CHECKING:
    from credentials.services import Services

LIVE_ROWS = 200
LAST_ROWS = 200
HISTORY_ROWS = 50
LONGEST_QUERY = 64
LONGEST_REASON = 200
SHORTEST_REASON = 3
SORTS = {"since": "since", "step": "step", "holder": "openid"}
ACTIONS = {"freeze": Role.REVIEWER, "unfreeze": Role.REVIEWER, "revoke": Role.ADMIN}
OPEN_TO = {
    Status.ACTIVE: ("freeze", "revoke"),
    Status.FROZEN: ("unfreeze", "revoke"),
}
log = structlog.get_logger("web.console")


class LivePlace(Protocol):
    """Where one person is in the talk; `since` is in seconds since 1970."""

    @property
    def holder(self) -> Holder:
        """Whose account."""

    @property
    def step(self) -> str:
        """The dialog's step, or nothing for somebody who only asked for a human."""

    @property
    def since(self) -> float:
        """Since when."""

    @property
    def human(self) -> bool:
        """Whether a human was asked for."""

    @property
    def stuck(self) -> bool:
        """Whether the step failed several times."""


class LiveConversations(Protocol):
    """The talks that are going on; `bot.conversations.Conversations` is one."""

    def live(self, limit: int) -> Sequence[LivePlace]:
        """Who is in the middle of something, waiting longest first."""

    def counts(self) -> Mapping[str, int]:
        """How many people are at each step."""


def blueprint(services: Services, live: LiveConversations) -> Blueprint:
    """The routes below `/console`."""
    routes = Blueprint("console", __name__, url_prefix="/console")
    sessions = Sessions("console", services.operators, services.redis, services.keyring)
    sign_in.register(routes, sessions, services)
    routes.add_app_template_filter(shown.clock, "clock")
    _register_live(routes, services, live)
    _register_verifications(routes, services)
    _register_cards(routes, services)
    _register_actions(routes, services)
    return routes


def _register_live(routes: Blueprint, services: Services, live: LiveConversations) -> None:
    @routes.get("", strict_slashes=False)
    def talks() -> BaseResponse:
        """Show the conversations that are going on."""
        step, query, sort = _argument("step"), _argument("q"), _argument("sort")
        places = [
            place
            for place in live.live(LIVE_ROWS)
            if (not step or place.step == step)
            and (not query or query.lower() in place.holder.openid.lower())
        ]
        if sort == "step":
            places.sort(key=lambda place: (place.step, place.since))
        elif sort == "holder":
            places.sort(key=lambda place: place.holder.openid)
        counts = {name: count for name, count in live.counts().items() if count or name == step}
        return _list(
            "console_live.html",
            places=places,
            counts=counts,
            step=step,
            query=query,
            sort=sort or "since",
            step_name=_step_names(services),
        )

    @routes.get("/holders/<channel>/<openid>")
    def holder(channel: str, openid: str) -> BaseResponse:
        """Lead from a conversation to the person's card, if there is one."""
        card = services.cards.of(Holder(channel[:16], openid[:LONGEST_QUERY]))
        if card is not None:
            return redirect(f"/console/cards/{card.credential_id}")
        page = render_template("console_no_card.html", channel=channel, openid=openid, place="live")
        return make_response(page)


def _register_verifications(routes: Blueprint, services: Services) -> None:
    @routes.get("/verifications")
    def verifications() -> BaseResponse:
        """Show the last verifications of all verifiers."""
        state, purpose, query = _argument("state"), _argument("purpose"), _argument("q")
        rows = shown.recent(
            services.verifications.recent_everywhere(LAST_ROWS), services.texts, pages.language()
        )
        rows = [
            row
            for row in rows
            if (not state or row["state"] == state)
            and (not purpose or row["purpose_name"] == purpose)
            and (not query or query.lower() in f"{row['verifier']} {row['desk']}".lower())
        ]
        return _list(
            "console_verifications.html",
            rows=rows,
            state=state,
            purpose=purpose,
            query=query,
            purposes=list(services.purposes),
        )

    @routes.get("/verifiers")
    def verifiers() -> BaseResponse:
        """Show who may scan, and for what."""
        query = _argument("q")
        found = [one for one in services.verifiers.all() if query.lower() in one.name.lower()]
        return _list("console_verifiers.html", verifiers=found, query=query)


def _register_cards(routes: Blueprint, services: Services) -> None:
    @routes.get("/cards")
    def cards() -> str:
        """Ask for a card to look up."""
        return render_template("console_cards.html", place="cards", missing=False)

    @routes.post("/cards")
    def find() -> BaseResponse:
        """Look a card up. Not by an address, which browsers and servers keep."""
        query = request.form.get("q", "").strip()[:LONGEST_QUERY]
        kind, card = _find(services, query)
        about = card.credential_id if card else "-"
        services.audit.note("card_looked_up", _actor(), about, how=kind)
        if card is not None:
            return redirect(f"/console/cards/{card.credential_id}", 303)
        page = render_template("console_cards.html", place="cards", missing=True, kind=kind)
        return make_response(page, 404)

    @routes.get("/cards/<credential_id>")
    def card(credential_id: str) -> BaseResponse:
        """Show one card and what happened to it."""
        found = _card(services, credential_id)
        return _card_page(services, found)


def _register_actions(routes: Blueprint, services: Services) -> None:
    acts: Mapping[str, Callable[[str, Actor, str], Card]] = {
        "freeze": services.cards.freeze,
        "unfreeze": services.cards.unfreeze,
        "revoke": services.cards.revoke,
    }

    @routes.post("/cards/<credential_id>/<action>")
    def act(credential_id: str, action: str) -> BaseResponse:
        """Freeze, unfreeze or revoke a card, for a reason."""
        if action not in acts:
            raise NotFound
        found = _card(services, credential_id)
        if not _may(action):
            services.audit.note("action_refused", _actor(), credential_id, action=action)
            log.warning("action_refused", action=action, operator=sign_in.name())
            raise Forbidden
        reason = " ".join(request.form.get("reason", "").split())
        if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
            return _card_page(services, found, error="reason", status=422)
        try:
            acts[action](credential_id, _actor(), reason)
        except LifecycleError:
            return _card_page(services, _card(services, credential_id), error="status", status=409)
        return redirect(f"/console/cards/{credential_id}", 303)


def _card_page(
    services: Services, found: Card, *, error: str = "", status: int = 200
) -> BaseResponse:
    history = services.cards.history(found.credential_id, HISTORY_ROWS)
    return _list(
        "console_card.html",
        status=status,
        card=found,
        error=error,
        actions=[name for name in OPEN_TO.get(found.status, ()) if _may(name)],
        history=shown.history(history, services.texts, pages.language()),
    )


def _list(template: str, *, status: int = 200, **values: object) -> BaseResponse:
    """A page whose middle is asked for again and again; unchanged, it is answered 304."""
    fragment = request.headers.get("X-Fragment") == "1"
    place = template.removeprefix("console_").removesuffix(".html")
    values = {**values, "place": "cards" if place == "card" else place, "fragment": fragment}
    answer = make_response(render_template(template, **values), status)
    if fragment:
        answer.set_etag(hashlib.sha256(answer.get_data()).hexdigest()[:16])
        return answer.make_conditional(request)
    return answer


def _find(services: Services, query: str) -> tuple[str, Card | None]:
    """The card that a query means, and what the query was."""
    try:
        number = id_number.parse(query).value
    except id_number.IdNumberError:
        number = ""
    if number:
        return "id_number", services.cards.find(number)
    card = services.cards.get(query.lower())
    if card is not None:
        return "card", card
    return "openid", services.cards.of(Holder("wechat", query)) if query else None


def _card(services: Services, credential_id: str) -> Card:
    card = services.cards.get(credential_id)
    if card is None:
        raise NotFound
    return card


def _may(action: str) -> bool:
    role = sign_in.current().role
    return role in set(Role) and Role(role).includes(ACTIONS[action])


def _actor() -> Actor:
    return Actor("operator", sign_in.current().username)


def _argument(name: str) -> str:
    return request.args.get(name, "").strip()[:LONGEST_QUERY]


def _step_names(services: Services) -> Callable[[str], str]:
    """Names a step in the request's language; one without a name shows as the dialog has it."""

    def name(step: str) -> str:
        key = f"console.step.{step or 'home'}"
        return services.texts.say(pages.language(), key) if key in services.texts else step

    return name
