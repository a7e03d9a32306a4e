"""The console's letters: messages that never arrived, what is kept, and how far reminders are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from flask import Blueprint
from werkzeug.wrappers import Response as BaseResponse

from web.console_shared import listed

if TYPE_CHECKING:
    from credentials.model import Holder
    from credentials.services import Services

ROWS = 200
LONGEST_WORDS = 120
DEAD, KEPT = "dead", "kept:"


class Letter(Protocol):
    """A message that never arrived."""

    @property
    def holder(self) -> Holder:
        """To whom."""

    @property
    def reason(self) -> str:
        """What the platform answered."""

    @property
    def at(self) -> float:
        """When it was given up, in seconds since 1970."""

    @property
    def words(self) -> str:
        """What it said, with whatever identifies masked."""


class Letters(Protocol):
    """The way of messages to people; `bot.outbox.Outbox` is one."""

    def dead(self, most: int) -> Sequence[Letter]:
        """The newest messages that never arrived, newest first."""

    def figures(self, hours: int = 24) -> Mapping[str, int]:
        """How often the platform answered which code; `kept:<code>`; `dead`."""


def register(services: Services, letters: Letters) -> Callable[[Blueprint], None]:
    """What adds `/console/letters`."""

    def add(routes: Blueprint) -> None:
        @routes.get("/letters")
        def all_letters() -> BaseResponse:
            """List what never arrived, newest first."""
            figures = letters.figures()
            return listed(
                "console_letters.html",
                "letters",
                rows=letters.dead(ROWS),
                dead=figures[DEAD],
                longest=LONGEST_WORDS,
                codes={
                    code: (count, figures.get(f"{KEPT}{code}", 0))
                    for code, count in sorted(figures.items())
                    if code != DEAD and not code.startswith(KEPT)
                },
                reminders=services.expiry.progress(),
            )

    return add
