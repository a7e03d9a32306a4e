"""A browser without a window, for staff and operators of a running product."""

from __future__ import annotations

import re
from collections.abc import Mapping

import httpx

from tests.product.actors import Product

PASSWORD = "a harbour in the fog"
OPENED: list[httpx.Client] = []
"""Every browser's connections; conftest.py ends them."""


class Browser:
    """Somebody at the desk or the console, with cookies."""

    def __init__(self, product: Product, area: str) -> None:
        self.area = area
        self.base = f"{product.address}/{area}"
        self.client = httpx.Client(timeout=60, trust_env=False)
        OPENED.append(self.client)

    def csrf(self, path: str = "") -> str:
        """The token in a page's form or body."""
        page = self.client.get(f"{self.base}{path}").text
        found = re.search(r'(?:name="csrf_token" value|data-csrf)="([^"]+)"', page)
        assert found, page
        return found[1]

    def fill(self, path: str, **fields: str) -> httpx.Response:
        """Send the form of a page."""
        told = {"csrf_token": self.csrf(path), **fields}
        return self.client.post(f"{self.base}{path}", data=told)

    def sign_in(self, username: str, password: str) -> Browser:
        """Sign in with a one-time password, and choose one's own."""
        answer = self.fill("/sign-in", username=username, password=password)
        assert answer.status_code == 303, answer.text
        answer = self.fill("/password", new=PASSWORD, again=PASSWORD)
        assert answer.status_code == 303, answer.text
        return self

    def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form to an address that has no page of its own."""
        told = {"csrf_token": self.csrf(), **fields}
        return self.client.post(f"{self.base}/{path}", data=told)

    def ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> httpx.Response:
        """What the page's script sends."""
        headers = {"Accept": "application/json", "X-CSRF-Token": self.csrf()}
        return self.client.request(method, f"{self.base}/{path}", json=body, headers=headers)
