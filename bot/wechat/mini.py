"""The mini-program's side of the platform: who is looking, and whether a finger was matched.

The platform knows a mini-program's account by the same openid as the official account's only
where both are one application, as here; elsewhere a unionid would have to join them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.channel import ChannelError, PlatformUnavailableError, UnreachableError
from bot.wechat.client import WORTH_RETRYING, Api
from bot.wechat.push import CHANNEL
from bot.wechat.wire import ApiError, NoSuchCallError, Wire

if TYPE_CHECKING:
    from settings import Settings

LONGEST_CODE = 512


class MiniProgram:
    """One mini-program. `api` carries the account's access token."""

    name = CHANNEL

    def __init__(self, settings: Settings, api: Api) -> None:
        self._app_id = settings.wechat_app_id
        self._secret = settings.wechat_app_secret
        self._wire = Wire(settings.api_base)
        self._api = api

    def who(self, js_code: str) -> str:
        """The openid behind a code of `wx.login`, which works once and for five minutes.

        Raises:
            PlatformUnavailableError: when the platform cannot be asked.
            UnreachableError: when the code is invalid or used.
        """
        if not 0 < len(js_code) <= LONGEST_CODE:
            raise UnreachableError("this is no code")
        params = {
            "appid": self._app_id,
            "secret": self._secret,
            "js_code": js_code,
            "grant_type": "authorization_code",
        }
        try:
            answer = self._wire.get("/sns/jscode2session", params)
        except NoSuchCallError as error:
            raise PlatformUnavailableError(str(error)) from None
        except ApiError as error:
            if error.code in WORTH_RETRYING:
                raise PlatformUnavailableError(str(error)) from None
            raise UnreachableError(str(error)) from None
        found = answer.get("openid")
        if not isinstance(found, str) or not found:
            raise UnreachableError("the platform names no openid")
        return found

    def fingerprint_signed(self, openid: str, result: str, signature: str) -> bool:
        """Whether this account's phone signed this result after matching its owner's finger.

        Raises:
            PlatformUnavailableError: when the platform cannot be asked.
        """
        body = {"openid": openid, "json_string": result, "json_signature": signature}
        try:
            answer = self._api.post("/cgi-bin/soter/verify_signature", body)
        except PlatformUnavailableError:
            raise
        except ChannelError:
            return False
        return answer.get("is_ok") is True

    def close(self) -> None:
        """Close the connections to the platform."""
        self._wire.close()
