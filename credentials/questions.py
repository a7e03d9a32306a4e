"""Which requests the holder was asked about in the chat lately.

A word of the chat approves what the person read there, not whatever waits by now: a newer scan
takes an older one's place while its question is still on its way, or kept back. So a question is
noted as it is sent, and an approval in the chat counts only where its request is the only one that
was asked within a minute. The card page names the request itself and needs none of this.

| key | holds | lives |
|---|---|---|
| `{wechat:<openid>}:asked` | set: ids of the verifications asked about | a minute from the last |
"""

from __future__ import annotations

import redis

from credentials.approvals import WAIT_SECONDS
from credentials.connection import guard
from credentials.model import Holder


class Questions:
    """What was asked. Each method raises UnavailableError when it cannot know."""

    def __init__(self, database: redis.Redis) -> None:
        self._database = database

    def show(self, holder: Holder, verification_id: str) -> None:
        """Note that the holder is asked about a verification now; may be done twice."""
        with guard():
            pipeline = self._database.pipeline(transaction=False)
            pipeline.sadd(_key(holder), verification_id)
            pipeline.expire(_key(holder), WAIT_SECONDS)
            pipeline.execute()

    def take_back(self, holder: Holder, verification_id: str) -> None:
        """The question was not sent after all."""
        with guard():
            self._database.srem(_key(holder), verification_id)

    def is_only(self, holder: Holder, verification_id: str) -> bool:
        """Whether the holder was asked about this verification, and about no other."""
        with guard():
            return bool(self._database.smembers(_key(holder)) == {verification_id.encode()})

    def forget(self, holder: Holder) -> None:
        """What was asked is answered, or is to be asked anew."""
        with guard():
            self._database.delete(_key(holder))


def _key(holder: Holder) -> str:
    return f"{holder.tag}:asked"
