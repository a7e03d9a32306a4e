"""The terminal of a demo: reads a made-up citizen's card, presses a finger, signs, and posts.

It plays an accredited kiosk. Its key is the only thing that it has in common with the product,
whose interface it knows from its description (`/openapi.json`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Blueprint, Response, jsonify, request

from simulator.citizens import Citizens, CitizensError

TIMEOUT = 30.0
FINGERS = {"own": "matched", "other": "not_matched", "none": "not_asked"}
SESSIONS = "/api/v1/terminal/sessions"
ATTESTATIONS = "/api/v1/terminal/attestations"
VALID_FROM, VALID_UNTIL = "2016-12-31", "2036-12-31"


class TerminalError(Exception):
    """The product refuses, or does not answer; the text is its sentence."""

    def __init__(self, sentence: str, code: str = "unavailable") -> None:
        self.code = code
        super().__init__(sentence)


class Terminal:
    """An accredited terminal.

    Args:
        product: the product's address.
        terminal_id: as accredited.
        key: its private key, base64 of 32 bytes.
    """

    def __init__(self, product: str, terminal_id: str, key: str) -> None:
        self.terminal_id = terminal_id
        self._key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(key)) if key else None
        self._client = httpx.Client(base_url=product, timeout=TIMEOUT, trust_env=False)

    @property
    def available(self) -> bool:
        """Whether it was given a key."""
        return self._key is not None

    def read(
        self, code: str, person: Mapping[str, Any], portrait: bytes, finger: str, language: str
    ) -> dict[str, Any]:
        """Take a binding code, read a citizen's card and finger, and say so to the product.

        Args:
            code: the eight digits that the holder shows, with or without blanks.
            person: whose card lies on the reader.
            portrait: the picture in the chip.
            finger: `own`, `other` or `none`.
            language: of the sentence of a refusal.

        Raises:
            TerminalError: with the product's sentence.
        """
        digits = "".join(code.split())
        session = self._post(
            SESSIONS, {"type": "terminal-session", "binding_code": digits}, language
        )
        return self._post(
            ATTESTATIONS,
            {
                "type": "chip-attestation",
                "version": 1,
                "session": session["session"],
                "name": str(person.get("name", "")),
                "id_number": str(person.get("id_number", "")),
                "card_serial": _serial(str(person.get("id_number", ""))),
                "valid_from": VALID_FROM,
                "valid_until": VALID_UNTIL,
                "portrait_sha256": hashlib.sha256(portrait).hexdigest(),
                "fingerprint": FINGERS[finger],
            },
            language,
        )

    def _post(self, path: str, said: dict[str, object], language: str) -> dict[str, Any]:
        if self._key is None:
            raise TerminalError("this simulator was started without a terminal")
        statement = {**said, "terminal": self.terminal_id, "time": int(time.time())}
        text = json.dumps(statement, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        signature = base64.b64encode(self._key.sign(text.encode())).decode()
        try:
            answer = self._client.post(
                path,
                json={"statement": statement, "signature": signature},
                headers={"accept-language": language},
            )
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise TerminalError(f"the product does not answer: {type(error).__name__}") from error
        if answer.status_code != 200:
            raise TerminalError(str(body.get("detail", "")), str(body.get("code", "")))
        return dict(body)


def add(control: Blueprint, terminal: Terminal, citizens: Citizens) -> None:
    """Hang the kiosk's acts on the control blueprint."""

    @control.get("/terminal")
    def about() -> Response:
        return jsonify({"available": terminal.available, "terminal_id": terminal.terminal_id})

    @control.post("/terminal/read")
    def read() -> tuple[Response, int]:
        """`{"code", "place", "finger"}`: the citizen at `place` puts the card down."""
        body = request.get_json(silent=True) or {}
        finger = str(body.get("finger", "own"))
        people, place = citizens.all(), body.get("place")
        if finger not in FINGERS or not isinstance(place, int) or not 0 <= place < len(people):
            raise CitizensError("choose a card and a finger")
        person = people[place]
        portrait = citizens.photo(place)[0] if person.get("photo_url") else b""
        language = request.headers.get("Accept-Language", "")
        try:
            told = terminal.read(str(body.get("code", "")), person, portrait, finger, language)
        except TerminalError as error:
            return jsonify({"detail": str(error), "code": error.code}), 422
        return jsonify(told), 200


def _serial(id_number: str) -> str:
    """A chip's own number, the same for the same made-up card."""
    return hashlib.sha256(f"chip {id_number}".encode()).hexdigest()[:16].upper()
