"""The platform's gateway: one address, a method in a parameter, both directions signed (RSA2).

| the answer's code | means here |
|---|---|
| 10000 (or none, from oauth) | done |
| 20000, `isp.…`, `SYSTEM_ERROR` | worth trying again |
| 40004 with a sub-code of a window or a limit | not now: kept for the person's next turn |
| 40004 with a sub-code of a user who is none, or follows no more | never |
| any other | refused as it stands |

An answer whose signature does not match is no answer.
"""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

from bot.alipay.signing import SIGN_TYPE, ForgedError, Signer, content_of
from bot.channel import (
    ChannelError,
    MediaGoneError,
    NotDeliveredError,
    PlatformUnavailableError,
    UnreachableError,
)
from bot.wechat.client import RefusedError

REAL_GATEWAY = "https://openapi.alipay.com/gateway.do"
REAL_FILES = "https://openfile.alipay.com/chat/multimedia.do"
CONNECT_SECONDS = 2.0
WAIT_SECONDS = 5.0
WHOLE_SECONDS = 10.0
MOST_ANSWER_BYTES = 1024 * 1024
CHINA = datetime.timezone(datetime.timedelta(hours=8))
DONE = "10000"
NOBODY = ("NOT_FOLLOW", "UNFOLLOW", "USER_NOT_EXIST", "INVALID_USER", "USER_ID_INVALID")
NOT_NOW = ("LIMIT", "OVER_TIME", "TIMEOUT_WINDOW", "WINDOW", "FREQUENCY")
AGAIN = ("isp.", "SYSTEM_ERROR", "aop.ACQ.SYSTEM_ERROR")
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Gateway:
    """Calls as one application; safe to share between threads.

    Args:
        address: of the gateway; empty for the platform's own.
        app_id: the application's.
        signer: its keys.
    """

    def __init__(self, address: str, app_id: str, signer: Signer) -> None:
        self._address = address or REAL_GATEWAY
        base = httpx.URL(self._address)
        self._files = str(base.copy_with(path="/chat/multimedia.do")) if address else REAL_FILES
        self._app_id = app_id
        self._signer = signer
        self._http = httpx.Client(
            timeout=httpx.Timeout(WAIT_SECONDS, connect=CONNECT_SECONDS),
            headers={"Accept-Encoding": "identity"},
            trust_env=base.host not in _LOOPBACK,
        )

    def call(
        self,
        method: str,
        content: Mapping[str, object] | None = None,
        *,
        file: tuple[str, str, bytes, str] | None = None,
        **parameters: str,
    ) -> dict[str, Any]:
        """What a method answers.

        Args:
            method: such as `alipay.system.oauth.token`.
            content: its `biz_content`.
            file: a file's field, name, content and media type.
            parameters: further parameters beside the common ones.

        Raises:
            PlatformUnavailableError, NotDeliveredError, UnreachableError, RefusedError.
        """
        signed = self._signed(method, content, parameters)
        files = {file[0]: file[1:]} if file else None
        answer = self._exchange(
            self._address, {"charset": "utf-8"}, signed, files, MOST_ANSWER_BYTES
        )
        return self._accept(method, answer)

    def download(self, method: str, content: Mapping[str, object], limit: int) -> bytes:
        """The file that a method answers with.

        Raises:
            PlatformUnavailableError: when the platform does not answer, or not just now.
            MediaGoneError: when it has no such file, or one larger than `limit` bytes.
        """
        signed = self._signed(method, content, {})
        answer = self._exchange(self._files, {"charset": "utf-8"}, signed, None, limit)
        if answer.lstrip()[:1] == b"{":  # a photo or a video begins with no brace
            raise _no_file(answer)
        return answer

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._http.close()

    def _signed(
        self, method: str, content: Mapping[str, object] | None, parameters: Mapping[str, str]
    ) -> dict[str, str]:
        told = {
            "app_id": self._app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": SIGN_TYPE,
            "timestamp": datetime.datetime.now(CHINA).strftime("%Y-%m-%d %H:%M:%S"),
            "version": "1.0",
            **parameters,
        }
        if content is not None:
            told["biz_content"] = json.dumps(content, ensure_ascii=False)
        encoded = {name.encode(): value.encode() for name, value in told.items()}
        return told | {"sign": self._signer.sign(content_of(encoded))}

    def _exchange(
        self,
        address: str,
        query: Mapping[str, str],
        form: Mapping[str, str],
        files: Mapping[str, tuple[str, bytes, str]] | None,
        limit: int,
    ) -> bytes:
        deadline = time.monotonic() + WHOLE_SECONDS
        parts: list[bytes] = []
        left = limit
        try:
            with self._http.stream(
                "POST", address, params=query, data=form, files=files
            ) as response:
                if response.status_code != 200:
                    raise PlatformUnavailableError(f"the platform answers {response.status_code}")
                for part in response.iter_bytes():
                    left -= len(part)
                    if left < 0:
                        raise MediaGoneError(f"larger than {limit} bytes")
                    if time.monotonic() > deadline:
                        raise PlatformUnavailableError("the platform is too slow")
                    parts.append(part)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PlatformUnavailableError(
                f"the platform does not answer: {type(error).__name__}"
            ) from None
        return b"".join(parts)

    def _accept(self, method: str, answer: bytes) -> dict[str, Any]:
        """The object in an answer, if the platform signed it and it says that it is done."""
        try:
            text = answer.decode()
            signature = str(json.loads(text).get("sign", ""))
        except (ValueError, AttributeError, RecursionError):
            raise PlatformUnavailableError("the platform's answer is not a JSON object") from None
        name = f"{method.replace('.', '_')}_response"
        for key in (name, "error_response"):
            place = text.find(f'"{key}"')
            if place < 0:
                continue
            begin = text.find("{", place)
            try:
                found, end = json.JSONDecoder().raw_decode(text, begin)
            except ValueError:
                break
            if key == name or signature:  # an error about the signature itself is not signed
                self._check(signature, text[begin:end])
            done = _done(found)
            if key == name:
                return done
        raise PlatformUnavailableError("the platform's answer does not answer the call")

    def _check(self, signature: str, content: str) -> None:
        try:
            self._signer.check(signature, content.encode())
        except ForgedError:
            raise PlatformUnavailableError("the answer is not signed by the platform") from None


def _no_file(answer: bytes) -> ChannelError:
    """What JSON in a file's place means; it is told with a name around it, or without."""
    try:
        told = json.loads(answer)
    except (ValueError, RecursionError):
        told = {}
    for each in (told, *told.values()):
        if isinstance(each, dict) and "code" in each:
            meant = _meaning(
                str(each["code"]), str(each.get("sub_code", "")), str(each.get("msg", ""))
            )
            if isinstance(meant, PlatformUnavailableError):
                return meant
    return MediaGoneError("the platform names no file")


def _done(found: dict[str, Any]) -> dict[str, Any]:
    code = str(found.get("code", DONE))
    if code == DONE:
        return found
    raise _meaning(code, str(found.get("sub_code", "")), str(found.get("msg", "")))


def _meaning(code: str, detail: str, sentence: str) -> ChannelError:
    told = f"{code} {detail}: {sentence}"
    if code == "20000" or detail.startswith(AGAIN):
        return PlatformUnavailableError(told)
    if any(word in detail.upper() for word in NOBODY):
        return UnreachableError(told)
    number = int(code) if code.isdigit() else 0
    if any(word in detail.upper() for word in NOT_NOW):
        return NotDeliveredError(number, f"{detail}: {sentence}")
    return RefusedError(number, f"{detail}: {sentence}")
