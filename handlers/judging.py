"""Whether pictures show one person, alive, as enrolment and the upgrade both ask it.

What a machine may decide it decides here; what it may not goes before reviewers, and the
conversation waits for them. What may be done twice means once. Whose face it should be, and what
follows, is the caller's: an `Errand`.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog
from PIL import Image

from credentials import pictures
from credentials.errors import CredentialError, UnavailableError
from credentials.model import Actor, Person
from credentials.reviews import Case, Facts, ReviewKind, ReviewState
from credentials.sightings import Look
from faces import compare, liveness, passive, photo, reuse, selfie, video
from faces.compare import Comparison
from faces.encode import Template
from faces.errors import PhotoError, VideoError
from faces.gestures import Gesture
from faces.passive import Suspicion
from faces.photo import Pixels
from handlers.proofing import DAY_SECONDS, FACE_ATTEMPTS, FACE_PAUSE_SECONDS, UNSAFE_NONE
from handlers.steps import NOT_YET, UNWANTED, MediaError, Outcome, Task, Word

SHOWN_SIDE: Final = 640
SHOWN_QUALITY: Final = 85
RETAKE_SECONDS: Final = 600.0  # five tries of two minutes each, the attempts of one sitting
INNOCENT: Final = passive.weigh([])
OUTCOMES: Final = (
    "poor", "gone", "no_match", "suspect", "review", "cooling", "portrait", "changed",
    "unavailable",
)  # fmt: skip
log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Errand:
    """What a face is looked at for.

    Attributes:
        person: whose face it has to be, as the authority says now, with consent to look at it;
            or how the step ends without one.
        proven: what is done when it is theirs; told how it was proven.
    """

    person: Callable[[Task], Person | Outcome]
    proven: Callable[[Task, Person, dict[str, str]], Outcome]


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    """One picture that counts: which sending it came with, the file, and what it decodes to."""

    media_id: str
    data: bytes
    pixels: Pixels


@dataclasses.dataclass(frozen=True, slots=True)
class Judged:
    """What the pictures say.

    Attributes:
        comparison: with the registry's portrait; None when nobody could be compared.
        template: of the face; None as above.
        reason: why the challenge is not passed; empty when it is.
        suspicion: signs of a print, a screen, an edited or old picture.
        sent: the pictures that count.
    """

    comparison: Comparison | None
    template: Template | None
    reason: str
    suspicion: Suspicion
    sent: tuple[Sent, ...]


class Again(enum.IntEnum):
    """Whether pictures were sent before; the higher, the worse."""

    NEVER = 0
    RETAKEN = 1
    REUSED = 2


Looking = Callable[[Template], Judged]


def judge_photo(task: Task, errand: Errand) -> Outcome:
    """One photo against the registry's portrait."""

    def look(portrait: Template) -> Judged:
        media_id = str(task.given["photo"])
        data = task.fetch(media_id, photo.MAX_BYTES)
        found = selfie.measure(data)
        comparison = compare.compare(found.template, portrait)
        sent = Sent(media_id, data, photo.open_photo(data, enough=SHOWN_SIDE).pixels)
        return Judged(comparison, found.template, "", INNOCENT, (sent,))

    return _prove(task, errand, look)


def judge_challenge(task: Task, errand: Errand) -> Outcome:
    """The challenge's photos, or its video, and the portrait: the same living person?"""
    asked = [Gesture(gesture) for gesture in _list(task, "gestures")]
    now = datetime.datetime.fromtimestamp(task.now, datetime.UTC)

    def look(portrait: Template) -> Judged:
        if task.given.get("video"):
            media_ids = [str(task.given["video"])]
            files = [task.fetch(media_ids[0], video.MAX_BYTES)]
            result = liveness.check_video(asked, files[0], portrait)
        else:
            media_ids = _list(task, "frames")
            files = [task.fetch(media_id, photo.MAX_BYTES) for media_id in media_ids]
            result = liveness.check_photos(asked, files, portrait, now=now)
        several = len(files) > 1
        sent = tuple(
            Sent(media_ids[seen.number * several], files[seen.number * several], seen.pixels)
            for seen in result.frames
        )
        reason = "" if result.live else result.reasons[0]
        return Judged(result.comparison, result.template, reason, result.suspicion, sent)

    return _prove(task, errand, look)


def hear_review(  # noqa: PLR0911 - one for each way it can end
    task: Task, errand: Errand
) -> Outcome:
    """What the reviewers decided: `errand.proven` if they approved, else rejected or expired.

    Whoever was rejected waits before the next try, as after the last of one's own attempts. A face
    that is not kept any more has expired, too: another account of the same person went on to
    something else, and a card without it would be missing from the search for good.
    """
    review = task.services.reviews.get(str(task.given.get("review", "")))
    if review is not None and review.state is ReviewState.WAITING:
        return NOT_YET
    if review is None or review.state is not ReviewState.APPROVED:
        if review is None or review.state is not ReviewState.REJECTED:
            return Outcome("expired")
        # As after the last attempt: one attempt of one, which begins the pause.
        pause = FACE_PAUSE_SECONDS
        task.services.limits.attempt("face", task.holder.tag, 1, pause, pause)
        return Outcome("rejected")
    person = errand.person(task)
    if isinstance(person, Outcome):
        return person
    if not task.services.templates.has(person.id_number):
        return Outcome("expired")
    evidence = {
        "liveness": task.liveness,
        "review": review.review_id,
        "reviewers": "+".join(filter(None, (review.first, review.decided_by))),
        "distance": review.figures.get("distance", ""),
    }
    if not task.wanted():
        return _unwanted(task, person)
    return errand.proven(task, person, evidence)


def asked_of_authority(task: Task, name: str, id_number: str) -> Person | Outcome:
    """What the authority says now, or how the step ends without it."""
    try:
        return task.services.authority.check(name, id_number)
    except UnavailableError:
        return Outcome("unavailable")
    except CredentialError:
        return Outcome("changed")


def _prove(  # noqa: PLR0911 - one for each way it can end
    task: Task, errand: Errand, look: Looking
) -> Outcome:
    """The steps that both ways of checking a face share.

    0. These pictures do not lie before reviewers already; if they do, a killed worker put them
       there, and they cost nothing twice.
    1. The account is not in a pause.
    2. The face may be looked at, and the authority still says what it said.
    3. The portrait and the pictures can be used; if not, that costs no attempt.
    4. They show the portrait's person, alive; if not, that costs one.
    """
    if review_id := task.services.reviews.opened(_sending(task)):  # 0
        return _before_reviewers(review_id)
    if not task.services.limits.look("face", task.holder.tag, FACE_ATTEMPTS).allowed:  # 1
        return _cooling(task)
    person = errand.person(task)  # 2
    if isinstance(person, Outcome):
        return person
    try:
        portrait = selfie.measure(person.portrait).template
    except PhotoError:
        return Outcome("portrait")
    try:
        judged = look(portrait)  # 3
    except MediaError as error:
        return Outcome("gone" if error.code == "gone" else "unavailable")
    except PhotoError as error:
        return Outcome("poor", values={"advice": Word(f"chat.photo.{error.code}")})
    except VideoError as error:
        return Outcome("poor", values={"advice": Word(f"chat.video.{error.code}")})
    return _judge(task, errand, person, judged)  # 4


def _judge(  # noqa: PLR0911 - one for each way it can end
    task: Task, errand: Errand, person: Person, judged: Judged
) -> Outcome:
    """What follows from the pictures.

    1. None of them was sent before, by anybody. What is only like one that the same person sent
       minutes ago is a second try, and no more than a sign against them.
    2. The challenge is passed, and it is the person of the portrait, or doubtfully so.
    3. They do not look like prints or screens; if they do, another challenge follows, and if
       they do again, a review.
    4. A doubtful match is for reviewers.
    5. The face is kept among all faces, and is on nobody else's card; if it is, that is for
       reviewers. They are shown whose, whatever they are asked for.
    6. The conversation still waits for it: whoever cancelled meanwhile gets nothing of it.
    7. What the face was looked at for is done; or reviewers decide, which costs an attempt, too:
       else a look-alike could try until one set of pictures is not doubtful any more.
    """
    comparison, template = judged.comparison, judged.template
    again = _sent_before(task, judged.sent)  # 1
    if again is Again.REUSED:
        return _missed(task, person, judged, Word("face.missed.reused"))
    judged = _marked(judged, again)
    if comparison is None or template is None or judged.reason:  # 2
        why = Word(f"chat.missed.{judged.reason or 'not_the_portrait'}")
        return _missed(task, person, judged, why)
    if not (comparison.match or comparison.doubtful):
        return _missed(task, person, judged, Word("chat.missed.not_the_portrait"))
    kind: ReviewKind | None = None
    if judged.suspicion.suspicious:  # 3
        log.warning("suspicious pictures", reasons=judged.suspicion.reasons)
        if not task.given.get("suspected") and (left := _count(task)) is not None:
            return Outcome("suspect", {"suspected": True}, {"left": left})
        kind = ReviewKind.SUSPICIOUS
    elif comparison.doubtful:  # 4
        kind = ReviewKind.DOUBTFUL
    others = _others(task, person, template)  # 5
    if others and kind is None:
        kind = ReviewKind.DUPLICATE
    if not task.wanted():  # 6
        return _unwanted(task, person)
    if kind is not None:  # 7
        return _review(task, person, judged, kind, others)
    evidence = {"distance": f"{comparison.distance:.3f}", "liveness": task.liveness}
    return errand.proven(task, person, evidence)


def _others(task: Task, person: Person, template: Template) -> list[str]:
    """Who else has this face, by blind index; it is kept, so that others are compared with it."""
    near = task.twins.keep_and_find(person.id_number, template)
    if near:
        log.warning("a face under another number", distance=round(near[0][1], 3))
    return [other for other, _ in near]


def _sent_before(task: Task, sent: Sequence[Sent]) -> Again:
    """Whether anybody sent one of these pictures before; they are remembered from now on.

    Whoever tries once more from the same chair sends a picture much like the last, and coarse
    shapes cannot tell it from the last one saved anew. So the same file is refused from anybody,
    and a near one of another account or of another day; a near one of one's own within minutes
    is not. Where one photo is all that is asked, there is nothing that a copy could stand for.
    """
    services, found = task.services, Again.NEVER
    if task.liveness == UNSAFE_NONE:
        return found
    account = task.holder.tag
    for each in sent:
        seen = reuse.fingerprint(each.data, each.pixels)
        look = Look(seen.exact, seen.perceptual, seen.bands)
        before = services.sightings.before(look, account, each.media_id, reuse.near)
        services.sightings.note(look, account, each.media_id)
        if before is None:
            continue
        if before.own and not before.exact and before.seconds <= RETAKE_SECONDS:
            found = max(found, Again.RETAKEN)
            continue
        found = Again.REUSED
        how = "same file" if before.exact else "same picture"
        services.audit.note(
            "picture_reused", Actor("system"), before.account, how=how, again=_account(task)
        )
        log.warning("picture sent before", how=how, account=_account(task))
    return found


def _marked(judged: Judged, again: Again) -> Judged:
    """The same with the sign that a second try leaves: too little to be suspicious by itself."""
    if again is Again.NEVER:
        return judged
    signs = [*judged.suspicion.reasons, "retaken"]
    return dataclasses.replace(judged, suspicion=passive.weigh(signs))


def _account(task: Task) -> str:
    """The account in a log: recognisable, but nobody's name."""
    return task.services.index.of("account", task.holder.tag)


def _missed(task: Task, person: Person, judged: Judged, why: Word) -> Outcome:
    """A failed attempt. After the last one a right face goes before people, another one waits."""
    left = _count(task)
    if left is None:
        comparison = judged.comparison
        right = comparison is not None and (comparison.match or comparison.doubtful)
        again = why.key == "face.missed.reused"
        if right and judged.reason and judged.template is not None and not again:
            others = _others(task, person, judged.template)
            if not task.wanted():
                return _unwanted(task, person)
            return _review(task, person, judged, ReviewKind.LIVENESS, others)
        return _cooling(task)
    return Outcome("no_match", values={"left": left, "why": why})


def _count(task: Task) -> int | None:
    """Count an attempt; how many are left, None after the last."""
    allowance = task.services.limits.attempt(
        "face", task.holder.tag, FACE_ATTEMPTS, DAY_SECONDS, FACE_PAUSE_SECONDS
    )
    return allowance.left if allowance.allowed and allowance.left else None


def _cooling(task: Task) -> Outcome:
    allowance = task.services.limits.look("face", task.holder.tag, FACE_ATTEMPTS)
    return Outcome("cooling", values={"minutes": allowance.wait_minutes})


def _unwanted(task: Task, person: Person) -> Outcome:
    """Nobody waits any more: a template without a card goes, too."""
    task.services.templates.drop_undecided(person.id_number)
    return UNWANTED


def _review(
    task: Task, person: Person, judged: Judged, kind: ReviewKind, others: Sequence[str]
) -> Outcome:
    """Put the pictures before reviewers. It costs an attempt, if what led here did not."""
    comparison = judged.comparison
    found = [task.services.cards.of_person(other) for other in others]
    images = {"portrait": pictures.portrait(person.portrait)}
    images |= {f"frame{n + 1}": _small(each.pixels) for n, each in enumerate(judged.sent)}
    images |= {f"other{n + 1}": image for n, (_, image) in enumerate(found) if image}
    reasons = (*filter(None, [judged.reason]), *judged.suspicion.reasons)
    figures = {"liveness": task.liveness, "reasons": " ".join(reasons)}
    if comparison is not None:
        figures["distance"] = f"{comparison.distance:.3f}"
        figures["threshold"] = f"{comparison.threshold:.2f}"
    case = Case(
        kind=kind,
        facts=Facts(
            holder=task.holder,
            name=person.name,
            id_number=person.id_number,
            reasons=reasons,
            others=tuple(credential_id for credential_id, _ in found),
            images=tuple(images),
        ),
        figures=figures,
        pictures=images,
        against=bool(others)
        or kind is not ReviewKind.DOUBTFUL
        or not (comparison and comparison.match),
    )
    review_id = task.services.reviews.open(_sending(task), case)
    if kind in {ReviewKind.DOUBTFUL, ReviewKind.DUPLICATE}:
        _count(task)
    return _before_reviewers(review_id)


def _before_reviewers(review_id: str) -> Outcome:
    kept: Mapping[str, object] = {"review": review_id, "frames": None, "video": None, "photo": None}
    return Outcome("review", kept)


def _sending(task: Task) -> str:
    """The name of what was sent: the same for a job that is done twice, and for nothing else."""
    given = task.given
    media_ids = [str(given[key]) for key in ("photo", "video") if given.get(key)]
    return ":".join([task.holder.tag, *media_ids, *_list(task, "frames")])


def _small(pixels: Pixels) -> bytes:
    """A frame as reviewers see it."""
    image = Image.fromarray(pixels)
    image.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=SHOWN_QUALITY)
    return file.getvalue()


def _list(task: Task, key: str) -> list[str]:
    value = task.given.get(key)
    return [str(part) for part in value] if isinstance(value, list) else []
