"""The liveness challenge and the ID card's photo, in the chat."""

from __future__ import annotations

import pytest
import redis

from credentials.model import Person
from faces.gestures import Gesture
from handlers.turn import Kind
from tests.bot.talking import EILEEN, GRACE, Phone, World, landscape, make_world, selfie
from tests.faces import drawing, warping


@pytest.fixture
def world(database: redis.Redis, redis_url: str) -> World:
    return make_world(database, redis_url, liveness="challenge")


@pytest.fixture
def phone(world: World) -> Phone:
    return world.phone()


@pytest.fixture
def person(world: World) -> Person:
    return world.register()


FACES = {EILEEN: (130, 20, 330, 265), GRACE: (110, 60, 440, 470)}  # head and shoulders


def gestures(phone: Phone) -> list[Gesture]:
    asked = phone.world.conversations.look(phone.holder).given["gestures"]
    assert isinstance(asked, list)
    return [Gesture(each) for each in asked]


def doing(gesture: Gesture, face: str = EILEEN) -> bytes:
    return warping.jpeg(warping.gesture(face, gesture))


class TestChallenge:
    @pytest.fixture
    def asked(self, phone: Phone, person: Person) -> Phone:
        for said in ("申请", "同意", person.name, person.id_number):
            phone.say(said)
        assert "第 1/" in phone.hears()
        return phone

    def test_a_photo_for_each_gesture_and_the_card(self, world: World, asked: Phone) -> None:
        *before, last = gestures(asked)
        for number, gesture in enumerate(before, start=2):
            assert f"第 {number}/{len(before) + 1} 个动作" in asked.send_photo(doing(gesture))
        assert "正在核对" in asked.send_photo(doing(last))
        assert "办好了" in asked.hears()
        assert world.services.cards.of(asked.holder) is not None

    def test_one_video_of_all_gestures(self, world: World, asked: Phone) -> None:
        order = [None, *gestures(asked), None]
        film = warping.film([warping.gesture(EILEEN, each) for each in order])
        assert "正在核对" in asked.send_photo(film, Kind.VIDEO)
        assert "办好了" in asked.hears()
        assert world.services.cards.of(asked.holder) is not None

    def test_a_video_that_stands_still_is_refused(self, world: World, asked: Phone) -> None:
        film = warping.film([warping.portrait(EILEEN)] * 3)
        asked.send_photo(film, Kind.VIDEO)
        assert "还可以再试 4 次" in asked.hears()
        assert world.services.cards.of(asked.holder) is None

    def test_the_same_photo_twice_is_refused(self, world: World, asked: Phone) -> None:
        for _ in gestures(asked):
            asked.send_photo(selfie())
        assert "还可以再试 4 次" in asked.hears()
        assert world.services.cards.of(asked.holder) is None

    def test_the_gestures_of_somebody_else(self, world: World, asked: Phone) -> None:
        for gesture in gestures(asked):
            asked.send_photo(doing(gesture, GRACE))
        assert "还可以再试 4 次" in asked.hears()
        assert world.services.cards.of(asked.holder) is None
        _, on_the_page = world.services.frames.last_told(asked.holder)
        assert "还可以再试 4 次" in on_the_page
        assert "第 1/" not in on_the_page  # the page shows the next gesture in its own way

    def test_after_two_minutes_new_gestures_are_asked(self, world: World, asked: Phone) -> None:
        asked.send_photo(selfie())
        world.later_s = 121
        told = asked.send_photo(selfie())
        assert "2 分钟已过" in told
        assert "第 1/" in told

    def test_a_poor_photo_costs_no_attempt(self, asked: Phone) -> None:
        for _ in gestures(asked):
            asked.send_photo(landscape())
        told = asked.hears()
        assert "不计入次数" in told
        assert "第 1/" in told

    def test_a_file_that_is_no_video(self, asked: Phone) -> None:
        asked.send_photo(b"no video", Kind.VIDEO)
        assert "不是能识别的视频" in asked.hears()

    def test_words_and_back_again(self, asked: Phone) -> None:
        assert "需要照片" in asked.say("好了")
        told = asked.say("帮助")
        assert "第 1/" in told

    def test_a_photo_sent_before_is_not_part_of_it(self, world: World, person: Person) -> None:
        early = world.phone("oEarly")
        for said in ("申请", "同意", person.name, person.id_number):
            early.say(said)
        assert "是否还要拍照" in early.send_photo(selfie())  # not: it will be used
        assert "第 1/" in early.hears()
        assert "early" not in world.conversations.look(early.holder).given


class TestCardPhoto:
    @pytest.fixture
    def asked(self, phone: Phone) -> Phone:
        phone.say("申请")
        phone.say("同意")
        return phone

    def photo(
        self, person: Person, *, back: bool = False, face: str = "", wrong_sex: bool = False
    ) -> bytes:
        number = person.id_number
        card = drawing.MadeUpCard(
            name=person.name,
            sex="男" if (int(number[16]) % 2 == 1) is not wrong_sex else "女",
            birth=(int(number[6:10]), int(number[10:12]), int(number[12:14])),
            id_number=number,
        )
        portrait = warping.portrait(face).crop(FACES[face]) if face else None
        return warping.jpeg(drawing.back(card) if back else drawing.front(card, portrait))

    @pytest.mark.parametrize(("face", "led_to"), [(EILEEN, "动作"), (GRACE, "不像同一个人")])
    def test_the_card_s_own_portrait_is_compared(
        self, asked: Phone, world: World, face: str, led_to: str
    ) -> None:
        person = world.register(name="张晓明")
        asked.send_photo(self.photo(person, face=face))
        assert "张晓明" in asked.hears()
        asked.say("是")
        assert led_to in asked.hears()

    def test_is_read_shown_back_and_confirmed(self, asked: Phone, world: World) -> None:
        person = world.register(name="张晓明")
        assert "正在读取" in asked.send_photo(self.photo(person))
        told = asked.hears()
        assert "张晓明" in told
        assert person.id_number in told
        for field in ("汉", person.id_number[6:10] + "-", "南沙区进港大道12号3栋402房"):
            assert field in told
        assert "（?）" not in told
        assert "“是”或“否”" not in told
        assert "登记机关" in asked.say("是")
        assert "动作" in asked.hears()

    def test_what_only_was_shown_is_kept_no_longer(self, asked: Phone, world: World) -> None:
        asked.send_photo(self.photo(world.register(name="张晓明")))
        asked.hears()
        asked.say("是")
        asked.hears()
        assert world.services.frames.last_told(asked.holder) == ("", "")
        assert "进港大道" not in str(world.conversations.look(asked.holder).given)

    def test_a_card_that_contradicts_itself(self, asked: Phone, world: World) -> None:
        asked.send_photo(self.photo(world.register(name="张晓明"), wrong_sex=True))
        assert "与号码对不上" in asked.hears()
        assert asked.step() == "name"

    def test_what_is_wrong_is_typed_instead(self, asked: Phone, world: World) -> None:
        asked.send_photo(self.photo(world.register(name="张晓明")))
        asked.hears()
        assert "请对照身份证" in asked.say("大概吧")
        assert "【2/4】" in asked.say("否")
        assert "【3/4】" in asked.say("张小明")

    def test_nothing_of_a_card_that_was_not_right_is_kept(
        self, asked: Phone, world: World, person: Person
    ) -> None:
        """A family's cards lie on one table: the wrong one speaks against nobody."""
        other = world.register(sequence=3, name="林若溪", face=GRACE)
        asked.send_photo(self.photo(other, face=GRACE))
        assert "林若溪" in asked.hears()
        assert "card_face" in world.conversations.look(asked.holder).given
        asked.say("否")
        assert set(world.conversations.look(asked.holder).given) == {"consents"}
        asked.say(person.name)
        asked.say(person.id_number)
        assert "身份核实通过" in asked.hears()

    def test_the_back_is_told_apart(self, asked: Phone, person: Person) -> None:
        asked.send_photo(self.photo(person, back=True))
        assert "背面" in asked.hears()

    def test_a_child_comes_with_a_guardian(self, asked: Phone, world: World) -> None:
        asked.send_photo(self.photo(world.register(birth="20200101", name="张晓明")))
        assert "监护人" in asked.hears()
        assert asked.step() == "name"

    @pytest.mark.parametrize("junk", [b"hello", b""])
    def test_junk_gets_advice(self, asked: Phone, junk: bytes) -> None:
        asked.send_photo(junk)
        assert "不是能识别的照片" in asked.hears()
        assert asked.step() == "name"

    def test_a_selfie_is_no_card(self, asked: Phone) -> None:
        asked.send_photo(selfie())
        assert "没有认出身份证" in asked.hears()

    def test_a_photo_that_is_gone(self, asked: Phone) -> None:
        asked.send(asked.turn(Kind.IMAGE, media_id="never"))
        assert "重新发送" in asked.hears()


def test_the_place_in_a_long_line_is_told(world: World) -> None:
    for number in range(5):
        world.jobs.enqueue(
            "hint", holder={"channel": "wechat", "openid": f"o{number}"}, media_id="-"
        )
    person = world.register()
    phone = world.phone("oLate")
    for said in ("申请", "同意", person.name, person.id_number):
        phone.say(said)
    functions = world.talk.functions()
    consumer = world.jobs.broker.consume("talk", prefetch=1, timeout=1)
    while (message := next(consumer)) is not None:
        functions[message.actor_name](**message.kwargs)
        consumer.ack(message)
    told = ""
    for gesture in gestures(phone):
        told = phone.send_photo(doing(gesture))
    assert "前面还有 5 位" in told
    assert "前面还有 5 位" in phone.say("好了吗")
