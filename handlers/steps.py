"""The types that a dialog is written in, and the check that it is whole.

A dialog is a table of steps. An `Ask` waits for the person; its handler looks at one thing and
names an outcome. A `Work` has the system do something, at once or as a background job, and its
function names an outcome too. Only the table says where an outcome leads.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, TypeVar

from credentials.model import Holder
from credentials.services import Services
from handlers.turn import Kind, Turn
from handlers.twins import Twins

Given = Mapping[str, object]
"""What a person gave so far in the step's course: personal data, sealed where it is kept."""


class Catalogue(Protocol):
    """Anything that knows which sentences are written."""

    def __contains__(self, key: str, /) -> bool:
        """Whether this text key is written."""


class DialogError(Exception):
    """The dialog is not whole; the text names every gap."""


class MediaError(Exception):
    """A photo or video cannot be had: `gone` for good, or `unavailable` for now."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclasses.dataclass(frozen=True, slots=True)
class Word:
    """A value of a sentence that is itself a sentence: said in the person's language."""

    key: str


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What a handler or a work found.

    Attributes:
        name: one of the outcomes that it declares.
        given: what to keep from now on; None forgets a field.
        values: what fills the `{placeholders}` of the sentence that follows.
        notes: what to remember that is not personal data: `language`, `human`.
    """

    name: str
    given: Mapping[str, object] = dataclasses.field(default_factory=dict)
    values: Mapping[str, object] = dataclasses.field(default_factory=dict)
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)


NOT_YET = Outcome("not_yet")
"""A slow work's outcome that nobody knows yet: the conversation goes on waiting, and whoever comes
to know it has the work done again. It leads nowhere and is not declared."""

UNWANTED = Outcome("unwanted")
"""A slow work's outcome when its person has gone on to something else meanwhile. Nothing came of
the work, and nobody is told. It leads nowhere and is not declared, either."""


def always() -> bool:
    """A quick work is done while its turn has the conversation: nobody can go on meanwhile."""
    return True


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """What a work may use.

    Attributes:
        holder: whose conversation it is.
        given: what the person gave.
        services: the card's services.
        liveness: `challenge` or `unsafe-none`.
        now: seconds since 1970.
        fetch: the file behind a media id, at most so many bytes; raises MediaError.
        paused: the step that the person was at when an aside began.
        language: in which the person is spoken to.
        card_page: the address of the card page, for this person's platform.
        twins: who else has this face.
        wanted: whether the conversation still waits for this work. From a yes on nobody else
            gets the conversation before the work has ended: what follows is what they wait for.
    """

    holder: Holder
    given: Given
    services: Services
    liveness: str
    now: float
    fetch: Callable[[str, int], bytes]
    twins: Twins
    paused: str = ""
    language: str = "zh_CN"
    card_page: str = ""
    wanted: Callable[[], bool] = always


Handler = Callable[[Turn, Given], Outcome]
"""Looks at one turn and what was given before, touches no storage, and names an outcome."""

Doer = Callable[[Task], Outcome]
"""Does one thing with the services, and names an outcome.

It may be called twice when a worker is killed, so twice must mean once.
"""

PUNCTUATION = " .。!?,、\"'“”「」"
Function = TypeVar("Function", bound=Callable[..., Outcome])


def outcomes(*names: str) -> Callable[[Function], Function]:
    """Declare every outcome that a handler or a work may name."""

    def declare(function: Function) -> Function:
        function.outcomes = frozenset(names)  # type: ignore[attr-defined]  # read by `checked`
        return function

    return declare


@dataclasses.dataclass(frozen=True, slots=True)
class Again:
    """Stay at this step and say `key`."""

    key: str


@dataclasses.dataclass(frozen=True, slots=True)
class Back:
    """Say `key` and return to the step the person was at, which is asked again.

    `errand` names a job that nobody waits for.
    """

    key: str
    errand: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Done:
    """Say `key`, forget what was given, and be at home."""

    key: str
    errand: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class To:
    """Say `key` and go on to `step`."""

    step: str
    key: str


Where = str | Again | Back | Done | To
again, back, done, to = Again, Back, Done, To  # in the table they read as verbs


@dataclasses.dataclass(frozen=True, slots=True)
class Ask:
    """A step that waits for the person.

    Attributes:
        says: the question's text; `<says>.doing` says what the person was doing there.
        takes: the handler of the answer.
        leads: where each outcome leads.
        position: shown before every sentence of this step, such as `2/4`.
        kinds: what its handler understands; anything else is answered by `Dialog.otherwise`.
        takes_early: a photo that was sent while the work before was still running counts here.
        silent: nothing is asked on the way back to it (home).
        aside: entered by a word from anywhere; the step before it stays where the person is.
        own_words: words of `Dialog.anywhere` that mean something else at this step, and are its
            handler's here.
        answers: texts of the few words that answer it, in the order to offer them for a tap.
    """

    says: str
    takes: Handler
    leads: Mapping[str, Where]
    position: str = ""
    kinds: frozenset[Kind] = frozenset({Kind.TEXT})
    takes_early: bool = False
    silent: bool = False
    aside: bool = False
    own_words: frozenset[str] = frozenset()
    answers: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """A step where the system does something.

    Attributes:
        does: the work.
        leads: where each outcome leads; a slow one has `unavailable` among them.
        says: what is said when a slow one begins and, shorter, as `<says>.waiting`, to whoever
            writes while it runs; an empty text means quick: it is done within the turn.
        position: as in Ask.
        keeps_early: a photo sent while it runs is kept for the step that follows.
    """

    does: Doer
    leads: Mapping[str, Where]
    says: str = ""
    position: str = ""
    keeps_early: bool = False

    @property
    def slow(self) -> bool:
        """Whether it is a background job."""
        return bool(self.says)


Step = Ask | Work


@dataclasses.dataclass(frozen=True, slots=True)
class Dialog:
    """The whole conversation.

    Attributes:
        version: kept with each conversation and its figures.
        home: the step of whoever is not in the middle of anything.
        steps: every step by its name.
        anywhere: what the contract's words do at every step; `申请/apply/APPLY` are three ways
            to say one.
        scenes: where a scanned code leads by the first part of its scene: `district` of
            `district.440115`. What follows the dot is given to the step, a work, as `scene`.
        otherwise: the answer to a kind of message that a step does not take.
        lost: said when what was given has been erased by its deadline.
        changed: said when the step that a person was at is no longer in the dialog.
        unheard: said when an answer after a long silence makes no sense; it names what the
            person was doing, as `{doing}`.
        errands: the jobs that a place may name, which nobody waits for.
        words: further text keys that works put into sentences.
    """

    version: str
    home: str
    steps: Mapping[str, Step]
    anywhere: Mapping[str, Where]
    otherwise: Mapping[Kind, Where]
    lost: str
    changed: str
    unheard: str
    scenes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    errands: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()

    def heard_anywhere(self, text: str) -> Where | None:
        """Where a word leads that works at every step, or None."""
        wanted = plain(text)
        for words, where in self.anywhere.items():
            if wanted in (word.casefold() for word in words.split("/")):
                return where
        return None


def plain(text: str) -> str:
    """A short answer without what fingers and keyboards add: width, case, blanks, full stops."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.split()).strip(PUNCTUATION)


def checked(dialog: Dialog, texts: Catalogue) -> Dialog:
    """The same dialog, if it is whole.

    Args:
        dialog: what to check.
        texts: anything that knows whether it `contains` a text key.

    Raises:
        DialogError: an outcome without a place, a place that is not there, a step that cannot
            be reached, or a sentence that is not written.
    """
    gaps = [*_gaps(dialog), *_unreachable(dialog)]
    gaps += [
        f"the text {key} is not written" for key in sorted(set(keys_of(dialog))) if key not in texts
    ]
    if gaps:
        raise DialogError("the dialog is not whole: " + "; ".join(gaps))
    return dialog


def keys_of(dialog: Dialog) -> Iterator[str]:
    """Every text key that the dialog may say."""
    yield from (dialog.lost, dialog.changed, dialog.unheard, *dialog.words)
    for where in (*dialog.anywhere.values(), *dialog.otherwise.values()):
        yield from _key(where)
    for step in dialog.steps.values():
        if isinstance(step, Ask):
            yield from step.answers
        if step.says:
            yield step.says
            yield f"{step.says}.{'doing' if isinstance(step, Ask) else 'waiting'}"
            if isinstance(step, Work) and step.keeps_early:
                yield f"{step.says}.kept"
        for where in step.leads.values():
            yield from _key(where)


def places_of(dialog: Dialog, name: str) -> Iterator[tuple[str, str]]:
    """Each outcome of a step with the step it leads to: the edges of the flow figure."""
    for outcome, where in dialog.steps[name].leads.items():
        yield outcome, _target(dialog, name, where)


def _key(where: Where) -> Iterator[str]:
    if not isinstance(where, str):
        yield where.key


def _target(dialog: Dialog, name: str, where: Where) -> str:
    match where:
        case str():
            return where
        case To(step=step):
            return step
        case Again():
            return name
        case _:
            return dialog.home


def _gaps(dialog: Dialog) -> Iterator[str]:
    if not isinstance(dialog.steps.get(dialog.home), Ask):
        yield f"home {dialog.home!r} is not a step that asks"
    for name, step in dialog.steps.items():
        function = step.takes if isinstance(step, Ask) else step.does
        declared: frozenset[str] = getattr(function, "outcomes", frozenset())
        named = getattr(function, "__name__", repr(function))
        if not declared:
            yield f"{name}: {named} declares no outcomes"
        for missing in sorted(declared - step.leads.keys()):
            yield f"{name}: the outcome {missing} leads nowhere"
        for unknown in sorted(step.leads.keys() - declared):
            yield f"{name}: {named} never names the outcome {unknown}"
        if isinstance(step, Work) and step.slow and "unavailable" not in step.leads:
            yield f"{name}: a slow work needs a place for unavailable"
    for scene, name in dialog.scenes.items():
        work = dialog.steps.get(name)
        if not isinstance(work, Work) or work.slow:
            yield f"the scene {scene} leads to {name}, which is no quick work"
    yield from _places_missing(dialog)


def _places_missing(dialog: Dialog) -> Iterator[str]:
    for name, where in _wheres(dialog):
        if not isinstance(where, (Again, Back, Done)) and _target(dialog, name, where) not in (
            dialog.steps
        ):
            yield f"{name}: there is no step {_target(dialog, name, where)}"
        if isinstance(where, Again) and not isinstance(dialog.steps.get(name), Ask):
            yield f"{name}: only a step that asks can be asked again"
        if isinstance(where, (Back, Done)) and where.errand and where.errand not in dialog.errands:
            yield f"{name}: there is no errand {where.errand}"


def _wheres(dialog: Dialog) -> Iterator[tuple[str, Where]]:
    for name, step in dialog.steps.items():
        for where in step.leads.values():
            yield name, where
    for words, where in dialog.anywhere.items():
        yield words, where
    for kind, where in dialog.otherwise.items():
        yield kind.value, where


def _unreachable(dialog: Dialog) -> Iterator[str]:
    starts = [*dialog.anywhere.values(), *dialog.otherwise.values(), *dialog.scenes.values()]
    ahead = [dialog.home, *(_target(dialog, dialog.home, where) for where in starts)]
    reached: set[str] = set()
    while ahead:
        name = ahead.pop()
        if name in reached or name not in dialog.steps:
            continue
        reached.add(name)
        ahead += [target for _, target in places_of(dialog, name)]
    for name in dialog.steps:
        if name not in reached:
            yield f"{name}: no way leads there"
