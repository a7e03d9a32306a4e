"""The pages' files and the headers that keep them to themselves."""

from __future__ import annotations

from pathlib import Path

from flask import Response

FOLDER = Path(__file__).parent / "static"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' blob: data: http: https:",  # an account's news pictures are anywhere
        "media-src 'self' blob:",
        "frame-src http: https:",  # links open inside a phone
        "form-action 'self'",
        "base-uri 'none'",
    )
)


def page(name: str) -> Response:
    """A page of this simulator. It may be framed: the phone is a frame."""
    answer = Response((FOLDER / name).read_bytes(), content_type="text/html; charset=utf-8")
    answer.headers["Cache-Control"] = "no-cache"
    answer.headers["Content-Security-Policy"] = POLICY
    return answer
