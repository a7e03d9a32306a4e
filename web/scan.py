"""The front: `GET /`, and `GET /v/<code>`, what a plain camera opens when it scans a code.

The page of a code discloses nothing and uses nothing up: it looks at the code's shape, never at
what it says, so a curious scan neither spoils the holder's code nor learns whether it is real.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flask import Blueprint, Response, make_response, render_template

from web import pages

if TYPE_CHECKING:
    from settings import Settings

_SHAPE = re.compile(r"[A-Za-z2-7]{52}")


def blueprint(settings: Settings) -> Blueprint:
    """The addresses `/`, `/v/<code>` and `/V/<code>`."""
    front = Blueprint("front", __name__)
    demo = settings.profile == "demo"

    @front.get("/")
    def home() -> str:
        return render_template("home.html", demo=demo)

    @front.get("/v/<code>")
    @front.get("/V/<code>")
    def scanned(code: str) -> Response:
        if not _SHAPE.fullmatch(code):
            return pages.error_page(404, "web.scan.bad")
        response = make_response(render_template("scan.html"))
        response.headers["Cache-Control"] = "no-store"
        return response

    return front
