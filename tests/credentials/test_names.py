"""Names that people have, what is no name, and how little a masked name tells."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials import names
from credentials.names import PersonNameError


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("张三", "张三"),
        (" 张　三 ", "张三"),
        ("𠮷野家", "𠮷野家"),
        ("王㛃", "王㛃"),
        ("陈𬭎", "陈𬭎"),
        ("李\U000300f7", "李\U000300f7"),
        ("〇一", "〇一"),
        ("阿迪力·买买提", "阿迪力·买买提"),
        ("阿迪力•买买提", "阿迪力·买买提"),
        ("阿迪力・买买提", "阿迪力·买买提"),
        ("阿迪力．买买提", "阿迪力·买买提"),
        ("阿迪力. 买买提", "阿迪力·买买提"),
        ("阿卜杜热西提·阿卜杜克热木·艾山", "阿卜杜热西提·阿卜杜克热木·艾山"),
        ("字" * 20, "字" * 20),
        ("Grace  Hopper", "Grace Hopper"),
        ("Ｇｒａｃｅ Hopper", "Grace Hopper"),
        ("Anne O’Neil–Smith", "Anne O'Neil-Smith"),
        ("J.R. Müller", "J. R. Müller"),
    ],
)
def test_a_name_is_kept_in_one_way_of_writing(written: str, kept: str) -> None:
    assert names.parse(written) == kept
    assert names.parse(kept) == kept


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("", "empty"),
        (" \u3000\u200b\n", "empty"),
        ("字" * 21, "too_long"),
        ("x" * 51, "too_long"),
        (" " * 10_000 + "张三", "too_long"),
        ("张3", "characters"),
        ("张三!", "characters"),
        ("张三😀", "characters"),
        ("·张三", "characters"),
        ("张··三", "characters"),
        ("张San", "characters"),
        ("张ひろ", "characters"),
        ("Grace <b>", "characters"),
        ("440115", "characters"),
        ("..", "characters"),
        ("Грейс Хоппер", "characters"),
        ("a\x00b", "characters"),
    ],
)
def test_what_is_no_name_is_refused(written: str, code: str) -> None:
    with pytest.raises(PersonNameError) as caught:
        names.parse(written)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("张三", "张*"),
        ("张小三", "张**"),
        ("欧阳娜娜", "欧阳**"),
        ("欧阳", "欧*"),
        ("诸葛亮", "诸葛*"),
        ("𠮷野家", "𠮷**"),
        ("阿迪力·买买提", "阿**·***"),
        ("Grace Hopper", "G**** H*****"),
        ("Anne O'Neil-Smith", "A*** O'N***-S****"),
    ],
)
def test_a_masked_name_keeps_the_surname_only(name: str, masked: str) -> None:
    assert names.mask(name) == masked


@given(st.text(max_size=60))
def test_any_text_is_a_name_or_refused_and_a_name_stays_itself(text: str) -> None:
    with contextlib.suppress(PersonNameError):
        name = names.parse(text)
        assert names.parse(name) == name
        assert names.same(text, name)


def test_two_people_are_not_the_same() -> None:
    assert names.same("grace hopper", "Grace  Hopper")
    assert not names.same("张三", "张三丰")
