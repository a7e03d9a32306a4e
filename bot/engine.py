"""What happens next: a pure function of the dialog, a conversation and what came in.

Nothing here reads a clock, Redis or a catalogue. `hear` takes a person's turn and `carry_on` a
work's outcome; both give a `Move`: the conversation afterwards, what is said, and what is to be
done. A quick work named by a move is done by the caller, who then carries on with its outcome.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from credentials.model import Holder
from handlers.steps import Again, Ask, Back, Dialog, Done, Outcome, To, Where, Word, Work, plain
from handlers.turn import Kind, Turn

LONG_SILENCE_SECONDS = 6 * 3600
LOST_JOB_SECONDS = 120
ASIDE_SECONDS = 600
"""After so long a yes is hardly meant for "really delete?"."""
STUCK_ATTEMPTS = 3
EARLY = "early"
SHOWN = "shown"
PICTURE = "picture"
SCENE = "scene"
_CHINESE = re.compile("[\u3400-\u9fff]")
_LETTERS = re.compile("[A-Za-z]{2}")


@dataclasses.dataclass(frozen=True, slots=True)
class Conversation:
    """Where one person is in the talk.

    Attributes:
        holder: the person's account.
        step: the step the person is at; empty is home.
        aside: a question asked beside it, such as "really delete?"; answered first.
        language: empty until it is known.
        since: when the step was reached, in seconds since 1970.
        last: when the person was last heard.
        attempts: answers at this step that led nowhere.
        job: the id of the background job that is waited for.
        human: when a human was asked for; 0 if nobody was.
        version: the dialog's version.
        given: what the person gave: personal data.
        lost: what was given is gone: its deadline has passed.
        helper: the operator who has taken the talk over; the bot is silent meanwhile.
        helped_until: when the bot speaks again even if the operator forgot to hand back.
        test: whether this is a test's conversation, which real figures leave out.
    """

    holder: Holder
    step: str = ""
    aside: str = ""
    language: str = ""
    since: float = 0.0
    last: float = 0.0
    attempts: int = 0
    job: str = ""
    human: float = 0.0
    version: str = ""
    given: Mapping[str, object] = dataclasses.field(default_factory=dict)
    lost: bool = False
    helper: str = ""
    helped_until: float = 0.0
    test: bool = False

    @property
    def stuck(self) -> bool:
        """Whether somebody should have a look: three answers in a row led nowhere."""
        return self.attempts >= STUCK_ATTEMPTS


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A sentence to say: its text key, what fills it, and the step's position before it.

    `answers` are the texts of the words that answer it, if it is a question with a few of them;
    `picture` is the gesture whose drawing is shown with it.
    """

    key: str
    values: Mapping[str, object] = dataclasses.field(default_factory=dict)
    position: str = ""
    answers: tuple[str, ...] = ()
    picture: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Move:
    """What happens next.

    Attributes:
        conversation: as it is afterwards.
        lines: what is said, in order.
        work: a quick work to do now, whose outcome is carried on with.
        job: a slow work to enqueue, under the id `conversation.job`.
        errands: jobs that nobody waits for.
    """

    conversation: Conversation
    lines: tuple[Line, ...] = ()
    work: str = ""
    job: str = ""
    errands: tuple[str, ...] = ()


def hear(dialog: Dialog, conversation: Conversation, turn: Turn) -> Move:
    """What a person's turn leads to; `turn.at` is now."""
    now = turn.at
    quiet = conversation.last > 0 and now - conversation.last > LONG_SILENCE_SECONDS
    conversation = _settled(dialog, conversation, turn)
    if conversation.lost:
        fresh = dataclasses.replace(_home(dialog, conversation, now), lost=False)
        return _hear_word(dialog, Move(fresh), turn) or Move(fresh, (Line(dialog.lost),))
    if conversation.step not in dialog.steps:
        fresh = _home(dialog, conversation, now)
        return _hear_word(dialog, Move(fresh), turn) or Move(fresh, (Line(dialog.changed),))
    move = Move(conversation)
    heard = _hear_word(dialog, move, turn)
    if heard is not None:
        return heard
    name = conversation.aside or conversation.step
    step = dialog.steps[name]
    if isinstance(step, Work):
        return _hear_while_working(step, name, move, turn)
    turn = _spoken(turn)
    if turn.kind not in step.kinds:
        return _lead(dialog, move, name, dialog.otherwise[turn.kind], Outcome("otherwise"), now)
    return _answer(dialog, move, name, turn, quiet=quiet)


def carry_on(dialog: Dialog, move: Move, name: str, outcome: Outcome, now: float) -> Move:
    """What the outcome of the work `name` leads to."""
    conversation = move.conversation
    if SCENE in conversation.given:  # it was for this work, and nobody else needs it
        given = {key: value for key, value in conversation.given.items() if key != SCENE}
        conversation = dataclasses.replace(conversation, given=given)
    if name == conversation.step:  # a slow one, which the person waited for
        conversation = dataclasses.replace(conversation, job="", attempts=0)
    move = dataclasses.replace(move, conversation=_noted(conversation, outcome, now), work="")
    return _lead(dialog, move, name, dialog.steps[name].leads[outcome.name], outcome, now)


def question(dialog: Dialog, conversation: Conversation) -> tuple[Line, ...]:
    """The pending question, with what the person was doing; nothing at home."""
    step = dialog.steps.get(conversation.step)
    if isinstance(step, Work):
        return (Line(f"{step.says}.waiting", position=step.position),)
    if step is None or step.silent:
        return ()
    restated = Line(dialog.unheard, {"doing": Word(f"{step.says}.doing")})
    return (restated, _asked(step, conversation))


def _hear_word(dialog: Dialog, move: Move, turn: Turn) -> Move | None:
    """The contract's words and scanned scenes, at every step and before anything else."""
    turn = _spoken(turn)
    if turn.kind not in (Kind.TEXT, Kind.CLICK, Kind.SCAN, Kind.FOLLOW):
        return None
    if turn.kind in (Kind.SCAN, Kind.FOLLOW):
        scene, _, about = turn.text.partition(".")
        if scene in dialog.scenes:
            given = {**move.conversation.given, SCENE: about}
            conversation = dataclasses.replace(move.conversation, given=given)
            return Move(conversation, move.lines, work=dialog.scenes[scene])
    step = dialog.steps.get(move.conversation.aside or move.conversation.step)
    if isinstance(step, Ask) and plain(turn.text) in step.own_words:
        return None
    where = dialog.heard_anywhere(turn.text)
    if where is None:
        return None
    return _lead(dialog, move, move.conversation.step, where, Outcome("word"), turn.at)


def _hear_while_working(step: Work, name: str, move: Move, turn: Turn) -> Move:
    conversation = move.conversation
    if step.keeps_early and turn.kind is Kind.IMAGE:
        given = {**conversation.given, EARLY: turn.media_id}
        conversation = dataclasses.replace(conversation, given=given)
        return Move(conversation, (Line(f"{step.says}.kept", position=step.position),))
    job = ""
    if turn.at - conversation.since > LOST_JOB_SECONDS:  # the queue was lost: ask for it again
        conversation = dataclasses.replace(conversation, since=turn.at)
        job = name
    return Move(conversation, (Line(f"{step.says}.waiting", position=step.position),), job=job)


def _answer(dialog: Dialog, move: Move, name: str, turn: Turn, *, quiet: bool = False) -> Move:
    """Give a turn to the handler of the step that asked."""
    step = dialog.steps[name]
    assert isinstance(step, Ask)  # noqa: S101 - the callers looked
    outcome = step.takes(turn, move.conversation.given)
    where = step.leads[outcome.name]
    conversation = _noted(move.conversation, outcome, turn.at)
    if isinstance(where, Again):
        if quiet and not step.silent:  # back after a long while: what was that again?
            return Move(conversation, question(dialog, conversation))
        conversation = dataclasses.replace(conversation, attempts=conversation.attempts + 1)
    else:
        conversation = dataclasses.replace(conversation, attempts=0)
    move = dataclasses.replace(move, conversation=conversation)
    return _lead(dialog, move, name, where, outcome, turn.at)


def _lead(  # noqa: PLR0917 - the table, where in it, and what to do there
    dialog: Dialog, move: Move, name: str, where: Where, outcome: Outcome, now: float
) -> Move:
    """Go where the table says."""
    position = dialog.steps[name].position if name in dialog.steps else ""
    match where:
        case str(step):
            return _enter(dialog, move, step, now)
        case To(step=step, key=key):
            return _enter(dialog, _said(move, Line(key, outcome.values)), step, now)
        case Again(key=key):
            here = dialog.steps.get(name)
            answers = here.answers if isinstance(here, Ask) else ()
            return _said(move, Line(key, outcome.values, position, answers))
        case Back(key=key, errand=errand):
            conversation = dataclasses.replace(move.conversation, aside="")
            move = dataclasses.replace(move, conversation=conversation)
            move = _said(move, Line(key, outcome.values), *question(dialog, conversation))
            return _sent(move, errand)
        case Done(key=key, errand=errand):
            home = _home(dialog, move.conversation, now)
            move = dataclasses.replace(move, conversation=home)
            return _sent(_said(move, Line(key, outcome.values)), errand)


def _enter(dialog: Dialog, move: Move, name: str, now: float) -> Move:
    step = dialog.steps[name]
    conversation = move.conversation
    if isinstance(step, Work) and not step.slow:
        return dataclasses.replace(move, work=name)
    if isinstance(step, Ask) and step.aside:
        conversation = dataclasses.replace(conversation, aside=name)
        move = dataclasses.replace(move, conversation=conversation)
        return _said(move, _asked(step, conversation))
    attempts = conversation.attempts if name == conversation.step else 0
    job = f"{name}-{now:.6f}" if isinstance(step, Work) else ""
    conversation = dataclasses.replace(
        conversation, step=name, aside="", since=now, job=job, attempts=attempts
    )
    if isinstance(step, Work):
        move = dataclasses.replace(move, conversation=conversation, job=name)
        return _said(move, Line(step.says, position=step.position))
    early = conversation.given.get(EARLY)
    if step.takes_early and early:
        given = {key: value for key, value in conversation.given.items() if key != EARLY}
        conversation = dataclasses.replace(conversation, given=given)
        turn = Turn(conversation.holder, Kind.IMAGE, media_id=str(early), at=now)
        return _answer(dialog, dataclasses.replace(move, conversation=conversation), name, turn)
    move = dataclasses.replace(move, conversation=conversation)
    return move if step.silent else _said(move, _asked(step, conversation, fresh=True))


def _asked(step: Ask, conversation: Conversation, *, fresh: bool = False) -> Line:
    """A step's question, filled with what is to be shown of what was given.

    Its drawing is shown when it is fresh, not each time that it is said again.
    """
    shown = conversation.given.get(SHOWN)
    values = dict(shown) if isinstance(shown, Mapping) else {}
    picture = str(values.pop(PICTURE, ""))
    for key, value in values.items():
        if isinstance(value, Mapping):
            values[key] = Word(str(value["word"]))
    return Line(step.says, values, step.position, step.answers, picture if fresh else "")


def _said(move: Move, *lines: Line) -> Move:
    return dataclasses.replace(move, lines=(*move.lines, *lines))


def _sent(move: Move, errand: str) -> Move:
    return dataclasses.replace(move, errands=(*move.errands, errand)) if errand else move


def _home(dialog: Dialog, conversation: Conversation, now: float) -> Conversation:
    return dataclasses.replace(
        conversation, step=dialog.home, aside="", since=now, attempts=0, job="", given={}
    )


def _noted(conversation: Conversation, outcome: Outcome, now: float) -> Conversation:
    """The conversation with what an outcome wants kept and remembered."""
    if outcome.given:
        given = {**conversation.given, **outcome.given}
        given = {key: value for key, value in given.items() if value is not None}
        conversation = dataclasses.replace(conversation, given=given)
    if language := outcome.notes.get("language"):
        conversation = dataclasses.replace(conversation, language=language)
    if "human" in outcome.notes:
        human = now if outcome.notes["human"] else 0.0
        conversation = dataclasses.replace(conversation, human=human)
    return conversation


def _settled(dialog: Dialog, conversation: Conversation, turn: Turn) -> Conversation:
    """The conversation with this turn's time, the dialog's version and a guessed language.

    A question beside the step is forgotten when it was left unanswered.
    """
    language = conversation.language
    is_open = turn.at - conversation.last <= ASIDE_SECONDS and conversation.aside in dialog.steps
    if not language and turn.kind is Kind.TEXT:
        if _CHINESE.search(turn.text):
            language = "zh_CN"
        elif _LETTERS.search(turn.text):
            language = "en"
    return dataclasses.replace(
        conversation,
        step=conversation.step or dialog.home,
        aside=conversation.aside if is_open else "",
        language=language,
        last=turn.at,
        version=dialog.version,
    )


def _spoken(turn: Turn) -> Turn:
    """A voice message whose words the platform recognised is as good as a text."""
    if turn.kind is Kind.VOICE and turn.text:
        return dataclasses.replace(turn, kind=Kind.TEXT)
    return turn
