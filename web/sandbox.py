"""The API's sandbox: made-up holders that a sandbox key can verify, and nobody real.

The code says what happens; nothing is kept. A verification's id carries its case and its time,
so the state that waits becomes accepted, or denied, three seconds later.
"""

from __future__ import annotations

import datetime
import io
import re
import secrets
import time
from collections.abc import Mapping
from functools import cache

from PIL import Image

from credentials.disclosure import Record, disclose
from credentials.errors import RefusalError
from credentials.model import State, Verification, Verifier
from credentials.purposes import PURPOSES, by_index

WAIT_S = 3.0
NUMBER = 42
CODES: Mapping[str, str] = {
    "SANDBOX-ACCEPTED": "accepted",
    "SANDBOX-WAITING-ACCEPTED": "awaiting_holder",
    "SANDBOX-WAITING-DENIED": "awaiting_holder",
    "SANDBOX-ALREADY-USED": "already_used",
    "SANDBOX-EXPIRED": "expired",
    "SANDBOX-FROZEN": "frozen",
    "SANDBOX-REVOKED": "revoked",
    "SANDBOX-BAD-SIGNATURE": "bad_signature",
    "SANDBOX-LEVEL": "level_insufficient",
    "SANDBOX-UNAVAILABLE": "unavailable",
}

_CASES = tuple(CODES)
_ID = re.compile(r"5b([0-9a-f]{12})([0-9a-f]{2})([0-9a-f]{2})[0-9a-f]{2}")
_CHINA = datetime.timezone(datetime.timedelta(hours=8))


def verify(verifier: Verifier, code: str, purpose: str) -> Verification:
    """What the API answers to a sandbox key.

    Raises:
        RefusalError: the one that the code asks for; purpose_not_granted; unknown_code for any
            code that is not the sandbox's.
    """
    if purpose not in verifier.purposes:
        raise RefusalError("purpose_not_granted")
    outcome = CODES.get(code.strip().upper())
    if outcome is None:
        raise RefusalError("unknown_code")
    if outcome not in {"accepted", "awaiting_holder"}:
        raise RefusalError(outcome)
    case = _CASES.index(code.strip().upper())
    milliseconds = int(time.time() * 1000)
    index = PURPOSES[purpose].index
    return _at(f"5b{milliseconds:012x}{case:02x}{index:02x}{secrets.token_hex(1)}")


def look(verifier: Verifier, verification_id: str) -> Verification:
    """How a sandbox verification stands by now.

    Raises:
        RefusalError: unknown_verification.
    """
    found = _at(verification_id)
    if found.purpose not in verifier.purposes:
        raise RefusalError("unknown_verification")
    return found


def _at(verification_id: str) -> Verification:
    shape = _ID.fullmatch(verification_id)
    purpose = by_index(int(shape[3], 16)) if shape else None
    if shape is None or purpose is None or int(shape[2], 16) >= len(_CASES):
        raise RefusalError("unknown_verification")
    case, began = _CASES[int(shape[2], 16)], int(shape[1], 16) / 1000
    if CODES[case] not in {"accepted", "awaiting_holder"} or not 0 < began <= time.time() + 1:
        raise RefusalError("unknown_verification")
    state = State(CODES[case])
    if state is State.AWAITING_HOLDER and time.time() >= began + WAIT_S:
        state = State.DENIED if case.endswith("DENIED") else State.ACCEPTED
    told: Mapping[str, object] = {}
    if state is State.ACCEPTED:
        told = disclose(purpose, _holder(), datetime.datetime.now(_CHINA).date())
    waits = state is State.AWAITING_HOLDER
    return Verification(
        verification_id=verification_id,
        state=state,
        level=purpose.level,
        purpose=purpose.name,
        attributes=told,
        verified_at=began,
        number=NUMBER if waits else None,
        expires_at=began + WAIT_S if waits else None,
    )


@cache
def _holder() -> Record:
    """Nobody: a number of a division that does not exist, a grey square for a face."""
    drawn = io.BytesIO()
    Image.new("L", (96, 120), 160).save(drawn, "JPEG")
    return Record("测试", "990000199001010017", "沙箱路1号", None, drawn.getvalue(), "990000")
