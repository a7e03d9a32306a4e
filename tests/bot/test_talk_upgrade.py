"""The face step of an upgrade and of a new PIN: judged as enrolment's is."""

from __future__ import annotations

import io

import pytest
import redis
from PIL import Image

from credentials.model import Actor, Level, Person
from credentials.reviews import ReviewKind
from credentials.store import upgrade_key
from handlers.proofing import FACE_ATTEMPTS
from tests.bot.talking import EILEEN, GRACE, Phone, World, doubtful, make_world
from tests.credentials.kiosk import Kiosk
from tests.faces import warping
from tests.faults.acts import CONSENTS
from tests.faults.faces import answers, asked, at_the_face, doing, passes

ANNA, BELA = Actor("operator", "anna"), Actor("operator", "bela")


@pytest.fixture
def world(database: redis.Redis, redis_url: str) -> World:
    return make_world(database, redis_url, liveness="challenge")


@pytest.fixture
def person(world: World) -> Person:
    return world.register()


@pytest.fixture
def phone(world: World, person: Person) -> Phone:
    """Somebody with a light card who began the upgrade, and was read by a terminal."""
    phone = world.phone()
    world.services.cards.issue(phone.holder, person, CONSENTS, evidence={"liveness": "challenge"})
    begins(phone, person)
    return phone


def begins(phone: Phone, person: Person) -> None:
    """From the word to the first gesture, with chip and finger read at a terminal meanwhile."""
    services = phone.world.services
    assert "第 1/" in phone.say("升级") + phone.hears()
    kiosk = Kiosk.accredited(services.upgrades, services.terminals)
    kiosk.reads(services.upgrades.binding_code(phone.holder).digits, person)


def test_whoever_asks_again_is_told_only_what_is_left(phone: Phone) -> None:
    told = phone.say("升级") + phone.hears()
    assert "还需要：面容。" in told
    assert "第 1/" in told


def level(phone: Phone) -> Level:
    return phone.world.services.upgrades.identity(phone.holder).level


def edited(phone: Phone, tilt: float) -> list[bytes]:
    """What is asked for, in files that an editor saved years ago."""
    made = []
    for gesture in asked(phone):
        exif = Image.Exif()
        exif[0x0131] = "Adobe Photoshop 26.0"
        exif.get_ifd(0x8769)[0x9003] = "2020:01:01 10:00:00"
        file = io.BytesIO()
        picture = warping.tilted(warping.gesture(EILEEN, gesture), tilt)
        picture.save(file, "JPEG", quality=90, exif=exif)
        made.append(file.getvalue())
    return made


def goes_to_people(phone: Phone) -> str:
    """Twice suspicious; the review's id."""
    assert "翻拍" in answers(phone, edited(phone, 0))
    assert "人工核对" in answers(phone, edited(phone, 3))
    (case,) = phone.world.services.reviews.waiting()
    assert case.kind is ReviewKind.SUSPICIOUS
    return case.review_id


def decide(phone: Phone, review_id: str, *, approve: bool) -> str:
    for reviewer in (ANNA, BELA)[: 2 if approve else 1]:
        phone.world.services.reviews.decide(review_id, reviewer, "looked", approve=approve)
    return phone.hears()


def test_the_holder_is_upgraded(phone: Phone) -> None:
    assert "升级完成" in passes(phone)
    assert level(phone) is Level.UPGRADED


def test_another_person_is_not(phone: Phone) -> None:
    assert "还可以再试 4 次" in passes(phone, GRACE)
    assert level(phone) is Level.LIGHT


def test_pictures_that_somebody_sent_before_count_for_nothing(
    world: World, phone: Phone, person: Person
) -> None:
    photos = [doing(gesture) for gesture in asked(phone)]
    other = at_the_face(world, world.register(2, "李四光"), "oOther")
    given = world.conversations.look(other.holder).given["gestures"]
    answers(other, (photos * 2)[: len(given)])  # type: ignore[arg-type]
    assert "以前发送过" in answers(phone, photos)
    assert level(phone) is Level.LIGHT
    assert any(note.kind == "picture_reused" for note in world.services.audit.recent(20))


def test_suspicious_pictures_go_before_people_who_may_approve(phone: Phone) -> None:
    review_id = goes_to_people(phone)
    assert level(phone) is Level.LIGHT
    assert "正在人工核对" in phone.say("好了吗")
    assert "升级完成" in decide(phone, review_id, approve=True)
    assert level(phone) is Level.UPGRADED
    card = phone.world.services.cards.of(phone.holder)
    assert card is not None
    uses = phone.world.services.cards.history(card.credential_id)
    (face,) = [use for use in uses if use.kind == "bound" and use.detail["what"] == "face"]
    assert face.detail["reviewers"] == "anna+bela"


def test_one_reviewer_alone_upgrades_nothing(phone: Phone) -> None:
    review_id = goes_to_people(phone)
    phone.world.services.reviews.decide(review_id, ANNA, "looked", approve=True)
    assert phone.hears() == ""
    assert level(phone) is Level.LIGHT


def test_or_reject_and_the_card_stays_as_it_was(phone: Phone) -> None:
    told = decide(phone, goes_to_people(phone), approve=False)
    assert "没有通过" in told
    assert level(phone) is Level.LIGHT
    assert phone.step() == "home"


def test_a_card_frozen_during_the_review_is_not_upgraded(phone: Phone) -> None:
    review_id = goes_to_people(phone)
    card = phone.world.services.cards.of(phone.holder)
    assert card is not None
    phone.world.services.cards.freeze(card.credential_id, Actor("holder"))
    assert "状态有变化" in decide(phone, review_id, approve=True)
    assert level(phone) is Level.LIGHT


def test_reviewers_who_take_longer_than_an_upgrade_lasts(phone: Phone) -> None:
    review_id = goes_to_people(phone)
    card = phone.world.services.cards.of(phone.holder)
    assert card is not None
    assert phone.world.database.delete(upgrade_key(card.credential_id))  # half an hour is over
    told = decide(phone, review_id, approve=True)
    assert "还需要" in told
    assert level(phone) is Level.LIGHT
    under_way = phone.world.services.upgrades.look(phone.holder)
    assert under_way is not None
    assert set(under_way.bound) == {"face"}


def test_a_face_of_another_number_goes_before_people(world: World, phone: Phone) -> None:
    twin = world.register(2, "李四光")
    world.services.cards.issue(
        world.phone("oTwin").holder, twin, CONSENTS, evidence={"liveness": "challenge"}
    )
    other = at_the_face(world, world.register(3, "王五"), "oThird")
    assert "办好了" in passes(other, tilt=-3)
    assert "人工核对" in passes(phone, tilt=3)
    (case,) = world.services.reviews.waiting()
    assert case.kind is ReviewKind.DUPLICATE
    assert level(phone) is Level.LIGHT


def test_a_new_pin_is_as_strict(phone: Phone) -> None:
    phone.world.services.upgrades.face(phone.holder, {"distance": "0.3"})
    card = phone.world.services.cards.of(phone.holder)
    assert card is not None
    assert level(phone) is Level.UPGRADED
    phone.world.services.pins.set(phone.holder, "274906")
    assert "第 1/" in phone.say("PIN") + phone.hears()
    review_id = goes_to_people(phone)
    assert phone.world.services.pins.state(card.credential_id).from_s is None
    assert "分钟后才能" in decide(phone, review_id, approve=True)
    assert phone.world.services.pins.state(card.credential_id).from_s is not None


class TestDoubtful:
    """With one photo, as it is easiest to be doubtful with."""

    @pytest.fixture
    def world(self, database: redis.Redis, redis_url: str) -> World:
        return make_world(database, redis_url)

    @pytest.fixture
    def holder(self, world: World, person: Person) -> Phone:
        phone = world.phone()
        phone.world.services.cards.issue(phone.holder, person, CONSENTS, evidence={"liveness": ""})
        return phone

    @staticmethod
    def tries(phone: Phone, word: str = "升级") -> int:
        """A doubtful photo; how many attempts are left after it."""
        assert "照片" in phone.say(word) + phone.hears()
        phone.send_photo(doubtful())
        assert "人工核对" in phone.hears()
        return phone.world.services.limits.look("face", phone.holder.tag, FACE_ATTEMPTS).left

    def test_nobody_tries_again_and_again_until_one_is_clear(self, holder: Phone) -> None:
        for left in range(FACE_ATTEMPTS - 1, -1, -1):
            assert self.tries(holder) == left
            holder.say("取消")
        assert "分钟后" in holder.say("升级")
        assert holder.step() == "home"

    def test_the_last_one_is_decided_all_the_same(self, world: World, holder: Phone) -> None:
        for left in range(FACE_ATTEMPTS - 1, 0, -1):
            assert self.tries(holder) == left
            holder.say("取消")
        before = {case.review_id for case in world.services.reviews.waiting()}
        assert self.tries(holder) == 0
        (last,) = [c for c in world.services.reviews.waiting() if c.review_id not in before]
        for reviewer in (ANNA, BELA)[: last.approvals]:
            world.services.reviews.decide(last.review_id, reviewer, "the same", approve=True)
        assert "还需要" in holder.hears()
        left = world.services.limits.look("face", holder.holder.tag, FACE_ATTEMPTS).left
        assert left == FACE_ATTEMPTS

    def test_one_review_at_a_time(self, world: World, holder: Phone) -> None:
        self.tries(holder)
        told = holder.say("升级") + holder.hears()
        assert "绑定码" in told
        assert "正在人工核对" in told
        holder.send_photo(doubtful())
        assert holder.step() == "upgrade_in_review"
        assert len(world.services.reviews.waiting()) == 1

    def test_a_new_pin_waits_for_it_too(self, world: World, holder: Phone, person: Person) -> None:
        services = world.services
        assert "照片" in holder.say("升级") + holder.hears()
        kiosk = Kiosk.accredited(services.upgrades, services.terminals)
        kiosk.reads(services.upgrades.binding_code(holder.holder).digits, person)
        services.upgrades.face(holder.holder, {"distance": "0.3"})
        services.pins.set(holder.holder, "274906")
        self.tries(holder, "PIN")
        told = holder.say("PIN") + holder.hears()
        assert "核对通过后" in told
        assert holder.step() == "upgrade_in_review"
        assert len(services.reviews.waiting()) == 1
