"""Whether the account, the platform and this machine can work together, and what to do if not.

Each check gives a `Finding`; none of them changes anything, and none ends the others. The advice
names the place in the platform's administration (mp.weixin.qq.com) where a thing is set.
"""

from __future__ import annotations

import dataclasses
import email.utils
import functools
import re
import secrets
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from bot.channel import ChannelError, PlatformUnavailableError
from bot.wechat import crypto, menu, quota
from bot.wechat.client import Api, RefusedError
from bot.wechat.wire import ApiError, NoSuchCallError, Wire
from texts import Texts

if TYPE_CHECKING:
    from settings import Settings

MOST_DRIFT = 60.0  # seconds; the webhook refuses a push that is five minutes off
PATIENCE = 5.0
FEW = 0.1  # of a day's calls
WRONG_SECRET = (
    "WECHAT_APP_SECRET is not this account's, or was reset: copy it from 开发 > 基本配置."  # noqa: S105 - an advice
)
ADVICE = {
    -1: "The platform is busy; run this again in a minute.",
    40001: WRONG_SECRET,
    40013: "WECHAT_APP_ID is not an account of the platform: copy it from 开发 > 基本配置.",
    40125: WRONG_SECRET,
    40164: "Put this machine's address into the IP whitelist (开发 > 基本配置 > IP白名单).",
    45009: "Today's calls are used up; they begin anew at midnight in China.",
    45011: "Too many calls in a minute; wait one.",
    48001: "The account lacks this permission: verified service accounts have it.",
    50002: "The account is frozen; look for the platform's message in its administration.",
}
UNREACHED = "Check the network, a proxy, and WECHAT_API_BASE."


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. `good` is None where there is nothing to judge, only to know."""

    name: str
    said: str
    good: bool | None
    advice: str = ""


def _fine(name: str, said: str) -> Finding:
    return Finding(name, said, good=True)


def _wrong(name: str, said: str, advice: str) -> Finding:
    return Finding(name, said, good=False, advice=advice)


def _unknown(name: str, said: str, advice: str = "") -> Finding:
    return Finding(name, said, good=None, advice=advice)


def diagnose(settings: Settings, api: Api, texts: Texts, redis_now: float) -> Iterator[Finding]:
    """Every check, one after the other.

    Args:
        settings: what the product is told.
        api: the account's calls.
        texts: the catalogues, for the menus.
        redis_now: Redis's time, asked just now.
    """
    yield from _settings(settings)
    wire = Wire(settings.api_base)
    try:
        yield from _clock(settings, redis_now)
        token = _token(settings, wire)
        yield token
        if token.good:
            yield from _calls(settings, api, texts)
        yield from _domains(settings)
        yield from _webhook(settings)
    finally:
        wire.close()


def _settings(settings: Settings) -> Iterator[Finding]:
    names = ("wechat_app_id", "wechat_app_secret", "wechat_token")
    missing = [name.upper() for name in names if not getattr(settings, name)]
    if missing:
        yield _wrong("settings", f"{', '.join(missing)} not set", "Set them in .env.")
    else:
        yield _fine("settings", f"account {settings.wechat_app_id}")
    if settings.wechat_aes_key:
        yield _fine("mode", "safe: pushes and answers are encrypted")
    else:
        advice = "Choose 安全模式 in 开发 > 基本配置, and set WECHAT_AES_KEY to the EncodingAESKey."
        yield _wrong("mode", "plain: a push's signature does not cover it", advice)


def _clock(settings: Settings, redis_now: float) -> Iterator[Finding]:
    here = time.time()
    yield _drift("clock of Redis", redis_now - here)
    try:
        answer = httpx.head(settings.api_base, timeout=PATIENCE, trust_env=True)
        date = email.utils.parsedate_to_datetime(answer.headers["date"])
    except (httpx.HTTPError, KeyError, ValueError, TypeError):
        yield _unknown("clock", "the platform told no time")
        return
    yield _drift("clock", date.timestamp() - here)


def _drift(name: str, seconds: float) -> Finding:
    if abs(seconds) <= MOST_DRIFT:
        return _fine(name, "right to the second" if abs(seconds) < 2 else f"{seconds:+.0f} s")
    advice = "Set this machine's clock by NTP (timedatectl set-ntp true)."
    return _wrong(name, f"{seconds:+.0f} s away", advice)


def _token(settings: Settings, wire: Wire) -> Finding:
    """Ask for the token anew, past the one that is kept: what is kept proves nothing."""
    given = {
        "grant_type": "client_credential",
        "appid": settings.wechat_app_id,
        "secret": settings.wechat_app_secret,
    }
    try:
        answer = wire.post("/cgi-bin/stable_token", {}, {**given, "force_refresh": False})
    except ApiError as error:
        return _refused("token", error.code, str(error))
    except NoSuchCallError:
        return _unknown("token", "the platform has no stable_token; the plain one is used")
    except PlatformUnavailableError as error:
        return _wrong("token", str(error), UNREACHED)
    return _fine("token", f"good for {answer.get('expires_in', '?')} s")


def _refused(name: str, code: int, sentence: str) -> Finding:
    advice = ADVICE.get(code, f"Look up {code} in the platform's list of return codes.")
    found = re.search(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:]+:[0-9a-f]+", sentence)
    if code == 40164 and found:
        advice = f"{advice} The platform sees {found[0]}."
    return _wrong(name, sentence, advice)


def _calls(settings: Settings, api: Api, texts: Texts) -> Iterator[Finding]:
    yield _asked("page signatures", functools.partial(_ticket, api))
    yield _asked("menu", functools.partial(_menu, api, texts))
    for path in quota.CALLS:
        yield _asked(f"quota of {path.rpartition('/')[2]}", functools.partial(_quota, api, path))
    yield _asked("platform's own look at the webhook", functools.partial(_looked_at, settings, api))


def _asked(name: str, ask: Callable[[], Finding]) -> Finding:
    try:
        return dataclasses.replace(ask(), name=name)
    except RefusedError as error:
        if error.code in (404, 40066):
            return _unknown(name, "the platform does not tell")
        return _refused(name, error.code, str(error))
    except ChannelError as error:
        return _wrong(name, str(error), UNREACHED)


def _ticket(api: Api) -> Finding:
    api.get("/cgi-bin/ticket/getticket", type="jsapi")
    return _fine("", "the account may sign pages for the platform's scanner")


def _menu(api: Api, texts: Texts) -> Finding:
    if menu.difference(api, texts):
        return _wrong("", "another one is shown", "Run: python app.py wechat setup")
    return _fine("", "shown in every language")


def _quota(api: Api, path: str) -> Finding:
    found = quota.ask(api, path)
    if not found:
        return _unknown("", "the platform does not tell")
    left, limit = found
    said = f"{left} of {limit} calls are left today"
    return _fine("", said) if left > FEW * limit else _wrong("", said, ADVICE[45009])


def _looked_at(settings: Settings, api: Api) -> Finding:
    host = urlsplit(settings.address).hostname or ""
    told = api.post("/cgi-bin/callback/check", {"action": "all", "check_operator": "DEFAULT"})
    lines = [each for each in told.get("dns", []) if isinstance(each, dict)]
    pings = [each for each in told.get("ping", []) if isinstance(each, dict)]
    lost = [str(each.get("ip")) for each in pings if each.get("package_loss") not in ("0%", 0)]
    said = f"{host}: {len(lines)} addresses, {len(pings)} pings"
    advice = "The platform's network loses packets to these addresses; check the firewall."
    return _wrong("", f"{said}, lost to {', '.join(lost)}", advice) if lost else _fine("", said)


def _domains(settings: Settings) -> Iterator[Finding]:
    parts = urlsplit(settings.address)
    host = parts.hostname or ""
    if settings.profile != "demo" and parts.scheme != "https":
        advice = "Pages inside the platform need https: set PUBLIC_URL and a certificate."
        yield _wrong("address", settings.address, advice)
    elif settings.profile != "demo" and parts.port not in (None, 80, 443):
        advice = "The platform calls ports 80 and 443 only: put a proxy in front."
        yield _wrong("address", settings.address, advice)
    else:
        yield _fine("address", settings.address)
    yield _unknown(
        "domains",
        f"the platform tells nobody; they must all be {host}",
        "公众号设置 > 功能设置: 网页授权域名 (the card page), JS接口安全域名 (the scanner).",
    )


def _webhook(settings: Settings) -> Iterator[Finding]:
    """Do what the platform does when the server's address is set, and what a forger would."""
    address = f"{settings.address}/wechat"
    stamp, nonce, echo = str(int(time.time())), secrets.token_hex(5), secrets.token_hex(8)
    right = crypto.sign(settings.wechat_token, stamp, nonce)
    query = {"signature": right, "timestamp": stamp, "nonce": nonce, "echostr": echo}
    try:
        proved = httpx.get(address, params=query, timeout=PATIENCE)
        forged = httpx.get(address, params=query | {"signature": "0" * 40}, timeout=PATIENCE)
    except httpx.HTTPError as error:
        said = f"{address} does not answer: {type(error).__name__}"
        advice = (
            "Start the product, and let the proxy pass /wechat on; then set 服务器地址(URL) to it."
        )
        yield _wrong("webhook", said, advice)
        return
    if proved.status_code != 200 or proved.text != echo:
        said = f"{address} answers {proved.status_code}, and not the echostr"
        advice = "WECHAT_TOKEN must be the same here, in the running product and in 基本配置."
        yield _wrong("webhook", said, advice)
    elif forged.status_code != 403:
        said = f"a forged signature is answered {forged.status_code}"
        yield _wrong("webhook", said, "Something in front of the product answers for it.")
    else:
        yield _fine("webhook", f"{address} proves itself, and refuses a forged signature")
