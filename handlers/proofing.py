"""Enrolment's works up to the face: the registry, the ID card's photo, the challenge."""

from __future__ import annotations

import base64
import datetime
import random
from typing import Final

from credentials import id_number, names
from credentials.authority import NameMismatchError, NotRegisteredError, PersonEndedError
from credentials.errors import CredentialError, UnavailableError
from credentials.model import Consent, Person, Status
from faces import compare, encode, id_card, liveness, photo, selfie
from faces.errors import CardPhotoError, PhotoError
from handlers.answers import CHINA, LEAST_AGE, shown_gesture
from handlers.steps import MediaError, Outcome, Task, Word, outcomes

FACE_ATTEMPTS: Final = 5
FACE_PAUSE_SECONDS: Final = 3600.0
REGISTRY_ATTEMPTS: Final = 10
DAY_SECONDS: Final = 24 * 3600.0
CHALLENGE_SECONDS: Final = 120
LIVE_STATUSES: Final = frozenset({Status.PENDING, Status.ACTIVE, Status.FROZEN})
CARD_PROBLEMS: Final = frozenset({"missing_name", "missing_id_number", "id_number_checksum"})
CARD_DIFFERS: Final = frozenset({"birth_differs", "sex_differs"})
DOUBTFUL: Final = "（?）"  # stands after what was not read surely, in every language
UNREAD: Final = "—"
FORGOTTEN: Final[dict[str, object]] = {"card_face": None, "shown": None}
UNSAFE_NONE: Final = "unsafe-none"
# The card's portrait is small, printed and up to twenty years old: only a face that is clearly
# another one counts, by dlib's own bound.
CARD_FACE: Final = 0.6


@outcomes("fresh", "going", "has_card", "cooling", "too_often")
def begin_enrolment(task: Task) -> Outcome:
    """Whether this account may begin: no card yet, not in the middle of it, not in a pause.

    Neither in that of the registry: nobody writes everything once more to hear of it then.
    """
    if task.paused:
        return Outcome("going")
    card = task.services.cards.of(task.holder)
    if card is not None and card.status in LIVE_STATUSES:
        return Outcome("has_card")
    allowance = task.services.limits.look("face", task.holder.tag, FACE_ATTEMPTS)
    if not allowance.allowed:
        return Outcome("cooling", values={"minutes": allowance.wait_minutes})
    allowance = task.services.limits.look("registry", task.holder.tag, REGISTRY_ATTEMPTS)
    if not allowance.allowed:
        return Outcome("too_often", values={"minutes": allowance.wait_minutes})
    return Outcome("fresh")


@outcomes(
    "passed", "not_registered", "mismatch", "ended", "outside", "taken", "too_often",
    "card_differs", "card_ended", "unavailable",
)  # fmt: skip
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
    if _another_on_the_card(task, person):
        return Outcome("card_differs", FORGOTTEN)
    if person.valid_until is not None and person.valid_until < _today(task):  # ours would be over
        return Outcome("card_ended", values={"day": person.valid_until.isoformat()})
    if other is not None and other.holder != task.holder and other.status in LIVE_STATUSES:
        return Outcome("taken", FORGOTTEN)
    return Outcome("passed", FORGOTTEN)


@outcomes("one_photo", "challenge", "no_consent")
def choose_face_check(task: Task) -> Outcome:
    """How the face is checked: only with its consent, and by a fresh challenge."""
    if not any(consent.kind == "face" for consent in consents_of(task)):
        return Outcome("no_consent")
    if task.liveness == UNSAFE_NONE:
        return Outcome("one_photo")
    dice = random.SystemRandom()
    asked = [str(gesture) for gesture in liveness.draw_challenge(dice, dice.choice((2, 3)))]
    return Outcome(
        "challenge",
        {
            "early": None,  # a photo that came before anybody asked shows no gesture
            "gestures": asked,
            "frames": [],
            "video": None,
            "until": task.now + CHALLENGE_SECONDS,
            "link": (link := enrol_page(task)),
            "shown": shown_gesture(asked, 0, link),
        },
    )


@outcomes("read", "back", "poor", "too_young", "gone", "unavailable")
def read_card(task: Task) -> Outcome:  # noqa: PLR0911 - one for each way it can end
    """Name and ID number from a photo of the ID card; all that was read is shown back.

    Only what agrees with itself is shown: birth date and sex on the card with the number, the
    number with its check character. Sex, ethnicity, birth and address are shown to be confirmed
    and kept no longer than the question: what counts of them is what the registry says.
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
    if set(reading.problems) & CARD_DIFFERS:
        return _unread("chat.card_photo.differs")
    today = _today(task)
    try:
        name = names.parse(reading.fields["name"].value)
        number = id_number.parse(reading.fields["id_number"].value, today=today)
    except CredentialError:
        return _unread("chat.card_photo.focus")
    if number.age_on(today) < LEAST_AGE:
        return Outcome("too_young", {"card_photo": None}, values={"age": LEAST_AGE})
    given: dict[str, object] = {"name": name, "id_number": number.value, "card_photo": None}
    given["card_face"] = _face_on(task, reading)
    return Outcome(
        "read", {**given, "shown": {each: _shown(reading, each) for each in id_card.FRONT}}
    )


def _today(task: Task) -> datetime.date:
    return datetime.datetime.fromtimestamp(task.now, CHINA).date()


def enrol_page(task: Task) -> str:
    """The address of the page with the live camera, which asks the account's platform first."""
    _, mark, query = task.card_page.partition("?")
    return f"{task.services.address}/enrol{mark}{query}"


def _face_on(task: Task, reading: id_card.Reading) -> str | None:
    """The template of the card's own portrait, if its face may and can be measured."""
    if reading.portrait is None or not any(each.kind == "face" for each in consents_of(task)):
        return None
    try:
        face = selfie.find_one(reading.portrait)
    except PhotoError:
        return None
    return base64.b64encode(encode.pack(encode.encode(reading.portrait, face))).decode()


def _another_on_the_card(task: Task, person: Person) -> bool:
    """Whether the ID card that was photographed shows somebody else than the registry does."""
    packed = task.given.get("card_face")
    if not packed:
        return False
    try:
        registered = selfie.measure(person.portrait).template
    except PhotoError:
        return False  # the face step says so
    shown = encode.unpack(base64.b64decode(str(packed)))
    return compare.distance(shown, registered) > CARD_FACE


def _shown(reading: id_card.Reading, name: str) -> str:
    """A field as it is shown back: marked where the reading was not sure."""
    field = reading.fields.get(name)
    if field is None:
        return UNREAD
    return field.value + (DOUBTFUL if f"doubtful_{name}" in reading.problems else "")


def _unread(advice: str) -> Outcome:
    return Outcome("poor", {"card_photo": None}, {"advice": Word(advice)})


def consents_of(task: Task) -> list[Consent]:
    """What the person agreed to so far."""
    kept = task.given.get("consents")
    return [
        Consent(str(each["kind"]), str(each["version"]), float(each["at"]))
        for each in (kept if isinstance(kept, list) else [])
    ]
