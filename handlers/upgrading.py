"""The upgrade in the chat: its binding code, the fresh look at the face, and renewing the PIN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from credentials.attestation import UpgradeError
from credentials.errors import CredentialError, NoCardError, RefusalError, UnavailableError
from credentials.model import Level, Status
from credentials.upgrade import BINDINGS, Identity
from faces import compare, liveness, photo, selfie, video
from faces.errors import PhotoError, VideoError
from faces.gestures import Gesture
from handlers.proofing import DAY_SECONDS, FACE_ATTEMPTS, FACE_PAUSE_SECONDS
from handlers.steps import MediaError, Outcome, Task, Word, outcomes

PIN: Final = "pin"
Look = Callable[[selfie.Measured], tuple[compare.Comparison | None, str]]
"""Compares with the portrait; with the reason, or '', why it is not the living person."""


@outcomes("begun", "waiting", "upgraded", "frozen", "ended", "none", "cooling")
def begin_upgrade(task: Task) -> Outcome:
    """Begin an upgrade, or go on with it: a binding code for the terminal, then the face."""
    stopped = _stopped(task)
    if stopped:
        return stopped
    known = task.services.upgrades.identity(task.holder)
    if known.level is Level.UPGRADED:
        return Outcome("upgraded", values={"link": task.card_page})
    code = task.services.upgrades.binding_code(task.holder)
    under_way = task.services.upgrades.open(task.holder)
    values = {
        "code": f"{code.digits[:4]} {code.digits[4:]}",
        "minutes": round((code.expires_at - code.now) / 60),
        "link": task.card_page,
        "left": _names(task, tuple(name for name in BINDINGS if name not in under_way.bound)),
    }
    if "face" in under_way.bound:
        return Outcome("waiting", values=values)
    return Outcome("begun", _given(known, "upgrade"), values)


@outcomes("begun", "light", "frozen", "ended", "none", "cooling")
def begin_pin(task: Task) -> Outcome:
    """A PIN that was forgotten, locked or never set: the face is looked at first."""
    stopped = _stopped(task)
    if stopped:
        return stopped
    known = task.services.upgrades.identity(task.holder)
    if known.level is Level.LIGHT:
        return Outcome("light")
    return Outcome("begun", _given(known, PIN))


UPGRADE_OUTCOMES: Final = (
    "bound", "upgraded", "over", "pin", "pin_later", "poor", "gone", "no_match", "cooling",
    "portrait", "changed", "unavailable",
)  # fmt: skip


@outcomes(*UPGRADE_OUTCOMES)
def match_photo(task: Task) -> Outcome:
    """One photo against the registry's portrait, and the binding if they match."""

    def look(portrait: selfie.Measured) -> tuple[compare.Comparison, str]:
        found = selfie.measure(task.fetch(str(task.given["photo"]), photo.MAX_BYTES))
        return compare.compare(found.template, portrait.template), ""

    return _prove(task, look)


@outcomes(*UPGRADE_OUTCOMES)
def match_challenge(task: Task) -> Outcome:
    """The challenge's photos, or its video, and the portrait, and the binding if they match."""
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


def _prove(task: Task, look: Look) -> Outcome:  # noqa: PLR0911 - one for each way it can end
    """Is it the living holder?

    1. The account is not in a pause, and the card not stopped meanwhile.
    2. The authority still knows the holder, and gives the portrait.
    3. The photo can be used; if not, that costs no attempt.
    4. It is the person of the portrait; if not, that costs one.
    5. What the face was looked at for is done.
    """
    stopped = _stopped(task)  # 1
    if stopped:
        return stopped if stopped.name == "cooling" else Outcome("changed")
    try:
        known = task.services.upgrades.identity(task.holder)
        person = task.services.authority.check(known.name, known.id_number)  # 2
    except UnavailableError:
        return Outcome("unavailable")
    except CredentialError:
        return Outcome("changed")
    if not any(consent.kind == "face" for consent in known.consents):
        return Outcome("changed")  # no face is looked at without its consent
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
    return _strengthen(task, evidence)  # 5


def _missed(task: Task, reason: str) -> Outcome:
    allowance = task.services.limits.attempt(
        "face", task.holder.tag, FACE_ATTEMPTS, DAY_SECONDS, FACE_PAUSE_SECONDS
    )
    if not allowance.allowed or allowance.left == 0:
        allowance = task.services.limits.look("face", task.holder.tag, FACE_ATTEMPTS)
        return Outcome("cooling", values={"minutes": allowance.wait_minutes})
    why = Word(f"chat.missed.{reason or 'not_the_portrait'}")
    return Outcome("no_match", values={"left": allowance.left, "why": why})


def _strengthen(task: Task, evidence: dict[str, str]) -> Outcome:
    """What the face was looked at for: the third binding, or a new PIN."""
    task.services.limits.forget("face", task.holder.tag)
    try:
        if task.given.get("for") == PIN:
            return _renew_pin(task, evidence)
        level = task.services.upgrades.face(task.holder, evidence)
    except UpgradeError as error:  # a worker was killed after binding: it is bound
        already = error.code == "already_upgraded"
        return Outcome("upgraded" if already else "over", values={"link": task.card_page})
    except UnavailableError:
        return Outcome("unavailable")
    except (NoCardError, RefusalError):
        return Outcome("changed")
    if level is Level.UPGRADED:
        return Outcome("upgraded", values={"link": task.card_page})
    under_way = task.services.upgrades.look(task.holder)
    bound = under_way.bound if under_way else {}
    missing = tuple(name for name in BINDINGS if name not in bound)
    return Outcome("bound", values={"left": _names(task, missing), "link": task.card_page})


def _renew_pin(task: Task, evidence: dict[str, str]) -> Outcome:
    known = task.services.upgrades.identity(task.holder)
    how = ",".join(f"{name}={value}" for name, value in sorted(evidence.items()))
    state = task.services.pins.allow(known.credential_id, how)
    values = {"link": task.card_page, "minutes": state.wait_minutes}
    return Outcome("pin" if state.settable else "pin_later", values=values)


def _stopped(task: Task) -> Outcome | None:
    """Why nothing begins: no card, one that is not in use, or no attempts left."""
    card = task.services.cards.of(task.holder)
    if card is None:
        return Outcome("none")
    if card.status is Status.FROZEN:
        return Outcome("frozen", values={"link": task.card_page})
    if card.status is not Status.ACTIVE:
        return Outcome("ended", values={"link": task.card_page})
    allowance = task.services.limits.look("face", task.holder.tag, FACE_ATTEMPTS)
    if not allowance.allowed:
        return Outcome("cooling", values={"minutes": allowance.wait_minutes})
    return None


def _given(known: Identity, purpose: str) -> dict[str, object]:
    """What the face check needs to know; name and number are read again from the card."""
    return {
        "for": purpose,
        "consents": [
            {"kind": consent.kind, "version": consent.version, "at": consent.at}
            for consent in known.consents
        ],
    }


def _names(task: Task, bindings: tuple[str, ...]) -> str:
    say = task.services.texts.say
    comma = say(task.language, "chat.comma")
    return comma.join(say(task.language, f"upgrade.binding.{name}") for name in bindings)


def _list(task: Task, key: str) -> list[str]:
    value = task.given.get(key)
    return [str(part) for part in value] if isinstance(value, list) else []
