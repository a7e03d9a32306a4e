"""A machine that does anything in any order, looking for a disclosure that policy forbids."""

# ruff: noqa: PT017 - whether a refusal is right is what the model decides

from __future__ import annotations

import dataclasses
import os
from typing import ClassVar

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from credentials.errors import CredentialError, LifecycleError, RefusalError
from credentials.model import Level, State, Status, Verification
from credentials.purposes import PURPOSES
from tests.credentials.issuer import HOLDER, PIN, Desk, Issuer, Phone, person

GRANTED = {1: ("internet_cafe", "hotel", "banking"), 2: ("internet_cafe", "courier")}
PURPOSE = st.sampled_from(sorted(PURPOSES))
LIVES = (
    "credentials.verification.LIFE_SECONDS",
    "credentials.verification.WAIT_SECONDS",
    "credentials.pins.ENTERED_SECONDS",
)
"""How long a code lives, a question waits, and a PIN counts that was entered."""


@dataclasses.dataclass
class Shown:
    """A code, and what the holder meant by it."""

    code: str
    purpose: str | None
    order: int
    owner: int  # which card of the account, by count


class Policy(RuleBasedStateMachine):
    """One holder, two desks; a model of what is allowed, kept beside the product."""

    database: ClassVar[redis.Redis]

    @initialize()
    def begin(self) -> None:
        self.database.flushall()
        self.issuer = Issuer(self.database)
        self.desks = {n: Desk(self.issuer, self.issuer.desk(*GRANTED[n], number=n).verifier)
                      for n in GRANTED}  # fmt: skip
        self.phone: Phone = self.issuer.phone()
        self.status = Status.ACTIVE
        self.cards = 1
        self.codes: list[Shown] = []
        self.newest_used = 0
        self.minted = 0
        self.asked: list[tuple[int, Verification]] = []
        self.waiting: str | None = None
        self.approved: set[str] = set()
        self.upgraded = False
        self.entered: str | None = None  # what the PIN counts for

    # --- the holder --------------------------------------------------------------------------

    @rule(purpose=st.none() | PURPOSE, pin=st.sampled_from(["", PIN]))
    def show(self, purpose: str | None, pin: str) -> None:
        needs_pin = purpose is not None and PURPOSES[purpose].pin
        may = self.status is Status.ACTIVE and (
            not needs_pin or (self.upgraded and (pin == PIN or self.entered == purpose))
        )
        try:
            code = self.phone.show(purpose, pin)
        except CredentialError as error:
            assert not may, error.code
            return
        assert may
        if needs_pin and pin:
            self.entered = purpose
        self.minted += 1
        self.codes.append(Shown(code, purpose, self.minted, self.cards))

    @rule(there=st.sampled_from([Status.ACTIVE, Status.FROZEN, Status.REVOKED, Status.EXPIRED]))
    def change(self, there: Status) -> None:
        cards = self.issuer.cards
        act = {
            Status.ACTIVE: cards.unfreeze,
            Status.FROZEN: cards.freeze,
            Status.REVOKED: cards.revoke,
            Status.EXPIRED: cards.expire,
        }[there]
        arrows = {
            Status.ACTIVE: {Status.FROZEN, Status.REVOKED, Status.EXPIRED},
            Status.FROZEN: {Status.ACTIVE, Status.REVOKED, Status.EXPIRED},
        }
        try:
            card = act(self.phone.credential_id, HOLDER)
        except LifecycleError:
            assert there not in arrows.get(self.status, set())
            return
        assert there in arrows[self.status]
        assert card.status is there
        self.status, self.waiting = there, None

    @rule()
    def upgrade(self) -> None:
        try:
            self.phone.upgrade()
        except CredentialError:
            assert self.status is not Status.ACTIVE or self.upgraded
            return
        assert self.status is Status.ACTIVE
        assert not self.upgraded
        self.upgraded, self.entered = True, None

    @rule()
    def enrol_again(self) -> None:
        try:
            card = self.issuer.issue(person(), self.phone.holder.openid)
        except CredentialError:
            assert self.status in {Status.ACTIVE, Status.FROZEN}
            return
        assert self.status in {Status.REVOKED, Status.EXPIRED}
        self.phone = Phone(self.issuer, card.holder, card.credential_id)
        self.status, self.waiting, self.newest_used = Status.ACTIVE, None, 0
        self.upgraded, self.entered = False, None
        self.cards += 1

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), agree=st.booleans(), freeze=st.booleans(), pin=st.booleans())
    def answer(self, data: st.DataObject, agree: bool, freeze: bool, pin: bool) -> None:
        _, asked = data.draw(st.sampled_from(self.asked))
        identifier, verifications = asked.verification_id, self.issuer.verifications
        needs_pin = PURPOSES[asked.purpose].pin and agree
        may = self.status is Status.ACTIVE and self.waiting == identifier
        may = may and (pin or not needs_pin)
        try:
            if agree:
                verifications.approve(self.phone.holder, identifier, PIN if pin else "")
                if needs_pin:
                    self.entered = None
            else:
                verifications.deny(self.phone.holder, identifier, freeze=freeze)
        except CredentialError as error:
            assert not may, error.code
            if needs_pin and pin and error.code != "already_answered":
                self.entered = None  # entered, for what could not be approved
            return
        assert may
        self.waiting = None
        if agree:
            self.approved.add(identifier)
        elif freeze:
            self.status = Status.FROZEN

    # --- the desks ---------------------------------------------------------------------------

    @precondition(lambda self: self.codes)
    @rule(data=st.data(), number=st.sampled_from([1, 2]), purpose=PURPOSE)
    def scan(self, data: st.DataObject, number: int, purpose: str) -> None:
        shown = data.draw(st.sampled_from(self.codes))
        wanted = PURPOSES[purpose]
        may = (
            self.status is Status.ACTIVE
            and purpose in GRANTED[number]
            and (wanted.level is Level.LIGHT or self.upgraded)
            and (not wanted.pin or shown.purpose is None or self.entered == purpose)
            and shown.purpose in {None, purpose}
            and shown.owner == self.cards
            and shown.order > self.newest_used
        )
        try:
            answer = self.desks[number].scan(shown.code, purpose)
        except RefusalError as error:
            assert not may, error.code
            return
        assert may
        self.newest_used = shown.order
        if wanted.pin and shown.purpose:
            self.entered = None
        if wanted.approval and shown.purpose is None:
            assert answer.state is State.AWAITING_HOLDER
            assert answer.attributes == {}
            self.asked.append((number, answer))
            self.waiting = answer.verification_id
        else:
            assert answer.state is State.ACCEPTED
            assert set(answer.attributes) == set(wanted.attributes)
            self.waiting = None

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), number=st.sampled_from([1, 2]))
    def look(self, data: st.DataObject, number: int) -> None:
        asker, asked = data.draw(st.sampled_from(self.asked))
        try:
            found = self.desks[number].look(asked)
        except RefusalError as error:
            assert number != asker or error.code != "unknown_verification"
            return
        assert number == asker
        if found.attributes:
            assert asked.verification_id in self.approved
            assert set(found.attributes) == set(PURPOSES[found.purpose].attributes)
        if found.state is State.AWAITING_HOLDER:
            assert self.waiting == asked.verification_id

    @invariant()
    def the_product_says_what_the_model_says(self) -> None:
        card = self.issuer.cards.get(self.phone.credential_id)
        assert card is not None
        assert card.status is self.status

    def teardown(self) -> None:
        assert self.issuer.findings() == []


@pytest.mark.usefixtures("light_hashing")
def test_no_way_to_a_forbidden_disclosure(
    database: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model knows of no time, so nothing ends by itself, however slow the machine is."""
    for lives in LIVES:
        monkeypatch.setattr(lives, 24 * 3600)
    Policy.database = database
    machine = Policy.TestCase
    machine.settings = settings(
        max_examples=int(os.environ.get("POLICY_EXAMPLES", "25")),
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    machine("runTest").runTest()
