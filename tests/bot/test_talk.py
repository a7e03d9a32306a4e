from __future__ import annotations

import dataclasses
import datetime
import threading
from collections.abc import Callable

import pytest
import redis

from bot.assist import AssistError
from bot.conversations import ANSWER_SECONDS, BusyError
from bot.talk import Talk
from bot.wechat import replies
from credentials import comparisons
from credentials.errors import UnavailableError
from credentials.model import Actor, Status
from credentials.store import verification_key
from handlers import facing
from handlers.answers import CHINA
from handlers.dialog import DIALOG
from handlers.proofing import FACE_ATTEMPTS, REGISTRY_ATTEMPTS
from handlers.steps import Ask, Outcome, Task, Work, outcomes
from handlers.turn import Choices, HandOver, Kind, Picture, Say
from tests.bot.talking import GRACE, Phone, World, doubtful, landscape, make_world, selfie, words

ANNA = Actor("operator", "anna")


@pytest.fixture
def world(database: redis.Redis, redis_url: str) -> World:
    return make_world(database, redis_url)


@pytest.fixture
def phone(world: World) -> Phone:
    return world.phone()


class TestEnrolment:
    def test_from_hello_to_a_card(self, world: World, phone: Phone) -> None:
        person = world.register()
        assert "申请" in phone.follow()
        assert "【1/4】" in phone.say("申请")
        assert "【2/4】" in phone.say("同意")
        assert "【3/4】" in phone.say("张三丰")
        assert "正在向登记机关核实" in phone.say(person.id_number)
        assert "【4/4】" in phone.hears()
        assert "正在核对" in phone.send_photo(selfie())
        text, picture = phone.receives()
        assert "办好了" in str(text)
        assert isinstance(picture, Picture)
        card = world.services.cards.of(phone.holder)
        assert card is not None
        assert card.name_masked == "张**"

    def test_in_english(self, world: World, phone: Phone) -> None:
        person = world.register()
        assert "Four steps" in phone.say("apply")
        assert "name" in phone.say("agree")
        assert "ID number" in phone.say(person.name)
        assert "Checking with the registry" in phone.say(person.id_number.lower())
        assert "photo of your face" in phone.hears()
        phone.send_photo(selfie())
        assert "Your card has been issued" in phone.hears()

    def test_by_the_menu(self, phone: Phone) -> None:
        assert "【1/4】" in phone.tap("APPLY")
        assert "还没有证件" in phone.tap("CARD")
        assert "取消" in phone.tap("HELP")

    def test_both_consents_are_recorded_apart(self, world: World, phone: Phone) -> None:
        phone.say("申请")
        phone.say("同意")
        consents = world.conversations.look(phone.holder).given["consents"]
        assert isinstance(consents, list)
        assert [each["kind"] for each in consents] == ["data", "face"]
        assert all(each["version"] and each["at"] > 1e9 for each in consents)

    def test_without_the_face_consent_no_photo_is_asked_for(
        self, world: World, phone: Phone
    ) -> None:
        person = world.register()
        phone.say("申请")
        assert "第 2 项" in phone.say("1")
        phone.say(person.name)
        phone.say(person.id_number)
        assert "窗口" in phone.hears()
        phone.send_photo(selfie())
        assert phone.hears() == ""
        assert phone.step() == "face_consent"
        assert "或“不同意”" in phone.say("1")  # which said before: the first one only
        assert phone.step() == "face_consent"
        assert "正脸照片" in phone.say("同意")

    def test_who_wants_no_face_check_is_shown_the_counter(self, world: World, phone: Phone) -> None:
        person = world.register()
        for text in ("申请", "1", person.name, person.id_number):
            phone.say(text)
        phone.hears()
        assert "受理窗口" in phone.say("不同意")
        assert phone.step() == "home"
        assert not world.conversations.look(phone.holder).given

    @pytest.mark.parametrize("answer", ["2", "好的吗", "也许", "申请表"])
    def test_an_unclear_consent_is_none(self, phone: Phone, answer: str) -> None:
        phone.say("申请")
        phone.say(answer)
        assert phone.step() == "consent"

    def test_who_asked_the_registry_too_often_hears_it_before_writing_all_again(
        self, world: World, phone: Phone
    ) -> None:
        person = world.register()
        limit = ("registry", phone.holder.tag, REGISTRY_ATTEMPTS)
        for _ in range(REGISTRY_ATTEMPTS):
            world.services.limits.attempt(*limit, 86_400.0, 3600.0)
        assert "60 分钟后回复“申请”" in phone.say("申请")
        assert phone.step() == "home"
        world.services.limits.give_back(*limit)
        for said in ("申请", "同意", person.name, person.id_number):
            phone.say(said)
        world.services.limits.attempt(*limit, 86_400.0, 3600.0)
        assert "60 分钟后回复“申请”" in phone.hears()

    def test_refusing_keeps_nothing(self, phone: Phone) -> None:
        phone.say("申请")
        assert "没有保存" in phone.say("不同意")
        assert phone.step() == "home"

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("44011519900307", "收到 14 位"),
            ("440115199003A70011", "第 13 位"),
            ("440115199002300011", "并不存在"),
            ("440115299003070011", "还没有到"),
            ("440115900307001", "15 位"),
            ("440115199003070000", "最后一位"),
        ],
    )
    def test_each_wrong_number_has_its_sentence(self, phone: Phone, text: str, told: str) -> None:
        for said in ("申请", "同意", "张三丰"):
            phone.say(said)
        answer = phone.say(text)
        assert told in answer
        assert "例如：11010519491231002X" in answer  # a whole number, not its date alone
        assert phone.step() == "id_number"

    def test_children_come_with_a_guardian(self, world: World, phone: Phone) -> None:
        child = world.register(birth="20200101")
        for said in ("申请", "同意", "张三丰"):
            phone.say(said)
        told = phone.say(child.id_number)
        assert "监护人" in told
        assert "输错了请重新输入" in told
        assert phone.step() == "id_number"
        kept = world.conversations.look(phone.holder).given
        assert kept["name"] == "张三丰"
        assert child.id_number not in kept.values()

    @pytest.mark.parametrize("text", ["!!!", "x" * 60, "440115199003070000", "<b>张三</b>"])
    def test_what_is_no_name_is_asked_again(self, phone: Phone, text: str) -> None:
        phone.say("申请")
        phone.say("同意")
        phone.say(text)
        assert phone.step() == "name"

    def test_a_name_that_does_not_fit_the_number(self, world: World, phone: Phone) -> None:
        person = world.register()
        for said in ("申请", "同意", "李四", person.id_number):
            phone.say(said)
        assert "不一致" in phone.hears()
        assert phone.step() == "name"

    def test_a_number_that_nobody_has(self, world: World, phone: Phone) -> None:
        person = world.register()
        world.registry.remove(person.id_number)
        for said in ("申请", "同意", person.name, person.id_number):
            phone.say(said)
        assert "没有查到" in phone.hears()
        assert phone.step() == "id_number"

    def test_an_id_card_that_has_ended(self, world: World, phone: Phone) -> None:
        person = dataclasses.replace(world.register(), valid_until=datetime.date(2020, 1, 1))
        world.registry.add(person)
        for said in ("申请", "同意", person.name, person.id_number):
            phone.say(said)
        assert "您的身份证已于 2020-01-01 到期" in phone.hears()
        assert phone.step() == "home"
        kept = world.conversations.look(phone.holder).given
        assert not {person.name, person.id_number} & {str(value) for value in kept.values()}

    def test_an_id_card_that_ends_tomorrow(self, world: World, phone: Phone) -> None:
        today = datetime.datetime.fromtimestamp(world.clock(), CHINA).date()
        tomorrow = today + datetime.timedelta(days=1)
        person = dataclasses.replace(world.register(), valid_until=tomorrow)
        world.registry.add(person)
        for said in ("申请", "同意", person.name, person.id_number):
            phone.say(said)
        assert "【4/4】" in phone.hears()

    def test_a_residence_outside_the_rollout(self, world: World, phone: Phone) -> None:
        world.services.rollout.set(("440115",))
        person = world.register(residence="440306")
        for said in ("申请", "同意", person.name, person.id_number):
            phone.say(said)
        assert "还没有开放" in phone.hears()
        assert phone.step() == "home"

    def test_a_number_that_has_a_card(self, world: World, phone: Phone) -> None:
        person = world.register()
        world.phone("oOther").enrols(person, selfie())
        for said in ("申请", "同意", person.name, person.id_number):
            phone.say(said)
        assert "另一个账号" in phone.hears()

    def test_who_has_a_card_cannot_apply_again(self, world: World, phone: Phone) -> None:
        phone.enrols(world.register(), selfie())
        assert "已经有证件" in phone.say("申请")
        assert phone.step() == "home"

    def test_an_authority_that_is_out_loses_nothing(self, world: World, phone: Phone) -> None:
        person = world.register()
        world.registry.down = True
        for said in ("申请", "同意", person.name, person.id_number):
            phone.say(said)
        assert "暂时没有回应" in phone.hears()
        world.registry.down = False
        assert "正在向登记机关核实" in phone.say("好")
        assert "【4/4】" in phone.hears()


class TestWaiting:
    def test_a_photo_sent_too_early_is_used(self, world: World, phone: Phone) -> None:
        person = world.register()
        for said in ("申请", "同意", person.name, person.id_number):
            phone.say(said)
        assert "照片已收到" in phone.send_photo(selfie())
        assert "办好了" in phone.hears()

    def test_words_said_too_early_are_answered(self, world: World, phone: Phone) -> None:
        person = world.register()
        for said in ("申请", "同意", person.name, person.id_number):
            phone.say(said)
        assert "请稍等" in phone.say("好了吗")
        assert "请稍等" in phone.say("帮助")
        assert "【4/4】" in phone.hears()

    def test_cancelled_while_waiting(self, world: World, phone: Phone) -> None:
        person = world.register()
        for said in ("申请", "同意", person.name, person.id_number):
            phone.say(said)
        assert "已取消" in phone.say("取消")
        assert phone.hears() == ""
        assert phone.step() == "home"
        assert world.registry.asked == 0

    def test_an_outcome_that_comes_twice_counts_once(self, world: World, phone: Phone) -> None:
        person = world.register()
        for said in ("申请", "同意", person.name, person.id_number):
            phone.say(said)
        job_id = world.conversations.look(phone.holder).job
        holder = {"channel": "wechat", "openid": phone.holder.openid}
        world.jobs.enqueue("work", holder=holder, job_id=job_id)
        assert phone.hears().count("【4/4】") == 1

    def test_a_lost_queue_is_noticed(self, world: World, phone: Phone) -> None:
        person = world.register()
        for said in ("申请", "同意", person.name, person.id_number):
            phone.say(said)
        world.jobs.broker.client.flushdb()
        assert phone.hears() == ""
        world.later_s = 300
        assert "请稍等" in phone.say("喂")
        assert "【4/4】" in phone.hears()

    def test_a_job_that_fails_for_good_is_told(self, world: World, phone: Phone) -> None:
        person = world.register()
        for said in ("申请", "同意", person.name, person.id_number):
            phone.say(said)
        job_id = world.conversations.look(phone.holder).job
        world.jobs.broker.client.flushdb()
        arguments = {"holder": {"channel": "wechat", "openid": "oPhone"}, "job_id": job_id}
        world.talk.functions()["give_up"]({"actor_name": "work", "kwargs": arguments}, {})
        assert "已保留" in phone.hears()
        assert phone.step() == "registry_out"


def task_of(world: World, phone: Phone) -> Task:
    """What a work of this person's conversation is handed now."""
    return Task(
        holder=phone.holder,
        given=world.conversations.look(phone.holder).given,
        services=world.services,
        liveness="unsafe-none",
        now=world.clock(),
        fetch=lambda media_id, limit: world.platform.fetch(media_id, limit=limit),
        twins=world.talk.twins,
    )


class TestFace:
    @pytest.fixture
    def asked(self, world: World, phone: Phone) -> Phone:
        """Somebody who is asked for the photo."""
        person = world.register()
        for said in ("申请", "同意", person.name, person.id_number):
            phone.say(said)
        phone.hears()
        return phone

    def test_a_poor_photo_costs_no_attempt(self, asked: Phone) -> None:
        for _ in range(6):
            asked.send_photo(landscape())
            told = asked.hears()
            assert "不计入次数" in told
        assert asked.step() == "face"

    def test_somebody_else_is_refused_and_at_last_paused(self, world: World, asked: Phone) -> None:
        for left in (4, 3, 2, 1):
            asked.send_photo(selfie(GRACE))
            assert f"还可以再试 {left} 次" in asked.hears()
        asked.send_photo(selfie(GRACE))
        told = asked.hears()
        assert "60 分钟" in told
        assert "人工" in told
        assert "60 分钟" in asked.say("申请")
        assert world.services.cards.of(asked.holder) is None

    def test_a_worker_killed_after_issuing_and_the_next_one(
        self, world: World, asked: Phone
    ) -> None:
        asked.send_photo(selfie())
        assert facing.match_photo(task_of(world, asked)).name == "issued"  # and then it was killed
        assert asked.hears().count("办好了") == 1
        card = world.services.cards.of(asked.holder)
        assert card is not None
        kinds = [use.kind for use in world.services.cards.history(card.credential_id)]
        assert kinds.count("issued") == 1

    @pytest.mark.parametrize("before", [0, FACE_ATTEMPTS - 1], ids=["first", "last"])
    def test_a_worker_killed_after_asking_reviewers_and_the_next_one(
        self, world: World, asked: Phone, before: int
    ) -> None:
        limits, tag = world.services.limits, asked.holder.tag
        for _ in range(before):
            limits.attempt("face", tag, FACE_ATTEMPTS, 3600, 3600)
        asked.send_photo(doubtful())
        assert facing.match_photo(task_of(world, asked)).name == "review"  # and then it was killed
        (case,) = world.services.reviews.waiting()
        world.database.zrem("{reviews}:waiting", case.review_id)  # or a little earlier
        assert "人工核对" in asked.hears()
        assert [each.review_id for each in world.services.reviews.waiting()] == [case.review_id]
        assert limits.look("face", tag, FACE_ATTEMPTS).left == FACE_ATTEMPTS - before - 1

    @pytest.mark.parametrize("photo", [selfie, doubtful], ids=["clear", "doubtful"])
    @pytest.mark.parametrize("word", ["取消", "注销"])
    def test_whoever_leaves_during_the_comparison_gets_nothing_of_it(
        self, world: World, asked: Phone, word: str, photo: Callable[[], bytes]
    ) -> None:
        told: list[str] = []
        world.platform.meanwhile = lambda: told.append(asked.say(word))
        asked.send_photo(photo())
        assert asked.hears() == ""
        assert "已删除" in told[0]
        assert world.services.cards.of(asked.holder) is None
        assert world.services.reviews.waiting() == []
        assert not world.database.keys("{t:*}")
        assert asked.step() == "home"

    def test_whoever_leaves_as_the_reviewers_approve_gets_no_card(
        self, world: World, asked: Phone
    ) -> None:
        asked.send_photo(doubtful())
        assert "人工核对" in asked.hears()
        (case,) = world.services.reviews.waiting()
        told: list[str] = []
        world.registry.meanwhile = lambda: told.append(asked.say("取消"))
        world.services.reviews.decide(case.review_id, ANNA, "the same", approve=True)
        assert asked.hears() == ""
        assert "已取消" in told[0]
        assert world.services.cards.of(asked.holder) is None

    @pytest.mark.parametrize("step", ["home", "name"])
    def test_whoever_is_moved_back_by_an_operator_has_the_review_withdrawn(
        self, world: World, asked: Phone, step: str
    ) -> None:
        assist = world.assist()
        asked.send_photo(doubtful())
        assert "人工核对" in asked.hears()
        (case,) = world.services.reviews.waiting()
        with pytest.raises(AssistError):
            assist.move(asked.holder, "id_number_of_another")
        assert [each.review_id for each in world.services.reviews.waiting()] == [case.review_id]
        assist.move(asked.holder, step)
        assert world.services.reviews.waiting() == []
        assert not world.database.keys("{t:*}")
        assert asked.step() == step

    def test_nobody_leaves_between_the_question_and_the_card(
        self, world: World, asked: Phone
    ) -> None:
        @outcomes(*DIALOG.steps["match_photo"].leads)
        def match(task: Task) -> Outcome:
            assert task.wanted()
            with pytest.raises(BusyError):
                world.conversations.take(asked.holder, wait_s=0)
            return Outcome("portrait")

        work = DIALOG.steps["match_photo"]
        assert isinstance(work, Work)
        steps = {**DIALOG.steps, "match_photo": dataclasses.replace(work, does=match)}
        world.talk = Talk(
            dataclasses.replace(DIALOG, steps=steps),
            world.services,
            world.conversations,
            jobs=world.jobs,
            outbox=world.outbox,
            channels={world.platform.name: world.platform},
        )
        asked.send_photo(selfie())
        assert "登记" in asked.hears()
        assert asked.step() == "home"
        world.conversations.leave(world.conversations.take(asked.holder, wait_s=0))

    @pytest.mark.parametrize("junk", [b"", b"hello", b"\xff\xd8\xff" + b"0" * 100])
    def test_junk_gets_advice(self, asked: Phone, junk: bytes) -> None:
        asked.send_photo(junk)
        assert "不计入次数" in asked.hears()

    def test_a_photo_that_is_gone(self, asked: Phone) -> None:
        asked.send(asked.turn(Kind.IMAGE, media_id="never"))
        assert "重新发送" in asked.hears()

    def test_a_platform_that_is_down_keeps_the_photo(self, world: World, asked: Phone) -> None:
        world.platform.down = True
        asked.send_photo(selfie())
        assert "已保留" in asked.hears()
        world.platform.down = False
        asked.say("再试")
        assert "办好了" in asked.hears()

    @pytest.mark.parametrize("kind", [Kind.VOICE, Kind.LOCATION, Kind.LINK, Kind.OTHER])
    def test_other_kinds_restate_the_question(self, asked: Phone, kind: Kind) -> None:
        assert "您刚才正在拍照核对" in asked.send(asked.turn(kind))

    def test_words_are_told_to_be_a_photo(self, asked: Phone) -> None:
        assert "需要照片" in asked.say("我的照片")


class TestCard:
    @pytest.fixture
    def holder(self, world: World, phone: Phone) -> Phone:
        phone.enrols(world.register(), selfie())
        return phone

    def test_shows_a_fresh_picture_and_a_link(self, holder: Phone) -> None:
        assert "/card" in holder.say("我的证件")
        first = holder.receives()[0]
        holder.say("card")
        second = holder.receives()[0]
        assert isinstance(first, Picture)
        assert isinstance(second, Picture)
        assert first.image != second.image

    def test_freezes_and_unfreezes(self, holder: Phone) -> None:
        assert "已冻结" in holder.say("冻结")
        assert "已经是冻结" in holder.say("freeze")
        assert "已冻结" in holder.say("我的证件")
        assert holder.hears() == ""
        assert "恢复使用" in holder.say("解冻")
        assert "没有冻结" in holder.say("解冻")

    @pytest.mark.parametrize("by", ["operator", "system"])
    def test_what_the_issuer_froze_the_holder_does_not_unfreeze(
        self, world: World, holder: Phone, by: str
    ) -> None:
        cards = world.services.cards
        card = cards.of(holder.holder)
        assert card is not None
        cards.freeze(card.credential_id, Actor(by, "wang"), "reported stolen")
        for word in ("解冻", "冻结", "拒绝并冻结", "我的证件", "升级", "PIN", "unfreeze"):
            told = holder.say(word)
            assert "人工" in told
            assert "解冻”" not in told
        kept = cards.of(holder.holder)
        assert kept is not None
        assert kept.status is Status.FROZEN
        cards.unfreeze(card.credential_id, Actor("operator", "wang"), "it was a mistake")
        assert "没有冻结" in holder.say("解冻")

    def test_history_and_receipt(self, world: World, holder: Phone) -> None:
        assert "办理完成" in holder.say("记录")
        code = world.services.cards.mint(holder.holder).code
        world.services.verifications.verify(
            world.verifier("蓝天网吧"), "前台", code, "internet_cafe", None
        )
        told = holder.hears()
        assert "蓝天网吧" in told
        assert "冻结" in told
        assert "张三丰" not in told
        assert "蓝天网吧" in holder.say("记录")

    def test_a_scan_is_one_line_however_many_steps_it_took(
        self, world: World, holder: Phone
    ) -> None:
        hotel, services = world.verifier(), world.services
        for _ in range(2):
            code = services.cards.mint(holder.holder).code
            scan = services.verifications.verify(hotel, "前台", code, "hotel").verification_id
            services.verifications.approve(holder.holder, scan)
            services.comparisons.ask(hotel, scan, "anna")
            services.comparisons.answer(holder.holder, scan, agrees=True)
            services.comparisons.take(hotel, scan)
            services.comparisons.finish(hotel, scan, "anna", comparisons.Outcome.LIKE)
            services.comparisons.decide(hotel, scan, "anna", same=True)
        told = holder.say("记录")
        assert "状态变化" not in told
        assert "等待您批准" not in told
        assert told.count("已核验") == 2
        assert told.count("人脸比对了一次，照片未保存") == 2
        assert "证件办理完成" in told

    def test_deleting_asks_first(self, holder: Phone) -> None:
        assert "“是”" in holder.say("注销")
        assert "“是”" in holder.say("嗯嗯")
        assert "保留不变" in holder.say("否")
        holder.say("注销")
        assert "已删除" in holder.say("是")
        assert "还没有证件" in holder.say("我的证件")

    def test_deleting_leaves_no_letter_that_never_arrived(
        self, world: World, holder: Phone
    ) -> None:
        world.outbox.put(holder.holder, [Say("张三丰")], "r")
        world.platform.unknown = True
        holder.hears()
        assert len(world.outbox.dead()) == 1
        world.platform.unknown = False
        holder.say("注销")
        assert "已删除" in holder.say("是")
        assert world.outbox.dead() == []

    def test_a_deletion_that_is_cancelled(self, world: World, holder: Phone) -> None:
        holder.say("注销")
        assert "已取消" in holder.say("取消")
        holder.say("是")
        assert world.services.cards.of(holder.holder) is not None

    def test_a_yes_after_a_request_was_asked_about_deletes_nothing(
        self, world: World, holder: Phone
    ) -> None:
        holder.say("注销")
        code = world.services.cards.mint(holder.holder).code
        world.services.verifications.verify(world.verifier(), "前台", code, "hotel")
        assert "海景酒店" in holder.hears()
        holder.say("好的")
        assert world.services.cards.of(holder.holder) is not None
        holder.say("注销")
        assert "已删除" in holder.say("好的")

    def test_a_yes_after_a_receipt_deletes_nothing(self, world: World, holder: Phone) -> None:
        holder.say("注销")
        code = world.services.cards.mint(holder.holder).code
        world.services.verifications.verify(world.verifier(), "前台", code, "internet_cafe")
        assert "不是我" in holder.hears()
        holder.say("好的")  # is for what was read last
        assert world.services.cards.of(holder.holder) is not None

    def test_a_yes_after_an_operators_help_deletes_nothing(
        self, world: World, holder: Phone
    ) -> None:
        holder.say("注销")
        until = world.clock() + 3600
        world.conversations.change(holder.holder, helper="anna", helped_until=until)
        holder.say("谢谢")
        world.conversations.hand_back(holder.holder)
        holder.say("好的")
        assert world.services.cards.of(holder.holder) is not None

    def test_says_yes_to_nothing(self, world: World, holder: Phone) -> None:
        holder.say("是")
        assert world.services.cards.of(holder.holder) is not None

    def test_upgrade_says_where(self, holder: Phone) -> None:
        assert "绑定码" in holder.say("升级")

    @pytest.mark.parametrize("word", ["我的证件", "记录", "冻结", "解冻", "升级"])
    def test_without_a_card(self, phone: Phone, word: str) -> None:
        assert "还没有证件" in phone.say(word)

    def test_without_a_card_there_is_nothing_to_delete(self, phone: Phone) -> None:
        assert "没有证件" in phone.say("注销")


class TestApproval:
    @pytest.fixture
    def asked(self, world: World, phone: Phone) -> Phone:
        phone.enrols(world.register(), selfie())
        code = world.services.cards.mint(phone.holder).code
        verifier = world.verifier()
        self.made = world.services.verifications.verify(verifier, "前台", code, "hotel", None)
        self.verifier = verifier
        return phone

    def state(self, world: World) -> str:
        made = world.services.verifications.look(self.verifier, self.made.verification_id)
        return str(made.state)

    def test_says_who_where_what_for(self, asked: Phone) -> None:
        (question,) = asked.receives()
        assert isinstance(question, Choices)
        for part in ("海景酒店", "前台", "身份", str(self.made.number)):
            assert part in question.text
        assert question.answers == ("批准", "拒绝", "拒绝并冻结")

    @pytest.mark.parametrize("word", ["批准", "同意", "Agree"])
    def test_approved(self, world: World, asked: Phone, word: str) -> None:
        asked.hears()
        assert "已批准" in asked.say(word)
        assert self.state(world) == "accepted"
        assert "没有等待" in asked.say("批准")

    def test_denied(self, world: World, asked: Phone) -> None:
        assert "没有向海景酒店提供任何信息" in asked.say("deny")
        assert self.state(world) == "denied"

    def test_denied_and_frozen(self, world: World, asked: Phone) -> None:
        assert "冻结" in asked.say("拒绝并冻结")
        assert self.state(world) == "denied"
        card = world.services.cards.of(asked.holder)
        assert card is not None
        assert card.status == "frozen"

    def card_status(self, world: World, phone: Phone) -> str:
        card = world.services.cards.of(phone.holder)
        assert card is not None
        return str(card.status)

    def test_a_freezing_is_done_though_the_minute_is_over(self, world: World, asked: Phone) -> None:
        key = verification_key(self.made.verification_id)
        world.database.hincrby(key, "ex", -61_000_000)
        told = asked.say("拒绝并冻结")
        assert "已冻结" in told
        assert "那次核验已经结束" in told
        assert self.card_status(world, asked) == "frozen"
        assert "已经是冻结" in asked.say("拒绝并冻结")

    def test_a_freezing_is_done_though_a_newer_scan_was_accepted(
        self, world: World, asked: Phone
    ) -> None:
        code = world.services.cards.mint(asked.holder).code
        world.services.verifications.verify(self.verifier, "前台", code, "internet_cafe")
        assert "那次核验已经结束" in asked.say("拒绝并冻结")
        assert self.card_status(world, asked) == "frozen"

    def test_a_freezing_is_done_though_the_request_was_approved(
        self, world: World, asked: Phone
    ) -> None:
        asked.hears()
        asked.say("批准")
        assert "无法收回" in asked.say("deny and freeze")
        assert self.card_status(world, asked) == "frozen"

    def test_a_freezing_of_a_card_that_has_ended(self, world: World, asked: Phone) -> None:
        card = world.services.cards.of(asked.holder)
        assert card is not None
        world.services.cards.revoke(card.credential_id, Actor("operator"))
        assert "已失效" in asked.say("拒绝并冻结")

    def test_a_denial_alone_freezes_nothing(self, world: World, asked: Phone) -> None:
        key = verification_key(self.made.verification_id)
        world.database.hincrby(key, "ex", -61_000_000)
        assert "没有等待" in asked.say("拒绝")
        assert self.card_status(world, asked) == "active"

    def test_nothing_to_freeze(self, phone: Phone) -> None:
        assert "还没有证件" in phone.say("拒绝并冻结")

    @pytest.mark.parametrize("word", ["好的", "是", "ok", "1"])
    def test_what_only_sounds_like_it_approves_nothing(
        self, world: World, asked: Phone, word: str
    ) -> None:
        asked.say(word)
        assert self.state(world) == "awaiting_holder"

    def asks_too(self, world: World, phone: Phone) -> None:
        """Another verifier scans a later code."""
        code = world.services.cards.mint(phone.holder).code
        self.other = world.verifier("远方机场")
        self.later = world.services.verifications.verify(
            self.other, "安检口", code, "security_check"
        )

    def states(self, world: World) -> tuple[str, str]:
        """How the first request stands, and the other's."""
        look = world.services.verifications.look
        return self.state(world), str(look(self.other, self.later.verification_id).state)

    def test_who_was_not_yet_asked_about_gets_nothing(self, world: World, asked: Phone) -> None:
        """Row 22: a relayed code takes the place of the request that the person has read."""
        asked.hears()
        self.asks_too(world, asked)
        told = asked.say("批准")
        assert "还没有提供任何信息" in told
        assert self.states(world) == ("denied", "awaiting_holder")
        assert "远方机场（安检口）" in asked.hears()
        assert "已批准，远方机场" in asked.say("批准")
        assert self.states(world) == ("denied", "accepted")

    def test_two_questions_at_once_are_asked_once_more(self, world: World, asked: Phone) -> None:
        """The second may have come while the answer to the first was being written."""
        asked.hears()
        self.asks_too(world, asked)
        assert "远方机场" in asked.hears()
        assert "还没有提供任何信息" in asked.say("批准")
        assert "还没有提供任何信息" in asked.say("批准")
        assert self.states(world) == ("denied", "awaiting_holder")
        assert "远方机场" in asked.hears()
        assert "已批准，远方机场" in asked.say("批准")

    def test_a_turn_that_is_done_twice_approves_nothing(
        self, world: World, asked: Phone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The process is killed after the work, and the platform delivers the turn again."""
        asked.hears()
        self.asks_too(world, asked)
        again = asked.turn(Kind.TEXT, "批准")

        def killed(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(world.conversations, "keep", killed)
            with pytest.raises(KeyboardInterrupt):
                asked.send(again)
        assert "还没有提供任何信息" in asked.send(again)
        assert self.states(world) == ("denied", "awaiting_holder")

    def test_an_answer_makes_room_for_the_next_question(self, world: World, asked: Phone) -> None:
        asked.hears()
        asked.say("批准")
        self.asks_too(world, asked)
        asked.hears()
        assert "已批准，远方机场" in asked.say("批准")
        self.asks_too(world, asked)
        asked.hears()
        asked.say("拒绝")
        self.asks_too(world, asked)
        asked.hears()
        assert "已批准，远方机场" in asked.say("批准")

    def test_a_question_that_was_kept_back_was_not_asked(self, world: World, asked: Phone) -> None:
        world.platform.refuses = True
        asked.hears()
        told = asked.say("批准")
        assert "海景酒店（前台）" in told  # what was kept is given out with the answer
        assert self.state(world) == "awaiting_holder"
        world.platform.refuses = False
        assert "海景酒店（前台）" not in asked.hears()
        assert "已批准" in asked.say("批准")

    def test_a_kept_question_that_a_turn_gives_out_is_asked(
        self, world: World, asked: Phone
    ) -> None:
        world.platform.refuses = True
        asked.hears()
        assert "海景酒店（前台）" in asked.say("你好")
        assert "已批准" in asked.say("批准")

    def test_an_approval_before_any_question_is_asked_first(
        self, world: World, asked: Phone
    ) -> None:
        assert "还没有提供任何信息" in asked.say("批准")
        assert self.state(world) == "awaiting_holder"
        assert "海景酒店" in asked.hears()
        assert "已批准" in asked.say("批准")

    @pytest.mark.parametrize("word", ["批准", "同意"])
    def test_nothing_waits(self, phone: Phone, word: str) -> None:
        assert "没有等待" in phone.say(word)

    def test_a_consent_said_twice_is_no_name(self, phone: Phone) -> None:
        for said in ("申请", "同意"):
            phone.say(said)
        assert "没有等待" in phone.say("同意")
        assert phone.step() == "name"


class TestWords:
    def test_every_word_works_in_the_middle(self, phone: Phone) -> None:
        for said in ("申请", "同意", "张三丰"):
            phone.say(said)
        for word in ("帮助", "help", "人工", "human", "card", "记录", "申请", "批准"):
            assert "您刚才正在填写身份证号码" in phone.say(word), word
        assert phone.step() == "id_number"

    def test_cancel_forgets(self, world: World, phone: Phone) -> None:
        for said in ("申请", "同意", "张三丰", "取消"):
            phone.say(said)
        assert not world.conversations.look(phone.holder).given
        assert "【1/4】" in phone.say("申请")

    def test_language(self, phone: Phone) -> None:
        for said in ("申请", "同意"):
            phone.say(said)
        assert "English" in phone.say("语言")
        assert "English from now on" in phone.say("2")
        assert "Character" in (phone.say("张三丰") and phone.say("44011519900307001a")[:40])
        phone.say("language")
        assert "bahasa Indonesia" in phone.say("bahasa indonesia")

    def test_a_human_is_called(self, world: World, phone: Phone) -> None:
        phone.say("人工")
        assert world.conversations.look(phone.holder).human > 0
        assert [place.human for place in world.conversations.live()] == [True]

    @pytest.mark.parametrize("text", ["", "你好", "]]><xml>", "{name}", "\u0000", "x" * 5000])
    def test_anything_else_is_answered(self, phone: Phone, text: str) -> None:
        assert "申请" in phone.say(text) or "apply" in phone.say(text)

    def test_a_button_nobody_knows(self, phone: Phone) -> None:
        assert "帮助" in phone.tap("OLD_BUTTON")

    def test_spoken_words(self, phone: Phone) -> None:
        assert "【1/4】" in phone.send(phone.turn(Kind.VOICE, "申请。"))


class TestTime:
    def test_after_a_day_the_question_is_restated(self, world: World, phone: Phone) -> None:
        for said in ("申请", "同意", "张三丰"):
            phone.say(said)
        world.later_s = 86400
        assert "您刚才正在填写身份证号码" in phone.say("你好")
        assert "还没有到" in phone.say("440115299003070011")

    def test_after_a_day_a_right_answer_counts(self, world: World, phone: Phone) -> None:
        person = world.register()
        for said in ("申请", "同意", "张三丰"):
            phone.say(said)
        world.later_s = 86400
        assert "登记机关" in phone.say(person.id_number)

    def test_what_was_given_expires_and_the_person_is_told(
        self, world: World, phone: Phone
    ) -> None:
        for said in ("申请", "同意", "张三丰"):
            phone.say(said)
        world.database.delete("{wechat:oPhone}:given")
        assert "48 小时" in phone.say("440115199003070011")
        assert phone.step() == "home"

    def test_a_step_that_is_no_more(self, world: World, phone: Phone) -> None:
        phone.say("申请")
        world.database.hset("{wechat:oPhone}:talk", "s", "step_of_last_year")
        assert "更新" in phone.say("张三丰")
        assert phone.step() == "home"


def _seconds_pass(world: World, seconds: int) -> None:
    """Let an answer that is remembered be as old as that."""
    left = world.database.pttl("{wechat:oPhone}:answer")
    world.database.pexpire("{wechat:oPhone}:answer", left - seconds * 1000)


class TestChoices:
    def test_a_question_with_few_answers_offers_them(self, world: World, phone: Phone) -> None:
        asked = world.talk.receive(phone.turn(Kind.TEXT, "申请"))
        assert isinstance(asked, Choices)
        assert asked.answers == ("同意", "同意1", "取消")

    @pytest.mark.parametrize("language", ["zh_CN", "en", "id"])
    def test_every_answer_that_is_offered_is_understood(
        self, world: World, phone: Phone, language: str
    ) -> None:
        say = world.services.texts.say
        for name, step in DIALOG.steps.items():
            for key in step.answers if isinstance(step, Ask) else ():
                turn = phone.turn(Kind.TEXT, say(language, key))
                if DIALOG.heard_anywhere(turn.text) is None:
                    assert isinstance(step, Ask)
                    assert step.takes(turn, {}).name not in ("unclear", "chatted"), (name, key)

    def test_a_question_with_many_answers_offers_none(self, world: World, phone: Phone) -> None:
        phone.say("申请")
        assert isinstance(world.talk.receive(phone.turn(Kind.TEXT, "同意")), Say)


class TestScenes:
    @pytest.mark.parametrize("kind", [Kind.SCAN, Kind.FOLLOW])
    def test_a_poster_begins_enrolment(self, phone: Phone, kind: Kind) -> None:
        assert "【1/4】" in phone.send(phone.turn(kind, "district.440115"))
        assert phone.step() == "consent"
        assert "scene" not in phone.world.conversations.look(phone.holder).given

    def test_a_poster_elsewhere_says_so(self, database: redis.Redis, redis_url: str) -> None:
        world = make_world(database, redis_url, rollout="440115")
        phone = world.phone()
        assert "暂未开通" in phone.send(phone.turn(Kind.SCAN, "district.4403"))
        assert "【1/4】" in phone.send(phone.turn(Kind.SCAN, "district.44"))

    @pytest.mark.parametrize("scene", ["", "nowhere", "district", "district.x", "home.1", "."])
    def test_a_scene_that_means_nothing_harms_nothing(self, phone: Phone, scene: str) -> None:
        assert phone.send(phone.turn(Kind.SCAN, scene)) != ""
        assert phone.step() in ("home", "consent")

    def test_a_poster_in_the_middle_of_it_changes_nothing(self, phone: Phone) -> None:
        phone.say("申请")
        phone.say("同意")
        assert "取消" in phone.send(phone.turn(Kind.SCAN, "district.440115"))
        assert phone.step() == "name"

    def test_a_terminal_begins_the_upgrade(self, phone: Phone) -> None:
        assert phone.send(phone.turn(Kind.SCAN, "terminal.T1")) == phone.say("升级")


class TestHumanService:
    def test_it_takes_over_where_the_account_has_it(self, world: World, phone: Phone) -> None:
        world.platform.hands_over = True
        assert isinstance(world.talk.receive(phone.turn(Kind.TEXT, "人工")), HandOver)
        assert phone.hears() != ""

    def test_a_click_cannot_be_handed_over(self, world: World, phone: Phone) -> None:
        world.platform.hands_over = True
        assert isinstance(world.talk.receive(phone.turn(Kind.CLICK, "HUMAN")), Say)

    def test_other_words_are_not_handed_over(self, world: World, phone: Phone) -> None:
        world.platform.hands_over = True
        assert not isinstance(world.talk.receive(phone.turn(Kind.TEXT, "帮助")), HandOver)


class TestDelivery:
    def test_the_same_turn_three_times_at_once(
        self, phone: Phone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bot.talk.AGAIN_SECONDS", ANSWER_SECONDS)  # however late a thread is
        phone.say("申请")
        turn = phone.turn(Kind.TEXT, "同意", key="again")
        answers: list[str] = []
        threads = [
            threading.Thread(target=lambda: answers.append(phone.send(turn))) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(bool(answer) for answer in answers) == [False, False, True]
        assert phone.step() == "name"

    def test_a_turn_whose_answer_was_lost_is_answered_the_same(
        self, world: World, phone: Phone
    ) -> None:
        phone.say("申请")
        turn = phone.turn(Kind.TEXT, "同意", key="again")
        first = phone.send(turn)
        _seconds_pass(world, 5)
        assert phone.send(turn) == first != ""
        assert phone.step() == "name"
        assert phone.hears() == ""

    def test_kept_messages_are_in_the_answer_given_again(self, world: World, phone: Phone) -> None:
        world.outbox.put(phone.holder, [Say("a receipt")], "r")
        world.platform.refuses = True
        phone.hears()
        turn = phone.turn(Kind.TEXT, "帮助", key="again")
        first = phone.send(turn)
        assert "a receipt" in first
        _seconds_pass(world, 5)
        assert phone.send(turn) == first
        assert "a receipt" not in phone.say("帮助")

    def test_many_kept_messages_cut_off_neither_each_other_nor_the_answer(
        self, world: World, phone: Phone
    ) -> None:
        receipts = [f"{number}: " + "海景酒店" * 30 for number in range(12)]
        world.outbox.put(phone.holder, [Say(text) for text in receipts], "r")
        world.platform.refuses = True
        phone.hears()
        world.platform.refuses = False
        turn = phone.turn(Kind.TEXT, "申请")
        arrived = [world.talk.receive(turn), *phone.receives()]
        for each in arrived:
            shown = replies.as_text(each) if isinstance(each, Choices) else words(each)
            assert words(each) in replies.fit(shown)
        said = "\n\n".join(words(each) for each in arrived)
        assert said.startswith("\n\n".join(receipts))
        assert "【1/4】" in said.removeprefix("\n\n".join(receipts))

    def test_what_is_kept_before_a_turn_is_heard_at_last_is_not_lost(
        self, world: World, phone: Phone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.outbox.put(phone.holder, [Say("a receipt")], "r")
        world.platform.refuses = True
        phone.hears()

        def out(*_: object, **__: object) -> None:
            world.outbox.deliver(phone.holder)  # the answer and the receipt are refused, and kept
            raise UnavailableError(what="redis")

        turn = phone.turn(Kind.TEXT, "帮助", key="again")
        with monkeypatch.context() as at_first:
            at_first.setattr(world.conversations, "keep", out)
            with pytest.raises(UnavailableError):
                world.talk.take(turn)
        world.platform.refuses = False
        world.talk.take(turn)
        told = phone.hears()
        assert "a receipt" in told
        assert world.services.texts.say("zh_CN", "chat.help") in told
        assert phone.say("帮助") == world.services.texts.say("zh_CN", "chat.help")

    def test_a_full_queue_keeps_no_review_from_its_end(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ended: list[str] = []

        def full() -> int:
            raise UnavailableError(what="jobs", why="full")

        monkeypatch.setattr(world.outbox, "wake_stuck", full)
        monkeypatch.setattr(world.services.reviews, "tend", lambda: ended.append("reviews"))
        with pytest.raises(UnavailableError):
            world.talk.tend()
        assert ended == ["reviews"]

    def test_an_answer_is_not_given_to_another_turn(self, world: World, phone: Phone) -> None:
        first = phone.turn(Kind.TEXT, "申请", key="first")
        phone.send(first)
        phone.send(phone.turn(Kind.TEXT, "同意", key="second"))
        _seconds_pass(world, 5)
        assert phone.send(first) == ""

    def test_an_answer_is_forgotten_with_the_account(self, world: World, phone: Phone) -> None:
        phone.say("申请")
        phone.unfollow()
        assert world.database.exists("{wechat:oPhone}:answer") == 0

    def test_an_answer_is_sealed(self, world: World, phone: Phone) -> None:
        phone.say("申请")
        kept = world.database.get("{wechat:oPhone}:answer")
        assert kept is not None
        assert "同意".encode() not in kept

    def test_two_turns_at_once_are_both_heard(self, world: World, phone: Phone) -> None:
        turns = [phone.turn(Kind.TEXT, "人工"), phone.turn(Kind.TEXT, "申请")]
        threads = [threading.Thread(target=phone.send, args=(turn,)) for turn in turns]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        phone.hears()
        assert phone.step() == "consent"
        assert world.conversations.look(phone.holder).human > 0

    def test_a_busy_conversation_queues_the_turn_sealed(self, world: World, phone: Phone) -> None:
        phone.say("申请")
        phone.say("同意")
        taken = world.conversations.take(phone.holder)
        assert phone.say("张三丰") == ""
        for key in world.jobs.broker.client.scan_iter("jobs:*.msgs"):
            jobs = str(world.jobs.broker.client.hgetall(key))
            assert "\\u5f20" not in jobs
            assert str("张三丰".encode())[2:-1] not in jobs
        world.conversations.leave(taken)
        assert "【3/4】" in phone.hears()

    def test_what_the_platform_refused_is_given_with_the_next_turn(
        self, world: World, phone: Phone
    ) -> None:
        person = world.register()
        for said in ("申请", "同意", person.name, person.id_number):
            phone.say(said)
        world.platform.refuses = True
        assert phone.hears() == ""
        told = phone.say("你好")
        assert told.index("身份核实通过") < told.index("需要照片")

    def test_a_card_that_cannot_be_pushed_is_a_link(self, world: World, phone: Phone) -> None:
        phone.enrols(world.register(), selfie())
        world.platform.refuses = True
        phone.say("我的证件")
        assert phone.hears() == ""
        assert "图片暂时发不出去" in phone.say("你好")

    def test_unfollowing_erases_the_talk_but_not_the_card(self, world: World, phone: Phone) -> None:
        phone.enrols(world.register(), selfie())
        phone.say("语言")
        phone.unfollow()
        left = [key.decode() for key in world.database.scan_iter("{wechat:oPhone}:*")]
        assert [key for key in left if key.endswith((":talk", ":given", ":lock"))] == []
        assert "申请" in phone.follow()
        assert world.services.cards.of(phone.holder) is not None

    def test_no_personal_data_in_plain(self, world: World, phone: Phone) -> None:
        person = world.register()
        for said in ("申请", "同意", person.name, person.id_number):
            phone.say(said)
        for key in world.database.scan_iter("*"):
            dumped = world.database.dump(key) or b""
            assert person.id_number.encode() not in dumped, key
            assert person.name.encode() not in dumped, key
