"""What an operator may do for one person in the talk. The console asks; it decides who may.

While an operator has the talk, the bot answers nothing but what cannot wait (freezing the card,
answering a hotel's question); what it had begun before, such as checking a photo, is still told.
An operator who forgets to hand back is helped by the clock.

A person can be moved back to a step that was passed, or home, never on: no check is skipped.
"""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Callable, Mapping, Sequence

from bot.conversations import Conversations
from bot.engine import Conversation
from bot.holding import Leaving
from bot.outbox import Delivery, Outbox
from bot.transcripts import OPERATOR, About, Entry, Note, Transcripts, given_of
from credentials.errors import CredentialError
from credentials.limits import Limits
from credentials.model import Holder
from handlers.steps import Dialog
from handlers.turn import Say

HELP_SECONDS = 30 * 60.0
LONGEST_MESSAGE = 600
MOST_LABELS = 8
LONGEST_LABEL = 24
TEST_LABEL = "test"
RETURNS: Mapping[str, tuple[str, ...]] = {
    "consent": (),
    "name": ("consents",),
    "id_number": ("consents", "name"),
}
"""The questions that one may go back to, and what must have been given before each."""


class AssistError(CredentialError):
    """What cannot be done for a person.

    bad_message, bad_step, not_helping (nobody has taken the talk over), taken (another operator
    has), bad_label.
    """

    code = "bad_message"


@dataclasses.dataclass(frozen=True, slots=True)
class Person:
    """One person as an operator sees them."""

    conversation: Conversation
    transcript: Sequence[Entry]
    notes: Sequence[Note]
    about: About
    delivery: Delivery
    back_to: Sequence[str]


class Assist:
    """The helping hand. Every method raises UnavailableError, and BusyError for a busy talk.

    Args:
        dialog: the conversation.
        conversations: each person's place.
        transcripts: what was said, notes, labels.
        outbox: what is sent.
        limits: attempts that are counted.
        ask_again: asks a person's pending question.
        withdraw: ends the review that a conversation, as it was and as it will be, waits for no
            more.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        dialog: Dialog,
        conversations: Conversations,
        transcripts: Transcripts,
        outbox: Outbox,
        *,
        limits: Limits,
        ask_again: Callable[[Holder], None],
        withdraw: Callable[[Conversation, Conversation], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._dialog = dialog
        self._conversations = conversations
        self._transcripts = transcripts
        self._outbox = outbox
        self._limits = limits
        self._ask_again = ask_again
        self._withdraw = withdraw
        self._clock = clock

    def person(self, holder: Holder) -> Person:
        """Everything about one person's talk."""
        conversation = self._conversations.look(holder)
        return Person(
            conversation,
            self._transcripts.read(holder),
            self._transcripts.notes(holder),
            self._transcripts.about(holder),
            self._outbox.delivery(holder),
            self._back_to(conversation),
        )

    def take_over(self, holder: Holder, operator: str) -> None:
        """Have the bot be silent; the person is told nothing until the operator writes.

        Raises:
            AssistError: taken, when another operator has the talk.
        """
        self._hold(holder, operator, ("", operator), "taken")
        about = self._transcripts.about(holder)
        self._transcripts.describe(holder, dataclasses.replace(about, assigned=operator))

    def hand_back(self, holder: Holder) -> None:
        """Have the bot go on: it asks its pending question again."""
        self._conversations.hand_back(holder)
        self._ask_again(holder)

    def send(self, holder: Holder, operator: str, text: str) -> None:
        """Send a message of an operator's own words.

        Raises:
            AssistError: bad_message; not_helping, unless the operator has the talk.
        """
        said = text.strip()
        if not said or len(said) > LONGEST_MESSAGE:
            raise AssistError("bad_message", limit=LONGEST_MESSAGE)
        # Before anything is sent: an operator who is told "busy" sends the same words again.
        conversation = self._hold(holder, operator, (operator,), "not_helping")
        known = given_of(conversation)
        self._outbox.put(holder, [Say(said)], f"operator:{secrets.token_hex(8)}", known)
        at, step = self._clock(), conversation.step
        entry = Entry(at, OPERATOR, "text", said, step, operator, **known)
        self._transcripts.add(holder, [entry])

    def move(self, holder: Holder, step: str) -> None:
        """Move a person back to a step that was passed, which is then asked; or home.

        Raises:
            AssistError: bad_step.
        """
        taken = self._conversations.take(holder)
        with Leaving(self._conversations, taken) as leaving:
            before = taken.conversation
            if step not in self._back_to(before):
                raise AssistError("bad_step", step=step[:40])
            # Only what was answered before that question: what a work found later is found anew.
            given = {name: before.given[name] for name in RETURNS.get(step, ())}
            after = dataclasses.replace(
                before, step=step, aside="", job="", attempts=0, since=self._clock(), given=given
            )
            self._withdraw(before, after)
            self._conversations.keep(taken, after)
            leaving.done = True
        self._ask_again(holder)

    def another_attempt(self, holder: Holder) -> None:
        """Forget the attempts that a person used up, at this step and with the face check."""
        self._limits.forget("face", holder.tag)
        self._conversations.change(holder, attempts=0)
        self._ask_again(holder)

    def resend(self, holder: Holder) -> int:
        """Have everything tried again that waits or was kept; gives how many messages.

        With nothing waiting, the pending question is asked again.
        """
        count = self._outbox.retry(holder)
        if not count:
            self._ask_again(holder)
        return count

    def note(self, holder: Holder, operator: str, text: str) -> None:
        """Write a note for other operators.

        Raises:
            AssistError: bad_message.
        """
        if not text.strip() or len(text) > LONGEST_MESSAGE:
            raise AssistError("bad_message", limit=LONGEST_MESSAGE)
        self._transcripts.note(holder, operator, text.strip())

    def label(self, holder: Holder, labels: Sequence[str]) -> None:
        """Set a person's labels; `test` keeps the conversation out of the real figures.

        Raises:
            AssistError: bad_label.
        """
        wanted = tuple(dict.fromkeys(label.strip() for label in labels if label.strip()))
        fit = all(len(label) <= LONGEST_LABEL and label.isprintable() for label in wanted)
        if len(wanted) > MOST_LABELS or not fit:
            raise AssistError("bad_label", limit=MOST_LABELS)
        about = self._transcripts.about(holder)
        self._transcripts.describe(holder, dataclasses.replace(about, labels=wanted))
        self._conversations.change(holder, test=TEST_LABEL in wanted)

    def assign(self, holder: Holder, operator: str) -> None:
        """Say whose task a person is; nobody's with an empty name."""
        about = self._transcripts.about(holder)
        self._transcripts.describe(holder, dataclasses.replace(about, assigned=operator))

    def _hold(
        self, holder: Holder, operator: str, helpers: Sequence[str], refusal: str
    ) -> Conversation:
        """Have the talk for half an hour from now, if it is one of these helpers'.

        Nobody's is the empty name's. What it was is read under the lock: of two operators at once,
        one has it.
        """
        taken = self._conversations.take(holder)
        with Leaving(self._conversations, taken) as leaving:
            before, now = taken.conversation, self._clock()
            helper = before.helper if now < before.helped_until else ""
            if helper not in helpers:
                raise AssistError(refusal, by=helper)
            until = now + HELP_SECONDS
            after = dataclasses.replace(before, helper=operator, helped_until=until)
            self._conversations.keep(taken, after)
            leaving.done = True
        return after

    def _back_to(self, conversation: Conversation) -> list[str]:
        """Home, and the questions that were answered before this step."""
        if conversation.step in ("", self._dialog.home):
            return []
        given = conversation.given
        enrolling = "consents" in given
        answered = [
            name
            for name, needs in RETURNS.items()
            if enrolling and name in self._dialog.steps and all(need in given for need in needs)
        ]
        return [self._dialog.home, *answered]
