"""The platform's API as far as a chat needs it: it hears what the account says to people.

Tokens that can be ended, customer messages, typing, media up and down; everything else is
answered with `errcode 0`. What goes wrong on the way is a `Fault`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import secrets
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlsplit

from commands.player.faults import NO_FAULT, SEND, Fault
from commands.player.line import headers_of, read_body

LARGEST_HEAD = 64 * 1024
TOKENS = ("/cgi-bin/stable_token", "/cgi-bin/token")
OLD_TOKEN = {"errcode": 40001, "errmsg": "invalid credential"}
Answer = tuple[str, bytes]
Told = Callable[[str, str], None]


class Platform:
    """An API server inside this process, for one game after the other."""

    def __init__(self, chance: random.Random) -> None:
        self._due = chance.random()  # of a strike: where the first of them falls is all of chance
        self._hear: Told = _nobody
        self._refused: Told = _nobody
        self._fault = NO_FAULT
        self.media: dict[str, bytes] = {}
        self.sent = 0
        self.refused = 0
        self.slowed = 0
        self._ended = 0  # how often the tokens of this game were ended
        self._token = secrets.token_urlsafe(64)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    def begin(self, hear: Told, refused: Told, fault: Fault) -> None:
        """A game begins, under this fault.

        `hear(openid, text)` is called for each message that is shown, `refused` for each that is
        answered with an error instead.
        """
        self._hear, self._refused, self._fault = hear, refused, fault
        self.sent = self.refused = self.slowed = self._ended = 0

    def end_tokens(self) -> None:
        """End every token that was given out, as another system does that asks for one."""
        self._token = secrets.token_urlsafe(64)
        self._ended += 1

    @property
    def ended(self) -> int:
        """How often tokens were ended in this game."""
        return self._ended

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
                answer = await self._meet(target.path, parse_qs(target.query), body)
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

    async def _meet(self, path: str, query: Mapping[str, list[str]], body: bytes) -> Answer | None:
        """What a call is answered under the fault; None to hang up."""
        fault = self._fault
        if path != SEND or not self._strikes(fault.share):
            return self._answer(path, query, body)
        if fault.seconds:
            self.slowed += 1
            await asyncio.sleep(fault.seconds)
        if fault.code or fault.hangs_up:
            self.refused += 1
            self._refused(*_said(body))
            told = {"errcode": fault.code, "errmsg": fault.what}
            return None if fault.hangs_up else ("application/json", json.dumps(told).encode())
        answer = self._answer(path, query, body)
        if fault.loses_answer:
            self.refused += 1
            return None
        return answer

    def _strikes(self, share: float) -> bool:
        """Whether a fault strikes this call.

        Strikes are spread evenly: by chance a few calls might all be missed, or one message be
        struck as often as it is tried.
        """
        self._due += share
        struck = self._due >= 1
        self._due -= struck
        return struck

    def _answer(self, path: str, query: Mapping[str, list[str]], body: bytes) -> Answer:
        told: Mapping[str, object] = {"errcode": 0, "errmsg": "ok"}
        if path in TOKENS:
            told = {"access_token": self._token, "expires_in": 7200}
        elif query.get("access_token") != [self._token]:
            told = OLD_TOKEN
        elif path == SEND:
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


def _nobody(_openid: str, _text: str) -> None:
    """Before the first game nobody hears."""


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
