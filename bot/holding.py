"""Holding a conversation for a while: what a turn or a work has taken is let go in the end."""

from __future__ import annotations

import structlog

from bot.conversations import Conversations, Taken
from credentials.errors import CredentialError
from credentials.model import Holder

log = structlog.get_logger(__name__)


class Claim:
    """A work's claim to its conversation: taken when it asks whether it is still wanted.

    What a work does after that cannot be undone, so nobody may cancel between the yes and the
    end: their turn waits for the lock, and then finds what the work has led to. Only a work that
    then takes longer than a lock lives may still be too late.
    """

    def __init__(
        self, conversations: Conversations, holder: Holder, job_id: str, wait_s: float
    ) -> None:
        self._conversations = conversations
        self._holder = holder
        self._job_id = job_id
        self._wait_s = wait_s
        self._taken: Taken | None = None

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self._taken is not None:
            _leave(self._conversations, self._taken)

    def wanted(self) -> bool:
        """Whether the conversation still waits for the job; if so, it is kept from others.

        Raises:
            BusyError: when another turn holds the conversation; try again.
        """
        if self._taken is None:
            self._taken = self._conversations.take(self._holder, wait_s=self._wait_s)
        return self._taken.conversation.job == self._job_id

    def hand_on(self) -> Taken | None:
        """The conversation, if it was taken, for whoever ends it from now on."""
        taken, self._taken = self._taken, None
        return taken


class Leaving:
    """Unlocks a conversation as it was when the block around it fails."""

    def __init__(self, conversations: Conversations, taken: Taken) -> None:
        self._conversations = conversations
        self._taken = taken
        self.done = False

    def __enter__(self) -> Leaving:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if not self.done:
            _leave(self._conversations, self._taken)


def _leave(conversations: Conversations, taken: Taken) -> None:
    """Unlock a conversation as it was."""
    try:
        conversations.leave(taken)
    except CredentialError:
        log.warning("a lock is left to expire")
