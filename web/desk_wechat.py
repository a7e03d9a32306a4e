"""The platform's own scanner on the desk's page, where the page is opened inside the platform.

A browser inside WeChat often has no camera for pages, but its scanner reads a code faster than
any page can (JS-SDK, `wx.scanQRCode`). The platform's script comes from the platform's host, on
this page and in this browser only, and the page's address is signed by the server.

| address | does |
|---|---|
| `GET /desk/wechat?url=` | what `wx.config` takes for that page of ours; 503 while there is none |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest

from web import pages

if TYPE_CHECKING:
    from credentials.services import Services

HOST = "https://res.wx.qq.com"
SCRIPT = f"{HOST}/open/js/jweixin-1.6.0.js"
BROWSER = "MicroMessenger"
LONGEST_ADDRESS = 2048

Configure = Callable[[str], Mapping[str, str] | None]
"""What `wx.config` takes for a page's address; None while the platform gives no ticket."""


def register(
    routes: Blueprint, services: Services, configure: Configure | None, *, demo: bool
) -> None:
    """Add the scanner to a blueprint's pages; without `configure` there is none."""

    def inside() -> bool:
        return configure is not None and BROWSER in request.user_agent.string

    @routes.context_processor
    def say_whether() -> dict[str, str]:
        return {"wechat_script": SCRIPT if inside() else ""}

    @routes.after_request
    def let_it_in(response: Response) -> Response:
        if inside() and response.mimetype == "text/html":
            policy = pages.content_security_policy(demo=demo, script_src=HOST)
            response.headers["Content-Security-Policy"] = policy
        return response

    @routes.get("/wechat")
    def sign() -> tuple[Response, int]:
        """Sign one of our own pages; of others the platform's scanner knows nothing."""
        url = request.args.get("url", "")
        if len(url) > LONGEST_ADDRESS or not _is_ours(url, services.address):
            raise BadRequest
        told = configure(url) if configure else None
        response = jsonify(told or {})
        response.headers["Cache-Control"] = "no-store"
        return response, 200 if told else 503


def _is_ours(url: str, address: str) -> bool:
    page, ours = urlsplit(url), urlsplit(address)
    same = (page.scheme, page.netloc) == (ours.scheme, ours.netloc)
    return same and (page.path == "/desk" or page.path.startswith("/desk/"))
