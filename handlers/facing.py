"""Enrolment's face step: the same living person as the registry's portrait, and nobody's twin.

`judging` judges the pictures; here is whose they have to be, and the card that follows.
"""

from __future__ import annotations

from typing import Final

from credentials.errors import CredentialError, IdNumberTakenError, UnavailableError
from credentials.model import Person
from handlers import judging, life
from handlers.judging import Errand
from handlers.proofing import consents_of
from handlers.steps import Outcome, Task, outcomes

FACE_OUTCOMES: Final = ("issued", "moved", "taken", *judging.OUTCOMES)


@outcomes(*FACE_OUTCOMES)
def match_photo(task: Task) -> Outcome:
    """One photo against the registry's portrait, and the card if they match."""
    return judging.judge_photo(task, ENROLMENT)


@outcomes(*FACE_OUTCOMES)
def match_challenge(task: Task) -> Outcome:
    """The challenge's photos, or its video, and the portrait: the same living person?"""
    return judging.judge_challenge(task, ENROLMENT)


@outcomes("issued", "moved", "taken", "rejected", "expired", "changed", "unavailable")
def hear_decision(task: Task) -> Outcome:
    """What the reviewers decided, and the card if they approved."""
    outcome = judging.hear_review(task, ENROLMENT)
    if outcome.name in {"rejected", "expired"}:
        task.services.templates.drop_undecided(str(task.given.get("id_number", "")))
    return outcome


def _person(task: Task) -> Person | Outcome:
    """Who applies, as the authority says now; with the consent to look at the face."""
    if not any(consent.kind == "face" for consent in consents_of(task)):
        return Outcome("changed")
    return judging.asked_of_authority(task, str(task.given["name"]), str(task.given["id_number"]))


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


ENROLMENT: Final = Errand(_person, _issue)
