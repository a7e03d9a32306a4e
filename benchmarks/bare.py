"""The limit that the product is held against: a bare WSGI application doing one Redis script.

It reads the request's body, runs one small script, and answers a little JSON: what no program
in Python under this server can do without.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import redis

Start = Callable[[str, list[tuple[str, str]]], object]
SCRIPT = "return redis.call('HINCRBY', KEYS[1], 'n', ARGV[1])"
ANSWER = b'{"state": "accepted"}'
HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(ANSWER)))]


def create() -> Callable[[dict[str, object], Start], Iterable[bytes]]:
    """The application, over the Redis of `REDIS_URL`."""
    script = redis.Redis.from_url(os.environ["REDIS_URL"]).register_script(SCRIPT)

    def application(environ: dict[str, object], start: Start) -> Iterable[bytes]:
        body = environ["wsgi.input"]
        body.read(int(str(environ.get("CONTENT_LENGTH") or 0)))  # type: ignore[attr-defined]
        script(keys=["bare"], args=[1])
        start("200 OK", HEADERS)
        return [ANSWER]

    return application
