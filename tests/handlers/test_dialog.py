from __future__ import annotations

import string

import pytest

from handlers.dialog import DIALOG
from handlers.steps import Ask, checked, keys_of
from handlers.turn import Kind
from texts import LANGUAGES, Texts

TEXTS = Texts()
CONTRACT = (
    "申请/apply/APPLY 我的证件/card/CARD 升级/upgrade/UPGRADE 记录/history/HISTORY "
    "冻结/freeze/FREEZE 帮助/help/HELP 解冻/unfreeze 取消/cancel "
    "注销/delete 人工/human 语言/language"
)


def test_is_whole() -> None:
    assert checked(DIALOG, TEXTS) is DIALOG


@pytest.mark.parametrize("words", CONTRACT.split())
def test_knows_the_words_of_the_contract(words: str) -> None:
    places = {DIALOG.heard_anywhere(word) for word in words.split("/")}
    assert len(places) == 1
    assert None not in places


def test_every_kind_of_message_has_an_answer() -> None:
    assert set(DIALOG.otherwise) | {Kind.UNFOLLOW, Kind.RESULT} == set(Kind)


def test_enrolment_asks_in_the_contracts_order() -> None:
    way = ["consent", "name", "id_number", "registry"]
    assert [DIALOG.steps[step].position for step in way] == ["1/4", "2/4", "3/4", "3/4"]
    assert DIALOG.steps["begin"].leads["fresh"] == "consent"
    assert DIALOG.steps["consent"].leads["both"] == "name"
    assert DIALOG.steps["name"].leads["named"] == "id_number"
    assert DIALOG.steps["id_number"].leads["valid"] == "registry"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_in_every_language(language: str) -> None:
    assert set(keys_of(DIALOG)) <= TEXTS.known(language)
    ours = {key for key in TEXTS.known() if key.startswith("chat.")}
    assert ours <= TEXTS.known(language)


def placeholders(language: str, key: str) -> set[str]:
    template = TEXTS.say(language, key)
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_is_filled_in_in_every_language(language: str) -> None:
    for key in TEXTS.known():
        if key.startswith("chat."):
            extra = placeholders(language, key) - placeholders("zh_CN", key)
            assert not extra, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_messages_are_short(language: str) -> None:
    for key in keys_of(DIALOG):
        text = TEXTS.say(language, key)
        lines = text.split("\n")
        assert len(lines) <= (5 if key == "chat.consent" else 3 + (key == "chat.history")), key
        assert len(text.encode()) < 1000, key


@pytest.mark.parametrize(("language", "way_out"), [("zh_CN", "取消"), ("en", "cancel")])
def test_the_questions_of_enrolment_say_how_to_get_out(language: str, way_out: str) -> None:
    for name in ("consent", "name", "id_number", "face", "gesture"):
        step = DIALOG.steps[name]
        assert isinstance(step, Ask)
        assert way_out in TEXTS.say(language, step.says)
