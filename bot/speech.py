"""Speech: what a move of the talk says, as messages in the person's language."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from bot.engine import Line, Move
from faces.gestures import Gesture
from handlers import drawings
from handlers.steps import Word
from handlers.turn import Choices, Picture, Reply, Say
from texts import DEFAULT_LANGUAGE, Texts

MOST_TOGETHER: Final = 1500
"""Bytes of UTF-8 in texts that are put together: a platform cuts a text at 2048, and the words that
answer a question come below it."""


def render(texts: Texts, move: Move) -> tuple[Reply, ...]:
    """What a move says, as one message: its sentences one below the other.

    A question that ends it and has a few possible answers comes with those to tap; one that
    asks for a gesture comes with its drawing.
    """
    if not move.lines:
        return ()
    language = move.conversation.language or DEFAULT_LANGUAGE
    text = "\n\n".join(sentence(texts, language, line) for line in move.lines)
    answers = (texts.say(language, key) for key in move.lines[-1].answers)
    said = Choices(text, tuple(answers)) if move.lines[-1].answers else Say(text)
    drawn = (
        Picture(drawings.draw(Gesture(line.picture)), sentence(texts, language, _named(line)))
        for line in move.lines
        if line.picture
    )
    return (said, *drawn)


def sentence(texts: Texts, language: str, line: Line) -> str:
    """One line in a language, with where it stands among its like, if that is to be told."""
    values = {
        name: texts.say(language, value.key) if isinstance(value, Word) else value
        for name, value in line.values.items()
    }
    said = texts.say(language, line.key, **values)
    return f"【{line.position}】{said}" if line.position else said


def merged(replies: Sequence[Reply]) -> tuple[Reply, ...]:
    """Texts one below the other are one message: an answer to a turn holds only one.

    What would make it too long begins the next message, so that nothing is cut off.
    """
    together: list[Reply] = []
    for reply in replies:
        last = together[-1] if together else None
        if isinstance(last, Say) and isinstance(reply, (Say, Choices)):
            text = f"{last.text}\n\n{reply.text}"
            if len(text.encode()) <= MOST_TOGETHER:
                together[-1] = dataclasses.replace(reply, text=text)
                continue
        together.append(reply)
    return tuple(together)


def text_of(replies: Sequence[Reply]) -> str:
    """The words of messages, for a page."""
    return "\n\n".join(each.text for each in replies if isinstance(each, (Say, Choices)))


def _named(line: Line) -> Line:
    """What a drawing shows, in words."""
    return Line(f"chat.gesture.{line.picture}")
