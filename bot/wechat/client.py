"""Calls of the platform's API that carry the access token, and what its error codes mean here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from bot.channel import (
    ChannelError,
    MediaGoneError,
    NotDeliveredError,
    PlatformUnavailableError,
    UnreachableError,
)
from bot.wechat.tokens import Shared
from bot.wechat.wire import ApiError, NoSuchCallError, Wire, accept

TOKEN_REFUSED = {40001, 40014, 42001}
WORTH_RETRYING = {-1, 45009, 45011}
NOT_NOW = {43101, 45015, 45047, 48002}  # refused by the person, window, quota, messages turned off
NOBODY = {40003, 43004}  # invalid openid; no longer a follower
NO_MEDIA = {40007}

Answer = TypeVar("Answer")


class RefusedError(ChannelError):
    """The platform refuses this call as it stands; the same call will be refused again."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}", code)


def meaning(error: ApiError | NoSuchCallError) -> ChannelError:
    """What an error code means to whoever sends, as one of this package's errors."""
    if isinstance(error, NoSuchCallError):
        return RefusedError(404, str(error))
    sentence = str(error).partition(": ")[2]
    if error.code in WORTH_RETRYING or error.code in TOKEN_REFUSED:
        return PlatformUnavailableError(str(error), error.code)
    if error.code in NOT_NOW:
        return NotDeliveredError(error.code, sentence)
    if error.code in NOBODY:
        return UnreachableError(str(error), error.code)
    if error.code in NO_MEDIA:
        return MediaGoneError(str(error), error.code)
    return RefusedError(error.code, sentence)


class Api:
    """The account's calls. A refused token is renewed once and the call repeated once."""

    def __init__(self, wire: Wire, tokens: Shared) -> None:
        self._wire = wire
        self._tokens = tokens

    def get(self, path: str, **params: str) -> dict[str, Any]:
        """The JSON object that a GET answers with."""
        return self._with_token(lambda token: self._wire.get(path, params | token))

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """The JSON object that a POST answers with."""
        return self._with_token(lambda token: self._wire.post(path, token, body))

    def upload(self, kind: str, name: str, content: bytes, media_type: str) -> str:
        """Give the platform a file for three days; its media id."""
        file = (name, content, media_type)
        answer = self._with_token(
            lambda token: self._wire.post(
                "/cgi-bin/media/upload", {"type": kind} | token, file=file
            )
        )
        return str(answer.get("media_id", ""))

    def download(self, media_id: str, limit: int) -> bytes:
        """The file behind a media id; a video's own address is followed.

        Raises:
            MediaGoneError: when it is gone, or larger than `limit` bytes.
        """

        def fetch(token: dict[str, str]) -> bytes:
            params = {"media_id": media_id} | token
            content = self._wire.download("/cgi-bin/media/get", params, limit)
            # Errors and the addresses of videos come as JSON labelled text/plain, so the
            # content tells, not the label. No photo, sound or video begins with a brace.
            if content.lstrip()[:1] != b"{":
                return content
            address = str(accept(content).get("video_url", ""))
            if not address.startswith(("http://", "https://")):
                raise MediaGoneError("the platform names no file")
            return self._wire.download(address, None, limit)

        return self._with_token(fetch)

    def _with_token(self, call: Callable[[dict[str, str]], Answer]) -> Answer:
        token = self._tokens.current()
        try:
            try:
                return call({"access_token": token})
            except ApiError as error:
                if error.code not in TOKEN_REFUSED:
                    raise
            return call({"access_token": self._tokens.after_refusal(token)})
        except (ApiError, NoSuchCallError) as error:
            raise meaning(error) from None
