"""Refuses a push that is old or was seen: a recorded request is worthless five minutes later.

The platform delivers a push up to three times when no answer reaches it, so "seen before" is
not enough to refuse. What is refused:

1. a timestamp more than five minutes from now, by Redis's clock;
2. a nonce that already came with this timestamp, or from this person, under another message
   (a recorded signature around words of somebody else's);
3. the same nonce with the same message for the fourth time.

A nonce that meets another person's at another timestamp is a coincidence: the platform's are
nine or ten digits, and at millions of people they repeat. What a true redelivery sets off is
decided by `Turn.key`, not here.

Keys: `nonce:<nonce>`, a hash of t (timestamp), m (digest of the message), o (openid), n (how
often it came); it lives ten minutes, longer than any timestamp around it is taken.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from bot.wechat.crypto import ForgedPushError
from credentials.connection import guard

if TYPE_CHECKING:
    import redis

MOST_SECONDS = 300
MOST_DELIVERIES = 3
KEPT_SECONDS = 2 * MOST_SECONDS
LONGEST_NONCE = 128
_SCRIPT = Path(__file__).parent.parent / "scripts" / "admit_push.lua"
_SENTENCES = {
    b"stale": "the timestamp is more than five minutes off",
    b"reused": "the nonce was used for another message",
    b"repeated": "this push was delivered too often",
}


class Freshness:
    """Admits each push as often as the platform delivers one, while its timestamp is fresh."""

    def __init__(self, redis: redis.Redis) -> None:
        self._admit = redis.register_script(_SCRIPT.read_text())

    def check(self, timestamp: str, nonce: str, message: bytes, openid: str) -> None:
        """Pass if the push is fresh. Its signature must have been checked before.

        Raises:
            ForgedPushError: when it is a replay; the text says how it was recognised.
            UnavailableError: when Redis does not answer; the push must then be refused.
        """
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 11):
            raise ForgedPushError("the timestamp is not a number of seconds")
        if not 0 < len(nonce) <= LONGEST_NONCE:
            raise ForgedPushError("the nonce is missing or too long")
        digest = hashlib.sha256(message).digest()
        with guard():
            verdict = self._admit(
                keys=[f"nonce:{nonce}"],
                args=[timestamp, digest, openid, MOST_SECONDS, KEPT_SECONDS, MOST_DELIVERIES],
            )
        if verdict != b"fresh":
            raise ForgedPushError(_SENTENCES[verdict])
