"""What a game saw: figures for the report, and each person's ear."""

from __future__ import annotations

import asyncio
import collections
import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Undelivered:
    """A message that the platform would not take for good: to whom, and part of its words."""

    openid: str
    words: str


@dataclasses.dataclass
class Tally:
    """What a game saw. Latencies are seconds, from the moment at which a message was due."""

    webhook: list[float] = dataclasses.field(default_factory=list)
    answers: list[float] = dataclasses.field(default_factory=list)
    faces: list[float] = dataclasses.field(default_factory=list)
    errors: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    lost: list[str] = dataclasses.field(default_factory=list)
    doubled: list[str] = dataclasses.field(default_factory=list)
    undelivered: list[Undelivered] = dataclasses.field(default_factory=list)
    held: set[str] = dataclasses.field(default_factory=set)
    redelivered: int = 0
    dropped: int = 0
    asked: int = 0
    forged: int = 0
    gone: int = 0
    copies: int = 0
    longest_line: int = 0
    pushes: int = 0
    began: float = 0.0
    ended: float = 0.0

    @property
    def rate(self) -> float:
        """Messages sent a second."""
        return self.pushes / max(self.ended - self.began, 1e-9)


class Ear:
    """What one person was told, in order, and what of it was waited for."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.refused: list[str] = []  # what the platform would not show, since the turn began
        self._turn = 0  # where this turn's messages begin
        self._read = 0
        self._news = asyncio.Event()

    def hear(self, text: str) -> bool:
        """Take a message; whether it is the second of its words within a turn."""
        again = text in self.heard[self._turn :]
        self.heard.append(text)
        self._news.set()
        return again

    def refuse(self, text: str) -> None:
        """The platform would not show a message."""
        self.refused.append(text)
        self._news.set()

    @property
    def this_turn(self) -> list[str]:
        """What was heard since the turn began."""
        return self.heard[self._turn :]

    def speak(self) -> None:
        """A turn begins: what comes from here on may repeat what was said before."""
        self._turn = len(self.heard)
        self.refused.clear()

    async def wait_for(self, parts: str, seconds: float, *, or_refusal: bool = False) -> str:
        """Wait for a message with some of these words, behind the last one that was waited for.

        Args:
            parts: the words, `a|b` for one of several.
            seconds: how long.
            or_refusal: whether to end when the platform refused to show something, too.

        Returns:
            The message, or nothing when none came.
        """
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for place in range(self._read, len(self.heard)):
                        if says(self.heard[place], parts):
                            self._read = place + 1
                            return self.heard[place]
                    if or_refusal and self.refused:
                        return ""
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return ""


def says(text: str, parts: str) -> bool:
    """Whether a text has some of these words: `a|b` is one of two."""
    return any(part in text for part in parts.split("|"))
