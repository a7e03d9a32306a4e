"""`/simulator` in the demo profile: passes requests on to the simulator's own process.

The phone's page and the card's page then share an origin, as a browser demands before it shows
one inside the other. Only HTTP joins the two; the product knows nothing of the simulator.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

PASSED_ON = (
    "accept",
    "accept-language",
    "content-type",
    "if-none-match",
    "origin",
    "range",
    "sec-fetch-site",
)
GIVEN_BACK = (
    "cache-control",
    "content-security-policy",
    "content-type",
    "etag",
    "location",
    "permissions-policy",
)
METHODS = ("GET", "POST", "PUT", "DELETE")


def blueprint(base: str, address: str) -> Blueprint:
    """Pass `/simulator` and all below it on to the process at `base`.

    The page itself is shown at the product's own `address` only: opened as `localhost`, a
    browser would take the card page inside the phone for another site and keep its cookies back.
    """
    own = urlsplit(address).netloc
    pages = Blueprint("simulator", __name__)
    client = httpx.Client(base_url=base, timeout=httpx.Timeout(30, connect=2))

    @pages.route("/simulator", defaults={"path": ""}, methods=METHODS)
    @pages.route("/simulator/", defaults={"path": "/"}, methods=METHODS)
    @pages.route("/simulator/<path:path>", methods=METHODS)
    def pass_on(path: str) -> BaseResponse:
        if not path and request.host != own and request.host.startswith("localhost"):
            return redirect(f"{address}/simulator")
        below = path if path in {"", "/"} else f"/{path}"
        try:
            answer = client.request(
                request.method,
                f"/simulator{below}",
                params=list(request.args.items(multi=True)),
                content=request.get_data(),
                headers={
                    name: request.headers[name] for name in PASSED_ON if name in request.headers
                },
            )
        except httpx.HTTPError:
            return Response("The simulator is starting; reload in a moment.", 503)
        response = Response(answer.content, answer.status_code)
        for name in GIVEN_BACK:
            if name in answer.headers:
                response.headers[name] = answer.headers[name]
        return response

    return pages
