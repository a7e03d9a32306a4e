"""Who is looking: the platform's OAuth with `snsapi_base`, which asks the person nothing."""

from __future__ import annotations

from urllib.parse import urlencode

from bot.channel import PlatformUnavailableError, UnreachableError
from bot.wechat.client import WORTH_RETRYING
from bot.wechat.wire import ApiError, NoSuchCallError, Wire

LONGEST_CODE = 512


def address(base: str, app_id: str, return_to: str, state: str) -> str:
    """Where a browser inside the platform is sent; the platform wants this very order."""
    query = urlencode(
        {
            "appid": app_id,
            "redirect_uri": return_to,
            "response_type": "code",
            "scope": "snsapi_base",
            "state": state,
        }
    )
    return f"{base}/connect/oauth2/authorize?{query}#wechat_redirect"


def openid(wire: Wire, app_id: str, secret: str, code: str) -> str:
    """The openid behind a code, which works once and for five minutes.

    Raises:
        PlatformUnavailableError: when the platform cannot be asked.
        UnreachableError: when the code is invalid or used, or stands for a snapshot user: the
            platform's stand-in for somebody who has not opened the page in full.
    """
    if not 0 < len(code) <= LONGEST_CODE:
        raise UnreachableError("this is no code")
    params = {
        "appid": app_id,
        "secret": secret,
        "code": code,
        "grant_type": "authorization_code",
    }
    try:
        answer = wire.get("/sns/oauth2/access_token", params)
    except NoSuchCallError as error:
        raise PlatformUnavailableError(str(error)) from None
    except ApiError as error:
        if error.code in WORTH_RETRYING:
            raise PlatformUnavailableError(str(error)) from None
        raise UnreachableError(str(error)) from None
    if str(answer.get("is_snapshotuser", 0)) not in {"0", "False"}:
        raise UnreachableError("a snapshot user is nobody")
    found = answer.get("openid")
    if not isinstance(found, str) or not found:
        raise UnreachableError("the platform names no openid")
    return found
