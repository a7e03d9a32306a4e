"""A card's life in the chat: not me, moving, renewing, waiting, ending."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from credentials.archive import Archives
from credentials.cases import Kind
from credentials.errors import RefusalError
from credentials.model import Actor, Card, Holder, Level, Status
from tests.bot.talking import GRACE, Phone, World, make_world, selfie


@pytest.fixture
def world(database: redis.Redis, redis_url: str) -> World:
    return make_world(database, redis_url)


@pytest.fixture
def phone(world: World) -> Phone:
    return world.phone()


def status(world: World, phone: Phone) -> Status:
    card = world.services.cards.of(phone.holder)
    assert card is not None
    return card.status


def scan(world: World, phone: Phone, purpose: str = "internet_cafe") -> str:
    code = world.services.cards.mint(phone.holder).code
    verifier = world.verifier()
    return world.services.verifications.verify(verifier, "前台", code, purpose).verification_id


class TestNotMe:
    @pytest.mark.parametrize("words", ["不是我", "not me", "Not me!", "不是我。"])
    def test_a_use_that_was_not_the_holders(self, world: World, phone: Phone, words: str) -> None:
        phone.enrols(world.register(), selfie())
        verification_id = scan(world, phone)
        assert "不是我" in phone.hears()
        told = phone.say(words)
        assert "已冻结" in told
        assert "海景酒店" in told
        assert status(world, phone) is Status.FROZEN
        (case,) = world.services.cases.waiting()
        assert (case.kind, case.verification_id) == (Kind.NOT_ME, verification_id)
        last = world.services.cards.history(case.credential_id, 1)[0]
        assert last.detail["reason"] == f"not_me:{verification_id}"

    def test_while_an_operator_has_the_talk(self, world: World, phone: Phone) -> None:
        phone.enrols(world.register(), selfie())
        scan(world, phone)
        phone.hears()
        until = world.clock() + 3600
        world.conversations.change(phone.holder, helper="anna", helped_until=until)
        assert phone.say("你好") == ""
        assert "已冻结" in phone.say("不是我")
        assert status(world, phone) is Status.FROZEN
        assert world.conversations.look(phone.holder).helper == "anna"

    def test_said_twice_is_one_case(self, world: World, phone: Phone) -> None:
        phone.enrols(world.register(), selfie())
        scan(world, phone)
        phone.say("不是我")
        phone.say("不是我")
        assert len(world.services.cases.waiting()) == 1

    def test_a_request_that_waits_is_refused_with_it(self, world: World, phone: Phone) -> None:
        phone.enrols(world.register(), selfie())
        scan(world, phone, "hotel")
        phone.say("不是我")
        assert "没有" in phone.say("批准")

    @pytest.mark.parametrize("end", ["revoke", "expire"])
    def test_of_a_card_that_has_ended_since(self, world: World, phone: Phone, end: str) -> None:
        phone.enrols(world.register(), selfie())
        verification_id = scan(world, phone)
        card = world.services.cards.of(phone.holder)
        assert card is not None
        getattr(world.services.cards, end)(card.credential_id, Actor("system"))
        told = phone.say("不是我")
        assert "海景酒店" in told
        assert "已失效" in told
        assert "已冻结" not in told
        (case,) = world.services.cases.waiting()
        assert case.verification_id == verification_id
        after = world.services.cards.of(phone.holder)
        assert after is not None
        assert after.status not in (Status.ACTIVE, Status.FROZEN)

    def test_of_an_ended_card_that_was_never_used(self, world: World, phone: Phone) -> None:
        phone.enrols(world.register(), selfie())
        card = world.services.cards.of(phone.holder)
        assert card is not None
        world.services.cards.revoke(card.credential_id, Actor("system"))
        assert "已失效" in phone.say("不是我")
        assert world.services.cases.waiting() == []

    def test_without_a_use_nothing_is_frozen(self, world: World, phone: Phone) -> None:
        phone.enrols(world.register(), selfie())
        assert "没有使用记录" in phone.say("不是我")
        assert status(world, phone) is Status.ACTIVE
        assert world.services.cases.waiting() == []

    def test_an_old_use_is_for_the_history(self, world: World, phone: Phone) -> None:
        phone.enrols(world.register(), selfie())
        scan(world, phone)
        world.later_s = 40 * 86_400
        assert "没有使用记录" in phone.say("不是我")

    def test_without_a_card(self, phone: Phone) -> None:
        assert "还没有证件" in phone.say("不是我")


class TestMoving:
    def old_and_new(self, world: World) -> tuple[Phone, Phone]:
        old, new = world.phone("oOld"), world.phone("oNew")
        person = world.register()
        old.enrols(person, selfie())
        for said in ("申请", "同意", person.name, person.id_number):
            new.say(said)
        assert "另一个账号" in new.hears()
        return old, new

    def test_a_card_moves_to_a_new_account(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old, new = self.old_and_new(world)
        shown: list[str] = []
        move = world.services.renewals.move

        def moves(*arguments: Any, **evidence: Any) -> Card:
            shown.append(world.services.cards.mint(old.holder).code)  # no face ages it
            return move(*arguments, **evidence)

        monkeypatch.setattr(world.services.renewals, "move", moves)
        assert "4/4" in new.say("是")
        new.send_photo(selfie())
        assert "已移到这个账号" in new.hears()
        assert "移到另一个微信账号" in old.hears()
        assert world.services.cards.of(old.holder) is None
        assert status(world, new) is Status.ACTIVE
        (before,) = shown
        with pytest.raises(RefusalError, match="already_used"):
            world.services.verifications.verify(world.verifier(), "", before, "internet_cafe")
        assert scan(world, new)
        assert "移到了另一个账号" in new.say("记录")
        assert "还没有证件" in old.say("card")

    def test_another_persons_face_moves_nothing(self, world: World) -> None:
        old, new = self.old_and_new(world)
        new.say("是")
        new.send_photo(selfie(GRACE))
        assert "还可以再试" in new.hears()
        assert status(world, old) is Status.ACTIVE
        assert world.services.cards.of(new.holder) is None

    @pytest.mark.parametrize("words", ["否", "no", "取消"])
    def test_whoever_does_not_want_it(self, world: World, words: str) -> None:
        old, new = self.old_and_new(world)
        new.say(words)
        assert new.step() == "home"
        assert not world.conversations.look(new.holder).given
        assert status(world, old) is Status.ACTIVE

    def test_whoever_leaves_during_the_comparison_moves_nothing(self, world: World) -> None:
        old, new = self.old_and_new(world)
        new.say("是")
        world.platform.meanwhile = lambda: new.say("取消")
        new.send_photo(selfie())
        assert new.hears() == ""
        assert status(world, old) is Status.ACTIVE
        assert world.services.cards.of(new.holder) is None
        assert world.database.keys("{t:*}")  # the face is its card's, which stays

    def test_what_is_unclear_moves_nothing(self, world: World) -> None:
        old, new = self.old_and_new(world)
        assert "“是”" in new.say("大概吧")
        assert new.step() == "move_offer"
        assert status(world, old) is Status.ACTIVE

    def test_a_card_that_ended_meanwhile_does_not_move(self, world: World) -> None:
        old, new = self.old_and_new(world)
        new.say("是")
        old.say("注销")
        old.say("是")
        new.send_photo(selfie())
        new.hears()
        assert world.services.cards.of(new.holder) is None

    def test_a_frozen_card_stays_frozen(self, world: World) -> None:
        old, new = self.old_and_new(world)
        old.say("冻结")
        new.say("是")
        new.send_photo(selfie())
        new.hears()
        assert status(world, new) is Status.FROZEN

    def test_it_moves_back(self, world: World) -> None:
        old, new = self.old_and_new(world)
        new.say("是")
        new.send_photo(selfie())
        new.hears()
        person = world.register()
        for said in ("申请", "同意", person.name, person.id_number):
            old.say(said)
        old.hears()
        old.say("是")
        old.send_photo(selfie())
        assert "已移到这个账号" in old.hears()
        assert world.services.cards.of(new.holder) is None


class TestRenewing:
    def test_nothing_has_changed(self, world: World, phone: Phone) -> None:
        phone.enrols(world.register(), selfie())
        phone.say("更新")
        assert "没有变化" in phone.hears()

    def test_a_new_name(self, world: World, phone: Phone) -> None:
        person = world.register()
        phone.enrols(person, selfie())
        world.registry.add(dataclasses.replace(person, name="张无忌"))
        phone.say("更新")
        assert "新姓名" in phone.hears()
        assert status(world, phone) is Status.FROZEN
        phone.say("李四")
        assert "没有确认" in phone.hears()
        phone.say("张无忌")
        assert "已按登记机关的资料更新" in phone.hears()
        phone.say("解冻")
        answer = world.services.verifications.verify(
            world.verifier(), "", world.services.cards.mint(phone.holder, "courier").code, "courier"
        )
        assert answer.attributes["name"] == "张无忌"

    def test_a_new_physical_card_of_an_upgraded_one(self, world: World, phone: Phone) -> None:
        person = world.register()
        phone.enrols(person, selfie())
        card = world.services.cards.of(phone.holder)
        assert card is not None
        key = next(world.database.scan_iter(f"*:c:{card.credential_id}"))
        world.database.hset(key, "l", "upgraded")
        world.registry.add(dataclasses.replace(person, valid_until=datetime.date(2044, 1, 1)))
        phone.say("更新")
        assert "轻量级" in phone.hears()
        card = world.services.cards.of(phone.holder)
        assert card is not None
        assert (card.level, card.valid_until) == (Level.LIGHT, datetime.date(2044, 1, 1))

    def test_a_registration_that_ended(self, world: World, phone: Phone) -> None:
        person = world.register()
        phone.enrols(person, selfie())
        world.registry.end(person.id_number, "cancelled")
        phone.say("更新")
        assert "已吊销" in phone.hears()
        assert status(world, phone) is Status.REVOKED

    def test_an_authority_that_is_out_changes_nothing(self, world: World, phone: Phone) -> None:
        phone.enrols(world.register(), selfie())
        world.registry.down = True
        phone.say("更新")
        assert "没有回应" in phone.hears()
        assert status(world, phone) is Status.ACTIVE

    def test_without_a_card(self, phone: Phone) -> None:
        assert "没有可以更新" in phone.say("更新")

    def test_somebody_in_the_middle_of_something(self, phone: Phone) -> None:
        phone.say("申请")
        assert "请先完成" in phone.say("更新")

    def test_it_is_not_asked_for_ever(self, world: World, phone: Phone) -> None:
        phone.enrols(world.register(), selfie())
        told = []
        for _ in range(12):
            told.append(phone.say("更新"))
            phone.hears()
        assert "分钟后再" in told[-1]

    def test_names_are_not_guessed_for_ever(self, world: World, phone: Phone) -> None:
        person = world.register()
        phone.enrols(person, selfie())
        world.registry.add(dataclasses.replace(person, name="张无忌"))
        phone.say("更新")
        assert "新姓名" in phone.hears()
        told = []
        for _ in range(12):
            phone.say("李四")
            told.append(phone.hears())
            if phone.step() == "home":
                break
        assert "没有确认" in told[-2]
        assert "分钟后再回复“更新”" in told[-1]
        before = world.registry.asked
        assert "分钟后再回复“更新”" in phone.say("更新")
        assert (phone.hears(), world.registry.asked) == ("", before)

    def test_a_name_is_not_counted_while_nobody_answers(self, world: World, phone: Phone) -> None:
        person = world.register()
        phone.enrols(person, selfie())
        world.registry.add(dataclasses.replace(person, name="张无忌"))
        for _ in range(6):
            world.registry.down = False
            phone.say("更新")
            assert "新姓名" in phone.hears()
            world.registry.down = True
            phone.say("张无忌")
            assert "没有回应" in phone.hears()
        world.registry.down = False
        phone.say("更新")
        phone.hears()
        phone.say("张无忌")
        assert "已按登记机关的资料更新" in phone.hears()


class TestWaiting:
    def refused(self, world: World, name: str) -> Phone:
        phone = world.phone(name)
        world.services.rollout.set(("440115",))
        person = world.register(residence="440306")
        for said in ("申请", "同意", person.name, person.id_number):
            phone.say(said)
        assert "通知我" in phone.hears()
        return phone

    def test_who_asked_is_told_once(self, world: World) -> None:
        phone = self.refused(world, "oAsks")
        quiet = self.refused(world, "oQuiet")
        assert "会在这里通知您" in phone.say("通知我")
        assert world.services.waiting.counts() == {"440306": 1}
        world.services.rollout.set(("4403",))
        for _ in range(2):
            list(world.services.waiting.tell_covered())
        assert phone.hears().count("现在可以办理") == 1
        assert quiet.hears() == ""
        assert world.services.waiting.counts() == {}

    def test_who_is_still_outside_waits_on(self, world: World) -> None:
        phone = self.refused(world, "oAsks")
        phone.say("notify me")
        world.services.rollout.set(("31",))
        list(world.services.waiting.tell_covered())
        assert phone.hears() == ""
        assert world.services.waiting.counts("44") == {"440306": 1}

    def test_who_asks_after_it_was_opened_is_told_so(self, world: World) -> None:
        phone = self.refused(world, "oLate")
        world.services.rollout.set(("4403",))
        list(world.services.waiting.tell_covered())
        for _ in range(2):
            assert "现在可以办理" in phone.say("通知我")
        assert world.services.waiting.counts() == {}
        assert "同意" in phone.say("申请")

    def test_who_asks_while_it_is_opened_is_told(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        phone, waiting = self.refused(world, "oBetween"), world.services.waiting
        covers = world.services.rollout.covers

        def meanwhile(division: str) -> bool:
            now = covers(division)
            monkeypatch.undo()
            world.services.rollout.set(("4403",))
            list(waiting.tell_covered())
            return now

        monkeypatch.setattr(world.services.rollout, "covers", meanwhile)
        phone.say("通知我")
        assert "现在可以办理" in phone.hears()
        assert waiting.counts() == {}

    def test_who_asks_anew_while_struck_off_waits_on(self, world: World) -> None:
        waiting = world.services.waiting
        holder = Holder("wechat", "oAnew")
        row = waiting.add(holder, "440306")
        again = waiting.add(holder, "440306")
        field = waiting._field(holder)
        waiting._strike_off("440306", field, row)
        assert waiting.counts() == {"440306": 1}
        waiting._strike_off("440306", field, again)
        assert waiting.counts() == {}

    @pytest.mark.parametrize("daily", [False, True])
    def test_a_row_that_was_altered_holds_up_nobody(self, world: World, *, daily: bool) -> None:
        phone, waiting = self.refused(world, "oAsks"), world.services.waiting
        torn = waiting.add(Holder("wechat", "oTorn"), "110101")
        world.database.hset(
            "{waiting}:110101", waiting._field(Holder("wechat", "oTorn")), torn[:-1]
        )
        phone.say("通知我")
        if daily:
            assert waiting.forget_old() == 1
            assert waiting.counts() == {"440306": 1}
            return
        world.services.rollout.set(())
        list(waiting.tell_covered())
        assert "现在可以办理" in phone.hears()
        assert waiting.counts() == {}

    def test_who_was_not_refused_has_nothing_to_wait_for(self, phone: Phone) -> None:
        assert "还不知道" in phone.say("通知我")

    def test_who_deletes_is_forgotten(self, world: World) -> None:
        phone = self.refused(world, "oAsks")
        phone.say("通知我")
        assert "已删除" in phone.say("注销")
        assert sum(world.services.waiting.counts().values()) == 0
        world.services.rollout.set(("4403",))
        assert "还不知道" in phone.say("通知我")

    def test_no_account_stands_there_in_plain(self, world: World) -> None:
        self.refused(world, "oAsks").say("通知我")
        kept: dict[bytes, bytes] = world.database.hgetall("{waiting}:440306")  # type: ignore[assignment]
        assert b"oAsks" not in b"".join([*kept, *kept.values()])


class TestDeleting:
    def test_what_is_erased_and_what_is_kept_is_said_before(
        self, world: World, phone: Phone
    ) -> None:
        phone.enrols(world.register(), selfie())
        assert "没有单位留存过" in phone.say("注销")
        phone.say("否")
        scan(world, phone)
        phone.hears()
        until = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=60)
        told = phone.say("delete")
        assert any(
            (until + datetime.timedelta(days=more)).isoformat() in told for more in (-1, 0, 1)
        )
        assert "立即删除" in told
        assert status(world, phone) is Status.ACTIVE

    @pytest.mark.parametrize("used_after", [False, True])
    def test_what_was_archived_may_have_told_somebody(
        self, world: World, phone: Phone, tmp_path: Path, used_after: bool
    ) -> None:
        phone.enrols(world.register(), selfie())
        scan(world, phone)
        services = world.services
        store = services.verifications._store
        archives = Archives(tmp_path, store, services.audit, services.keyring)
        list(archives.write(datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)))
        if used_after:
            scan(world, phone)
        longest = max(purpose.retention_days for purpose in services.purposes.values())
        until = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=longest)
        told = phone.say("注销")
        assert any(
            (until + datetime.timedelta(days=more)).isoformat() in told for more in (-1, 0, 1)
        )


def test_who_leaves_waits_no_more(world: World) -> None:
    phone = TestWaiting().refused(world, "oLeaves")
    phone.say("通知我")
    phone.unfollow()
    assert sum(world.services.waiting.counts().values()) == 0
