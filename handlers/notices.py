"""What is told to a person who did not just ask: the card's picture, an approval, a receipt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from credentials.errors import CredentialError, UnavailableError
from credentials.pictures import card_picture
from credentials.receipts import Receipt
from handlers.steps import Task
from handlers.turn import Choices, Picture, Reply, Say
from handlers.works import approval_values, field_names


def draw_card(task: Task) -> tuple[Reply, ...]:
    """The card with a code that is made now, since a code is good for seconds."""
    say, services = task.services.texts.say, task.services
    card = services.cards.of(task.holder)
    if card is None:
        return (Say(say(task.language, "chat.card.none")),)
    try:
        code = services.cards.mint(task.holder)
    except UnavailableError:
        raise
    except CredentialError as error:
        frozen = "chat.card.held" if card.frozen_by_issuer else "chat.card.frozen"
        key = frozen if error.code == "frozen" else "chat.card.ended"
        return (Say(say(task.language, key, link=_link(task))),)
    picture = card_picture(card, code.address, language=task.language)
    return (Picture(picture, say(task.language, "chat.card.instead", link=_link(task))),)


def ask_approval(task: Task, verification_id: str = "") -> tuple[Reply, ...]:
    """Who asks, where, what for and for which fields; nothing if it is answered already.

    Args:
        task: the conversation's.
        verification_id: what is asked about, or whatever waits.
    """
    try:
        state = task.services.cards.state(task.holder)
    except UnavailableError:
        raise
    except CredentialError:
        return ()
    pending = state.pending
    if pending is None or verification_id not in ("", pending.verification_id):
        return ()
    say = task.services.texts.say
    text = say(task.language, "chat.approval", **approval_values(task, pending, state.now))
    words: tuple[str, ...] = ("approve", "deny", "deny_and_freeze")
    if task.services.purposes[pending.purpose].pin:  # which is entered on the card page only
        text = f"{text}\n{say(task.language, 'upgrade.ask_pin', link=task.card_page)}"
        words = words[1:]
    answers = tuple(say(task.language, f"chat.approval.word.{word}") for word in words)
    return (Choices(text, answers, pending.verification_id),)


def ask_anew(task: Task) -> tuple[Reply, ...]:
    """The question about whatever waits now, unless it was just given out."""
    return tuple(
        question
        for question in ask_approval(task)
        if isinstance(question, Choices)
        and not task.services.questions.is_only(task.holder, question.asks)
    )


def give_receipt(task: Task, receipt: Receipt) -> tuple[Reply, ...]:
    """Who was told what: the fields' names, never their values."""
    say = task.services.texts.say
    text = say(
        task.language,
        "chat.receipt",
        verifier=receipt.verifier,
        desk=receipt.decided.desk or "—",
        purpose=say(task.language, f"purpose.{receipt.decided.purpose}"),
        fields=field_names(task, receipt.fields),
    )
    return (Say(text),)


def _link(task: Task) -> str:
    return task.card_page


ERRANDS: Final[Mapping[str, Callable[[Task], tuple[Reply, ...]]]] = {
    "draw_card": draw_card,
    "ask_approval": ask_anew,
}
"""The errands that the dialog may name."""
