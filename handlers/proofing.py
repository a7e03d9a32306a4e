"""Enrolment's works: the registry, the face, the card. What may be done twice means once."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from typing import Final

from credentials import id_number, names
from credentials.authority import NameMismatchError, NotRegisteredError, PersonEndedError
from credentials.errors import CredentialError, IdNumberTakenError, UnavailableError
from credentials.limits import Allowance
from credentials.model import Consent, Person, Status
from faces import compare, id_card, liveness, photo, selfie, video
from faces.errors import CardPhotoError, PhotoError, VideoError
from faces.gestures import Gesture
from handlers import life
from handlers.answers import CHINA, LEAST_AGE, shown_gesture
from handlers.steps import MediaError, Outcome, Task, Word, outcomes

FACE_ATTEMPTS: Final = 5
FACE_PAUSE_SECONDS: Final = 3600.0
REGISTRY_ATTEMPTS: Final = 10
DAY_SECONDS: Final = 24 * 3600.0
CHALLENGE_SECONDS: Final = 120
LIVE_STATUSES: Final = frozenset({Status.PENDING, Status.ACTIVE, Status.FROZEN})
CARD_PROBLEMS: Final = frozenset(
    {"missing_name", "missing_id_number", "id_number_checksum", "birth_differs", "sex_differs"}
)
UNSAFE_NONE: Final = "unsafe-none"


@outcomes("fresh", "going", "has_card", "cooling")
def begin_enrolment(task: Task) -> Outcome:
    """Whether this account may begin: no card yet, not in the middle of it, not in a pause."""
    if task.paused:
        return Outcome("going")
    card = task.services.cards.of(task.holder)
    if card is not None and card.status in LIVE_STATUSES:
        return Outcome("has_card")
    allowance = task.services.limits.look("face", task.holder.tag, FACE_ATTEMPTS)
    if not allowance.allowed:
        return Outcome("cooling", values={"minutes": allowance.wait_minutes})
    return Outcome("fresh")


@outcomes(
    "passed", "not_registered", "mismatch", "ended", "outside", "taken", "too_often", "unavailable"
)
def check_registry(task: Task) -> Outcome:  # noqa: PLR0911 - one for each answer
    """Name and ID number with the authority, residence with the rollout, number with the cards."""
    services, limit = task.services, ("registry", task.holder.tag)
    allowance = services.limits.attempt(*limit, REGISTRY_ATTEMPTS, DAY_SECONDS, FACE_PAUSE_SECONDS)
    if not allowance.allowed:
        return Outcome("too_often", values={"minutes": allowance.wait_minutes})
    try:
        person = services.authority.check(str(task.given["name"]), str(task.given["id_number"]))
    except NotRegisteredError:
        return Outcome("not_registered")
    except NameMismatchError:
        return Outcome("mismatch")
    except PersonEndedError:
        return Outcome("ended")
    except UnavailableError:
        services.limits.give_back(*limit, REGISTRY_ATTEMPTS)
        return Outcome("unavailable")
    if not services.rollout.covers(person.residence):
        services.waiting.offer(task.holder, person.residence)
        return Outcome("outside")
    other = services.cards.find(person.id_number)
    if other is not None and other.holder != task.holder and other.status in LIVE_STATUSES:
        return Outcome("taken")
    return Outcome("passed")


@outcomes("one_photo", "challenge", "no_consent")
def choose_face_check(task: Task) -> Outcome:
    """How the face is checked: only with its consent, and by a fresh challenge."""
    if not any(consent.kind == "face" for consent in _consents(task)):
        return Outcome("no_consent")
    if task.liveness == UNSAFE_NONE:
        return Outcome("one_photo")
    asked = [str(gesture) for gesture in liveness.draw_challenge(random.SystemRandom())]
    return Outcome(
        "challenge",
        {
            "gestures": asked,
            "frames": [],
            "video": None,
            "until": task.now + CHALLENGE_SECONDS,
            "shown": shown_gesture(asked, 0),
        },
    )


@outcomes("read", "back", "poor", "too_young", "gone", "unavailable")
def read_card(task: Task) -> Outcome:  # noqa: PLR0911 - one for each way it can end
    """Name and ID number from a photo of the ID card, to be shown back and confirmed.

    Only what agrees with itself is shown: birth date and sex on the card with the number, the
    number with its check character.
    """
    try:
        data = task.fetch(str(task.given["card_photo"]), photo.MAX_BYTES)
        reading = id_card.read_card(data)
    except MediaError as error:
        return Outcome("gone" if error.code == "gone" else "unavailable", {"card_photo": None})
    except (PhotoError, CardPhotoError) as error:
        return _unread(f"chat.card_photo.{'no_card' if error.code == 'no_card' else 'file'}")
    if reading.side == "back":
        return Outcome("back", {"card_photo": None})
    if set(reading.problems) & CARD_PROBLEMS:
        return _unread(f"chat.card_photo.{reading.advice[0] if reading.advice else 'focus'}")
    today = datetime.datetime.fromtimestamp(task.now, CHINA).date()
    try:
        name = names.parse(reading.fields["name"].value)
        number = id_number.parse(reading.fields["id_number"].value, today=today)
    except CredentialError:
        return _unread("chat.card_photo.focus")
    if number.age_on(today) < LEAST_AGE:
        return Outcome("too_young", values={"age": LEAST_AGE})
    given = {"name": name, "id_number": number.value, "card_photo": None}
    return Outcome("read", {**given, "shown": {"name": name, "id_number": number.value}})


def _unread(advice: str) -> Outcome:
    return Outcome("poor", {"card_photo": None}, {"advice": Word(advice)})


FACE_OUTCOMES: Final = (
    "issued", "moved", "poor", "gone", "no_match", "cooling", "taken", "portrait", "changed",
    "unavailable",
)  # fmt: skip


@outcomes(*FACE_OUTCOMES)
def match_photo(task: Task) -> Outcome:
    """One photo against the registry's portrait, and the card if they match."""

    def look(portrait: selfie.Measured) -> tuple[compare.Comparison, str]:
        found = selfie.measure(task.fetch(str(task.given["photo"]), photo.MAX_BYTES))
        return compare.compare(found.template, portrait.template), ""

    return _prove(task, look)


@outcomes(*FACE_OUTCOMES)
def match_challenge(task: Task) -> Outcome:
    """The challenge's photos, or its video, and the portrait: the same living person?"""
    asked = [Gesture(gesture) for gesture in _list(task, "gestures")]

    def look(portrait: selfie.Measured) -> tuple[compare.Comparison | None, str]:
        if task.given.get("video"):
            data = task.fetch(str(task.given["video"]), video.MAX_BYTES)
            result = liveness.check_video(asked, data, portrait.template)
        else:
            photos = [task.fetch(frame, photo.MAX_BYTES) for frame in _list(task, "frames")]
            result = liveness.check_photos(asked, photos, portrait.template)
        return result.comparison, "" if result.live else result.reasons[0]

    return _prove(task, look)


def _prove(  # noqa: PLR0911 - one for each way it can end
    task: Task, look: Callable[[selfie.Measured], tuple[compare.Comparison | None, str]]
) -> Outcome:
    """The steps that both ways of checking a face share.

    1. The account is not in a pause.
    2. The authority still says what it said, and gives the portrait.
    3. The photo can be used; if not, that costs no attempt.
    4. It is the person of the portrait; if not, that costs one.
    5. The card is issued, or moved from the account that had it.
    """
    if not any(consent.kind == "face" for consent in _consents(task)):
        return Outcome("changed")  # no face is looked at without its consent
    allowance = task.services.limits.look("face", task.holder.tag, FACE_ATTEMPTS)  # 1
    if not allowance.allowed:
        return _cooling(allowance)
    try:
        person = task.services.authority.check(  # 2
            str(task.given["name"]), str(task.given["id_number"])
        )
    except UnavailableError:
        return Outcome("unavailable")
    except CredentialError:
        return Outcome("changed")
    try:
        portrait = selfie.measure(person.portrait)
    except PhotoError:
        return Outcome("portrait")
    try:
        comparison, reason = look(portrait)  # 3
    except MediaError as error:
        return Outcome("gone" if error.code == "gone" else "unavailable")
    except PhotoError as error:
        return Outcome("poor", values={"advice": Word(f"chat.photo.{error.code}")})
    except VideoError as error:
        return Outcome("poor", values={"advice": Word(f"chat.video.{error.code}")})
    if reason or comparison is None or not comparison.match:  # 4
        return _missed(task, reason)
    evidence = {"distance": f"{comparison.distance:.3f}", "liveness": task.liveness}
    return _issue(task, person, evidence)  # 5


def _missed(task: Task, reason: str) -> Outcome:
    allowance = task.services.limits.attempt(
        "face", task.holder.tag, FACE_ATTEMPTS, DAY_SECONDS, FACE_PAUSE_SECONDS
    )
    if not allowance.allowed or allowance.left == 0:
        return _cooling(task.services.limits.look("face", task.holder.tag, FACE_ATTEMPTS))
    why = Word(f"chat.missed.{reason or 'not_the_portrait'}")
    return Outcome("no_match", values={"left": allowance.left, "why": why})


def _issue(task: Task, person: Person, evidence: dict[str, str]) -> Outcome:
    if task.given.get("move"):
        return life.move_card(task, person, _consents(task), evidence)
    try:
        task.services.cards.issue(task.holder, person, _consents(task), evidence=evidence)
    except IdNumberTakenError:
        return Outcome("taken")
    except UnavailableError:
        return Outcome("unavailable")
    except CredentialError as error:
        if error.code != "has_card":  # a worker was killed after issuing: it is issued
            raise
    task.services.limits.forget("face", task.holder.tag)
    return Outcome("issued", values={"link": f"{task.services.address}/card"})


def _cooling(allowance: Allowance) -> Outcome:
    return Outcome("cooling", values={"minutes": allowance.wait_minutes})


def _consents(task: Task) -> list[Consent]:
    kept = task.given.get("consents")
    return [
        Consent(str(each["kind"]), str(each["version"]), float(each["at"]))
        for each in (kept if isinstance(kept, list) else [])
    ]


def _list(task: Task, key: str) -> list[str]:
    value = task.given.get(key)
    return [str(part) for part in value] if isinstance(value, list) else []
