"""One turn from end to end: lock and read, decide, do what is quick, keep, answer.

What is slow is a background job. It finds the conversation again by the job's id: a job whose
id the conversation does not wait for has come too late, or twice, and changes nothing.

Everything that leaves the process does so before the conversation is kept, under a name that
makes a repetition harmless: a process that is killed in between has its turn delivered again
by the platform, or its job by the broker.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog

from bot import engine, speech
from bot.channel import Channel
from bot.conversations import BusyError, Conversations, HeardBeforeError, Taken
from bot.engine import Conversation, Line, Move
from bot.holding import Claim, Leaving
from bot.jobs import FACES, Jobs, all_of
from bot.letters import from_json, to_json
from bot.outbox import NOTHING_KEPT, Outbox
from bot.tasks import Tasks
from bot.transcripts import Entry, Transcripts, answered, given_of, heard
from credentials.errors import UnavailableError
from credentials.model import Holder, State
from credentials.receipts import Receipt
from credentials.services import Services
from handlers import notices
from handlers.steps import NOT_YET, UNWANTED, Dialog, Outcome, Work, checked
from handlers.turn import Choices, HandOver, Kind, Reply, Say, Turn
from handlers.twins import Twins
from texts import DEFAULT_LANGUAGE

LATE_SECONDS: Final = 4.0  # the platform hangs up after five
AGAIN_SECONDS: Final = 1.0  # what comes sooner is a copy that travelled beside the first
JOB_WAIT_SECONDS: Final = 5.0
MOST_QUICK_WORKS: Final = 8
FACE_WORKS: Final = frozenset(
    {"card_photo", "match_photo", "match_challenge", "upgrade_photo", "upgrade_challenge"}
)
LONG_LINE: Final = 3  # so many jobs before one's own, and the place is told
QUIET: Final = "page"  # in `Turn.extra`: it came from a page, which shows the answer itself
UNAVAILABLE: Final = Outcome("unavailable")
IN_REVIEW: Final = frozenset({"in_review", "upgrade_in_review"})
TOLD_WORKS: Final = (FACE_WORKS | IN_REVIEW) - {"card_photo"}  # on the page, too
ERASED: Final = "chat.delete.erased"
HEARD_IN_HELP: Final = frozenset({"freeze", "not_me", "approve", "deny", "deny_and_freeze"})
"""What a person's word still does while an operator has the talk: what cannot wait."""

log = structlog.get_logger(__name__)


class Talk:
    """The conversation, over one channel or several: a person's account says which.

    Args:
        dialog: the whole conversation; checked here.
        services: the card's services.
        conversations: each person's place.
        jobs: what is done in the background.
        outbox: what is sent besides the answer.
        channels: the platforms by name; `/card` alone is the page of the first one's accounts.
        liveness: `challenge` or `unsafe-none`.
        clock: seconds since 1970.
        transcripts: what was said lately, for operators.

    Raises:
        DialogError: when the dialog is not whole.
    """

    def __init__(
        self,
        dialog: Dialog,
        services: Services,
        conversations: Conversations,
        *,
        jobs: Jobs,
        outbox: Outbox,
        channels: Mapping[str, Channel],
        liveness: str = "challenge",
        clock: Callable[[], float] = time.time,
        transcripts: Transcripts | None = None,
    ) -> None:
        self._dialog = checked(dialog, services.texts)
        self._services = services
        self._texts = services.texts
        self._conversations = conversations
        self._jobs = jobs
        self._outbox = outbox
        self._channels = channels
        self._clock = clock
        self._tasks = Tasks(services, channels, home=dialog.home, liveness=liveness, clock=clock)
        self.transcripts = transcripts or Transcripts(services.redis, services.sealer)

    def receive(self, turn: Turn) -> Reply | None:
        """Hear a turn, and say what to answer at once; None when there is nothing to say now.

        A turn that the platform delivers again, because our answer did not reach it, is given
        the answer that it had. Copies of a turn that arrive at the same time are not: one of
        them is answered, and the platform shows the first answer it gets.

        Raises:
            UnavailableError: when nothing was done; the platform delivers the turn again.
        """
        try:
            return self._hear(turn)
        except HeardBeforeError as heard:
            if heard.answer is None or heard.age_s < AGAIN_SECONDS:
                return None
            log.info("answered again", age_s=round(heard.age_s, 1))
            return from_json(heard.answer)
        except BusyError:
            self._queue(turn)
            return None

    def take(self, turn: Turn) -> None:
        """Hear a turn of a platform whose requests are only acknowledged; all is sent.

        Raises:
            UnavailableError: when nothing was done; the platform delivers the turn again.
        """
        try:
            self._hear(turn, through_outbox=True)
        except HeardBeforeError:
            return
        except BusyError:
            self._queue(turn)

    def finish(
        self, holder: Holder, job_id: str, outcome: Outcome, taken: Taken | None = None
    ) -> None:
        """Carry on with a slow work's outcome, if the conversation still waits for it.

        Args:
            holder: whose conversation.
            job_id: of the work.
            outcome: what came of it.
            taken: the conversation, if the work has taken it already.

        Raises:
            BusyError: when another turn holds the conversation; try again.
            LostError: the same, noticed late.
            UnavailableError: when nothing was done.
        """
        taken = taken or self._conversations.take(holder, wait_s=JOB_WAIT_SECONDS)
        conversation = taken.conversation
        if not job_id or conversation.job != job_id:
            self._conversations.leave(taken)
            return
        with Leaving(self._conversations, taken) as leaving:
            name, now = conversation.step, self._clock()
            move = engine.carry_on(self._dialog, Move(conversation), name, outcome, now)
            move = self._work_off(move)
            replies = speech.render(self._texts, move)
            known = _knowing(conversation, move)
            self._outbox.put(holder, replies, f"job:{job_id}", given_of(known))
            if name in TOLD_WORKS and move.lines:
                # The result alone: the page asks the next question in its own way.
                language = move.conversation.language or DEFAULT_LANGUAGE
                words = speech.sentence(self._texts, language, move.lines[0])
                self._services.frames.tell(holder, job_id, words)
            self._start_jobs(move, job_id)
            self._keep(taken, move, answered(replies, known, now))
            leaving.done = True
        log.info("work finished", step=name, outcome=outcome.name)

    @property
    def twins(self) -> Twins:
        """The templates of all faces, which workers prepare as they start."""
        return self._tasks.twins

    def functions(self) -> Mapping[str, Callable[..., None]]:
        """The jobs of the talk, for a worker, by the names of `bot.jobs.QUEUES`."""
        return {
            "turn": self._do_turn,
            "work": self._do_work,
            "face": self._do_work,
            "errand": self._do_errand,
            "deliver": self._do_deliver,
            "review_decided": self._do_review_decided,
            "give_up": self._give_up,
        }

    def tend(self) -> None:
        """Deliver what a lost broker forgot; end the reviews that nobody decided in time."""
        all_of(self._outbox.wake_stuck, self._services.reviews.tend)()

    # One turn.

    def _queue(self, turn: Turn) -> None:
        holder = _pack_holder(turn.holder)
        self._jobs.enqueue("turn", holder=holder, sealed=self._seal(turn))

    def _hear(self, turn: Turn, *, through_outbox: bool = False) -> Reply | None:
        """What is answered to a turn at once.

        What goes through the outbox is put there before the turn counts as heard, and what is
        answered is remembered with it, so that a process that is killed loses nothing.
        """
        began = time.monotonic()
        taken = self._conversations.take(turn.holder, turn.key)
        with Leaving(self._conversations, taken) as leaving:
            if turn.kind is Kind.UNFOLLOW:
                self._outbox.forget(turn.holder)
                self.withdraw(taken.conversation, Conversation(turn.holder))
                self._services.waiting.forget(turn.holder)
                self.transcripts.forget(turn.holder)
                self._conversations.erase(taken)
                leaving.done = True
                return None
            now = dataclasses.replace(turn, at=self._clock())
            if self._is_helped(taken.conversation, now):
                self._listen(taken, now)
                leaving.done = True
                return None
            move = engine.hear(self._dialog, taken.conversation, now)
            move = self._work_off(move)
            self._start_jobs(move, turn.key or f"{now.at:.6f}")
            move = self._placed(move)
            through_page = QUIET in turn.extra  # what was kept waits for a turn of the chat's
            kept = NOTHING_KEPT
            if taken.kept and not through_page:
                kept = self._outbox.kept(turn.holder)
            replies = speech.merged((*kept.replies, *speech.render(self._texts, move)))
            late = through_outbox or time.monotonic() - began > LATE_SECONDS
            if not late and self._hands_over(turn, taken, move):
                replies = (HandOver(), *replies)
            answer = replies[0] if replies and not late else None
            name = f"turn:{turn.key or turn.at}{kept.mark}"
            known = _knowing(taken.conversation, move)
            if through_page:
                answer = Say(speech.text_of(replies)) if replies else None
            elif answer is None:
                self._outbox.put(turn.holder, replies, name, given_of(known))
            else:
                self._outbox.put(turn.holder, replies[1:], f"{name}:more", given_of(known))
            told = [heard(now, taken.conversation)]
            told += answered(replies, known, now.at)
            self._keep(
                taken,
                move,
                told,
                answer=to_json(answer) if answer else None,
                given_out=kept.last,
            )
            leaving.done = True
        if isinstance(answer, Choices) and answer.asks:  # a question that was kept is read now
            self._services.questions.show(turn.holder, answer.asks)
        return answer

    def _is_helped(self, conversation: Conversation, turn: Turn) -> bool:
        """Whether an operator has the talk, and the turn is not one that cannot wait."""
        if not conversation.helper or turn.at >= conversation.helped_until:
            return False
        return self._dialog.heard_anywhere(turn.text) not in HEARD_IN_HELP

    def _listen(self, taken: Taken, turn: Turn) -> None:
        """Keep what a person says to the operator who has the talk; the bot is silent."""
        conversation = taken.conversation
        entries = [heard(turn, conversation)]
        self._conversations.keep(
            taken,
            dataclasses.replace(conversation, aside="", last=turn.at),
            beside=self.transcripts.beside(turn.holder, entries),
        )

    def _keep(self, taken: Taken, move: Move, told: Sequence[Entry], **more: Any) -> None:
        """Keep where a move led, with what operators are shown of it."""
        self.withdraw(taken.conversation, move.conversation)
        said = [line.key for line in move.lines]
        holder = move.conversation.holder
        if ERASED in said:
            self.transcripts.forget(holder)
            self._outbox.forget_letters(holder)
            told = ()
        conversation = move.conversation
        if conversation.helper and conversation.last >= conversation.helped_until:
            conversation = dataclasses.replace(conversation, helper="", helped_until=0.0)
        beside = self.transcripts.beside(holder, told)
        self._conversations.keep(taken, conversation, said=said, beside=beside, **more)

    def withdraw(self, before: Conversation, after: Conversation) -> None:
        """End the review that a conversation does not wait for any more, and what is kept for it.

        One that was decided is left alone: that is how most end.
        """
        review_id = str(before.given.get("review", ""))
        if not review_id or after.given.get("review") == review_id:
            return
        withdrawn = self._services.reviews.withdraw(review_id)
        if withdrawn is not None and withdrawn.facts is not None:
            self._services.templates.drop_undecided(withdrawn.facts.id_number)

    def _tell(self, conversation: Conversation, replies: Sequence[Reply], key: str) -> None:
        """Send what no turn asked for, and let operators see that it was sent."""
        holder = conversation.holder
        if self._outbox.put(holder, replies, key, given_of(conversation)):
            self.transcripts.add(holder, answered(replies, conversation, self._clock()))

    def notify(self, receipt: Receipt) -> None:
        """Tell a holder of a verification, or ask for the approval; may be done twice.

        Raises:
            UnavailableError: when nothing was promised.
        """
        conversation = self._conversations.look(receipt.holder)
        task, told = self._tasks.of(conversation), receipt.decided.verification_id
        if conversation.aside:
            self._forget_aside(receipt.holder)
        if receipt.decided.state is State.AWAITING_HOLDER:
            self._tell(conversation, notices.ask_approval(task, told), f"approval:{told}")
        else:
            self._tell(conversation, notices.give_receipt(task, receipt), f"receipt:{told}")

    def _forget_aside(self, holder: Holder) -> None:
        """A yes that follows a request or a receipt must not be one to "really delete?".

        Raises:
            UnavailableError: when the person is writing just now.
        """
        try:
            taken = self._conversations.take(holder, wait_s=JOB_WAIT_SECONDS)
            self._conversations.keep(taken, dataclasses.replace(taken.conversation, aside=""))
        except BusyError as error:
            raise UnavailableError(what="talk", why="busy") from error

    def ask_again(self, holder: Holder) -> None:
        """Ask a person's pending question, as after an operator's help."""
        conversation = self._conversations.look(holder)
        move = Move(conversation, engine.question(self._dialog, conversation)[-1:])
        self._tell(conversation, speech.render(self._texts, move), f"asked:{secrets.token_hex(8)}")

    def _hands_over(self, turn: Turn, taken: Taken, move: Move) -> bool:
        """Whether the platform's own human service takes over: a human was just asked for.

        A platform hands over in the answer to a message, not to an event such as a click.
        """
        asked = move.conversation.human > taken.conversation.human
        message = turn.kind in (Kind.TEXT, Kind.VOICE)
        return asked and message and self._channels[turn.holder.channel].hands_over

    def _work_off(self, move: Move) -> Move:
        """Do the quick works that a move leads to, one after the other."""
        for _ in range(MOST_QUICK_WORKS):
            if not move.work:
                return move
            name = move.work
            step = self._dialog.steps[name]
            assert isinstance(step, Work)  # noqa: S101 - the engine names works only
            task = self._tasks.of(move.conversation)
            move = engine.carry_on(self._dialog, move, name, step.does(task), task.now)
        raise RuntimeError(f"the works lead in a circle at {move.work}")

    def _start_jobs(self, move: Move, key: str) -> None:
        holder = _pack_holder(move.conversation.holder)
        if move.job:
            queue = "face" if move.job in FACE_WORKS else "work"
            queued = self._jobs.enqueue(queue, holder=holder, job_id=move.conversation.job)
            if queue == "face":
                self._services.frames.wait_for(move.conversation.holder, queued)
        for errand in move.errands:
            self._jobs.enqueue("errand", holder=holder, errand=errand, key=key)

    def ahead(self, holder: Holder) -> int:
        """How many people's faces are looked at before this person's."""
        queued = self._services.frames.waits_for(holder)
        return self._jobs.ahead(FACES, queued) if queued else 0

    def _placed(self, move: Move) -> Move:
        """A move that also tells the place in the line, while it is long."""
        if move.conversation.step not in FACE_WORKS or not move.lines:
            return move
        ahead = self.ahead(move.conversation.holder)
        if ahead < LONG_LINE:
            return move
        line = Line("face.place", {"ahead": ahead})
        return dataclasses.replace(move, lines=(*move.lines, line))

    # What workers do. Each may be done twice.

    def _do_turn(self, holder: Mapping[str, str], sealed: str) -> None:
        """Hear a turn that found its conversation busy; its answer goes through the outbox."""
        whose = Holder(**holder)
        fields = self._services.sealer.unseal_json(f"{whose.tag}:turn", bytes.fromhex(sealed))
        turn = Turn(whose, Kind(fields.pop("kind")), **fields)
        with contextlib.suppress(HeardBeforeError):
            self._hear(turn, through_outbox=True)

    def _do_work(self, holder: Mapping[str, str], job_id: str) -> None:
        """Do the slow work that a conversation waits for, and carry on."""
        whose = Holder(**holder)
        taken = self._conversations.take(whose, wait_s=JOB_WAIT_SECONDS)
        self._conversations.leave(taken)  # the lock only waited for the turn that began this
        conversation = taken.conversation
        step = self._dialog.steps.get(conversation.step)
        if conversation.job != job_id or not isinstance(step, Work):
            return
        if not conversation.given:
            return
        self._channels[whose.channel].typing(whose.openid)
        began = time.monotonic()
        with Claim(self._conversations, whose, job_id, JOB_WAIT_SECONDS) as claim:
            try:
                outcome = step.does(self._tasks.of(conversation, wanted=claim.wanted))
            except UnavailableError:
                outcome = UNAVAILABLE
            seconds = round(time.monotonic() - began, 3)
            log.info("work done", step=conversation.step, outcome=outcome.name, seconds=seconds)
            if outcome in (NOT_YET, UNWANTED):
                return
            self.finish(whose, job_id, outcome, claim.hand_on())

    def _do_review_decided(self, holder: Mapping[str, str]) -> None:
        """Reviewers decided: the conversation that waits for them hears it."""
        conversation = self._conversations.look(Holder(**holder))
        if conversation.step in IN_REVIEW and conversation.job:
            self._do_work(holder, conversation.job)

    def _do_errand(self, holder: Mapping[str, str], errand: str, key: str) -> None:
        """Do what nobody waits for, and send what it gives."""
        conversation = self._conversations.look(Holder(**holder))
        replies = notices.ERRANDS[errand](self._tasks.of(conversation))
        self._tell(conversation, replies, f"errand:{errand}:{key}")

    def _do_deliver(self, channel: str, openid: str) -> None:
        """Send what waits for a person; the outbox asks for it by itself."""
        self._outbox.deliver(Holder(channel, openid))

    def _give_up(self, message: Mapping[str, object], retries: Mapping[str, object]) -> None:
        """A job failed again and again: whoever waits for it is told, and may try again."""
        log.error("job given up", job=message["actor_name"], retries=retries.get("retries"))
        arguments = message["kwargs"]
        if message["actor_name"] in ("work", "face") and isinstance(arguments, Mapping):
            holder = Holder(**arguments["holder"])
            self.finish(holder, str(arguments["job_id"]), UNAVAILABLE)

    def _seal(self, turn: Turn) -> str:
        """A turn as a job's argument: what was said may be a name, so it is sealed."""
        fields = {
            "kind": str(turn.kind),
            "text": turn.text,
            "media_id": turn.media_id,
            "at": turn.at,
            "key": turn.key,
            "extra": dict(turn.extra),
        }
        return self._services.sealer.seal_json(f"{turn.holder.tag}:turn", fields).hex()


def _knowing(before: Conversation, move: Move) -> Conversation:
    """The conversation as it was, with what was given before and after: it masks what was said."""
    after = move.conversation.given
    return dataclasses.replace(before, given={**before.given, **after}) if after else before


def _pack_holder(holder: Holder) -> dict[str, str]:
    return {"channel": holder.channel, "openid": holder.openid}
