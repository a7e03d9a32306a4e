"""Pictures from the enrolment page, and what the page is told: sealed, for a few minutes.

| key | holds | lives |
|---|---|---|
| `{wechat:<openid>}:frame:<id>` | a picture, sealed | ten minutes |
| `{wechat:<openid>}:hint` | what the newest picture of the camera needs, sealed | a minute |
| `{wechat:<openid>}:told` | the last result's words, sealed | ten minutes |
| `{wechat:<openid>}:place` | id of the job that the person waits for | ten minutes |
"""

from __future__ import annotations

import secrets
from typing import cast

import redis

from credentials.connection import guard
from credentials.errors import CredentialError
from credentials.model import Holder
from credentials.sealing import Sealer

FRAME_SECONDS = 600
HINT_SECONDS = 60
TOLD_SECONDS = 600
PREFIX = "page:"


class Frames:
    """The page's pictures. Each method raises UnavailableError without Redis."""

    def __init__(self, database: redis.Redis, sealer: Sealer) -> None:
        self._redis = database
        self._sealer = sealer

    def put(self, holder: Holder, picture: bytes) -> str:
        """Keep a picture of a person's; the media id that `get` knows it by."""
        media_id = PREFIX + secrets.token_hex(8)
        key = _frame_key(holder, media_id)
        with guard():
            self._redis.set(key, self._sealer.seal(key, picture), ex=FRAME_SECONDS)
        return media_id

    def get(self, holder: Holder, media_id: str) -> bytes | None:
        """A picture of this person's; None when it is gone or was never theirs."""
        key = _frame_key(holder, media_id)
        with guard():
            sealed = cast("bytes | None", self._redis.get(key))
        return None if sealed is None else self._sealer.unseal(key, sealed)

    def drop(self, holder: Holder, media_id: str) -> None:
        """Erase a picture."""
        with guard():
            self._redis.delete(_frame_key(holder, media_id))

    def hint(self, holder: Holder, media_id: str, code: str) -> None:
        """Say what a picture needs: a code, `taken` when it is the one."""
        self._write(f"{holder.tag}:hint", [media_id, code], HINT_SECONDS)

    def last_hint(self, holder: Holder) -> tuple[str, str]:
        """The picture that was last looked at, and its code; twice nothing before the first."""
        found = self._read(f"{holder.tag}:hint")
        return (str(found[0]), str(found[1])) if found else ("", "")

    def tell(self, holder: Holder, number: str, words: str) -> None:
        """Have the page show a result's words; `number` tells one result from the next."""
        self._write(f"{holder.tag}:told", [number, words], TOLD_SECONDS)

    def last_told(self, holder: Holder) -> tuple[str, str]:
        """The last result: its number and its words."""
        found = self._read(f"{holder.tag}:told")
        return (str(found[0]), str(found[1])) if found else ("", "")

    def wait_for(self, holder: Holder, job: str) -> None:
        """Remember which job a person waits for, to tell them their place in the line."""
        with guard():
            self._redis.set(f"{holder.tag}:place", job, ex=FRAME_SECONDS)

    def waits_for(self, holder: Holder) -> str:
        """The job that a person waits for, if any."""
        with guard():
            found = cast("bytes | None", self._redis.get(f"{holder.tag}:place"))
        return found.decode() if found else ""

    def _write(self, key: str, value: list[str], seconds: int) -> None:
        with guard():
            self._redis.set(key, self._sealer.seal_json(key, value), ex=seconds)

    def _read(self, key: str) -> list[object]:
        with guard():
            sealed = cast("bytes | None", self._redis.get(key))
        if sealed is None:
            return []
        try:
            return list(self._sealer.unseal_json(key, sealed))
        except CredentialError:
            return []


def _frame_key(holder: Holder, media_id: str) -> str:
    return f"{holder.tag}:frame:{media_id.removeprefix(PREFIX)}"
