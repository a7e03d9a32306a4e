"""`/wechat`: what the platform calls. It reads, refuses or answers; the talk is elsewhere.

A push is taken in these steps, and the first that fails ends it with nothing done:

1. no more than 64 KB are read (413);
2. the signature over token, timestamp and nonce is right (403);
3. with an EncodingAESKey only encrypted pushes are taken (403); the ciphertext's own signature
   is right (403) and it opens for this account (400). Plain fields beside it are ignored.
   Without a key the push is plain, and its signature does not cover the message;
4. it is a message or an event (400);
5. it is not a replay (403), which Redis decides; without Redis nothing is taken (503);
6. the talk receives it and may answer at once. What is slow is answered later, as a
   customer-service message.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import redis as redis_client
import structlog
from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from bot.counting import Pushes
from bot.wechat import crypto, fields, push, replies
from bot.wechat.crypto import BadPushError, Envelope, ForgedPushError
from bot.wechat.freshness import Freshness
from credentials.errors import UnavailableError
from handlers.turn import Reply, Turn

if TYPE_CHECKING:
    from settings import Settings

MOST_BYTES = 64 * 1024
RETRY_SECONDS = "5"
UNAVAILABLE = "暂时无法处理，请稍后再试。The service is unavailable for a moment; try again later."

log = structlog.get_logger(__name__)


def blueprint(
    receive: Callable[[Turn], Reply | None], settings: Settings, redis: redis_client.Redis
) -> Blueprint:
    """The webhook: `receive` is called with each turn, and says what to answer at once."""
    hook = Webhook(receive, settings, redis)
    page = Blueprint("wechat", __name__)
    page.add_url_rule("/wechat", "prove", hook.prove, methods=["GET"])
    page.add_url_rule("/wechat", "take", hook.take, methods=["POST"])
    return page


class Webhook:
    """One account's webhook; the six steps stand at the head of this file."""

    def __init__(
        self,
        receive: Callable[[Turn], Reply | None],
        settings: Settings,
        redis: redis_client.Redis,
    ) -> None:
        self._receive = receive
        self._token = settings.wechat_token
        self._freshness = Freshness(redis)
        self.pushes = Pushes(push.CHANNEL, push.KNOWN)
        self._envelope = None
        if settings.wechat_aes_key:
            self._envelope = Envelope(self._token, settings.wechat_aes_key, settings.wechat_app_id)

    def prove(self) -> Response:
        """Answer the platform's question whether this is the account's server (echostr)."""
        try:
            self._check_signature()
        except ForgedPushError as error:
            return _refuse(403, error)
        return _text(request.args.get("echostr", ""))

    def take(self) -> Response:
        """Take one push."""
        try:
            return self._take()
        except RequestEntityTooLarge:
            return _refuse(413, "a push is at most 64 KB")
        except ForgedPushError as error:
            return _refuse(403, error)
        except BadPushError as error:
            return _refuse(400, error)
        except (redis_client.RedisError, UnavailableError) as error:
            log.warning("push refused", status=503, reason=type(error).__name__)
            return _text(UNAVAILABLE, 503, {"Retry-After": RETRY_SECONDS})

    def _take(self) -> Response:
        request.max_content_length = MOST_BYTES
        body = request.get_data(cache=False)  # 1
        self._check_signature()  # 2
        timestamp, nonce = request.args["timestamp"], request.args["nonce"]
        if self._envelope:  # 3
            body = self._open(self._envelope, body, timestamp, nonce)
        pushed = push.read(body)  # 4
        turn = pushed.turn
        self._freshness.check(timestamp, nonce, body, turn.holder.openid)  # 5
        self.pushes.count(turn.extra["type"])
        if pushed.is_report:
            log.info("report", **turn.extra)
            return _text(replies.NOTHING)
        now = int(time.time())
        answer = replies.render(self._receive(turn), pushed, now)  # 6
        if self._envelope:
            answer = replies.seal(answer, self._envelope, pushed, now, nonce)
        if answer == replies.NOTHING:
            return _text(answer)
        kind = "application/json" if pushed.is_json else "application/xml"
        return Response(answer, content_type=f"{kind}; charset=utf-8")

    def _check_signature(self) -> None:
        given = request.args
        parts = (given.get("timestamp", ""), given.get("nonce", ""))
        if not all(parts) or not self._token:
            raise ForgedPushError("signature, timestamp and nonce are needed")
        crypto.check(given.get("signature", ""), self._token, *parts)

    def _open(self, envelope: Envelope, body: bytes, timestamp: str, nonce: str) -> bytes:
        encrypted = fields.parse(body).get("Encrypt", "")
        signature = request.args.get("msg_signature", "")
        if not (encrypted and signature):
            raise ForgedPushError("this account takes encrypted messages only")
        return envelope.open(encrypted.strip(), signature, timestamp, nonce)


def _refuse(status: int, reason: Exception | str) -> Response:
    log.warning("push refused", status=status, reason=str(reason))
    return _text(str(reason), status)


def _text(text: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    response = Response(text, status, headers, content_type="text/plain; charset=utf-8")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
