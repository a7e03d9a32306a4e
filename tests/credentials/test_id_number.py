"""ID numbers as people write them, and each way in which they can be wrong."""

import contextlib
import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials import id_number
from credentials.id_number import IdNumberError

TODAY = datetime.date(2026, 7, 1)
GOOD = "11010519491231002X"  # the example of GB 11643-1999


def number(division: str, birth: datetime.date, sequence: int) -> str:
    first = f"{division}{birth:%Y%m%d}{sequence:03}"
    return first + id_number.check_character(first)


numbers = st.builds(
    number,
    st.integers(110000, 999999).map(str),
    st.dates(datetime.date(1850, 1, 1), TODAY),
    st.integers(0, 999),
)


def code_of(text: str) -> tuple[str, object]:
    with pytest.raises(IdNumberError) as caught:
        id_number.parse(text, today=TODAY)
    return caught.value.code, next(iter(caught.value.details.values()), None)


def test_the_standards_example_is_read() -> None:
    read = id_number.parse(GOOD, today=TODAY)
    assert (read.value, read.division, read.birth, read.sex) == (
        GOOD,
        "110105",
        datetime.date(1949, 12, 31),
        "female",
    )


@pytest.mark.parametrize(
    "written",
    [
        "11010519491231002x",
        " 110105 19491231 002X ",
        "110105-19491231-002X",
        "１１０１０５１９４９１２３１００２Ｘ",
        "１１０１０５１９４９１２３１００２ｘ",
        "110105\u200b19491231\u00a0002X\n",
    ],
)
def test_what_people_type_is_forgiven(written: str) -> None:
    assert id_number.parse(written, today=TODAY).value == GOOD


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", ("length", 0)),
        ("1101051949123100", ("length", 16)),
        ("11010519491231002X0", ("length", 19)),
        ("1" * 5000, ("length", 5000)),
        ("110105491231002", ("old_number", None)),
        ("1101054912310OZ", ("length", 15)),
        ("11010519491231O02X", ("character", 15)),
        ("X1010519491231002X", ("character", 1)),
        ("11010519491231002Y", ("character", 18)),
        ("一1010519491231002X", ("character", 1)),
        ("١1010519491231002X", ("character", 1)),
        ("110105194913310023", ("date", "impossible")),
        ("110105194902300021", ("date", "impossible")),
        ("110105190002290021", ("date", "impossible")),
        ("110105000001010021", ("date", "impossible")),
        ("110105202607020021", ("date", "future")),
        ("110105999912310021", ("date", "future")),
        ("110105184912310021", ("date", "too_early")),
        ("110105194912310020", ("checksum", None)),
        ("110105194912310029", ("checksum", None)),
        ("110105194912310002X"[:18], ("checksum", None)),
    ],
)
def test_each_error_has_its_code(written: str, expected: tuple[str, object]) -> None:
    assert code_of(written) == expected


def test_who_is_born_today_has_a_number() -> None:
    assert id_number.parse(number("440115", TODAY, 12), today=TODAY).birth == TODAY


@given(numbers)
def test_every_well_formed_number_is_read(value: str) -> None:
    read = id_number.parse(value, today=TODAY)
    assert read.value == value
    assert read.sex == ("male" if int(value[16]) % 2 else "female")


@given(numbers, st.integers(0, 16), st.integers(1, 9))
def test_any_one_wrong_digit_is_noticed(value: str, place: int, shift: int) -> None:
    wrong = value[:place] + str((int(value[place]) + shift) % 10) + value[place + 1 :]
    code, _ = code_of(wrong)
    assert code in {"checksum", "date"}


@given(numbers, st.integers(0, 15))
def test_two_neighbours_exchanged_are_noticed(value: str, place: int) -> None:
    wrong = value[:place] + value[place + 1] + value[place] + value[place + 2 :]
    if wrong != value:
        assert code_of(wrong)[0] in {"checksum", "date"}


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_code(text: str) -> None:
    with contextlib.suppress(IdNumberError):
        assert len(id_number.parse(text, today=TODAY).value) == 18


@given(numbers)
def test_a_mask_tells_neither_birth_nor_sex(value: str) -> None:
    masked = id_number.parse(value, today=TODAY).masked
    assert masked == value[:2] + "*" * 15 + value[17]


@pytest.mark.parametrize(
    ("birth", "day", "age"),
    [
        ("2008-07-01", "2026-06-30", 17),
        ("2008-07-01", "2026-07-01", 18),
        ("2008-02-29", "2026-02-28", 17),
        ("2008-02-29", "2026-03-01", 18),
    ],
)
def test_age_is_counted_in_full_years(birth: str, day: str, age: int) -> None:
    born, then = datetime.date.fromisoformat(birth), datetime.date.fromisoformat(day)
    assert id_number.parse(number("440115", born, 1), today=TODAY).age_on(then) == age
