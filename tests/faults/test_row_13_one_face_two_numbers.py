"""Row 13. One face under two ID numbers: held for manual review; two reviewers decide."""

from __future__ import annotations

import dataclasses

import pytest
import redis

from credentials.errors import CredentialError
from credentials.model import Actor
from credentials.reviews import ReviewError, ReviewKind, ReviewState
from handlers.proofing import FACE_ATTEMPTS
from tests.bot.talking import GRACE, Phone, World, doubtful, make_world, selfie
from tests.faults.faces import answers, asked, at_the_face, passes
from web.demo import CITIZENS

HOPPER = CITIZENS[0]
ANNA, BELA = Actor("operator", "anna"), Actor("operator", "bela")


@pytest.fixture
def world(database: redis.Redis, redis_url: str) -> World:
    return make_world(database, redis_url, liveness="challenge")


@pytest.fixture
def second(world: World) -> Phone:
    """Somebody whose face is on a card under another number already."""
    first = world.register(1, "张三丰")
    assert "办好了" in passes(at_the_face(world, first, "oFirst"))
    phone = at_the_face(world, world.register(2, "李四光"), "oSecond")
    assert "人工核对" in passes(phone, tilt=3)
    return phone


def attempts_left(phone: Phone) -> int:
    return phone.world.services.limits.look("face", phone.holder.tag, FACE_ATTEMPTS).left


def test_is_held_for_review(world: World, second: Phone) -> None:
    assert second.step() == "in_review"
    assert world.services.cards.of(second.holder) is None
    (case,) = world.services.reviews.waiting()
    assert case.kind is ReviewKind.DUPLICATE
    assert attempts_left(second) == FACE_ATTEMPTS - 1
    assert case.facts is not None
    first = world.services.cards.of(world.phone("oFirst").holder)
    assert first is not None
    assert case.facts.others == (first.credential_id,)
    assert {"portrait", "frame1", "other1"} <= set(case.facts.images)
    for name in case.facts.images:
        picture = world.services.reviews.picture(case.review_id, name)
        assert picture is not None
        assert picture.startswith(b"\xff\xd8")


def test_goes_on_waiting_whatever_is_said(world: World, second: Phone) -> None:
    assert "正在人工核对" in second.say("好了吗")
    world.later_s = 300  # the engine asks for a lost job again: that decides nothing
    second.say("好了吗")
    assert "办好了" not in second.hears()
    assert second.step() == "in_review"


def test_one_reviewer_alone_issues_nothing(world: World, second: Phone) -> None:
    (case,) = world.services.reviews.waiting()
    world.services.reviews.decide(case.review_id, ANNA, "twins", approve=True)
    with pytest.raises(ReviewError) as refused:
        world.services.reviews.decide(case.review_id, ANNA, "twins, again", approve=True)
    assert refused.value.code == "same_reviewer"
    assert second.hears() == ""
    assert world.services.cards.of(second.holder) is None


def test_two_reviewers_issue_it_and_the_chat_hears(world: World, second: Phone) -> None:
    (case,) = world.services.reviews.waiting()
    world.services.reviews.decide(case.review_id, ANNA, "twins: the registry says so", approve=True)
    decided = world.services.reviews.decide(case.review_id, BELA, "seen both", approve=True)
    assert decided.state is ReviewState.APPROVED
    assert decided.facts is None
    assert world.services.reviews.picture(case.review_id, "portrait") is None
    assert "办好了" in second.hears()
    assert attempts_left(second) == FACE_ATTEMPTS
    card = world.services.cards.of(second.holder)
    assert card is not None
    issued = world.services.cards.history(card.credential_id)[-1]
    assert "reviewers=anna+bela" in issued.detail["evidence"]


def test_a_rejection_is_told_and_erases(world: World, second: Phone) -> None:
    (case,) = world.services.reviews.waiting()
    world.services.reviews.decide(case.review_id, BELA, "a false name", approve=False)
    assert "没有通过" in second.hears()
    assert second.step() == "home"
    assert world.services.cards.of(second.holder) is None
    assert world.services.reviews.picture(case.review_id, "frame1") is None
    with pytest.raises(ReviewError):
        world.services.reviews.decide(case.review_id, ANNA, "too late", approve=True)
    assert "分钟后" in second.say("申请")  # nobody tries again and again until one lets them pass
    assert second.step() == "home"


def test_whoever_cancels_gets_no_card(world: World, second: Phone) -> None:
    (case,) = world.services.reviews.waiting()
    world.services.reviews.decide(case.review_id, ANNA, "twins", approve=True)
    second.say("取消")
    with pytest.raises(ReviewError) as refused:
        world.services.reviews.decide(case.review_id, BELA, "twins", approve=True)
    assert refused.value.code == "withdrawn"
    assert second.hears() == ""
    assert world.services.cards.of(second.holder) is None


@pytest.mark.parametrize("leave", ["取消", "注销", "unfollow"])
def test_nothing_is_left_of_whoever_does_not_wait(world: World, second: Phone, leave: str) -> None:
    (case,) = world.services.reviews.waiting()
    assert len(world.database.keys("{t:*}")) == 2
    _ = second.unfollow() if leave == "unfollow" else second.say(leave)
    assert world.services.reviews.waiting() == []
    (ended,) = world.services.reviews.decided()
    assert (ended.state, ended.facts) == (ReviewState.WITHDRAWN, None)
    assert world.services.reviews.picture(case.review_id, "portrait") is None
    assert len(world.database.keys("{t:*}")) == 1  # the first one's, who has a card


@pytest.fixture
def plain(database: redis.Redis, redis_url: str) -> World:
    """One photo is enough."""
    return make_world(database, redis_url)


def decide(phone: Phone, *, approve: bool = True) -> str:
    """What is said once reviewers, as many as it takes, decided the case that waits."""
    (case,) = phone.world.services.reviews.waiting()
    for reviewer in (ANNA, BELA)[: case.approvals if approve else 1]:
        phone.world.services.reviews.decide(case.review_id, reviewer, "looked", approve=approve)
    return phone.hears()


def test_a_face_that_people_passed_is_kept_among_all(plain: World) -> None:
    first = plain.phone("oFirst")
    assert "人工核对" in first.enrols(plain.register(1, "张三丰"), doubtful())
    assert "办好了" in decide(first)
    (key,) = plain.database.keys("{t:*}")
    assert plain.database.ttl(key) == -1
    person = dataclasses.replace(plain.register(2, "李四光"), portrait=doubtful())
    plain.registry.add(person)
    second = plain.phone("oSecond")
    assert "人工核对" in second.enrols(person, doubtful())
    (case,) = plain.services.reviews.waiting()
    assert case.kind is ReviewKind.DUPLICATE


def test_reviewers_of_a_doubtful_face_are_shown_whose_it_is_already(plain: World) -> None:
    first = plain.phone("oFirst")
    assert "办好了" in first.enrols(plain.register(1, "张三丰"), selfie())
    card = plain.services.cards.of(first.holder)
    assert card is not None
    second = plain.phone("oSecond")
    assert "人工核对" in second.enrols(plain.register(2, "李四光"), doubtful())
    (case,) = plain.services.reviews.waiting()
    assert (case.kind, case.approvals) == (ReviewKind.DOUBTFUL, 2)
    assert case.facts is not None
    assert case.facts.others == (card.credential_id,)
    assert "other1" in case.facts.images


def test_no_card_is_issued_whose_face_is_not_kept(plain: World) -> None:
    """One person applies from two accounts and goes on from one, which erases the face."""
    person = plain.register()
    first, second = plain.phone("oFirst"), plain.phone("oSecond")
    for phone in (first, second):
        assert "人工核对" in phone.enrols(person, doubtful())
    first.say("取消")
    assert "没有按时完成" in decide(second)
    assert plain.services.cards.of(second.holder) is None


def test_a_face_that_people_rejected_is_not_kept(plain: World) -> None:
    phone = plain.phone()
    assert "人工核对" in phone.enrols(plain.register(), doubtful())
    assert plain.database.keys("{t:*}")
    assert "没有通过" in decide(phone, approve=False)
    assert not plain.database.keys("{t:*}")


def test_another_face_is_not_held(world: World, second: Phone) -> None:
    other = at_the_face(world, world.register(3, "王五", face=GRACE), "oThird")
    told = answers(other, [HOPPER.gesture(gesture) for gesture in asked(other)])
    waiting = world.services.reviews.waiting()
    held = [case.kind for case in waiting if case.facts and case.facts.holder == other.holder]
    # The pictures are made anew each time: now and then one of them is doubtful by itself.
    assert "办好了" in told or held == [ReviewKind.DOUBTFUL]


def test_a_face_is_forgotten_with_its_card(world: World) -> None:
    first = at_the_face(world, world.register(1, "张三丰"), "oFirst")
    assert "办好了" in passes(first)
    world.services.cards.erase(first.holder, Actor("holder"))
    phone = at_the_face(world, world.register(2, "李四光"), "oSecond")
    assert "办好了" in passes(phone, tilt=3)


def test_nothing_in_redis_leads_from_the_face_to_the_number(world: World) -> None:
    person = world.register(1, "张三丰")
    assert "办好了" in passes(at_the_face(world, person, "oFirst"))
    (key,) = world.database.keys("{t:*}")
    card = world.services.cards.find(person.id_number)
    assert card is not None
    sealed = world.database.get(key)
    assert isinstance(sealed, bytes)
    for told in (person.id_number, card.credential_id, "oFirst"):
        assert told.encode() not in key
        assert told.encode() not in sealed
    with pytest.raises(CredentialError):
        world.services.sealer.unseal("{t:another}", sealed)
