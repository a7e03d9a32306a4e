"""What a page needs to use the platform's scanner and camera: a ticket's signature (JS-SDK)."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping

import redis

from bot.wechat.client import Api
from bot.wechat.tokens import Shared, read_secret
from credentials.sealing import Sealer


class JsSdk:
    """Signs page addresses with the account's ticket, which all processes share."""

    def __init__(self, api: Api, database: redis.Redis, sealer: Sealer, app_id: str) -> None:
        def fetch(_force: bool) -> tuple[str, float]:  # noqa: FBT001 - the shape Shared asks for
            return read_secret(api.get("/cgi-bin/ticket/getticket", type="jsapi"), "ticket")

        self._app_id = app_id
        self._tickets = Shared(database, sealer, f"{{token:{app_id}}}", "ticket", fetch)

    def config(self, url: str) -> Mapping[str, str]:
        """What `wx.config` takes for a page: appId, timestamp, nonceStr, signature.

        Raises:
            PlatformUnavailableError: when the platform gives no ticket.
        """
        nonce, now = secrets.token_urlsafe(12), str(int(time.time()))
        return {
            "appId": self._app_id,
            "timestamp": now,
            "nonceStr": nonce,
            "signature": sign(self._tickets.current(), nonce, now, url),
        }


def sign(ticket: str, nonce: str, timestamp: str, url: str) -> str:
    """The signature of a page's address, which counts up to its `#`."""
    page = url.partition("#")[0]
    joined = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={page}"
    # SHA-1 because the platform says so; what it proves is that the ticket is known.
    return hashlib.sha1(joined.encode(), usedforsecurity=False).hexdigest()
