"""The holder's page `/card`: the card, its rotating code, approvals, uses, and the freeze button.

A link in the chat carries no right: `/card` asks the platform who is looking (OAuth), and only
then is there a page, at an address of its own that the visit's cookie opens (`card_session.py`).

| path under `/card/s/<tag>/` | does |
|---|---|
| `` | the page |
| `code?purpose=&short=` | a fresh code as SVG, with the seconds until it is replaced and until \
  it ends; with `short=1` also as eight digits |
| `state?change=` | what is to be shown, or 304 while nothing has changed (one round trip) |
| `approvals/<id>` | POST `{"answer": "approve" | "deny" | "deny_freeze", "pin"?}` |
| `comparisons/<id>` | POST `{"answer": "agree" | "decline"}`: may a desk compare the face? |
| `freeze`, `unfreeze` | POST |
| `upgrade` | POST: begins an upgrade; a binding code for the terminal, with its QR |
| `pin` | POST `{"new", "current"?}`: sets the PIN |
| `unlock` | POST `{"purpose", "pin"}`: the next codes may be for what needs the PIN |
| `not-me` | POST: the use shown was not the holder's; freezes |
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from flask import (
    Blueprint,
    Response,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
)
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response as BaseResponse

from credentials.errors import CredentialError, NoCardError, RefusalError
from credentials.model import Actor, Card, Holder, Status
from credentials.uses import of_interest
from web import card_compare, card_upgrade, card_view, pages
from web.card_code import FreshCodes
from web.card_session import (
    CALLBACK,
    CardSession,
    CardSessions,
    SignIn,
    is_ours,
    path_of,
)
from web.front import Route

if TYPE_CHECKING:
    from credentials.cards import CardState
    from credentials.services import Services

HISTORY_ENTRIES = 24
HISTORY_LINES = 8
LONGEST_BODY = 2048
LONGEST_OAUTH_CODE = 512
_COUNTER = re.compile(r"[0-9]{1,18}")
View = Callable[..., Response]
SESSION_ENDED = 401
ENROL = "enrol"
BEGINS_WITH = ("change", "status", "stopped", "usable", "approval", "compare", "last")


class CardPages:
    """The views of the holder's page; `blueprint` gives them their addresses.

    Args:
        services: the product's services.
        channel: the platform, for OAuth.
        others: further platforms, each by a word that its browser alone says of itself.
        refused: what `channel.who` raises for a code that is invalid, used, or nobody's.
        unavailable: what it raises when the platform does not answer.
    """

    def __init__(
        self,
        services: Services,
        channel: SignIn,
        refused: type[Exception],
        unavailable: type[Exception],
        others: Mapping[str, SignIn] | None = None,
    ) -> None:
        self._services = services
        self.texts = services.texts
        self._channel = channel
        self._others = others or {}
        self._by_name = {each.name: each for each in (channel, *self._others.values())}
        self._refused = refused
        self._unavailable = unavailable
        self.sessions = sessions_of(services)

    def enter(self) -> BaseResponse:
        """Send the browser to the platform to find out who is looking."""
        channel = self._by_name.get(request.args.get("channel", "")) or self._of_browser()
        response = make_response("", 302)
        page = ENROL if request.path == f"/{ENROL}" else ""
        state = self.sessions.ask(response, channel.name, page)
        response.location = channel.sign_in_address(self._services.address + CALLBACK, state)
        response.headers["Cache-Control"] = "no-store"
        return response

    def _of_browser(self) -> SignIn:
        """The platform whose browser this is, where the address did not name one."""
        said = request.user_agent.string
        found = (channel for word, channel in self._others.items() if word in said)
        return next(found, self._channel)

    def back(self) -> BaseResponse:
        """The platform's answer: begin a visit, or say how to come in again."""
        state = request.args.get("state", "")
        code = request.args.get("code") or request.args.get("auth_code", "")
        name, page = self.sessions.asked(request, state)
        channel = self._by_name.get(name)
        if channel is None:
            return pages.error_page(403, "card.way.browser")
        if not 0 < len(code) <= LONGEST_OAUTH_CODE:
            return self._forget(pages.error_page(400, "card.way.code"), state)
        try:
            openid = channel.who(code)
        except self._refused:
            return self._forget(pages.error_page(403, "card.way.code"), state)
        except self._unavailable:
            answer = pages.error_page(503, "card.way.platform", action=f"/{page or 'card'}")
            return self._forget(answer, state)
        session, put = self.sessions.begin(Holder(channel.name, openid))
        response = make_response(
            redirect(path_of(session.tag) + (ENROL if page == ENROL else ""), 303)
        )
        put(response)
        return self._forget(response, state)

    def _forget(self, response: Response, state: str) -> Response:
        self.sessions.answered(response, state)
        response.headers["Cache-Control"] = "no-store"
        return response

    def page(self, session: CardSession) -> Response:
        """The page itself; without a card it says how to apply."""
        words = self._words()
        change = self._services.cards.change(session.holder)
        try:
            state = self._services.cards.state(session.holder)
        except NoCardError:
            return make_response(render_template("card/none.html", change=change))
        shown = self._shown(state)
        return make_response(
            render_template(
                "card/page.html",
                token=session.token,
                card=card_view.card(state.card, words),
                purposes=card_view.purposes(self._services.purposes, state.card.level, words),
                shown=shown,
                begin={name: shown[name] for name in BEGINS_WITH},
            )
        )

    def state(self, session: CardSession) -> Response:
        """What is to be shown, or 304 while the change counter is the one asked with."""
        known = request.args.get("change", "")
        if _COUNTER.fullmatch(known) and self._services.cards.change(session.holder) == int(known):
            return Response(status=304)
        return self.now(session)

    def answer(self, session: CardSession, verification_id: str) -> Response:
        """Approve or deny a disclosure that waits."""
        body = self.body()
        answer = body.get("answer")
        if answer == "approve":
            pin = str(body.get("pin", ""))
            self._services.verifications.approve(session.holder, verification_id, pin)
        elif answer == "deny":
            self._services.verifications.deny(session.holder, verification_id)
        elif answer == "deny_freeze":
            try:
                self._services.verifications.deny(session.holder, verification_id, freeze=True)
            except RefusalError:  # it is over: the card is frozen all the same
                self._stop(session)
        else:
            raise BadRequest
        return self.now(session)

    def freeze(self, session: CardSession) -> Response:
        """Stop the card at once."""
        self.body()
        self._stop(session)
        return self.now(session)

    def unfreeze(self, session: CardSession) -> Response:
        """Let the card be used again."""
        self.body()
        card = self._card(session)
        if card.status is not Status.ACTIVE:
            self._services.cards.unfreeze(card.credential_id, Actor("holder"), "holder")
        return self.now(session)

    def not_me(self, session: CardSession) -> Response:
        """A use that was not the holder's: freezes the card, opens a case for operators."""
        verification_id = str(self.body().get("verification_id", ""))
        card = self._card(session)
        uses = self._services.cards.history(card.credential_id, limit=HISTORY_ENTRIES)
        if verification_id not in {use.verification_id for use in uses if use.verification_id}:
            raise CredentialError("unknown_verification")
        self._services.misuse.report(card.credential_id, verification_id)
        return self.now(session)

    def problem(self, error: CredentialError) -> Response:
        """An error of the card's as the page's script, or a person, reads it."""
        status = pages.status_of(error)
        if not pages.wants_json():
            return pages.error_page(status)
        words = self._words()
        key = f"card.problem.{error.code}"
        known = key in words.texts
        sentence = words.say(key, **error.details) if known else words.say("card.problem.other")
        return pages.problem(status, error.code, sentence)

    def _words(self) -> card_view.Words:
        return card_view.Words(self._services.texts, pages.language())

    def _stop(self, session: CardSession) -> None:
        card = self._card(session)
        self._services.cards.stop(card.credential_id, Actor("holder"), "holder")

    def _card(self, session: CardSession) -> Card:
        card = self._services.cards.of(session.holder)
        if card is None:
            raise NoCardError
        return card

    def body(self) -> dict[str, object]:
        """The JSON object that was sent."""
        body = request.get_json()
        if not isinstance(body, dict):
            raise BadRequest
        return body

    def now(self, session: CardSession) -> Response:
        """Everything as it is now."""
        try:
            state = self._services.cards.state(session.holder)
        except NoCardError:
            change = self._services.cards.change(session.holder)
            return jsonify(change=change, status="", usable=False)
        return jsonify(self._shown(state))

    def _shown(self, state: CardState) -> dict[str, object]:
        """The state as JSON: pieces of the page, already in words and escaped."""
        words = self._words()
        history = self._services.cards.history(state.card.credential_id, limit=HISTORY_ENTRIES)
        uses = [card_view.use(use, words) for use in of_interest(history)]
        last = next((use for use in uses if use["kind"] == "accepted"), None)
        return {
            "change": state.change,
            "status": state.card.status.value,
            "stopped": "held" if state.card.frozen_by_issuer else state.card.status.value,
            "usable": state.card.status is Status.ACTIVE,
            "level": state.card.level.value,
            "card": render_template("card/_card.html", card=card_view.card(state.card, words)),
            "uses": render_template("card/_uses.html", uses=uses[:HISTORY_LINES]),
            "approval": self._asked(state, words),
            "compare": card_compare.question(self._services, state.card),
            "upgrade": card_upgrade.panel(self._services, state.card),
            "last": last
            and {"id": last["id"], "html": render_template("card/_verified.html", use=last)},
        }

    def _asked(self, state: CardState, words: card_view.Words) -> dict[str, object] | None:
        asked = state.pending
        if asked is None:
            return None
        return {
            "id": asked.verification_id,
            "expires_in": round(max(0.0, asked.expires_at - state.now), 1),
            "pin": self._services.purposes[asked.purpose].pin,
            "html": render_template("card/_approval.html", asked=card_view.approval(asked, words)),
        }


def sessions_of(services: Services) -> CardSessions:
    """The visits of the holders' pages."""
    return CardSessions(services.sealer, secure=services.address.startswith("https://"))


def hot(services: Services) -> list[Route]:
    """The route that the front answers."""
    return [FreshCodes(services, sessions_of(services)).route()]


def blueprint(
    services: Services,
    channel: SignIn,
    *,
    refused: type[Exception],
    unavailable: type[Exception],
    others: Mapping[str, SignIn] | None = None,
    more: Iterable[tuple[str, str, View]] = (),
) -> Blueprint:
    """The addresses of the holder's page; `CardPages` says what the arguments are.

    `more` are further views of a visit: path, method, and a function of the visit. One that takes
    larger bodies says so in its attribute `largest`.
    """
    card = CardPages(services, channel, refused, unavailable, others)
    routes = Blueprint("card", __name__)
    routes.add_url_rule("/card", view_func=card.enter)
    routes.add_url_rule(f"/{ENROL}", view_func=card.enter)
    routes.add_url_rule(CALLBACK, view_func=card.back)
    routes.register_error_handler(CredentialError, card.problem)
    rules: list[tuple[str, str, View]] = [
        ("", "GET", card.page),
        ("code", "GET", FreshCodes(services, card.sessions).code),
        ("state", "GET", card.state),
        ("approvals/<verification_id>", "POST", card.answer),
        ("freeze", "POST", card.freeze),
        ("unfreeze", "POST", card.unfreeze),
        ("not-me", "POST", card.not_me),
        *card_upgrade.views(services, card.body, card.now),
        *card_compare.views(services, card.body, card.now),
        *more,
    ]
    for rule, method, view in rules:
        routes.add_url_rule(
            f"/card/s/<tag>/{rule}",
            endpoint=view.__name__,
            view_func=_in_session(card, view),
            methods=[method],
        )
    return routes


def _in_session(card: CardPages, view: View) -> Callable[..., BaseResponse]:
    """`view` for the visit that the cookie opens, with changes only from its own page."""

    @functools.wraps(view)
    def checked(tag: str, **arguments: str) -> BaseResponse:
        request.max_content_length = getattr(view, "largest", LONGEST_BODY)
        session = card.sessions.read(request, tag)
        words = card_view.Words(card.texts, pages.language())
        if session is None:
            if request.method == "GET" and not pages.wants_json():
                return redirect(f"/{ENROL}" if view.__name__ == ENROL else "/card", 303)
            return pages.problem(SESSION_ENDED, "unauthenticated", words.say("web.error.401.what"))
        if request.method != "GET" and not is_ours(request, session):
            return pages.problem(403, "forged", words.say("web.error.403.what"))
        response = view(session, **arguments)
        response.headers["Cache-Control"] = "no-store"
        return response

    return checked
