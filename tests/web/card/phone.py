"""A phone's browser and a desk, as actors: the card page's tests read as transcripts of both."""

from __future__ import annotations

import datetime
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import zxingcpp
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from credentials.model import Consent, Holder, Person, Verification, Verifier
from credentials.services import Services
from web.camera import QR_ALONE

ADDRESS = "http://card.example"
_STEP = re.compile(r"M(\d+) (\d+)\.5|m(\d+) 0|h(\d+)")


class NotConfirmedError(Exception):
    """The platform does not confirm who is looking."""


class SilentError(Exception):
    """The platform does not answer."""


class Platform:
    """The messaging platform's sign-in: gives codes that work once."""

    name = "wechat"

    def __init__(self) -> None:
        self.is_up = True
        self.address = "https://platform.example/authorize"
        self._codes: dict[str, str] = {}
        self._given = 0

    def code_for(self, openid: str) -> str:
        """A code that the platform's own browser brings back."""
        self._given += 1
        code = f"code{self._given}"
        self._codes[code] = openid
        return code

    def sign_in_address(self, return_to: str, state: str) -> str:
        """The platform's page; the address of ours and the state are in it."""
        return f"{self.address}?redirect_uri={return_to}&state={state}"

    def who(self, code: str) -> str:
        """The account behind a code, once."""
        if not self.is_up:
            raise SilentError
        if code not in self._codes:
            raise NotConfirmedError
        return self._codes.pop(code)


class Phone:
    """One person's phone: opens the card page through the platform and presses its buttons."""

    def __init__(self, app: Flask, platform: Platform, openid: str) -> None:
        self.openid = openid
        self.browser: FlaskClient = app.test_client()
        self.path = ""
        self._platform = platform
        self._page = ""

    def begins(self) -> str:
        """Tap the link to `/card`; the state that the platform is asked to bring back."""
        answer = self.browser.get("/card")
        assert answer.status_code == 302
        return answer.headers["Location"].rpartition("state=")[2]

    def comes_back(self, code: str, state: str) -> TestResponse:
        """The platform sends the browser back."""
        return self.browser.get("/card/back", query_string={"code": code, "state": state})

    def opens_card(self, language: str = "en") -> str:
        """All of it: the link, the platform, the page; its text."""
        answer = self.comes_back(self._platform.code_for(self.openid), self.begins())
        assert answer.status_code == 303
        self.path = answer.headers["Location"]
        page = self.browser.get(self.path, headers={"Accept-Language": language})
        assert page.status_code == 200
        self._page = page.text
        return self._page

    @property
    def token(self) -> str:
        """The token that the page sends with what it changes."""
        found = re.search(r'data-token="([^"]+)"', self._page)
        return found[1] if found else ""

    def asks(self, what: str) -> TestResponse:
        """What the page's script asks for."""
        headers = {"Accept": "application/json", "Accept-Language": "en"}
        return self.browser.get(self.path + what, headers=headers)

    def presses(self, what: str, body: object = None, **headers: str) -> TestResponse:
        """What the page's script sends when a button is pressed."""
        kept = {
            "Accept": "application/json",
            "Accept-Language": "en",
            "X-Card-Token": self.token,
        }
        kept.update({name.replace("_", "-"): value for name, value in headers.items()})
        return self.browser.post(self.path + what, json=body or {}, headers=kept)

    def state(self) -> dict[str, Any]:
        """Everything the page would show now."""
        return dict(self.asks("state").get_json())

    def shows(self, purpose: str = "") -> str:
        """The address in the QR on the screen, read from its picture as a scanner would."""
        answer = self.asks(f"code?purpose={purpose}")
        assert answer.status_code == 200, answer.text
        return read_qr(str(answer.get_json()["svg"]))


class Desk:
    """A verifier's desk."""

    def __init__(self, services: Services, verifier: Verifier, desk: str = "Desk 1") -> None:
        self._services = services
        self._verifier = verifier
        self._desk = desk

    def scans(self, code: str, purpose: str) -> Verification:
        """Scan what a phone shows."""
        return self._services.verifications.verify(self._verifier, self._desk, code, purpose, None)

    def looks(self, verification_id: str) -> Verification:
        """Ask again how a verification stands."""
        return self._services.verifications.look(self._verifier, verification_id)


def read_qr(svg: str) -> str:
    """What a scanner reads from the SVG that the page draws."""
    size = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
    assert size, svg[:200]
    pixels = np.full((int(size[2]), int(size[1])), 255, np.uint8)
    for x, y, width, height in _rectangles(svg):
        pixels[y : y + height, x : x + width] = 0
    magnified = np.kron(pixels, np.ones((6, 6), np.uint8))
    # A row of a random code may look like a bar code of another kind.
    found = zxingcpp.read_barcodes(magnified, formats=QR_ALONE)
    assert len(found) == 1
    return str(found[0].text)


def modules_of_quiet_zone(svg: str) -> int:
    """How many white modules are around the symbol, on its narrowest side."""
    size = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
    assert size
    sides = [
        (x, y, int(size[1]) - x - width, int(size[2]) - y - height)
        for x, y, width, height in _rectangles(svg)
    ]
    return min(min(side) for side in sides)


def _rectangles(svg: str) -> Iterator[tuple[int, int, int, int]]:
    """What the strokes of the path cover: left, top, width and height."""
    path = re.search(r'stroke="#000" d="([^"]*)"', svg)
    assert path
    assert not _STEP.sub("", path[1])
    left = top = 0
    for x, y, gap, length in _STEP.findall(path[1]):
        if x:
            left, top = int(x), int(y)
        elif length:
            yield left, top, int(length), 1
        left += int(gap or length or 0)


def give_card(services: Services, openid: str, name: str, id_number: str) -> None:
    """Issue a light card."""
    portrait = io.BytesIO()
    Image.new("RGB", (240, 300), "#998877").save(portrait, "JPEG")
    services.cards.issue(
        Holder("wechat", openid),
        Person(
            name=name,
            id_number=id_number,
            residence=id_number[:6],
            address="1 Harbour Road",
            valid_until=datetime.date(2099, 12, 31),
            portrait=portrait.getvalue(),
        ),
        [Consent("data", "1", 0.0), Consent("face", "1", 0.0)],
        evidence={"face": "0.31"},
    )


def json_of(page: str, attribute: str) -> Any:
    """The JSON in a `data-` attribute of the page's body."""
    found = re.search(rf'{attribute}="([^"]*)"', page)
    assert found
    return json.loads(found[1].replace("&#34;", '"').replace("&amp;", "&").replace("&#39;", "'"))
