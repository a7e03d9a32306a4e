"""Alipay's life account behind the `Channel` interface."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import httpx

from bot.alipay.gateway import Gateway
from bot.alipay.push import CHANNEL
from bot.alipay.signing import Signer
from bot.channel import (
    ChannelError,
    NotDeliveredError,
    PlatformUnavailableError,
    UnreachableError,
)
from bot.wechat.fields import clean
from handlers.turn import Choices, HandOver, Link, Picture, Reply, Say

if TYPE_CHECKING:
    from settings import Settings

SEND = "alipay.open.public.message.custom.send"
UPLOAD = "alipay.offline.material.image.upload"
DOWNLOAD = "alipay.mobile.public.multimedia.download"
TOKEN = "alipay.system.oauth.token"  # noqa: S105 - a method's name
REAL_OAUTH = "https://openauth.alipay.com/oauth2/publicAppAuthorize.htm"
MOST_TEXT = 2000  # characters
MOST_TITLE = 32
MOST_DESCRIPTION = 400
LONGEST_CODE = 512
_PNG = b"\x89PNG\r\n\x1a\n"


class AlipayChannel:
    """One life account, as `bot.channel.Channel` describes it."""

    name = CHANNEL
    browser = "AlipayClient"
    hands_over = False

    def __init__(self, settings: Settings) -> None:
        self._app_id = settings.alipay_app_id
        address = settings.alipay_gateway
        path = "/oauth2/publicAppAuthorize.htm"
        own = str(httpx.URL(address).copy_with(path=path)) if address else ""
        self._oauth = own or REAL_OAUTH
        signer = Signer(settings.alipay_private_key, settings.alipay_public_key)
        self._gateway = Gateway(address, self._app_id, signer)

    def send(self, openid: str, reply: Reply) -> None:
        """Send one message."""
        match reply:
            case Say(text):
                self._say(openid, text)
            case Choices():
                self._say(openid, as_text(reply))
            case Picture():
                self._send_picture(openid, reply)
            case Link(title, description, url):
                self._send_article(openid, title, description, url=url)
            case HandOver():
                raise NotDeliveredError(0, "this platform has no human service to hand over to")

    def notify(self, openid: str, reply: Reply) -> bool:
        """Nothing fits: this account has no template messages."""
        del openid, reply
        return False

    def typing(self, openid: str) -> None:
        """The platform shows no typing."""

    def fetch(self, media_id: str, *, limit: int) -> bytes:
        """The file of a photo or video that a person sent."""
        return self._gateway.download(DOWNLOAD, {"mediaId": media_id}, limit)

    def sign_in_address(self, return_to: str, state: str) -> str:
        """Where a browser inside the platform is sent to find out who is looking."""
        query = {
            "app_id": self._app_id,
            "scope": "auth_base",
            "redirect_uri": return_to,
            "state": state,
        }
        return f"{self._oauth}?{urlencode(query)}"

    def who(self, code: str) -> str:
        """The user behind an OAuth code."""
        if not 0 < len(code) <= LONGEST_CODE:
            raise UnreachableError("this is no code")
        try:
            answer = self._gateway.call(TOKEN, grant_type="authorization_code", code=code)
        except PlatformUnavailableError:
            raise
        except ChannelError as error:
            raise UnreachableError(str(error)) from None
        found = answer.get("user_id") or answer.get("open_id")
        if not isinstance(found, str) or not found:
            raise UnreachableError("the platform names no user")
        return found

    def close(self) -> None:
        """Close the connections to the platform."""
        self._gateway.close()

    def _say(self, openid: str, text: str) -> None:
        text = clean(text)
        if not text.strip():
            return
        self._send(openid, "text", text={"content": _fit(text, MOST_TEXT)})

    def _send_picture(self, openid: str, picture: Picture) -> None:
        """Upload the picture and send it as an article: the platform has no picture messages.

        A tap on it opens the picture itself, since the article shows only a strip of it.
        """
        png = picture.image.startswith(_PNG)
        name, kind = ("png", "image/png") if png else ("jpg", "image/jpeg")
        try:
            answer = self._gateway.call(
                UPLOAD,
                file=("image_content", f"picture.{name}", picture.image, kind),
                image_type=name,
                image_name="picture",
            )
            address = str(answer.get("image_url", ""))
            self._send_article(openid, "", picture.instead, url=address, image=address)
        except (PlatformUnavailableError, NotDeliveredError, UnreachableError):
            raise
        except ChannelError:
            if not picture.instead:
                raise
            self._say(openid, picture.instead)

    def _send_article(
        self, openid: str, title: str, description: str, *, url: str, image: str = ""
    ) -> None:
        article = {
            "title": _fit(clean(title), MOST_TITLE),
            "desc": _fit(clean(description), MOST_DESCRIPTION),
            "image_url": image,
            "url": clean(url),
        }
        filled = {name: value for name, value in article.items() if value}
        self._send(openid, "image-text", articles=[filled])

    def _send(self, openid: str, kind: str, **content: object) -> None:
        body = {"to_user_id": openid, "msg_type": kind, "chat": "0", **content}
        self._gateway.call(SEND, body)


def as_text(choices: Choices) -> str:
    """A question with its quick answers below it, each on a line, to type."""
    return "\n".join([choices.text, "", *(f"▸ {answer}" for answer in choices.answers)])


def _fit(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
