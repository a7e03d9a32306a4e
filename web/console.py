"""The operators' pages: who is stuck now, what was verified, whose card.

Further places (one person, the flow, verifiers, health, texts, accounts) are modules of their
own, which `blueprint` is given.

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
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import structlog
from flask import (
    Blueprint,
    Response,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from credentials import id_number
from credentials.accounts import Role
from credentials.errors import LifecycleError
from credentials.model import CHANNELS, Actor, Card, Holder, Status
from credentials.passkeys import Passkeys
from credentials.second_factor import SecondFactors
from web import console_accounts, pages, shown, sign_in
from web.console_shared import (
    LONGEST_QUERY,
    Register,
    actor,
    allowed,
    argument,
    listed,
    reason,
    require,
    table,
)
from web.second import Factors
from web.sessions import Sessions

if TYPE_CHECKING:
    from credentials.services import Services

LIVE_ROWS = 200
LAST_ROWS = 200
HISTORY_ROWS = 50
EXPORT_ROWS = 10_000
SLOT_S = 15
PLACES = (
    ("live", "/console"),
    ("flow", "/console/flow"),
    ("reviews", "/console/reviews"),
    ("cases", "/console/cases"),
    ("verifications", "/console/verifications"),
    ("cards", "/console/cards"),
    ("verifiers", "/console/verifiers"),
    ("health", "/console/health"),
    ("texts", "/console/texts"),
    ("team", "/console/team"),
    ("letters", "/console/letters"),
)
SIGNS = ("human", "stuck", "silent")
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

    @property
    def silent(self) -> bool:
        """Whether nothing was heard for ten minutes."""


class LiveConversations(Protocol):
    """The talks that are going on; `bot.conversations.Conversations` is one."""

    def live(self, limit: int, step: str) -> Sequence[LivePlace]:
        """Who is in the middle of something, or at a step; first who needs help."""

    def signs(self) -> Mapping[str, int]:
        """How many asked for a human, are stuck, and are silent."""

    def change_number(self) -> int:
        """A number that grows with every change; one key is read."""

    def counts(self) -> Mapping[str, int]:
        """How many people are at each step."""


def blueprint(
    services: Services,
    live: LiveConversations,
    places: Iterable[Register] = (),
    *,
    second_required: bool = False,
) -> Blueprint:
    """The routes below `/console`.

    Args:
        services: the card's services.
        live: the talks that are going on.
        places: what adds the further places.
        second_required: whether operators must have a second factor.
    """
    routes = Blueprint("console", __name__, url_prefix="/console")
    sessions = Sessions("console", services.operators, services.redis, services.keyring)
    factors = Factors(
        SecondFactors(services.redis, services.sealer, "operator"),
        Passkeys(services.redis, "operator", services.address),
        second_required,
    )
    sign_in.register(routes, sessions, services, factors)

    @routes.after_request
    def renew_token(answer: Response) -> Response:
        """Tell an open page the token of the session that it belongs to by now."""
        if request.headers.get("X-Fragment") == "1" and "csrf_token" in session:
            answer.headers["X-CSRF-Token"] = sessions.csrf_token()
        return answer

    console_accounts.register(routes, services, sessions, factors)
    routes.add_app_template_filter(shown.clock, "clock")
    routes.context_processor(lambda: {"console_places": _places()})
    _register_live(routes, services, live)
    _register_verifications(routes, services)
    _register_cards(routes, services)
    _register_actions(routes, services)
    for place in places:
        place(routes)
    return routes


def _places() -> list[tuple[str, str]]:
    """The places that this console has, with their addresses."""
    known = {rule.rule for rule in current_app.url_map.iter_rules()}
    return [(name, path) for name, path in PLACES if path in known]


def _register_live(routes: Blueprint, services: Services, live: LiveConversations) -> None:
    @routes.get("", strict_slashes=False)
    def talks() -> BaseResponse:
        """Show the conversations that are going on; unchanged, one key answers."""
        step, query = argument("step"), argument("q")
        sort, sign = argument("sort"), argument("sign")
        slot = int(time.time()) // SLOT_S  # marks for silence come with time, not with a change
        told = (live.change_number(), slot, request.full_path, pages.language())
        tag = hashlib.sha256(repr(told).encode()).hexdigest()[:16]
        if request.headers.get("X-Fragment") == "1" and request.if_none_match.contains(tag):
            return Response(status=304, headers={"ETag": f'"{tag}"'})
        places = [
            place
            for place in live.live(LIVE_ROWS, step)
            if (not query or query.lower() in place.holder.openid.lower())
            and (sign not in SIGNS or getattr(place, sign))
        ]
        if sort == "step":
            places.sort(key=lambda place: (place.step, place.since))
        elif sort == "holder":
            places.sort(key=lambda place: place.holder.openid)
        counts = {name: count for name, count in live.counts().items() if count or name == step}
        answer = listed(
            "console_live.html",
            "live",
            places=places,
            counts=counts,
            signs=live.signs(),
            sign=sign,
            step=step,
            query=query,
            sort=sort or "since",
            step_name=step_names(services),
        )
        answer.set_etag(tag)
        return answer

    @routes.get("/live.csv")
    def talks_file() -> BaseResponse:
        """The same as a file to keep; written into the audit."""
        require(services, Role.REVIEWER, "export")
        services.audit.note("exported", actor(), "live")
        rows = (
            (place.holder.channel, place.holder.openid, place.step, round(place.since),
             place.human, place.stuck, place.silent)
            for place in live.live(EXPORT_ROWS, "")
        )  # fmt: skip
        return table(
            "live", ("channel", "openid", "step", "since", "human", "stuck", "silent"), rows
        )


def _register_verifications(routes: Blueprint, services: Services) -> None:
    @routes.get("/verifications")
    def verifications() -> BaseResponse:
        """Show the last verifications of all verifiers."""
        state, purpose, query = argument("state"), argument("purpose"), argument("q")
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
        return listed(
            "console_verifications.html",
            "verifications",
            rows=rows,
            state=state,
            purpose=purpose,
            query=query,
            purposes=list(services.purposes),
        )

    @routes.get("/verifications.csv")
    def verifications_file() -> BaseResponse:
        """The last verifications as a file to keep; written into the audit."""
        require(services, Role.REVIEWER, "export")
        services.audit.note("exported", actor(), "verifications")
        found = services.verifications.recent_everywhere(EXPORT_ROWS)
        names = ("at", "verifier", "desk", "purpose", "level", "state", "credential_id")
        rows = shown.recent(found, services.texts, pages.language())
        return table("verifications", names, ([row[name] for name in names] for row in rows))


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
        services.audit.note("card_looked_up", actor(), about, how=kind)
        if card is not None:
            return redirect(f"/console/cards/{card.credential_id}", 303)
        page = render_template("console_cards.html", place="cards", missing=True, query=query)
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
        require(services, ACTIONS[action], action, credential_id)
        why = reason()
        if not why:
            return _card_page(services, found, failed=action, error="reason", status=422)
        try:
            acts[action](credential_id, actor(), why)
        except LifecycleError:
            found = _card(services, credential_id)
            return _card_page(services, found, failed=action, error="status", status=409)
        return redirect(f"/console/cards/{credential_id}", 303)


def _card_page(
    services: Services, found: Card, *, failed: str = "", error: str = "", status: int = 200
) -> BaseResponse:
    history = services.cards.history(found.credential_id, HISTORY_ROWS)
    return listed(
        "console_card.html",
        "cards",
        status=status,
        here=url_for(".card", credential_id=found.credential_id),
        written={failed: request.form} if failed else {},
        card=found,
        error=error,
        actions=[name for name in _open_to(found) if allowed(ACTIONS[name])],
        history=shown.history(history, services.texts, pages.language()),
    )


def _open_to(card: Card) -> tuple[str, ...]:
    """What may be done to a card: also freezing one that its holder, or the authority, froze."""
    if card.status is Status.FROZEN and card.frozen_by in {"holder", "system"}:
        return ("freeze", *OPEN_TO[Status.FROZEN])
    return OPEN_TO.get(card.status, ())


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
    held = (services.cards.of(Holder(channel, query)) for channel in CHANNELS) if query else ()
    return "openid", next(filter(None, held), None)


def _card(services: Services, credential_id: str) -> Card:
    card = services.cards.get(credential_id)
    if card is None:
        raise NotFound
    return card


def step_names(services: Services) -> Callable[[str], str]:
    """Names a step in the request's language; one without a name shows as the dialog has it."""

    def name(step: str) -> str:
        key = f"console.step.{step or 'home'}"
        return services.texts.say(pages.language(), key) if key in services.texts else step

    return name
