"""Enrolment's face step: the same living person as the registry's portrait, and nobody's twin.

What a machine may decide it decides here; what it may not goes before reviewers, and the
conversation waits for them. What may be done twice means once.
"""

from __future__ import annotations

import dataclasses
import datetime
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog
from PIL import Image

from credentials import pictures
from credentials.errors import CredentialError, IdNumberTakenError, UnavailableError
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
from faces.reuse import Fingerprint
from handlers import life
from handlers.proofing import (
    DAY_SECONDS,
    FACE_ATTEMPTS,
    FACE_PAUSE_SECONDS,
    UNSAFE_NONE,
    consents_of,
)
from handlers.steps import NOT_YET, MediaError, Outcome, Task, Word, outcomes

SHOWN_SIDE: Final = 640
SHOWN_QUALITY: Final = 85
INNOCENT: Final = passive.weigh([])
FACE_OUTCOMES: Final = (
    "issued", "moved", "poor", "gone", "no_match", "suspect", "review", "cooling", "taken",
    "portrait", "changed", "unavailable",
)  # fmt: skip
log = structlog.get_logger(__name__)


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


Looking = Callable[[Template], Judged]


@outcomes(*FACE_OUTCOMES)
def match_photo(task: Task) -> Outcome:
    """One photo against the registry's portrait, and the card if they match."""

    def look(portrait: Template) -> Judged:
        media_id = str(task.given["photo"])
        data = task.fetch(media_id, photo.MAX_BYTES)
        found = selfie.measure(data)
        comparison = compare.compare(found.template, portrait)
        sent = Sent(media_id, data, photo.open_photo(data, enough=SHOWN_SIDE).pixels)
        return Judged(comparison, found.template, "", INNOCENT, (sent,))

    return _prove(task, look)


@outcomes(*FACE_OUTCOMES)
def match_challenge(task: Task) -> Outcome:
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

    return _prove(task, look)


@outcomes("issued", "moved", "taken", "rejected", "expired", "changed", "unavailable")
def hear_decision(task: Task) -> Outcome:
    """What the reviewers decided, and the card if they approved."""
    review = task.services.reviews.get(str(task.given.get("review", "")))
    number = str(task.given.get("id_number", ""))
    if review is not None and review.state is ReviewState.WAITING:
        return NOT_YET
    if review is None or review.state is not ReviewState.APPROVED:
        task.services.templates.drop_undecided(number)
        rejected = review is not None and review.state is ReviewState.REJECTED
        return Outcome("rejected" if rejected else "expired")
    person = _person(task)
    if isinstance(person, Outcome):
        return person
    reviewers = "+".join(filter(None, (review.first, review.decided_by)))
    evidence = {
        "liveness": task.liveness,
        "review": review.review_id,
        "reviewers": reviewers,
        "distance": review.figures.get("distance", ""),
    }
    return _issue(task, person, evidence)


def _prove(task: Task, look: Looking) -> Outcome:  # noqa: PLR0911 - one for each way it can end
    """The steps that both ways of checking a face share.

    1. The face may be looked at: there is consent for it.
    2. The account is not in a pause.
    3. The authority still says what it said, and gives the portrait.
    4. The pictures can be used; if not, that costs no attempt.
    5. They show the portrait's person, alive; if not, that costs one.
    """
    if not any(consent.kind == "face" for consent in consents_of(task)):  # 1
        return Outcome("changed")
    if not task.services.limits.look("face", task.holder.tag, FACE_ATTEMPTS).allowed:  # 2
        return _cooling(task)
    person = _person(task)  # 3
    if isinstance(person, Outcome):
        return person
    try:
        portrait = selfie.measure(person.portrait).template
    except PhotoError:
        return Outcome("portrait")
    try:
        judged = look(portrait)  # 4
    except MediaError as error:
        return Outcome("gone" if error.code == "gone" else "unavailable")
    except PhotoError as error:
        return Outcome("poor", values={"advice": Word(f"chat.photo.{error.code}")})
    except VideoError as error:
        return Outcome("poor", values={"advice": Word(f"chat.video.{error.code}")})
    return _judge(task, person, judged)  # 5


def _judge(  # noqa: PLR0911 - one for each way it can end
    task: Task, person: Person, judged: Judged
) -> Outcome:
    """What follows from the pictures.

    1. None of them was sent before, by anybody.
    2. The challenge is passed, and it is the person of the portrait, or doubtfully so.
    3. They do not look like prints or screens; if they do, another challenge follows, and if
       they do again, a review.
    4. A doubtful match is for reviewers.
    5. The face is on nobody else's card; if it is, that is for reviewers.
    6. The card is issued, or moved from the account that had it.
    """
    comparison, template = judged.comparison, judged.template
    if task.liveness != UNSAFE_NONE and _sent_before(task, judged.sent):  # 1
        return _missed(task, person, judged, Word("face.missed.reused"))
    if comparison is None or template is None or judged.reason:  # 2
        why = Word(f"chat.missed.{judged.reason or 'not_the_portrait'}")
        return _missed(task, person, judged, why)
    if not (comparison.match or comparison.doubtful):
        return _missed(task, person, judged, Word("chat.missed.not_the_portrait"))
    if judged.suspicion.suspicious:  # 3
        log.warning("suspicious pictures", reasons=judged.suspicion.reasons)
        if task.given.get("suspected"):
            return _review(task, person, judged, ReviewKind.SUSPICIOUS)
        if (left := _count(task)) is None:
            return _review(task, person, judged, ReviewKind.SUSPICIOUS)
        return Outcome("suspect", {"suspected": True}, {"left": left})
    if comparison.doubtful:  # 4
        return _review(task, person, judged, ReviewKind.DOUBTFUL)
    near = task.twins.keep_and_find(person.id_number, template)  # 5
    if near:
        log.warning("a face under another number", distance=round(near[0][1], 3))
        others = [other for other, _ in near]
        return _review(task, person, judged, ReviewKind.DUPLICATE, others)
    evidence = {"distance": f"{comparison.distance:.3f}", "liveness": task.liveness}
    return _issue(task, person, evidence)  # 6


def _person(task: Task) -> Person | Outcome:
    """What the authority says now, or how the step ends without it."""
    try:
        return task.services.authority.check(str(task.given["name"]), str(task.given["id_number"]))
    except UnavailableError:
        return Outcome("unavailable")
    except CredentialError:
        return Outcome("changed")


def _sent_before(task: Task, sent: Sequence[Sent]) -> bool:
    """Whether anybody sent one of these pictures before; they are remembered from now on."""
    services, found = task.services, False
    for each in sent:
        seen = reuse.fingerprint(each.data, each.pixels)
        look = Look(seen.exact, seen.perceptual, seen.bands)
        source = f"{task.holder.tag}:{each.media_id}"
        before = services.sightings.before(look, source, _near)
        if before is not None:
            found = True
            how = "same file" if before.exact else "same picture"
            services.audit.note(
                "picture_reused", Actor("system"), before.source, how=how, again=_account(task)
            )
            log.warning("picture sent before", how=how, account=_account(task))
        services.sightings.note(look, source)
    return found


def _near(a: str, b: str) -> bool:
    return reuse.differing_bits(Fingerprint("", a), Fingerprint("", b)) <= reuse.NEAR


def _account(task: Task) -> str:
    """The account in a log: recognisable, but nobody's name."""
    return task.services.index.of("account", task.holder.tag)


def _missed(task: Task, person: Person, judged: Judged, why: Word) -> Outcome:
    """A failed attempt. After the last one a right face goes before people, another one waits."""
    left = _count(task)
    if left is None:
        comparison = judged.comparison
        right = comparison is not None and (comparison.match or comparison.doubtful)
        if right and judged.reason and why.key != "face.missed.reused":
            return _review(task, person, judged, ReviewKind.LIVENESS)
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


def _review(
    task: Task, person: Person, judged: Judged, kind: ReviewKind, others: Sequence[str] = ()
) -> Outcome:
    """Put the pictures before reviewers."""
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
        against=kind is not ReviewKind.DOUBTFUL or not (comparison and comparison.match),
    )
    sendings = dict.fromkeys(each.media_id for each in judged.sent)
    review_id = task.services.reviews.open(f"{task.holder.tag}:{':'.join(sendings)}", case)
    kept: Mapping[str, object] = {"review": review_id, "frames": None, "video": None, "photo": None}
    return Outcome("review", kept)


def _small(pixels: Pixels) -> bytes:
    """A frame as reviewers see it."""
    image = Image.fromarray(pixels)
    image.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=SHOWN_QUALITY)
    return file.getvalue()


def _issue(task: Task, person: Person, evidence: dict[str, str]) -> Outcome:
    services = task.services
    if task.given.get("move"):
        outcome = life.move_card(task, person, consents_of(task), evidence)
    else:
        outcome = _issue_new(task, person, evidence)
    if outcome.name in {"issued", "moved"}:
        services.templates.settle(person.id_number)
    elif outcome.name != "unavailable":
        services.templates.drop_undecided(person.id_number)
    return outcome


def _issue_new(task: Task, person: Person, evidence: dict[str, str]) -> Outcome:
    try:
        task.services.cards.issue(task.holder, person, consents_of(task), evidence=evidence)
    except IdNumberTakenError:
        return Outcome("taken")
    except UnavailableError:
        return Outcome("unavailable")
    except CredentialError as error:
        if error.code != "has_card":  # a worker was killed after issuing: it is issued
            raise
    task.services.limits.forget("face", task.holder.tag)
    return Outcome("issued", values={"link": task.card_page})


def _list(task: Task, key: str) -> list[str]:
    value = task.given.get(key)
    return [str(part) for part in value] if isinstance(value, list) else []
