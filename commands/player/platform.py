"""The platform's API as far as a chat needs it: it hears what the account says to people.

Tokens, customer messages, typing, media up and down; everything else is answered with
`errcode 0`. A share of the customer messages can be answered with an error instead, without
being heard: -1, 45009, or a connection that is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import secrets
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlsplit

from commands.player.line import headers_of, read_body

ERRORS = (-1, 45009, None)  # None: it hangs up
LARGEST_HEAD = 64 * 1024
SEND = "/cgi-bin/message/custom/send"


class Platform:
    """An API server inside this process; `hear(openid, text)` is called for each message."""

    def __init__(
        self, hear: Callable[[str, str], None], chance: random.Random, errors: float = 0.0
    ) -> None:
        self._hear = hear
        self._chance = chance
        self._errors = errors
        self.media: dict[str, bytes] = {}
        self.sent = 0
        self.refused = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self, host: str, port: int) -> str:
        """Listen; the address that the product's WECHAT_API_BASE has to name."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=LARGEST_HEAD)
        port = self._server.sockets[0].getsockname()[1]
        return f"http://{host}:{port}"

    async def close(self) -> None:
        """Listen no more, and end what is open."""
        if self._server:
            self._server.close()
        for writer in tuple(self._writers):
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def keep(self, photo: bytes) -> str:
        """A media id for a photo that a person sends."""
        media_id = secrets.token_urlsafe(24)
        self.media[media_id] = photo
        return media_id

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(
            OSError,
            ValueError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            asyncio.CancelledError,  # the game is over
        ):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                target = urlsplit(head[0].split()[1])
                body = await read_body(reader, headers_of(head[1:]))
                answer = self._answer(target.path, parse_qs(target.query), body)
                if answer is None:
                    break
                content_type, content = answer
                writer.write(
                    f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n"
                    f"Content-Length: {len(content)}\r\n\r\n".encode()
                    + content
                )
                await writer.drain()
        self._writers.discard(writer)
        writer.close()

    def _answer(
        self, path: str, query: Mapping[str, list[str]], body: bytes
    ) -> tuple[str, bytes] | None:
        """Content type and content, or None to hang up."""
        told: dict[str, object] = {"errcode": 0, "errmsg": "ok"}
        if path in ("/cgi-bin/stable_token", "/cgi-bin/token"):
            told = {"access_token": "load-player", "expires_in": 7200}
        elif path == SEND:
            if self._chance.random() < self._errors:
                self.refused += 1
                code = self._chance.choice(ERRORS)
                if code is None:
                    return None
                told = {"errcode": code, "errmsg": "load"}
            else:
                self.sent += 1
                self._hear(*_said(body))
        elif path == "/cgi-bin/media/upload":
            told = {"type": "image", "media_id": secrets.token_urlsafe(24), "created_at": 0}
        elif path == "/cgi-bin/media/get":
            photo = self.media.get(query.get("media_id", [""])[0])
            if photo is not None:
                return "image/jpeg", photo
            told = {"errcode": 40007, "errmsg": "invalid media_id"}
        return "application/json", json.dumps(told).encode()


def _said(body: bytes) -> tuple[str, str]:
    """To whom a customer message goes, and what can be read in it."""
    message = json.loads(body)
    kind = message["msgtype"]
    content = message.get(kind, {})
    if kind == "text":
        return message["touser"], content["content"]
    if kind == "msgmenu":
        return message["touser"], f"{content.get('head_content', '')}"
    return message["touser"], f"[{kind}]"
