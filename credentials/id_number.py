"""The citizen identification number: 18 characters, GB 11643-1999.

6 digits of division (GB/T 2260), 8 of birth date, 3 of sequence (odd: male), and a check
character (ISO 7064, MOD 11-2). The division is where the number was first given; it never
changes when a person moves, so nothing is decided by it here.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
import unicodedata
from typing import Literal

from credentials.errors import CredentialError

LENGTH = 18
OLD_LENGTH = 15
EARLIEST_BIRTH = datetime.date(1850, 1, 1)
# ISO 7064 MOD 11-2: the weight of place i from the right, counted from 0, is 2**i modulo 11.
_WEIGHTS = tuple(pow(2, LENGTH - 1 - place, 11) for place in range(LENGTH - 1))
_CHECK_CHARACTERS = "10X98765432"
_UNWRITTEN = re.compile(r"[\s\u200b\u200e\u200f\u2060\ufeff\-\u2010-\u2015]+")


class IdNumberError(CredentialError):
    """A text that is no ID number; `code` says which part is wrong.

    `length` (`details["count"]` characters were given), `character` (`details["place"]`, from 1),
    `date` (`details["reason"]`: impossible, future, too_early), `checksum`, and `old_number` for
    the 15 digits of the cards before 1999, which are no longer valid.
    """

    code = "length"


@dataclasses.dataclass(frozen=True, slots=True)
class IdNumber:
    """A number whose form, date and check character are right; `value` has 18 characters."""

    value: str

    @property
    def division(self) -> str:
        """Where the number was first given: six digits."""
        return self.value[:6]

    @property
    def birth(self) -> datetime.date:
        """The birth date."""
        return datetime.date(int(self.value[6:10]), int(self.value[10:12]), int(self.value[12:14]))

    @property
    def sex(self) -> Literal["male", "female"]:
        """The sex, by the last digit of the sequence."""
        return "male" if int(self.value[16]) % 2 else "female"

    def age_on(self, day: datetime.date) -> int:
        """Full years on `day`; who was born on 29 February grows older on 1 March."""
        before = (day.month, day.day) < (self.birth.month, self.birth.day)
        return day.year - self.birth.year - before

    @property
    def masked(self) -> str:
        """The number with only its province and check character left.

        What is hidden is what tells something: place, birth date, and the sequence with the sex.
        """
        return mask(self.value)


def parse(text: str, *, today: datetime.date | None = None) -> IdNumber:
    """Read an ID number as people write it: x or X, full-width digits, blanks and hyphens.

    Args:
        text: what was written.
        today: the day after which nobody is born yet; the day in China by default.

    Raises:
        IdNumberError: with the code of the first thing that is wrong, in the order
            length, character, date, checksum.
    """
    value = normalise(text)
    if len(value) == OLD_LENGTH and value.isascii() and value.isdigit():
        raise IdNumberError("old_number")
    if len(value) != LENGTH:
        raise IdNumberError("length", count=len(value))
    for place, character in enumerate(value, start=1):
        if character not in ("0123456789X" if place == LENGTH else "0123456789"):
            raise IdNumberError("character", place=place)
    _check_date(value, today or today_in_china())
    if check_character(value[:-1]) != value[-1]:
        raise IdNumberError("checksum")
    return IdNumber(value)


def normalise(text: str) -> str:
    """The text in half-width capitals without blanks, hyphens and invisible characters."""
    return _UNWRITTEN.sub("", unicodedata.normalize("NFKC", text)).upper()


def check_character(first: str) -> str:
    """The check character of the first 17 digits (ISO 7064, MOD 11-2)."""
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, first, strict=True))
    return _CHECK_CHARACTERS[total % 11]


def mask(value: str) -> str:
    """The number with only its province and check character left: `44***************X`."""
    return value[:2] + "*" * (len(value) - 3) + value[-1:]


def today_in_china() -> datetime.date:
    """The calendar day in China, where the age of a holder is counted."""
    return datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=8))).date()


def _check_date(value: str, today: datetime.date) -> None:
    try:
        birth = datetime.date(int(value[6:10]), int(value[10:12]), int(value[12:14]))
    except ValueError as error:
        raise IdNumberError("date", reason="impossible") from error
    if birth > today:
        raise IdNumberError("date", reason="future")
    if birth < EARLIEST_BIRTH:
        raise IdNumberError("date", reason="too_early")
