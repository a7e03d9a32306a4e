"""Eight digits in the place of a QR code, for when no camera and no scanner works.

They stand for one rotating code and live as long as it does: thirty seconds, one use. A holder's
page asks for them only when the holder does, so few are alive at a time; a desk that types five
wrong ones in a minute waits a minute. Among 100 codes alive, a desk that does nothing else finds
a stranger's once in about five months, and that stranger is told at once.

One slot holds them all, so that a try is one script: counted, taken, and kept for the repeat of
a request whose answer was lost.

| key | holds |
|---|---|
| `{short}:c:<8 digits>` | the rotating code, until it ends or is taken |
| `{short}:n:<desk>` | wrong tries of a desk (SHA-256 of verifier and desk), one minute |
| `{short}:r:<request>` | the code that a request was given (SHA-256 of both), one minute |
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata

from credentials.codes import LIFE_SECONDS
from credentials.errors import RefusalError
from credentials.model import RotatingCode
from credentials.store import Store

DIGITS = 8
LONGEST_TYPED = 40  # characters; a rotating code is longer
WRONG_TRIES = 5
WINDOW_MS = 60_000
_ATTEMPTS = 5
_SHORT = re.compile(r"[0-9]{8}")


def digits_of(text: str) -> str:
    """The eight digits that a text is, full-width or grouped by blanks or hyphens, or nothing."""
    if len(text) > LONGEST_TYPED:
        return ""
    bare = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text))
    return bare if _SHORT.fullmatch(bare) else ""


class ShortCodes:
    """Gives out short codes and takes them back. Raises UnavailableError without Redis."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def give(self, code: RotatingCode) -> str:
        """Eight digits that stand for a fresh code, or nothing if none was free."""
        for _ in range(_ATTEMPTS):
            digits = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
            if self._store.put(f"{{short}}:c:{digits}", code.code, LIFE_SECONDS, new=True):
                return digits
        return ""

    def take(self, text: str, *, verifier_id: str, desk: str, request_id: str | None) -> str:
        """What was typed, or the code that it stands for if it was eight digits.

        Raises:
            RefusalError: unknown_code; too_many_requests (`details["wait_s"]`).
        """
        digits = digits_of(text)
        if not digits:
            return text
        request = _hash(verifier_id, desk, request_id or secrets.token_hex(8), digits)
        outcome, value = self._store.run(
            "short_take",
            (
                f"{{short}}:c:{digits}",
                f"{{short}}:n:{_hash(verifier_id, desk)}",
                f"{{short}}:r:{request}",
            ),
            (WRONG_TRIES, WINDOW_MS, WINDOW_MS),
        )
        if outcome == b"wait":
            raise RefusalError("too_many_requests", wait_s=int(value) / 1000)
        if outcome != b"code":
            raise RefusalError("unknown_code")
        return str(value.decode())


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
