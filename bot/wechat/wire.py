"""One HTTP exchange with the platform's API: bounded in time and size, errors as types.

A client of our own over httpx instead of wechatpy's, which follows a lasting 40001 without
bound, fetches tokens without a timeout, keeps several hosts of its own whatever base it is
told, and knows neither stable_token nor typing (measured on 1.8.18).
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

import httpx

from bot.channel import ChannelError, MediaGoneError, PlatformUnavailableError

CONNECT_SECONDS = 2.0
WAIT_SECONDS = 5.0
WHOLE_SECONDS = 10.0
MOST_ANSWER_BYTES = 1024 * 1024
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class ApiError(ChannelError):
    """The platform answered with an errcode."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}", code)


class NoSuchCallError(ChannelError):
    """The platform does not have this call: 404, 405 or 501, or an answer that is not JSON."""


class Wire:
    """The platform's API at one base address; safe to share between threads.

    Raises of every call: PlatformUnavailableError, ApiError, NoSuchCallError. No error repeats
    an address, because the addresses hold secrets.
    """

    def __init__(self, base: str) -> None:
        # At INFO httpx logs each address, and the platform wants tokens and secrets in those.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._http = httpx.Client(
            base_url=base,
            timeout=httpx.Timeout(WAIT_SECONDS, connect=CONNECT_SECONDS),
            headers={"Accept-Encoding": "identity"},  # no answer unpacks to more than it weighs
            trust_env=httpx.URL(base).host not in _LOOPBACK,  # no proxy to this machine
        )

    def get(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        """The JSON object that a GET answers with."""
        return self._call("GET", path, params=params)

    def post(
        self,
        path: str,
        params: Mapping[str, str],
        body: Mapping[str, object] | None = None,
        *,
        file: tuple[str, bytes, str] | None = None,
    ) -> dict[str, Any]:
        """The JSON object that a POST answers with; `file` is name, content and media type."""
        if file:
            return self._call("POST", path, params=params, files={"media": file})
        # Written out, because the platform shows `\u4f60` to people as it stands.
        content = json.dumps(body, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return self._call("POST", path, params=params, content=content, headers=headers)

    def download(self, address: str, params: Mapping[str, str] | None, limit: int) -> bytes:
        """The file at a path or address, or the JSON text that stands in its place.

        Raises:
            MediaGoneError: when it is larger than `limit` bytes.
        """
        status, content = self._exchange("GET", address, limit, params=params)
        if status != 200:
            raise MediaGoneError(f"the platform answered {status} instead of a file")
        return content

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._http.close()

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        try:
            status, content = self._exchange(method, path, MOST_ANSWER_BYTES, **arguments)
        except MediaGoneError:
            raise PlatformUnavailableError("the platform's answer does not end") from None
        if status in {404, 405, 501}:
            raise NoSuchCallError(f"the platform has no {path}")
        return accept(content)

    def _exchange(
        self,
        method: str,
        address: str,
        limit: int,
        **arguments: Any,
    ) -> tuple[int, bytes]:
        deadline = time.monotonic() + WHOLE_SECONDS
        parts: list[bytes] = []
        left = limit
        try:
            with self._http.stream(method, address, **arguments) as response:
                if response.status_code >= 500 and response.status_code != 501:
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
        return response.status_code, b"".join(parts)


def accept(content: bytes) -> dict[str, Any]:
    """The JSON object in an answer.

    Raises:
        ApiError: when it carries an errcode other than 0.
        NoSuchCallError: when it is not a JSON object.
    """
    try:
        document = json.loads(content, strict=False)
        code = int(document.get("errcode") or 0)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise NoSuchCallError("the platform's answer is not a JSON object") from None
    if code:
        raise ApiError(code, str(document.get("errmsg", "")))
    assert isinstance(document, dict)  # noqa: S101 - told to the type checker: it had a get()
    return document
