"""What a terminal says of the card that it read: the form of an attestation, and its time.

An attestation is a JSON object of exactly these fields, signed as `terminals` describes:

| field | holds |
|---|---|
| `type`, `version` | `chip-attestation`, 1 |
| `terminal` | the id of the terminal that signs |
| `session` | the nonce that it was given for a binding code |
| `name`, `id_number` | as the chip has them |
| `card_serial` | the chip's own number, 6 to 40 letters and digits |
| `valid_from`, `valid_until` | YYYY-MM-DD; the second may be `long-term` |
| `portrait_sha256` | of the chip's portrait, hexadecimal |
| `fingerprint` | `matched` or `not_matched` against the chip, or `not_asked` |
| `time` | when, in whole seconds since 1970 |
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Final

from credentials.errors import CredentialError

LONG_TERM: Final = "long-term"
ATTESTED_SECONDS: Final = 2 * 60
VERSION: Final = 1
_FORMS: Final[Mapping[str, re.Pattern[str]]] = {
    "type": re.compile(r"chip-attestation"),
    "terminal": re.compile(r"t[0-9a-f]{12}"),
    "session": re.compile(r"[0-9a-f]{32}"),
    "name": re.compile(r".{1,100}"),
    "id_number": re.compile(r"[0-9]{17}[0-9X]"),
    "card_serial": re.compile(r"[0-9A-Za-z]{6,40}"),
    "valid_from": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "valid_until": re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}|{LONG_TERM}"),
    "portrait_sha256": re.compile(r"[0-9a-f]{64}"),
    "fingerprint": re.compile(r"matched|not_matched|not_asked"),
}


class UpgradeError(CredentialError):
    """Why an upgrade does not go on.

    no_upgrade, already_upgraded, unknown_binding_code, unknown_session, bad_attestation
    (`details["field"]`), attestation_stale, physical_card_ended, not_this_person,
    bad_challenge, fingerprint_refused.
    """

    code = "no_upgrade"


def checked(said: Mapping[str, object]) -> dict[str, str]:
    """The texts of an attestation, each in its form, and no others.

    Raises:
        UpgradeError: bad_attestation.
    """
    if set(said) != {*_FORMS, "time", "version"} or said["version"] != VERSION:
        raise UpgradeError("bad_attestation", field="version")
    read: dict[str, str] = {}
    for field, form in _FORMS.items():
        value = said[field]
        if not isinstance(value, str) or not form.fullmatch(value):
            raise UpgradeError("bad_attestation", field=field)
        read[field] = value
    return read


def check_time(said: Mapping[str, object], now: float) -> None:
    """Whether it was said just now.

    Raises:
        UpgradeError: bad_attestation, attestation_stale.
    """
    at = said.get("time")
    if not isinstance(at, int) or isinstance(at, bool):
        raise UpgradeError("bad_attestation", field="time")
    if abs(now - at) > ATTESTED_SECONDS:
        raise UpgradeError("attestation_stale")


def in_force(read: Mapping[str, str], today: datetime.date) -> bool:
    """Whether the card that was read is within its dates.

    Raises:
        UpgradeError: bad_attestation for a day that is none.
    """
    try:
        begins = datetime.date.fromisoformat(read["valid_from"])
        ends = read["valid_until"]
        return begins <= today and (ends == LONG_TERM or today <= datetime.date.fromisoformat(ends))
    except ValueError:
        raise UpgradeError("bad_attestation", field="valid_until") from None
