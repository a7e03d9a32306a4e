"""Row 36. Consent missing or withdrawn: no face job runs; data erased by its deadline."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from bot.conversations import GIVEN_SECONDS
from bot.jobs import FACES
from credentials.model import Actor
from credentials.store import pin_key, portrait_key, record_key
from faces import selfie as selfies
from tests.bot.talking import Phone, World, make_world, selfie
from tests.faults.conftest import Figure


@pytest.fixture
def world(database: redis.Redis, redis_url: str) -> World:
    return make_world(database, redis_url)


@pytest.fixture
def phone(world: World) -> Phone:
    return world.phone()


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every photo whose face was measured."""
    seen: list[bytes] = []
    measure = selfies.measure

    def noting(data: bytes) -> selfies.Measured:
        seen.append(data)
        return measure(data)

    monkeypatch.setattr(selfies, "measure", noting)
    return seen


def given(world: World, phone: Phone) -> bool:
    return bool(world.database.exists(f"{phone.holder.tag}:given"))


@pytest.mark.parametrize("words", ["不同意", "拒绝", "disagree", "2", "也许", ""])
def test_without_consent_nothing_begins(
    world: World, phone: Phone, looked_at: list[bytes], words: str
) -> None:
    phone.say("申请")
    phone.say(words)
    phone.send_photo(selfie())
    assert world.waiting(FACES) == 0
    phone.hears()
    assert looked_at == []


def test_the_face_waits_for_its_own_consent(
    world: World, phone: Phone, looked_at: list[bytes], figure: Figure
) -> None:
    person = world.register()
    for said in ("申请", "1", person.name, person.id_number):
        phone.say(said)
    assert "人脸" in phone.hears()
    phone.send_photo(selfie())
    phone.hears()
    assert world.waiting(FACES) == 0
    assert looked_at == []
    phone.say("不同意")
    assert phone.step() == "home"
    assert not given(world, phone)
    figure("face jobs without consent", len(looked_at), "")


@pytest.mark.parametrize("words", ["取消", "cancel", "注销"])
def test_withdrawn_before_the_face_was_looked_at(
    world: World, phone: Phone, looked_at: list[bytes], words: str
) -> None:
    """The photo's job is on its way when the person withdraws: it finds nothing to do."""
    person = world.register()
    for said in ("申请", "同意", person.name, person.id_number):
        phone.say(said)
    phone.hears()
    phone.send_photo(selfie())
    assert world.waiting(FACES) == 1
    phone.say(words)
    assert not given(world, phone)
    phone.hears()
    assert looked_at == []
    assert world.services.cards.of(phone.holder) is None


def test_whoever_leaves_takes_it_along(world: World, phone: Phone, looked_at: list[bytes]) -> None:
    person = world.register()
    for said in ("申请", "同意", person.name, person.id_number):
        phone.say(said)
    phone.hears()
    phone.send_photo(selfie())
    phone.unfollow()
    world.work()
    assert looked_at == []
    assert not given(world, phone)


def test_what_was_given_has_a_deadline(world: World, phone: Phone, figure: Figure) -> None:
    person = world.register()
    for said in ("申请", "同意", person.name):
        phone.say(said)
    left = world.database.ttl(f"{phone.holder.tag}:given")
    assert 0 < left <= GIVEN_SECONDS <= 48 * 3600
    world.database.delete(f"{phone.holder.tag}:given")  # as Redis does when it has passed
    assert "已" in phone.say(person.id_number)
    assert phone.step() == "home"
    figure("hours that an unfinished enrolment is kept, at most", GIVEN_SECONDS / 3600, "h")


def test_a_deleted_card_leaves_no_data(world: World, phone: Phone) -> None:
    person = world.register()
    phone.enrols(person, selfie())
    card = world.services.cards.of(phone.holder)
    assert card is not None
    phone.say("注销")
    phone.say("是")
    phone.hears()
    record: Any = world.database.hgetall(record_key(card.credential_id))
    assert b"e" not in record
    assert record[b"s"] == b"revoked"
    for key in (portrait_key(card.credential_id), pin_key(card.credential_id)):
        assert not world.database.exists(key)
    assert world.services.cards.find(person.id_number) is None
    assert not world.database.exists(f"{phone.holder.tag}:card")
    assert list(world.database.scan_iter("{t:*")) == []


def test_a_withdrawn_cards_code_tells_nothing(world: World, phone: Phone) -> None:
    phone.enrols(world.register(), selfie())
    code = world.services.cards.mint(phone.holder).code
    world.services.cards.erase(phone.holder, Actor("holder"))
    with pytest.raises(Exception, match="revoked"):
        world.services.verifications.verify(world.verifier(), "", code, "internet_cafe")
