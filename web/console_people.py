"""One person in the talk: what they saw, where they are, and a helping hand.

What would identify the person is masked. Revealing a line or a field takes a reason, and the
audit keeps who did it and why, before it is shown.

| role | may |
|---|---|
| viewer | see, masked |
| reviewer, admin | reveal for a reason; take over, write, hand back, move, and the other actions |
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from credentials import names
from credentials.accounts import Role
from credentials.errors import CredentialError
from credentials.id_number import mask as mask_number
from credentials.model import Holder
from texts import LANGUAGES
from web import pages, shown, sign_in
from web.console_shared import actor, allowed, listed, reason, require

if TYPE_CHECKING:
    from credentials.services import Services

HISTORY_ROWS = 20
FIELDS = ("name", "id_number")
CANNED = ("hello", "photo", "number", "name", "wait", "desk", "goodbye")
NEED_REASON = frozenset({"move", "attempt"})


class Talk(Protocol):
    """What this page needs of a conversation; `bot.engine.Conversation` is one."""

    @property
    def step(self) -> str:
        """Where the person is."""

    @property
    def language(self) -> str:
        """In which language the person is spoken to; empty until known."""

    @property
    def since(self) -> float:
        """When the step was reached."""

    @property
    def given(self) -> Mapping[str, object]:
        """What the person gave: personal data."""

    @property
    def human(self) -> float:
        """When a human was asked for."""

    @property
    def stuck(self) -> bool:
        """Whether three answers led nowhere."""


class Seen(Protocol):
    """One person; `bot.assist.Person` is one."""

    @property
    def conversation(self) -> Talk:
        """The talk."""

    @property
    def transcript(self) -> Sequence[Any]:
        """What was said: at, who, kind, masked, text, step, by, hides."""

    @property
    def back_to(self) -> Sequence[str]:
        """The steps that the person may be moved back to."""


class Help(Protocol):
    """The helping hand; `bot.assist.Assist` is one."""

    def person(self, holder: Holder) -> Seen:
        """Everything about one person's talk."""

    def take_over(self, holder: Holder, operator: str) -> None:
        """Have the bot be silent."""

    def hand_back(self, holder: Holder) -> None:
        """Have the bot go on."""

    def send(self, holder: Holder, operator: str, text: str) -> None:
        """Send a message of an operator's own words."""

    def move(self, holder: Holder, step: str) -> None:
        """Move the person back to a step."""

    def another_attempt(self, holder: Holder) -> None:
        """Forget the attempts that were used up."""

    def resend(self, holder: Holder) -> int:
        """Try again what waits."""

    def note(self, holder: Holder, operator: str, text: str) -> None:
        """Write a note."""

    def label(self, holder: Holder, labels: Sequence[str]) -> None:
        """Set the labels."""

    def assign(self, holder: Holder, operator: str) -> None:
        """Say whose task the person is."""


def register(
    services: Services, people: Help, busy: type[Exception], name_of: Callable[[str], str]
) -> Callable[[Blueprint], None]:
    """What adds the pages below `/console/holders`.

    Args:
        services: the card's services.
        people: the helping hand.
        busy: raised when the person is writing just now.
        name_of: names a step in the request's language.
    """

    def add(routes: Blueprint) -> None:
        @routes.get("/holders/<channel>/<openid>")
        def holder(channel: str, openid: str) -> BaseResponse:
            """Show one person's talk."""
            return _page(services, people, name_of, _holder(channel, openid))

        @routes.route("/holders/<channel>/<openid>/reveal/<what>", methods=["GET", "POST"])
        def reveal(channel: str, openid: str, what: str) -> BaseResponse | tuple[str, int] | str:
            """Show what is masked, for a reason."""
            whose = _holder(channel, openid)
            about = f"{whose.channel}:{whose.openid}"
            require(services, Role.REVIEWER, "reveal", about)
            value = _hidden(people.person(whose), what)
            if value is None:
                raise NotFound
            values = {"holder": whose, "place": "live", "what": what}
            if request.method == "GET":
                return render_template("console_reveal.html", **values, value=None, error="")
            why = reason()
            if not why:
                given = request.form.get("reason", "")
                page = render_template(
                    "console_reveal.html", **values, value=None, error="reason", given=given
                )
                return page, 422
            services.audit.note("revealed", actor(), about, what=what, reason=why)
            return render_template("console_reveal.html", **values, value=value, error="")

        _register_actions(routes, services, people, busy, name_of)

    return add


def _register_actions(
    routes: Blueprint,
    services: Services,
    people: Help,
    busy: type[Exception],
    name_of: Callable[[str], str],
) -> None:
    @routes.post("/holders/<channel>/<openid>/<action>")
    def help_person(channel: str, openid: str, action: str) -> BaseResponse:
        """Do one thing for a person."""
        whose = _holder(channel, openid)
        about = f"{whose.channel}:{whose.openid}"
        acts = _acts(people, whose)
        if action not in acts:
            raise NotFound
        require(services, Role.REVIEWER, action, about)
        why = reason()
        if action in NEED_REASON and not why:
            return _page(services, people, name_of, whose, failed=action, error="reason")
        # Whoever wrote while nobody, or nobody any more, had the talk takes it over with the words.
        first = ("take_over",) if action == "send" and request.form.get("take_over") else ()
        try:
            for each in (*first, action):
                detail = _detail(people, whose, each)
                services.audit.note(f"person_{each}", actor(), about, reason=why, **detail)
                acts[each]()
        except busy:
            return _page(services, people, name_of, whose, failed=action, error="busy", status=409)
        except CredentialError as error:
            if error.code == "unavailable":
                raise
            return _page(services, people, name_of, whose, failed=action, error=error.code)
        return redirect(f"/console/holders/{whose.channel}/{whose.openid}", 303)


def _acts(people: Help, whose: Holder) -> Mapping[str, Callable[[], object]]:
    form, operator = request.form, sign_in.name()
    return {
        "take_over": lambda: people.take_over(whose, operator),
        "hand_back": lambda: people.hand_back(whose),
        "send": lambda: people.send(whose, operator, form.get("text", "")),
        "move": lambda: people.move(whose, form.get("step", "")),
        "attempt": lambda: people.another_attempt(whose),
        "resend": lambda: people.resend(whose),
        "note": lambda: people.note(whose, operator, form.get("text", "")),
        "label": lambda: people.label(whose, form.get("labels", "").replace("，", ",").split(",")),
        "assign": lambda: people.assign(whose, form.get("operator", "")[:64]),
    }


def _detail(people: Help, whose: Holder, action: str) -> dict[str, str]:
    """What the audit keeps of an action besides who and why; never what was said."""
    if action == "move":
        return {"step": request.form.get("step", "")[:40]}
    if action == "take_over":
        talk = people.person(whose).conversation
        return {"why": "human" if talk.human else "stuck" if talk.stuck else "help"}
    if action == "assign":
        return {"to": request.form.get("operator", "")[:64]}
    return {}


def _page(
    services: Services,
    people: Help,
    name_of: Callable[[str], str],
    whose: Holder,
    *,
    failed: str = "",
    error: str = "",
    status: int = 0,
) -> BaseResponse:
    """The page; after an action that failed, with what was written for it."""
    person = people.person(whose)
    card = services.cards.of(whose)
    history = services.cards.history(card.credential_id, HISTORY_ROWS) if card else []
    language = person.conversation.language or "zh_CN"
    canned = [services.texts.say(language, f"canned.{name}") for name in CANNED]
    return listed(
        "console_person.html",
        "live",
        status=status or (422 if error else 200),
        here=url_for(".holder", channel=whose.channel, openid=whose.openid),
        holder=whose,
        person=person,
        talk=person.conversation,
        card=card,
        history=shown.history(history, services.texts, pages.language()),
        given=_masked(person.conversation.given),
        step_name=name_of,
        languages=LANGUAGES,
        canned=canned,
        operators=[account.username for account in services.operators.all()],
        may=allowed(Role.REVIEWER),
        helping=_helping(person),
        own=sign_in.name(),
        error=error,
        written={failed: request.form} if failed else {},
    )


def _helping(person: Any) -> str:
    """The operator who has the talk now, if anyone."""
    talk = person.conversation
    return str(talk.helper) if talk.helper and talk.helped_until > time.time() else ""


def _masked(given: Mapping[str, object]) -> dict[str, str]:
    """What was given of the fields that are shown, masked."""
    masks: Mapping[str, Callable[[str], str]] = {"name": names.mask, "id_number": mask_number}
    return {
        name: masks[name](value)
        for name in FIELDS
        if isinstance(value := given.get(name), str) and value
    }


def _hidden(person: Seen, what: str) -> str | None:
    """What stands behind a mask: a field that was given, or a line by its time."""
    if what in FIELDS:
        value = person.conversation.given.get(what)
        return value if isinstance(value, str) else None
    for entry in person.transcript:
        if entry.hides and f"{entry.at:.6f}-{entry.who}" == what:
            return str(entry.text)
    return None


def _holder(channel: str, openid: str) -> Holder:
    if not (channel.isalnum() and channel.isascii() and len(channel) <= 16 and len(openid) <= 64):
        raise NotFound
    return Holder(channel, openid)
