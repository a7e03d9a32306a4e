"""A card's life in the chat: uses that were not the holder's, moving, renewing, being told."""

from __future__ import annotations

import datetime
from typing import Final

from credentials import names
from credentials.errors import CredentialError, NoCardError, UnavailableError
from credentials.model import Card, Consent, Person, Status, Use
from credentials.names import PersonNameError
from credentials.renewal import Finding
from handlers.answers import CHINA, NO, YES
from handlers.steps import Given, Outcome, Task, outcomes, plain
from handlers.turn import Turn
from handlers.works import field_names

USES_READ: Final = 50
RECENT_SECONDS: Final = 30 * 24 * 3600.0
ASKED_A_DAY: Final = 10
DAY_SECONDS: Final = 24 * 3600.0
HOUR_SECONDS: Final = 3600.0
LIVING: Final = frozenset({Status.ACTIVE, Status.FROZEN})


@outcomes("reported", "reported_ended", "unused", "ended", "none")
def report_not_me(task: Task) -> Outcome:
    """The last use was not the holder's: it is reported, and the card frozen if it lives."""
    card = task.services.cards.of(task.holder)
    if card is None:
        return Outcome("none")
    use = _last_use(task, card)
    if use is None:
        return Outcome("unused" if card.status in LIVING else "ended")
    frozen = task.services.misuse.report(card.credential_id, use.verification_id)
    at = datetime.datetime.fromtimestamp(use.at, CHINA).strftime("%m-%d %H:%M")
    told = {"at": at, "verifier": use.verifier}
    return Outcome("reported" if frozen else "reported_ended", values=told)


@outcomes("yes", "no", "unclear")
def agrees_to_move(turn: Turn, given: Given) -> Outcome:
    """Whether the card that another account holds is to be moved here."""
    del given
    answer = plain(turn.text)
    if answer in YES:
        return Outcome("yes", {"move": "1"})
    return Outcome("no" if answer in NO else "unclear")


def move_card(
    task: Task, person: Person, consents: list[Consent], evidence: dict[str, str]
) -> Outcome:
    """Move a person's card to this account, whose holder's face was just seen."""
    try:
        task.services.renewals.move(task.holder, person, consents, evidence=evidence)
    except UnavailableError:
        return Outcome("unavailable")
    except (NoCardError, CredentialError):
        return Outcome("changed")
    task.services.limits.forget("face", task.holder.tag)
    return Outcome("moved", values={"link": task.card_page})


@outcomes("card", "none", "going", "too_often")
def begin_refresh(task: Task) -> Outcome:
    """Whether there is a card whose data can be asked for again."""
    if task.paused:
        return Outcome("going")
    card = task.services.cards.of(task.holder)
    if card is None or card.status not in LIVING:
        return Outcome("none")
    return _too_often(task) or Outcome("card", {"refresh": "1"})


@outcomes("same", "changed", "renamed", "wrong_name", "ended", "none", "too_often", "unavailable")
def refresh_card(task: Task) -> Outcome:  # noqa: PLR0911 - one for each finding
    """Ask the authority again; with the new name, once the person has given it.

    Each name counts as asking does, unless nobody answered: names are not for guessing.
    """
    card = task.services.cards.of(task.holder)
    if card is None:
        return Outcome("none")
    name = task.given.get("new_name")
    if name and (refused := _too_often(task)):
        return refused
    try:
        found = task.services.renewals.recheck(card.credential_id, name=str(name) if name else None)
    except UnavailableError:
        if name:
            task.services.limits.give_back("refresh", task.holder.tag, ASKED_A_DAY)
        return Outcome("unavailable")
    match found.finding:
        case Finding.SAME:
            return Outcome("same")
        case Finding.CHANGED:
            return Outcome("changed", values={"fields": field_names(task, found.fields)})
        case Finding.RENAMED:
            return Outcome("wrong_name" if name else "renamed")
        case Finding.ENDED:
            return Outcome("ended")
        case Finding.OVER:
            return Outcome("none")


@outcomes("named", "bad")
def new_name(turn: Turn, given: Given) -> Outcome:
    """The name on the new ID card."""
    del given
    try:
        return Outcome("named", {"new_name": names.parse(turn.text)})
    except PersonNameError:
        return Outcome("bad")


@outcomes("kept", "open", "nothing")
def notify_me(task: Task) -> Outcome:
    """Keep an account that was refused for its residence, to tell it once that changes."""
    return Outcome(task.services.waiting.accept(task.holder))


def _too_often(task: Task) -> Outcome | None:
    """Count one question to the authority; the outcome when it is one too many."""
    allowance = task.services.limits.attempt(
        "refresh", task.holder.tag, ASKED_A_DAY, DAY_SECONDS, HOUR_SECONDS
    )
    if allowance.allowed:
        return None
    return Outcome("too_often", values={"minutes": allowance.wait_minutes})


def _last_use(task: Task, card: Card) -> Use | None:
    """The newest scan that was answered or asked; older than a month is for the history."""
    for use in task.services.cards.history(card.credential_id, USES_READ):
        if use.verification_id and use.kind in {"accepted", "asked"}:
            return use if task.now - use.at < RECENT_SECONDS else None
    return None
