"""What tests serve to browsers: whole answers, of which nothing is left open."""

from __future__ import annotations

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def whole(app: WSGIApplication) -> WSGIApplication:
    """`app` with each answer read to its end and closed before any of it is sent.

    Where a browser goes away in the middle of a file, and resets the connection, werkzeug's server
    fails before it closes what it was sending: the open file is a warning in whichever test runs
    when it is collected.
    """

    def answered(environ: WSGIEnvironment, start_response: StartResponse, /) -> Iterable[bytes]:
        parts = app(environ, start_response)
        try:
            return [b"".join(parts)]
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()

    return answered
