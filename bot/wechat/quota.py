"""How many of a day's calls the platform still grants, asked seldom and told to operators.

| key | holds |
|---|---|
| `{quota:<app id>}` | hash: by call, the share of the day's calls that is left; `asked`, when; \
  two hours |
| `{quota:<app id>}:asked` | there while nobody need ask again |
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import structlog

from bot.channel import ChannelError
from bot.wechat.client import Api, RefusedError
from credentials.connection import guard

if TYPE_CHECKING:
    import redis

CALLS = (
    "/cgi-bin/stable_token",
    "/cgi-bin/message/custom/send",
    "/cgi-bin/media/upload",
)
ASKED = "asked"
PAUSE_S = 1800  # asking is a call too
LIFE_S = 7200
log = structlog.get_logger(__name__)


def ask(api: Api, path: str) -> tuple[int, int] | None:
    """How many of today's calls are left, and of how many; None where the platform has no bound.

    Raises:
        ChannelError: when the platform does not tell.
    """
    told = api.post("/cgi-bin/openapi/quota/get", {"cgi_path": path}).get("quota")
    quota: dict[str, Any] = told if isinstance(told, dict) else {}
    limit, left = quota.get("daily_limit"), quota.get("remain")
    if not isinstance(limit, int) or not isinstance(left, int) or limit < 1:
        return None
    return left, limit


class Quotas:
    """What is left of an account's calls, shared by all processes."""

    def __init__(self, api: Api, database: redis.Redis, app_id: str) -> None:
        self._api = api
        self._redis = database
        self._key = f"{{quota:{app_id}}}"

    def renew(self) -> None:
        """Ask the platform, unless somebody did within half an hour; it may decline."""
        with guard():
            if not self._redis.set(f"{self._key}:asked", b"", nx=True, ex=PAUSE_S):
                return
        told: dict[Any, Any] = {ASKED: f"{time.time():.0f}"}
        for path in CALLS:
            try:
                found = ask(self._api, path)
            except RefusedError as error:
                log.info("no quota told", call=path, reason=str(error))
            except ChannelError as error:
                log.warning("no quota", call=path, reason=str(error))
                return
            else:
                if found:
                    told[path.rpartition("/")[2]] = f"{found[0] / found[1]:.4f}"
        with guard():
            together = self._redis.pipeline(transaction=True)
            together.delete(self._key)
            together.hset(self._key, mapping=told)
            together.expire(self._key, LIFE_S)
            together.execute()

    def left(self) -> Mapping[str, float] | None:
        """The share of each call's day that is left, 0 to 1, where the platform tells.

        None while the platform could not be asked for two hours.
        """
        with guard():
            found: Any = self._redis.hgetall(self._key)
        shares = {call.decode(): float(share) for call, share in found.items()}
        return {call: share for call, share in shares.items() if call != ASKED} if shares else None
