"""WeChat behind the `Channel` interface."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import redis
import structlog

from bot.channel import ChannelError, MediaGoneError, NotDeliveredError
from bot.wechat import oauth
from bot.wechat.client import Api, RefusedError
from bot.wechat.fields import clean
from bot.wechat.push import CHANNEL
from bot.wechat.replies import MOST_DESCRIPTION, MOST_TITLE, as_text, fit
from bot.wechat.tokens import access_tokens
from bot.wechat.wire import Wire
from credentials.errors import UnavailableError
from credentials.sealing import Sealer
from handlers.turn import Choices, HandOver, Link, Picture, Reply, Say

if TYPE_CHECKING:
    from settings import Settings

MOST_IMAGE_BYTES = 10 * 1024 * 1024
MOST_CHOICES = 10
LONG_FIELD = 200  # characters in a template's field, and in one of the kind `thing`
SHORT_FIELD = 20
_PNG = b"\x89PNG\r\n\x1a\n"

log = structlog.get_logger(__name__)


class WeChatChannel:
    """One official account, as `bot.channel.Channel` describes it."""

    name = CHANNEL

    def __init__(self, settings: Settings, database: redis.Redis, sealer: Sealer) -> None:
        self._app_id = settings.wechat_app_id
        self._secret = settings.wechat_app_secret
        self._oauth_base = settings.oauth_base
        self._template = settings.wechat_notice_template
        self._field = settings.wechat_notice_field
        self.hands_over = settings.wechat_human_service
        self._wire = Wire(settings.api_base)
        tokens = access_tokens(self._wire, database, sealer, self._app_id, self._secret)
        self.api = Api(self._wire, tokens)

    def send(self, openid: str, reply: Reply) -> None:
        """Send one customer-service message."""
        match reply:
            case Say(text):
                self._send_text(openid, text)
            case Picture():
                self._send_picture(openid, reply)
            case Link():
                article = {
                    "title": fit(reply.title, MOST_TITLE),
                    "description": fit(reply.description, MOST_DESCRIPTION),
                    "url": clean(reply.url),
                }
                self._send(openid, "news", {"articles": [article]})
            case Choices():
                self._send_choices(openid, reply)
            case HandOver():
                # The platform hands over in an answer to a message only, so it waits for one.
                raise NotDeliveredError(0, "human service begins with the person's next message")

    def notify(self, openid: str, reply: Reply) -> bool:
        """Send a text as a template message, which no window and no quota of turns bounds.

        It fits if the account has a template for it, and the text the template's field.
        """
        text, url = _noticed(reply)
        most = SHORT_FIELD if self._field.startswith("thing") else LONG_FIELD
        if not (self._template and text) or len(text) > most:
            return False
        body = {
            "touser": openid,
            "template_id": self._template,
            "url": url,
            "data": {self._field: {"value": text}},
        }
        self.api.post("/cgi-bin/message/template/send", body)
        return True

    def typing(self, openid: str) -> None:
        """Show that an answer is being prepared."""
        with contextlib.suppress(ChannelError, UnavailableError):
            self.api.post("/cgi-bin/message/custom/typing", {"touser": openid, "command": "Typing"})

    def fetch(self, media_id: str, *, limit: int) -> bytes:
        """The file of a photo or video that a person sent."""
        try:
            return self.api.download(media_id, limit)
        except RefusedError as error:
            raise MediaGoneError(str(error)) from None

    def sign_in_address(self, return_to: str, state: str) -> str:
        """Where a browser inside the platform is sent to find out who is looking."""
        return oauth.address(self._oauth_base, self._app_id, return_to, state)

    def who(self, code: str) -> str:
        """The openid behind an OAuth code."""
        return oauth.openid(self._wire, self._app_id, self._secret, code)

    def close(self) -> None:
        """Close the connections to the platform."""
        self._wire.close()

    def _send(self, openid: str, kind: str, content: dict[str, Any]) -> None:
        self.api.post(
            "/cgi-bin/message/custom/send", {"touser": openid, "msgtype": kind, kind: content}
        )

    def _send_text(self, openid: str, text: str) -> None:
        if text.strip():
            self._send(openid, "text", {"content": fit(text)})

    def _send_picture(self, openid: str, picture: Picture) -> None:
        """Upload the picture, then send it; say its words where the platform will not take it."""
        try:
            self._send(openid, "image", {"media_id": self._upload(picture.image)})
        except RefusedError as error:
            if not picture.instead:
                raise
            log.warning("picture said in words", code=error.code)
            self._send_text(openid, picture.instead)

    def _upload(self, image: bytes) -> str:
        if len(image) > MOST_IMAGE_BYTES:
            raise RefusedError(40009, "the picture is larger than the platform takes")
        png = image.startswith(_PNG)
        name, kind = ("picture.png", "image/png") if png else ("picture.jpg", "image/jpeg")
        return self.api.upload("image", name, image, kind)

    def _send_choices(self, openid: str, choices: Choices) -> None:
        """Send quick answers, or the same as text to accounts that may not send menus."""
        menu = {
            "head_content": fit(choices.text),
            "list": [
                {"id": str(number), "content": answer}
                for number, answer in enumerate(choices.answers[:MOST_CHOICES], start=1)
            ],
            "tail_content": "",
        }
        try:
            self._send(openid, "msgmenu", menu)
        except RefusedError as error:
            log.info("choices said in words", code=error.code)
            self._send_text(openid, as_text(choices))


def _noticed(reply: Reply) -> tuple[str, str]:
    """The text of a template message in a reply's place, and what a tap on it opens."""
    match reply:
        case Say(text):
            return clean(text), ""
        case Choices():
            return clean(f"{reply.text}\n{' / '.join(reply.answers)}"), ""
        case Link():
            return clean(f"{reply.title}\n{reply.description}".strip()), clean(reply.url)
        case _:
            return "", ""
