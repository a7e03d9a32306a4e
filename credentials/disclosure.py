"""What a verifier is told: the attributes of a purpose, and not one more.

Each attribute has one builder, from the record and the day in China. Whether somebody is of
age is a yes or no, never a date.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
from collections.abc import Callable, Mapping
from types import MappingProxyType

from credentials import names
from credentials.errors import RefusalError
from credentials.id_number import IdNumber, mask
from credentials.purposes import Purpose

LONG_TERM = "long-term"
ADULT_YEARS = 18


class DisclosureError(RefusalError):
    """A purpose that cannot be answered: nothing is told, the code is `unavailable`.

    `details["reason"]` is no_attributes, unknown_attribute or missing_attribute, and
    `details["attribute"]` the attribute's name.
    """

    code = "unavailable"


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """What is known of a holder, unsealed for the moment of a disclosure.

    `id_number` has 18 characters, `portrait` is a JPEG file, `valid_until` None means a card
    without an end date, `residence` is a division of six digits.
    """

    name: str
    id_number: str
    address: str
    valid_until: datetime.date | None
    portrait: bytes | None
    residence: str


Value = str | bool
Builder = Callable[[Record, datetime.date], Value | None]


def _age_over_18(record: Record, today: datetime.date) -> bool:
    return IdNumber(record.id_number).age_on(today) >= ADULT_YEARS


def _portrait(record: Record, _today: datetime.date) -> str | None:
    return base64.b64encode(record.portrait).decode() if record.portrait else None


def _valid_until(record: Record, _today: datetime.date) -> str:
    return record.valid_until.isoformat() if record.valid_until else LONG_TERM


BUILDERS: Mapping[str, Builder] = MappingProxyType(
    {
        "name": lambda record, _: record.name or None,
        "name_masked": lambda record, _: names.mask(record.name) or None,
        "sex": lambda record, _: IdNumber(record.id_number).sex,
        "birth_date": lambda record, _: IdNumber(record.id_number).birth.isoformat(),
        "id_number": lambda record, _: record.id_number,
        "id_number_masked": lambda record, _: mask(record.id_number),
        "address": lambda record, _: record.address or None,
        "portrait": _portrait,
        "valid_until": _valid_until,
        "age_over_18": _age_over_18,
    }
)


def disclose(purpose: Purpose, record: Record, today: datetime.date) -> dict[str, object]:
    """The attributes of `purpose`, by name, in the purpose's order.

    Args:
        purpose: what is asked for, as the caller has already found it granted and agreed to.
        record: the holder's data.
        today: the day in China, which decides about age.

    Raises:
        DisclosureError: when the purpose names no attribute, one that has no builder, or one
            that the record does not hold. A part is never given for the whole.
    """
    if not purpose.attributes:
        raise DisclosureError(reason="no_attributes")
    told: dict[str, object] = {}
    for attribute in purpose.attributes:
        build = BUILDERS.get(attribute)
        if build is None:
            raise DisclosureError(reason="unknown_attribute", attribute=attribute)
        value = build(record, today)
        if value is None:
            raise DisclosureError(reason="missing_attribute", attribute=attribute)
        told[attribute] = value
    return told
