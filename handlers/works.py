"""The works behind the contract's words: the card, its history, its life, its approvals."""

from __future__ import annotations

import datetime
from typing import Final

from credentials.errors import CredentialError, LifecycleError, RefusalError
from credentials.model import Actor, Approval, Card, Status, Use
from credentials.pins import PinError
from credentials.uses import of_interest
from handlers.answers import CHINA
from handlers.steps import Outcome, Task, outcomes

HISTORY_LINES: Final = 5
HISTORY_READ: Final = 50  # a scan writes up to seven lines, of which few are told
DAY_SECONDS: Final = 86_400
BY_HOLDER: Final = Actor("holder")


@outcomes("active", "frozen", "held", "ended", "none")
def find_card(task: Task) -> Outcome:
    """How the person's card stands."""
    card = task.services.cards.of(task.holder)
    link = {"link": task.card_page}
    if card is None:
        return Outcome("none")
    if card.status is Status.FROZEN:
        return Outcome("held" if card.frozen_by_issuer else "frozen", values=link)
    return Outcome("active" if card.status is Status.ACTIVE else "ended", values=link)


@outcomes("used", "unused", "none")
def list_uses(task: Task) -> Outcome:
    """The last uses of the card: when, who, what for."""
    card = task.services.cards.of(task.holder)
    if card is None:
        return Outcome("none")
    told = task.services.cards.history(card.credential_id, HISTORY_READ)
    uses = of_interest(told)[:HISTORY_LINES]
    if not uses:
        return Outcome("unused")
    lines = "\n".join(use_line(task, use) for use in uses)
    return Outcome("used", values={"lines": lines, "link": task.card_page})


@outcomes("frozen", "already", "held", "ended", "none")
def freeze_card(task: Task) -> Outcome:
    """Freeze the card at once."""
    card = task.services.cards.of(task.holder)
    if card is None:
        return Outcome("none")
    try:
        task.services.cards.freeze(card.credential_id, BY_HOLDER)
    except LifecycleError as error:
        if card.frozen_by_issuer:
            return Outcome("held")
        return Outcome("already" if error.details.get("status") == Status.FROZEN else "ended")
    return Outcome("frozen")


@outcomes("active", "already", "held", "ended", "none")
def unfreeze_card(task: Task) -> Outcome:
    """Make a card that its holder froze work again."""
    card = task.services.cards.of(task.holder)
    if card is None:
        return Outcome("none")
    try:
        task.services.cards.unfreeze(card.credential_id, BY_HOLDER)
    except LifecycleError as error:
        if error.code == "frozen_by_issuer":
            return Outcome("held")
        return Outcome("already" if error.details.get("status") == Status.ACTIVE else "ended")
    return Outcome("active")


@outcomes("used", "unused", "none")
def look_before_delete(task: Task) -> Outcome:
    """Whether there is a card to delete, and until when verifiers keep what they were told.

    Without one there is nothing to be asked about: that an account waits for the rollout goes.
    """
    card = task.services.cards.of(task.holder)
    if card is None:
        task.services.waiting.forget(task.holder)
        return Outcome("none")
    until = last_retention(task, card)
    return Outcome("used", values={"until": until}) if until else Outcome("unused")


@outcomes("erased", "none")
def erase_card(task: Task) -> Outcome:
    """Revoke the card and erase its personal data."""
    task.services.waiting.forget(task.holder)
    if task.services.cards.of(task.holder) is None:
        return Outcome("none")
    task.services.cards.erase(task.holder, BY_HOLDER)
    return Outcome("erased")


@outcomes("called")
def call_human(task: Task) -> Outcome:
    """Mark the conversation for the operators."""
    del task
    return Outcome("called", notes={"human": "1"})


@outcomes("approved", "other", "pin", "nothing", "late")
def approve(task: Task) -> Outcome:
    """Agree to the disclosure that waits, if it is the one that the person was asked about."""
    pending = _pending(task)
    if pending is None:
        return Outcome("nothing")
    if not task.services.questions.is_only(task.holder, pending.verification_id):
        task.services.questions.forget(task.holder)
        return Outcome("other")
    try:
        task.services.verifications.approve(task.holder, pending.verification_id)
    except PinError:  # which is entered on the card page, never in a chat
        return Outcome("pin", values={"link": task.card_page})
    except RefusalError:
        return Outcome("late")
    task.services.questions.forget(task.holder)
    return Outcome(
        "approved", values={"verifier": pending.verifier, "fields": _fields(task, pending)}
    )


@outcomes("denied", "nothing", "late")
def deny(task: Task) -> Outcome:
    """Refuse the disclosure that waits."""
    return _deny(task, freeze=False)


@outcomes("denied", "frozen", "already", "held", "ended", "none")
def deny_and_freeze(task: Task) -> Outcome:
    """Refuse the disclosure that waits, and freeze the card; if that is over, freeze it still."""
    denied = _deny(task, freeze=True)
    return denied if denied.name == "denied" else freeze_card(task)


def approval_values(task: Task, approval: Approval, now: float) -> dict[str, object]:
    """What the question about a disclosure shows: who, where, what for, which fields, number.

    `now` is Redis's, as in `CardState`.
    """
    return {
        "verifier": approval.verifier,
        "desk": approval.desk or "—",
        "purpose": task.services.texts.say(task.language, f"purpose.{approval.purpose}"),
        "fields": _fields(task, approval),
        "number": approval.number,
        "seconds": max(0, round(approval.expires_at - now)),
    }


def last_retention(task: Task, card: Card) -> str:
    """The last day on which a verifier may still keep what it was told; '' if none was.

    Of what is archived nothing is known here but that it is older than the rest, so there the
    longest time that any verifier may keep something counts.
    """
    uses, purposes = task.services.cards.history(card.credential_id, 1000), task.services.purposes
    ends = [
        use.at + purposes[use.purpose].retention_days * DAY_SECONDS
        for use in uses
        if use.kind == "accepted" and use.purpose in purposes
    ]
    if not uses or uses[-1].kind != "issued":
        longest = max(purpose.retention_days for purpose in purposes.values())
        ends.append((uses[-1].at if uses else task.now) + longest * DAY_SECONDS)
    if not ends:
        return ""
    return datetime.datetime.fromtimestamp(max(ends), CHINA).date().isoformat()


def use_line(task: Task, use: Use) -> str:
    """One use in a line: when, who, what for; or what changed."""
    say, language = task.services.texts.say, task.language
    at = datetime.datetime.fromtimestamp(use.at, CHINA).strftime("%m-%d %H:%M")
    if not use.verifier:
        return f"{at} {say(language, _known(task, f'chat.use.{use.kind}', 'chat.use.other'))}"
    purpose = say(language, f"purpose.{use.purpose}") if use.purpose else ""
    kind = say(language, _known(task, f"chat.use.{use.kind}", "chat.use.other"))
    return " · ".join(part for part in (f"{at} {use.verifier}", purpose, kind) if part)


def field_names(task: Task, fields: tuple[str, ...]) -> str:
    """The names of disclosed fields in the person's language."""
    comma = task.services.texts.say(task.language, "chat.comma")
    return comma.join(
        task.services.texts.say(task.language, f"attribute.{each}") for each in fields
    )


def _deny(task: Task, *, freeze: bool) -> Outcome:
    pending = _pending(task)
    if pending is None:
        return Outcome("nothing")
    try:
        task.services.verifications.deny(task.holder, pending.verification_id, freeze=freeze)
    except RefusalError:
        return Outcome("late")
    task.services.questions.forget(task.holder)
    return Outcome("denied", values={"verifier": pending.verifier})


def _pending(task: Task) -> Approval | None:
    try:
        return task.services.cards.state(task.holder).pending
    except CredentialError as error:
        if error.code == "unavailable":
            raise
        return None


def _fields(task: Task, approval: Approval) -> str:
    return field_names(task, approval.fields)


def _known(task: Task, key: str, otherwise: str) -> str:
    return key if key in task.services.texts else otherwise
