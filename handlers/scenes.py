"""The works behind codes that people scan: a poster in a district, a terminal."""

from __future__ import annotations

import re
from typing import Final

from handlers.proofing import begin_enrolment
from handlers.steps import Outcome, Task, outcomes

_DIVISION: Final = re.compile("[0-9]{2,6}", re.ASCII)


@outcomes("fresh", "going", "has_card", "cooling", "too_often", "outside")
def begin_in_district(task: Task) -> Outcome:
    """Whether enrolment may begin from a poster: as ever, and cards are issued in its district.

    The poster only saves a stranger the way; who may have a card is decided by the registered
    residence, when the registry has told it.
    """
    district = str(task.given.get("scene", ""))
    known = _DIVISION.fullmatch(district) is not None
    if known and not task.services.rollout.covers(district.ljust(6, "0")):
        prefixes = task.services.rollout.current()
        if not any(prefix.startswith(district) for prefix in prefixes):
            return Outcome("outside")
    return begin_enrolment(task)
