"""The upgrade in the chat: its binding code, the fresh look at the face, and renewing the PIN."""

from __future__ import annotations

import contextlib
from typing import Final

from credentials.attestation import UpgradeError
from credentials.errors import CredentialError, NoCardError, RefusalError, UnavailableError
from credentials.model import Level, Person, Status
from credentials.reviews import ReviewState
from credentials.upgrade import BINDINGS, Identity
from handlers import judging
from handlers.judging import Errand
from handlers.proofing import FACE_ATTEMPTS
from handlers.steps import Outcome, Task, outcomes

PIN: Final = "pin"


@outcomes(
    "begun", "waiting", "reviewing", "upgraded", "frozen", "held", "ended", "none", "cooling",
)  # fmt: skip
def begin_upgrade(task: Task) -> Outcome:
    """Begin an upgrade, or go on with it: a binding code for the terminal, then the face."""
    stopped = _stopped(task)
    if stopped:
        return stopped
    known = task.services.upgrades.identity(task.holder)
    if known.level is Level.UPGRADED:
        return Outcome("upgraded", values={"link": task.card_page})
    reviewing = _reviewing(task)
    if not reviewing and (cooling := _cooling(task)):
        return cooling
    code = task.services.upgrades.binding_code(task.holder)
    under_way = task.services.upgrades.open(task.holder)
    values = {
        "code": f"{code.digits[:4]} {code.digits[4:]}",
        "minutes": round((code.expires_at - code.now) / 60),
        "link": task.card_page,
        "left": _names(task, tuple(name for name in BINDINGS if name not in under_way.bound)),
    }
    if reviewing:
        return Outcome("reviewing", values=values)
    if "face" in under_way.bound:
        return Outcome("waiting", values=values)
    return Outcome("begun", _given(known, "upgrade"), values)


@outcomes("begun", "reviewing", "light", "frozen", "held", "ended", "none", "cooling")
def begin_pin(task: Task) -> Outcome:
    """A PIN that was forgotten, locked or never set: the face is looked at first."""
    stopped = _stopped(task)
    if stopped:
        return stopped
    known = task.services.upgrades.identity(task.holder)
    if known.level is Level.LIGHT:
        return Outcome("light")
    if _reviewing(task):
        return Outcome("reviewing")
    if cooling := _cooling(task):
        return cooling
    return Outcome("begun", _given(known, PIN))


UPGRADE_OUTCOMES: Final = ("bound", "upgraded", "over", "pin", "pin_later", *judging.OUTCOMES)


@outcomes(*UPGRADE_OUTCOMES)
def match_photo(task: Task) -> Outcome:
    """One photo against the registry's portrait, and the binding if they match."""
    return judging.judge_photo(task, STRENGTHENING)


@outcomes(*UPGRADE_OUTCOMES)
def match_challenge(task: Task) -> Outcome:
    """The challenge's photos, or its video, and the portrait, and the binding if they match."""
    return judging.judge_challenge(task, STRENGTHENING)


@outcomes(
    "bound", "upgraded", "over", "pin", "pin_later", "rejected", "expired", "changed",
    "unavailable",
)  # fmt: skip
def hear_decision(task: Task) -> Outcome:
    """What the reviewers decided of the face, and the binding if they approved.

    They may take longer than an upgrade lasts. Then another one begins, with the face bound
    in it: chip and fingerprint are read again.
    """
    outcome = judging.hear_review(task, REVIEWED)
    if outcome.name in {"rejected", "expired"}:
        with contextlib.suppress(NoCardError):  # a template goes with its card
            known = task.services.upgrades.identity(task.holder)
            task.services.templates.drop_undecided(known.id_number)
    return outcome


def _person(task: Task) -> Person | Outcome:
    """The holder, as the authority says now; with the consent to look at the face."""
    card = task.services.cards.of(task.holder)
    if card is None or card.status is not Status.ACTIVE:
        return Outcome("changed")  # stopped meanwhile
    try:
        known = task.services.upgrades.identity(task.holder)
    except UnavailableError:
        return Outcome("unavailable")
    except CredentialError:
        return Outcome("changed")
    if not any(consent.kind == "face" for consent in known.consents):
        return Outcome("changed")
    return judging.asked_of_authority(task, known.name, known.id_number)


def _strengthen(task: Task, person: Person, evidence: dict[str, str]) -> Outcome:
    """What the face was looked at for: the third binding, or a new PIN."""
    task.services.templates.settle(person.id_number)
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


def _strengthen_later(task: Task, person: Person, evidence: dict[str, str]) -> Outcome:
    """The same after a review, in an upgrade that is begun anew if the other one is over."""
    if task.given.get("for") != PIN:
        try:
            task.services.upgrades.open(task.holder)
        except UnavailableError:
            return Outcome("unavailable")
        except CredentialError:
            return Outcome("changed")
    return _strengthen(task, person, evidence)


def _renew_pin(task: Task, evidence: dict[str, str]) -> Outcome:
    known = task.services.upgrades.identity(task.holder)
    how = ",".join(f"{name}={value}" for name, value in sorted(evidence.items()))
    state = task.services.pins.allow(known.credential_id, how)
    values = {"link": task.card_page, "minutes": state.wait_minutes}
    return Outcome("pin" if state.settable else "pin_later", values=values)


def _stopped(task: Task) -> Outcome | None:
    """Why nothing begins: no card, or one that is not in use."""
    card = task.services.cards.of(task.holder)
    if card is None:
        return Outcome("none")
    if card.status is Status.FROZEN:
        frozen = "held" if card.frozen_by_issuer else "frozen"
        return Outcome(frozen, values={"link": task.card_page})
    if card.status is not Status.ACTIVE:
        return Outcome("ended", values={"link": task.card_page})
    return None


def _reviewing(task: Task) -> bool:
    """Whether people look at the face, or passed it just now: nothing is begun beside that."""
    review = task.services.reviews.get(str(task.given.get("review", "")))
    return review is not None and review.state in {ReviewState.WAITING, ReviewState.APPROVED}


def _cooling(task: Task) -> Outcome | None:
    """The pause after the last attempt."""
    allowance = task.services.limits.look("face", task.holder.tag, FACE_ATTEMPTS)
    if not allowance.allowed:
        return Outcome("cooling", values={"minutes": allowance.wait_minutes})
    return None


def _given(known: Identity, purpose: str) -> dict[str, object]:
    """What the face check needs to know; name and number are read again from the card."""
    return {
        "for": purpose,
        "suspected": None,
        "review": None,
        "consents": [
            {"kind": consent.kind, "version": consent.version, "at": consent.at}
            for consent in known.consents
        ],
    }


def _names(task: Task, bindings: tuple[str, ...]) -> str:
    say = task.services.texts.say
    comma = say(task.language, "chat.comma")
    return comma.join(say(task.language, f"upgrade.binding.{name}") for name in bindings)


STRENGTHENING: Final = Errand(_person, _strengthen)
REVIEWED: Final = Errand(_person, _strengthen_later)
