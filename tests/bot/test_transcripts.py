"""What an operator sees of a talk without a reason: no ID number and no name, however written."""

from __future__ import annotations

import re
import typing
import unicodedata

import pytest
import redis

from bot.engine import Conversation
from bot.letters import DeadLetter
from bot.transcripts import BOT, LONGEST, NAME_STEPS, PERSON, Entry, answered, heard, mask
from credentials.id_number import normalise, parse
from credentials.model import Holder
from handlers import answers, life
from handlers.dialog import DIALOG
from handlers.steps import Ask, Outcome, Work
from handlers.turn import Choices, Kind, Say, Turn
from tests.bot.talking import Phone, World, make_world
from texts import Texts

NUMBER = "440115198806203025"
HOLDER = Holder("wechat", "oAnna")
WAYS = (
    NUMBER,
    "44010619900101003X",
    "４４０１１５１９８８０６２０３０２５",
    "44010619900101003Ｘ",
    "440115  19880620  3025",
    "440115\u30001988\u00a00620\t3025",
    "440115–1988—0620‐3025",
    "440115 - 19880620 - 3025",
    "\u200b440115\u200b19880620\ufeff3025\u200e",
    "440115\n19880620\n3025",
    "440115198806203０２⑤",
    "44010619900101003Ⅹ",
    "④④⓪⑪⑤⑲⑧⑧⓪⑥⑳㉚㉕",
)  # fmt: skip


def digits(text: str) -> str:
    return re.sub(r"\D", "", unicodedata.normalize("NFKC", text))


@pytest.mark.parametrize("written", WAYS)
def test_every_way_of_writing_a_number_is_masked(written: str) -> None:
    assert parse(written).value
    for text in (written, f"我的号码{written}号", f"no. {written}, thanks", f"1) {written}"):
        shown = mask(text, {})
        assert shown != text
        assert len(digits(shown)) <= 7
    assert len(digits(Entry(1.0, PERSON, "text", written, "id_number").masked)) <= 6
    letter = DeadLetter(HOLDER, Say(f"Number: {written}"), "quota", 1.0)
    assert len(digits(letter.words)) <= 6


def test_digits_that_are_no_number_to_us_are_masked_too() -> None:
    assert mask("٤٤٠١١٥١٩٨٨٠٦٢٠٣٠٢٥", {}).count("*") == 12
    assert mask("440115198806203", {}) == "440*********203"  # as the old cards had


def test_a_number_after_another_number_is_masked_whole() -> None:
    shown = mask(f"13800138000 {NUMBER}", {})
    assert shown == f"138{'*' * 23}025"
    assert mask(f"{NUMBER}，{NUMBER}", {}) == "440************025，440************025"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "张三",
        "13800138000",
        "2026-11-28 10:55:16",
        "12345678 9012",
        "１２３４",
        "4401 1519 8806 20",
    ],
)
def test_what_is_no_number_stays(text: str) -> None:
    assert mask(text, {}) == text


@pytest.mark.parametrize("part", ["1", "1 ", "1\u200b", "- ", "1234567 a ", "１x"])
def test_a_long_text_is_masked_in_linear_time(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each character is looked at a few times, however the text is made."""
    looked = 0

    def counted(text: str) -> str:
        nonlocal looked
        looked += len(text)
        return normalise(text)

    monkeypatch.setattr("bot.transcripts.id_number.normalise", counted)
    text = (part * LONGEST)[:LONGEST]
    mask(text, {})
    assert looked <= 2 * len(text)


def test_every_step_where_a_name_is_given_masks_it() -> None:
    asked = {
        name
        for name, step in DIALOG.steps.items()
        if isinstance(step, Ask) and step.takes in (answers.name, life.new_name)
    }
    assert asked == {"name", "new_name"}
    works = {
        name
        for name, step in DIALOG.steps.items()
        if isinstance(step, Work)
        and asked & {getattr(where, "step", where) for where in step.leads.values()}
    }
    assert asked | works == NAME_STEPS


@pytest.mark.parametrize("step", sorted(NAME_STEPS))
def test_a_name_is_masked_where_it_is_given(step: str) -> None:
    talk = Conversation(HOLDER, step=step, given={"refresh": "1"})
    assert heard(Turn(HOLDER, Kind.TEXT, text=" 欧阳娜娜 "), talk).masked == "欧阳**"
    assert heard(Turn(HOLDER, Kind.VOICE, text="张三"), talk).masked == "张*"


def test_a_name_is_masked_where_another_question_was_asked_beside() -> None:
    talk = Conversation(HOLDER, step="name", aside="confirm_delete")
    assert heard(Turn(HOLDER, Kind.TEXT, text="欧阳娜娜"), talk).masked == "欧阳**"
    home = Conversation(HOLDER, step="home", aside="confirm_delete")
    assert heard(Turn(HOLDER, Kind.TEXT, text="欧阳娜娜"), home).step == "confirm_delete"


def test_a_new_name_that_begins_as_the_old_one_is_masked_whole() -> None:
    talk = Conversation(HOLDER, step="name", given={"name": "张三"})
    assert heard(Turn(HOLDER, Kind.TEXT, text="张三丰"), talk).masked == "张**"


def test_the_new_name_is_masked_wherever_it_stands() -> None:
    talk = Conversation(HOLDER, step="home", given={"name": "张三", "new_name": "张山峰"})
    assert heard(Turn(HOLDER, Kind.TEXT, text="我叫张山峰啊"), talk).masked == "我叫张**啊"
    [entry] = answered([Say("张山峰")], talk, 1.0)
    assert (entry.who, entry.masked) == (BOT, "张**")


def test_what_was_read_of_an_id_card_is_masked() -> None:
    shown = {
        "name": "张山峰",
        "sex": "女",
        "ethnicity": "汉",
        "birth": "1988-06-20",
        "address": "广东省广州市南沙区进港大道1号（?）",
        "id_number": NUMBER,
    }
    talk = Conversation(HOLDER, step="confirm_card", given={"name": "张山峰", "shown": shown})
    text = Texts().say("en", "chat.confirm_card", **shown)
    [entry] = answered([Say(text)], talk, 1.0)
    assert entry.masked.startswith("Read: 张**, 女, 汉, **********\nAddress: *****")
    for name in ("name", "birth", "address", "id_number"):
        assert shown[name] in entry.text
        assert shown[name] not in entry.masked


@pytest.mark.parametrize("shown", [None, "up", {}, {"address": "—", "birth": 3}])
def test_where_nothing_was_read_nothing_is_masked(shown: object) -> None:
    talk = Conversation(HOLDER, step="gesture", given={"shown": shown})
    [entry] = answered([Say("— 3 up")], talk, 1.0)
    assert not entry.hides


class TestTheCardThatIsShownBack:
    """What a worker read of an ID card's photo is said in a message that no turn answers."""

    SHOWN: typing.ClassVar = {
        "name": "张山峰",
        "sex": "女",
        "ethnicity": "汉",
        "birth": "1988-06-20",
        "address": "广东省广州市南沙区进港大道1号",
        "id_number": NUMBER,
    }
    SECRETS = ("张山峰", "1988-06-20", "进港大道", NUMBER)

    @pytest.fixture
    def world(self, database: redis.Redis, redis_url: str) -> World:
        return make_world(database, redis_url)

    @pytest.fixture
    def shown_back(self, world: World) -> Phone:
        phone = world.phone()
        for said in ("申请", "同意"):
            phone.say(said)
        phone.send_photo(b"of a card")
        waiting = world.conversations.look(phone.holder)
        assert waiting.step == "card_photo"
        given = {"name": "张山峰", "id_number": NUMBER, "card_photo": None, "shown": self.SHOWN}
        world.talk.finish(phone.holder, waiting.job, Outcome("read", given))
        assert phone.step() == "confirm_card"
        return phone

    def test_it_is_masked_in_the_transcript(self, world: World, shown_back: Phone) -> None:
        said = world.talk.transcripts.read(shown_back.holder)[-1]
        assert (said.who, said.hides) == (BOT, True)
        for secret in self.SECRETS:
            assert secret in said.text
            assert secret not in said.masked

    def test_it_is_masked_where_it_never_arrived(self, world: World, shown_back: Phone) -> None:
        world.platform.unknown = True
        world.outbox.deliver(shown_back.holder)
        [letter] = world.outbox.dead()
        assert isinstance(letter.reply, Choices)
        for secret in self.SECRETS:
            assert secret in letter.reply.text
            assert secret not in letter.words
        assert "张**" in letter.words
