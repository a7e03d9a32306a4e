"""A small stand-in for the platform's API over real HTTP, for the tests of the channel.

It keeps what it was asked and answers what it was told to; the simulator, which behaves like
the whole platform, is not used here, so that the two can disagree.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

Answer = dict[str, Any] | Response


@dataclasses.dataclass
class Call:
    """One request: its path without `/cgi-bin/`, its query, JSON body and uploaded file."""

    path: str
    query: dict[str, str]
    body: dict[str, Any]
    file: bytes = b""
    file_name: str = ""
    raw: bytes = b""


class FakePlatform:
    """Answers by rule; what has no rule of its own is granted."""

    def __init__(self) -> None:
        self.base = ""
        self.calls: list[Call] = []
        self.rules: dict[str, Callable[[Call], Answer]] = {}
        self.queued: dict[str, collections.deque[Answer]] = collections.defaultdict(
            collections.deque
        )
        self.token_number = 0
        self.keeps_token = False  # whether stable_token gives the same until it is forced
        self._lock = threading.Lock()

    def next(self, path: str, *answers: Answer | int) -> None:
        """Give these answers, in order, to the next calls of a path; a number is an errcode."""
        self.queued[path].extend(
            {"errcode": answer, "errmsg": "told to"} if isinstance(answer, int) else answer
            for answer in answers
        )

    def asked(self, path: str) -> list[Call]:
        """The calls of a path so far."""
        return [call for call in self.calls if call.path == path]

    def sent(self) -> list[dict[str, Any]]:
        """The customer-service messages so far, without whom they are for."""
        bodies = (call.body for call in self.asked("message/custom/send"))
        return [{key: body[key] for key in body if key != "touser"} for body in bodies]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        with Request(environ) as request:
            response = self._answer(request)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        path = request.path.removeprefix("/cgi-bin/").removeprefix("/")
        raw = request.get_data(parse_form_data=False)
        media = request.files.get("media")
        body = json.loads(raw) if raw.startswith(b"{") else {}
        call = Call(path, request.args.to_dict(), body, raw=raw)
        if media:
            call.file, call.file_name = media.read(), media.filename or ""
        with self._lock:
            self.calls.append(call)
            if self.queued[path]:
                answer = self.queued[path].popleft()
            else:
                answer = self.rules.get(path, self._grant)(call)
        if isinstance(answer, Response):
            return answer
        return Response(json.dumps(answer, ensure_ascii=False), content_type="text/plain")

    def _grant(self, call: Call) -> Answer:
        match call.path:
            case "token" | "stable_token":
                asked = self.keeps_token and call.path == "stable_token"
                if not asked or call.body["force_refresh"] or not self.token_number:
                    self.token_number += 1
                return {"access_token": f"T{self.token_number}", "expires_in": 7200}
            case "media/upload":
                return {"type": "image", "media_id": "M1", "created_at": 1}
            case "ticket/getticket":
                return {"errcode": 0, "errmsg": "ok", "ticket": "TICKET", "expires_in": 7200}
            case _:
                return {"errcode": 0, "errmsg": "ok"}


def connections(listening: socket.socket) -> int:
    """How many connections wait at a socket whose owner takes none."""
    listening.setblocking(False)
    found = 0
    with suppress(BlockingIOError):
        while True:
            listening.accept()[0].close()
            found += 1
    return found


@contextmanager
def running() -> Iterator[FakePlatform]:
    """The stand-in, listening on a free port of this machine."""
    platform = FakePlatform()
    server = make_server("127.0.0.1", 0, platform, threaded=True)
    platform.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield platform
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
