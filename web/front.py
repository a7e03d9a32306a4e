"""The front: hot routes, answered before Flask begins, by the functions that its views call.

Routing, contexts and hooks cost Flask more than a verification costs Redis
(benchmarks/results/profile.md), so the few routes that are asked all day are looked up here
first. What is not one of them, or carries a query that it does not take, goes to Flask as ever.

A hot route is a function from `Asked` to `Answer`. Its view in Flask is the same function behind
`response`, so that either way gives the same answer; the front adds what Flask's hooks add: the
headers of every page, and the figures. tests/web/test_front.py asks both ways and compares.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import structlog
from flask import Response
from werkzeug.exceptions import ClientDisconnected
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wsgi import get_input_stream

_LENGTH = re.compile(r"[0-9]{1,9}")
REST = 64 * 1024
"""Bytes of a body that are read though they decide nothing. A connection whose request was not
read to its end is closed by the server, perhaps under the caller's next request, which is lost."""
log = structlog.get_logger("web.front")


class Asked:
    """A request as hot routes see it, whoever received it; the body is read when asked for."""

    __slots__ = ("_body", "environ")

    def __init__(self, environ: WSGIEnvironment) -> None:
        self.environ = environ
        self._body: bytes | None = None

    @property
    def path(self) -> str:
        """The path, decoded."""
        return str(self.environ["PATH_INFO"])

    @property
    def mimetype(self) -> str:
        """The media type of the body, in small letters, without parameters."""
        return str(self.environ.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()

    def header(self, name: str) -> str:
        """A header other than Content-Type and Content-Length, by its name in a WSGI environ."""
        return str(self.environ.get(f"HTTP_{name}", ""))

    @property
    def query(self) -> str:
        """What stands behind the question mark, as it came."""
        return str(self.environ.get("QUERY_STRING", ""))

    def cookie(self, name: str) -> str:
        """A cookie's value, the first where there are several; nothing for one in quotes."""
        for each in self.header("COOKIE").split(";"):
            key, _, value = each.strip().partition("=")
            if key == name:
                return "" if '"' in value else value
        return ""

    def body(self, largest: int) -> bytes:
        """The whole body.

        Raises:
            HTTPException: when it is larger than that many bytes, or was broken off.
        """
        if self._body is None:
            length = self.environ.get("CONTENT_LENGTH") or ""
            if _LENGTH.fullmatch(length) and int(length) <= largest:
                self._body = self._whole(int(length))
            else:  # too large, in chunks, or nonsense: werkzeug knows
                self._body = get_input_stream(self.environ, max_content_length=largest).read()
        return self._body

    def rest(self) -> None:
        """Read a body that nobody asked for, if it is small: see `REST`."""
        length = self.environ.get("CONTENT_LENGTH") or ""
        if self._body is None and _LENGTH.fullmatch(length) and int(length) <= REST:
            with contextlib.suppress(OSError):  # whoever broke it off hears no answer
                self._body = self.environ["wsgi.input"].read(int(length))

    def _whole(self, length: int) -> bytes:
        body: bytes = self.environ["wsgi.input"].read(length)
        if len(body) < length:
            raise ClientDisconnected
        return body


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What is answered; the headers beside those that every answer has."""

    status: int
    body: bytes
    headers: dict[str, str]


def response(answer: Answer) -> Response:
    """The same for Flask."""
    return Response(answer.body, status=answer.status, headers=answer.headers)


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """One hot route.

    Attributes:
        method: the only one; HEAD and OPTIONS are Flask's.
        rule: as Flask has it, with at most one `<name>`, which is one step of the path.
        answer: called with the request and what stood in that step ('' without one); None leaves
            the request to Flask, which finds the body unread.
        query: whether it takes a query; without, a request with one is Flask's.
    """

    method: str
    rule: str
    answer: Callable[[Asked, str], Answer | None]
    query: bool = False


class Front:
    """A WSGI application before another.

    Args:
        behind: Flask's.
        routes: the hot ones.
        headers: those of every answer.
        count: called with rule, status and seconds, for the figures.
        broken: what is answered when a function fails as no function should.
    """

    def __init__(
        self,
        behind: WSGIApplication,
        routes: Sequence[Route],
        *,
        headers: Mapping[str, str],
        count: Callable[[str, int, float], None],
        broken: Callable[[Asked], Answer],
    ) -> None:
        self._behind = behind
        self._whole = {(each.method, each.rule): each for each in routes if "<" not in each.rule}
        self._parted = [(each, *_around(each.rule)) for each in routes if "<" in each.rule]
        self._headers = dict(headers)
        self._count = count
        self._broken = broken

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse, /
    ) -> Iterable[bytes]:
        """Answer a hot route, or pass the request on."""
        route, part = self._find(environ)
        if route is None:
            return self._behind(environ, start_response)
        began = time.perf_counter()
        asked = Asked(environ)
        try:
            answer = route.answer(asked, part)
        except Exception:
            log.exception("page_failed", path=asked.path)
            answer = self._broken(asked)
        if answer is None:
            return self._behind(environ, start_response)
        asked.rest()
        headers = {**self._headers, **answer.headers, "Content-Length": str(len(answer.body))}
        start_response(_line(answer.status), list(headers.items()))
        self._count(route.rule, answer.status, time.perf_counter() - began)
        return (answer.body,)

    def _find(self, environ: WSGIEnvironment) -> tuple[Route | None, str]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        found = self._whole.get((method, path))
        if found is not None:
            return (found, "") if _may(found, environ) else (None, "")
        for route, before, after in self._parted:
            if method == route.method and path.startswith(before) and path.endswith(after):
                part = path[len(before) : len(path) - len(after)]
                if part and "/" not in part and _may(route, environ):
                    return route, part
        return None, ""


def _may(route: Route, environ: WSGIEnvironment) -> bool:
    return route.query or not environ.get("QUERY_STRING")


def _around(rule: str) -> tuple[str, str]:
    """What stands before and after the one step of a rule that varies."""
    before, _, rest = rule.partition("<")
    return before, rest.partition(">")[2]


def _line(status: int) -> str:
    return f"{status} {HTTP_STATUS_CODES.get(status, 'Unknown').upper()}"
