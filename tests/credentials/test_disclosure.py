"""What each purpose tells, and that it tells nothing else."""

import base64
import dataclasses
import datetime
import json

import pytest

from credentials.disclosure import BUILDERS, DisclosureError, Record, disclose
from credentials.model import Level
from credentials.purposes import PURPOSES, Purpose, by_index
from texts import LANGUAGES, Texts

TODAY = datetime.date(2026, 7, 1)
RECORD = Record(
    name="欧阳娜娜",
    id_number="11010519491231002X",
    address="广东省广州市南沙区进港大道1号",
    valid_until=datetime.date(2036, 12, 31),
    portrait=b"\xff\xd8\xff a photo",
    residence="440115",
)


def test_the_eight_purposes_tell_what_the_law_lets_them() -> None:
    told = {name: purpose.attributes for name, purpose in PURPOSES.items()}
    assert told == {
        "internet_cafe": ("age_over_18", "name_masked", "portrait"),
        "courier": ("name", "id_number_masked"),
        "ticketing": ("name", "id_number"),
        "hotel": ("name", "sex", "birth_date", "id_number", "portrait", "valid_until"),
        "security_check": ("name", "id_number", "portrait"),
        "banking": ("name", "id_number", "address", "valid_until", "portrait"),
        "government_service": ("name", "id_number", "sex", "birth_date", "address"),
        "business_registration": ("name", "id_number", "address"),
    }


def test_upgraded_purposes_need_the_pin_and_no_light_one_does() -> None:
    upgraded = {name for name, purpose in PURPOSES.items() if purpose.level is Level.UPGRADED}
    assert upgraded == {"banking", "government_service", "business_registration"}
    assert {name for name, purpose in PURPOSES.items() if purpose.pin} == upgraded


def test_whoever_learns_who_the_holder_is_needs_the_holders_approval() -> None:
    for purpose in PURPOSES.values():
        assert purpose.approval == bool({"name", "id_number"} & set(purpose.attributes))


def test_indexes_are_stable_bytes() -> None:
    assert [purpose.index for purpose in PURPOSES.values()] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert by_index(4) is PURPOSES["hotel"]
    assert by_index(0) is None
    assert by_index(9) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_purpose_and_attribute_has_its_words(language: str) -> None:
    known = Texts().known(language)
    for name in PURPOSES:
        assert {f"purpose.{name}", f"purpose.{name}.explains"} <= known
    assert {f"attribute.{name}" for name in BUILDERS} <= known


@pytest.mark.parametrize("name", PURPOSES)
def test_a_purpose_tells_its_attributes_in_order(name: str) -> None:
    told = disclose(PURPOSES[name], RECORD, TODAY)
    assert tuple(told) == PURPOSES[name].attributes
    json.dumps(told)


def test_the_hotel_is_told_what_its_register_asks() -> None:
    assert disclose(PURPOSES["hotel"], RECORD, TODAY) == {
        "name": "欧阳娜娜",
        "sex": "female",
        "birth_date": "1949-12-31",
        "id_number": "11010519491231002X",
        "portrait": base64.b64encode(b"\xff\xd8\xff a photo").decode(),
        "valid_until": "2036-12-31",
    }


def test_the_internet_cafe_is_told_neither_name_nor_date() -> None:
    told = disclose(PURPOSES["internet_cafe"], RECORD, TODAY)
    assert told["age_over_18"] is True
    assert told["name_masked"] == "欧阳**"
    said = json.dumps(told, ensure_ascii=False)
    assert "娜" not in said
    assert "1949" not in said


def test_the_courier_is_told_no_birth_date() -> None:
    assert disclose(PURPOSES["courier"], RECORD, TODAY) == {
        "name": "欧阳娜娜",
        "id_number_masked": "11***************X",
    }


@pytest.mark.parametrize(
    ("day", "of_age"), [("1967-12-30", False), ("1967-12-31", True), ("1968-01-01", True)]
)
def test_of_age_from_the_birthday_on(day: str, of_age: bool) -> None:
    told = disclose(PURPOSES["internet_cafe"], RECORD, datetime.date.fromisoformat(day))
    assert told["age_over_18"] is of_age


def test_a_card_without_an_end_says_so() -> None:
    record = dataclasses.replace(RECORD, valid_until=None)
    assert disclose(PURPOSES["hotel"], record, TODAY)["valid_until"] == "long-term"


def refused(purpose: Purpose, record: Record = RECORD) -> object:
    with pytest.raises(DisclosureError) as caught:
        disclose(purpose, record, TODAY)
    assert caught.value.code == "unavailable"
    return caught.value.details["reason"]


def test_an_empty_set_of_attributes_refuses() -> None:
    assert refused(dataclasses.replace(PURPOSES["hotel"], attributes=())) == "no_attributes"


@pytest.mark.parametrize("attribute", ["fingerprint", "residence", "__class__", ""])
def test_an_unknown_attribute_refuses_all(attribute: str) -> None:
    asked = dataclasses.replace(PURPOSES["hotel"], attributes=("name", attribute))
    assert refused(asked) == "unknown_attribute"


@pytest.mark.parametrize(
    ("record", "purpose"),
    [
        (dataclasses.replace(RECORD, portrait=None), "hotel"),
        (dataclasses.replace(RECORD, portrait=b""), "internet_cafe"),
        (dataclasses.replace(RECORD, address=""), "banking"),
        (dataclasses.replace(RECORD, name=""), "courier"),
    ],
)
def test_a_part_is_never_told_for_the_whole(record: Record, purpose: str) -> None:
    assert refused(PURPOSES[purpose], record) == "missing_attribute"
