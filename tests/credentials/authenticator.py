"""A device that keeps passkeys, written from the standard: what a browser would send for it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


class Authenticator:
    """One passkey on one device (WebAuthn level 2, 6.1 and 6.5; no attestation)."""

    def __init__(self, origin: str, host: str, *, verifies: bool = True) -> None:
        self.origin = origin
        self.host = host
        self.identifier = os.urandom(16)
        self.count = 0
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._flags = PRESENT | (VERIFIED if verifies else 0)

    def make(self, options: str, **other: Any) -> str:
        """What `navigator.credentials.create` gives for these options."""
        numbers = self._key.public_key().public_numbers()
        point = {-2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, **point})  # RFC 9053, 2.1: ES256
        attested = bytes(16) + struct.pack(">H", len(self.identifier)) + self.identifier + public
        seen = self._seen(ATTESTED) + attested
        told = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": seen})
        client = self._client("webauthn.create", options, **other)
        return self._answer({"clientDataJSON": client, "attestationObject": told})

    def open(self, options: str, **other: Any) -> str:
        """What `navigator.credentials.get` gives for these options."""
        self.count += 1
        seen, client = self._seen(), self._client("webauthn.get", options, **other)
        signed = self._key.sign(seen + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {"clientDataJSON": client, "authenticatorData": seen, "signature": signed}
        )

    def _seen(self, more: int = 0) -> bytes:
        flags = bytes([self._flags | more])
        return hashlib.sha256(self.host.encode()).digest() + flags + struct.pack(">I", self.count)

    def _client(self, kind: str, options: str, **other: Any) -> bytes:
        challenge = json.loads(options)["challenge"]
        told = {"type": kind, "challenge": challenge, "origin": self.origin, **other}
        return json.dumps(told).encode()

    def _answer(self, response: dict[str, bytes]) -> str:
        own = _text(self.identifier)
        parts = {name: _text(value) for name, value in response.items()}
        return json.dumps({"id": own, "rawId": own, "type": "public-key", "response": parts})


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
