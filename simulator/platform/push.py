"""How a push looks on the wire, and what is read out of the webhook's answer."""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Mapping
from typing import Any

from simulator import markup
from simulator.config import Config
from simulator.crypto import Envelope, EnvelopeError, signature

MODES = ("safe", "compat", "plain")
FORMATS = ("xml", "json")
LONGEST_TEXT = 2048  # bytes of a passive text
REPLY_KINDS = {
    "text": "Content",
    "image": "Image",
    "voice": "Voice",
    "video": "Video",
    "music": "Music",
    "news": "Articles",
    "transfer_customer_service": "",
}


class ReplyError(Exception):
    """An answer that the platform does not understand."""


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """A push as it is posted."""

    query: dict[str, str]
    body: str
    content_type: str


class Writer:
    """Writes pushes and reads replies for one account; mode and format can be switched."""

    def __init__(self, config: Config) -> None:
        self.mode = config.mode
        self.format = config.format
        self._config = config
        self._envelope = (
            Envelope(config.token, config.aes_key, config.app_id) if config.aes_key else None
        )
        if self._envelope is None and self.mode != "plain":
            raise EnvelopeError(f"{self.mode} mode needs an EncodingAESKey")

    def switch(self, mode: str, format_: str) -> None:
        """Change how pushes are written from now on.

        Raises:
            ReplyError: for an unknown mode or format, or without a key for it.
        """
        if mode not in MODES or format_ not in FORMATS:
            raise ReplyError(f"mode is one of {MODES}, format one of {FORMATS}")
        if mode != "plain" and self._envelope is None:
            raise ReplyError("no EncodingAESKey was given")
        self.mode, self.format = mode, format_

    def write(
        self, fields: Mapping[str, Any], openid: str, timestamp: int, *, forged: bool = False
    ) -> Request:
        """Sign and seal a push. Each call has its own nonce, as each try of the platform has."""
        nonce, stamp = str(secrets.randbelow(10**10)), str(timestamp)
        query = {
            "signature": signature(self._config.token, stamp, nonce),
            "timestamp": stamp,
            "nonce": nonce,
            "openid": openid,
        }
        message = self._encode(fields)
        if self.mode != "plain" and self._envelope:
            sealed = self._envelope.seal(message)
            query["encrypt_type"] = "aes"
            query["msg_signature"] = self._envelope.sign(stamp, nonce, sealed)
            outer = dict(fields) if self.mode == "compat" else {"ToUserName": fields["ToUserName"]}
            message = self._encode({**outer, "Encrypt": sealed})
        if forged:
            query["signature"] = signature("forged", stamp, nonce)
            query["msg_signature"] = signature("forged", stamp, nonce, message)
        return Request(
            query,
            message,
            "text/xml" if self.format == "xml" else "application/json; charset=utf-8",
        )

    def echo(self, timestamp: int) -> dict[str, str]:
        """The query of the platform's first call, which wants its echostr back."""
        nonce, stamp = str(secrets.randbelow(10**10)), str(timestamp)
        return {
            "signature": signature(self._config.token, stamp, nonce),
            "timestamp": stamp,
            "nonce": nonce,
            "echostr": str(secrets.randbelow(10**19)),
        }

    def read(self, body: bytes, fields: Mapping[str, Any]) -> tuple[dict[str, Any] | None, str]:
        """Read the answer to a push.

        Returns:
            The reply's fields, or None for an empty answer or `success`; and its plain text.

        Raises:
            ReplyError: when it is not a reply of this account to this person.
        """
        if body.strip() in {b"", b"success"}:
            return None, body.decode(errors="replace")
        outer = _decode(body)
        text = body.decode(errors="replace")
        if self.mode == "safe" and "Encrypt" not in outer:
            raise ReplyError("the reply is not encrypted, but the account is in safe mode")
        if "Encrypt" in outer:
            text = self._open(outer)
            outer = _decode(text)
        _check_reply(outer, fields)
        return outer, text

    def _open(self, outer: Mapping[str, Any]) -> str:
        if self._envelope is None:
            raise ReplyError("the reply is encrypted, but the account has no key")
        try:
            return self._envelope.open(
                *(
                    str(outer.get(name, ""))
                    for name in ("Encrypt", "MsgSignature", "TimeStamp", "Nonce")
                )
            )
        except EnvelopeError as error:
            raise ReplyError(str(error)) from error

    def _encode(self, fields: Mapping[str, Any]) -> str:
        if self.format == "json":
            return json.dumps(fields, ensure_ascii=False)
        return markup.write(fields)


def _decode(body: bytes | str) -> dict[str, Any]:
    start = body.lstrip()[:1]
    try:
        if start in {"{", b"{"}:
            found = json.loads(body)
            return found if isinstance(found, dict) else {}
        return markup.read(body)
    except (ValueError, markup.MarkupError) as error:
        raise ReplyError(str(error)) from error


def _check_reply(reply: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    kind = str(reply.get("MsgType", ""))
    if kind not in REPLY_KINDS:
        raise ReplyError(f"MsgType {kind!r} cannot be replied")
    if reply.get("ToUserName") != fields["FromUserName"]:
        raise ReplyError("ToUserName is not who wrote")
    if reply.get("FromUserName") != fields["ToUserName"]:
        raise ReplyError("FromUserName is not this account")
    if not str(reply.get("CreateTime", "")).isdigit():
        raise ReplyError("CreateTime is missing")
    needed = REPLY_KINDS[kind]
    if needed and not reply.get(needed):
        raise ReplyError(f"{needed} is missing")
    if kind == "text" and len(str(reply["Content"]).encode()) > LONGEST_TEXT:
        raise ReplyError(f"Content is over {LONGEST_TEXT} bytes")
    if kind == "transfer_customer_service" and fields.get("MsgType") == "event":
        raise ReplyError("an event cannot be handed to human service")
