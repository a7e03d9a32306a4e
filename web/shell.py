"""What lets the desk be installed: its manifest and its service worker.

The worker keeps the page's scripts, styles and icon, and one page that says that there is no
network. It never keeps an answer, a page behind the sign-in, or a picture: what a desk was told
is on its screen and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from flask import Blueprint, Response, make_response, render_template, url_for

from web import pages

if TYPE_CHECKING:
    from credentials.services import Services

KEPT = (
    "tokens.css",
    "base.css",
    "desk.css",
    "office.css",
    "sign.css",
    "desk.js",
    "desk-camera.js",
    "desk-compare.js",
    "desk-device.js",
    "desk-lock.js",
    "desk-offline.js",
    "office.js",
    "favicon.svg",
)


def blueprint(services: Services) -> Blueprint:
    """The manifest, the worker, and the page without a network."""
    routes = Blueprint("shell", __name__, url_prefix="/desk")

    @routes.get("/manifest.webmanifest")
    def manifest() -> Response:
        """Describe the desk as a program to install."""
        name = services.texts.say(pages.language(), "shell.name")
        told = {
            "id": "/desk",
            "name": name,
            "short_name": name,
            "lang": pages.language_tag(),
            "start_url": "/desk",
            "scope": "/desk",
            "display": "standalone",
            "background_color": "#f3f4f3",
            "theme_color": "#07c160",
            "icons": [
                {
                    "src": url_for("static", filename="favicon.svg"),
                    "sizes": "any",
                    "type": "image/svg+xml",
                    "purpose": "any maskable",
                }
            ],
        }
        answer = make_response(json.dumps(told, ensure_ascii=False))
        answer.headers["Content-Type"] = "application/manifest+json"
        answer.headers["Cache-Control"] = "no-cache"
        return answer

    @routes.get("/sw.js")
    def worker() -> Response:
        """The service worker; a new one as soon as anything that it keeps changed."""
        kept = [url_for("static", filename=name) for name in KEPT]
        script = (pages.STATIC / "desk-worker.js").read_text(encoding="utf-8")
        version = hashlib.sha256((script + "".join(kept)).encode()).hexdigest()[:12]
        told = json.dumps({"version": version, "kept": [*kept, url_for("shell.offline")]})
        answer = make_response(f"const SHELL = {told};\n{script}")
        answer.headers["Content-Type"] = "text/javascript; charset=utf-8"
        answer.headers["Service-Worker-Allowed"] = "/desk"
        answer.headers["Cache-Control"] = "no-cache"
        return answer

    @routes.get("/offline")
    def offline() -> Response:
        """Say that there is no network; the same for everybody."""
        return make_response(render_template("desk_offline.html"))

    return routes
