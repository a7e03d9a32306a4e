"""The line to a webhook: pushes as the platform posts them, over a few kept connections.

A push waits five seconds for its answer and is delivered three times in all, with one MsgId;
each delivery has a nonce and signatures of its own. A line can be told to be deaf: to hear an
answer only of a later delivery, as if the earlier ones had come too late.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import secrets
import time
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from simulator import markup
from simulator.crypto import Envelope, EnvelopeError, signature

DELIVERIES = 3
PATIENCE = 5.0
ACCOUNT = "gh_load"


class LineError(Exception):
    """A push that was not answered as the platform needs it; the text is a short reason."""


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """The official account's developer settings."""

    app_id: str
    token: str
    aes_key: str


class Line:
    """Pushes messages to one webhook."""

    def __init__(self, url: str, account: Account, patience: float = PATIENCE) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "127.0.0.1"
        self._tls = parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        self._path = f"{parts.path.rstrip('/')}/wechat"
        self._token = account.token
        self._patience = patience
        self._envelope = Envelope(account.token, account.aes_key, account.app_id)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def push(self, fields: Mapping[str, object], unheard: int = 0) -> tuple[str, int]:
        """Deliver a message until it is answered; `unheard` answers count as too late.

        Returns:
            What the answer says to the person, empty when nothing, and how many deliveries failed.

        Raises:
            LineError: when no delivery was answered.
        """
        reason = ""
        for failed in range(DELIVERIES):
            began = time.monotonic()
            try:
                async with asyncio.timeout(self._patience):
                    said = self._read(await self._post(fields))
                if failed >= unheard:
                    return said, failed
                reason = "too late"
                await asyncio.sleep(max(0.0, began + self._patience - time.monotonic()))
            except LineError as error:
                reason = str(error)
            except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
                reason = type(error).__name__
        raise LineError(reason)

    async def forge(self, fields: Mapping[str, object]) -> int:
        """Push a message as somebody who does not know the token; the status of the answer."""
        try:
            async with asyncio.timeout(self._patience):
                await self._post(fields, token=secrets.token_hex(8))
        except LineError as error:
            return int(str(error).removeprefix("status "))
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError):
            return 0
        return 200

    async def close(self) -> None:
        """End the connections."""
        for _reader, writer in self._idle:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        self._idle.clear()

    async def _post(self, fields: Mapping[str, object], token: str = "") -> bytes:
        stamp, nonce = str(int(time.time())), str(secrets.randbelow(10**10))
        sealed = self._envelope.seal(markup.write(fields))
        query = {
            "signature": signature(token or self._token, stamp, nonce),
            "timestamp": stamp,
            "nonce": nonce,
            "openid": str(fields["FromUserName"]),
            "encrypt_type": "aes",
            "msg_signature": self._envelope.sign(stamp, nonce, sealed),
        }
        body = markup.write({"ToUserName": ACCOUNT, "Encrypt": sealed}).encode()
        head = (
            f"POST {self._path}?{urlencode(query)} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            f"Content-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        status, answer = await self._ask(head.encode() + body)
        if status != 200:
            raise LineError(f"status {status}")
        return answer

    async def _ask(self, request: bytes) -> tuple[int, bytes]:
        while True:
            kept = bool(self._idle)
            reader, writer = self._idle.pop() if kept else await self._connect()
            try:
                writer.write(request)
                status, headers, answer = await _response(reader)
            except (ConnectionError, asyncio.IncompleteReadError):
                writer.close()
                if kept:  # it had been closed while nobody used it: the request was not read
                    continue
                raise
            except BaseException:
                writer.close()
                raise
            if headers.get("connection", "").lower() == "close":
                writer.close()
            else:
                self._idle.append((reader, writer))
            return status, answer

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, self._port, ssl=self._tls or None)

    def _read(self, answer: bytes) -> str:
        """What a passive reply says."""
        if answer in (b"", b"success"):
            return ""
        try:
            outer = {name: str(value) for name, value in markup.read(answer).items()}
            opened = self._envelope.open(
                outer["Encrypt"], outer["MsgSignature"], outer["TimeStamp"], outer["Nonce"]
            )
            told = markup.read(opened)
        except (EnvelopeError, markup.MarkupError, KeyError) as error:
            raise LineError(f"unreadable answer: {type(error).__name__}") from error
        return str(told.get("Content", f"[{told.get('MsgType', '')}]"))


async def _response(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = headers_of(head[1:])
    return int(head[0].split()[1]), headers, await read_body(reader, headers)


def headers_of(lines: list[str]) -> dict[str, str]:
    """The headers of a message, by their names in lower case."""
    found = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            found[name.strip().lower()] = value.strip()
    return found


async def read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    """The body of a message, sent whole or in chunks."""
    if headers.get("transfer-encoding", "").lower() != "chunked":
        with contextlib.suppress(KeyError):
            return await reader.readexactly(int(headers["content-length"]))
        return b""
    found = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        found += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return found
