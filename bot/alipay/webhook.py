"""`/alipay`: what the life account's platform calls. It reads, refuses or acknowledges.

A push is taken in these steps, and the first that fails ends it with nothing done:

1. no more than 64 KB are read (413), and they are a form in one of the platform's charsets (400);
2. it is signed by the platform with RSA2, over the bytes of every parameter (403);
3. it is a message or an event (400), for this account (403);
4. it is not a replay: its time is fresh, and it was not delivered too often (403), which Redis
   decides; without Redis nothing is taken (503);
5. the talk receives it. Everything that is said goes out by the gateway's own call; the answer
   here, signed, only acknowledges.

The question whether this is the account's server (`alipay.service.check`) is answered with the
account's public key, and with a refusal in the platform's own form when its signature is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import redis as redis_client
import structlog
from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from bot.alipay import push
from bot.alipay.signing import SIGN_TYPE, ForgedError, Signer, content_of
from bot.counting import Pushes
from bot.wechat.crypto import BadPushError, ForgedPushError
from bot.wechat.fields import clean
from bot.wechat.freshness import Freshness
from credentials.errors import UnavailableError
from handlers.turn import Turn

if TYPE_CHECKING:
    from bot.alipay.push import Form, Push
    from settings import Settings

MOST_BYTES = 64 * 1024
RETRY_SECONDS = "5"
CHECK = "alipay.service.check"
NOTIFY = "alipay.mobile.public.message.notify"
UNAVAILABLE = "暂时无法处理，请稍后再试。The service is unavailable for a moment; try again later."

log = structlog.get_logger(__name__)


def blueprint(
    receive: Callable[[Turn], None], settings: Settings, redis: redis_client.Redis
) -> Blueprint:
    """The webhook: `receive` is called with each turn, and sees to what is said."""
    hook = Webhook(receive, settings, redis)
    page = Blueprint("alipay", __name__)
    page.add_url_rule("/alipay", "take", hook.take, methods=["POST"])
    return page


class Webhook:
    """One life account's webhook; the steps stand at the head of this file."""

    def __init__(
        self, receive: Callable[[Turn], None], settings: Settings, redis: redis_client.Redis
    ) -> None:
        self._receive = receive
        self._app_id = settings.alipay_app_id
        self._signer = Signer(settings.alipay_private_key, settings.alipay_public_key)
        self._freshness = Freshness(redis)
        self.pushes = Pushes(push.CHANNEL, frozenset((*push.MESSAGES, *push.EVENTS)))

    def take(self) -> Response:
        """Take one push."""
        try:
            return self._take()
        except RequestEntityTooLarge:
            return _refuse(413, "a push is at most 64 KB")
        except (ForgedError, ForgedPushError) as error:
            return _refuse(403, error)
        except BadPushError as error:
            return _refuse(400, error)
        except (redis_client.RedisError, UnavailableError) as error:
            log.warning("push refused", status=503, reason=type(error).__name__)
            return _text(UNAVAILABLE, 503, {"Retry-After": RETRY_SECONDS})

    def _take(self) -> Response:
        request.max_content_length = MOST_BYTES
        body = request.get_data(cache=False, parse_form_data=False)  # 1
        form = push.read_form(body)
        charset, service = form.charset, form["service"]
        try:
            self._check_signature(form)  # 2
        except ForgedError:
            if service != CHECK:
                raise
            log.warning("gateway question refused")
            return self._signed(self._proof(good=False), charset)
        pushed = push.read(form["biz_content"])  # 3
        if pushed.app_id and pushed.app_id != self._app_id:
            raise ForgedPushError("the push is for another account")
        if service == CHECK and pushed.check:
            return self._signed(self._proof(good=True), charset)
        if service != NOTIFY or pushed.check:
            raise BadPushError("the platform has no such service")
        turn = pushed.turn
        self._freshness.check(  # 4
            str(int(turn.at)),
            f"alipay-{turn.key}",
            form["biz_content"].encode(),
            turn.holder.openid,
        )
        self.pushes.count(turn.extra["type"])
        if pushed.is_report:
            log.info("report", type=turn.extra["type"])
        else:
            self._receive(turn)  # 5
        return self._signed(self._acknowledged(pushed), charset)

    def _check_signature(self, form: Form) -> None:
        if form["sign_type"] != SIGN_TYPE:  # SHA-1 is not taken any more
            raise ForgedError("a push is signed with RSA2")
        self._signer.check(form["sign"], content_of(form.parameters))

    def _proof(self, *, good: bool) -> str:
        shown = f"<biz_content>{self._signer.public_key}</biz_content>"
        if good:
            return f"<success>true</success>{shown}"
        return f"<success>false</success><error_code>VERIFY_FAILED</error_code>{shown}"

    def _acknowledged(self, pushed: Push) -> str:
        user = clean(pushed.turn.holder.openid)
        return (
            f"<XML><ToUserId><![CDATA[{user}]]></ToUserId>"
            f"<AppId><![CDATA[{self._app_id}]]></AppId>"
            f"<CreateTime>{int(time.time() * 1000)}</CreateTime>"
            "<MsgType><![CDATA[ack]]></MsgType></XML>"
        )

    def _signed(self, answer: str, charset: str) -> Response:
        named = "UTF-8" if charset == "utf-8" else "GBK"
        text = (
            f'<?xml version="1.0" encoding="{named}"?><alipay><response>{answer}</response>'
            f"<sign>{self._signer.sign(answer.encode(charset))}</sign>"
            f"<sign_type>{SIGN_TYPE}</sign_type></alipay>"
        )
        return Response(text.encode(charset), content_type=f"text/xml; charset={named}")


def _refuse(status: int, reason: Exception | str) -> Response:
    log.warning("push refused", status=status, reason=str(reason))
    return _text(str(reason), status)


def _text(text: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    response = Response(text, status, headers, content_type="text/plain; charset=utf-8")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
