"""Personal data sealed before it reaches Redis, and looked up without being read.

A sealed value is: version of the master key (1 byte), nonce (12), AES-256-GCM ciphertext with
its tag (16 more than the plain text). The key is derived for the record alone (HKDF, see
`keyring`), and the record's id is the associated data: a value moved to another record does not
open. NIST SP 800-38D allows 2³² random nonces for one key; a record sees a few dozen.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
from typing import Any

import redis
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from credentials.connection import guard
from credentials.errors import UnavailableError
from credentials.keyring import Keyring

NONCE_BYTES = 12
TAG_BYTES = 16
BLIND_BYTES = 16
KEYS = "{keys}"
_PURPOSE = "sealing"


class SealBrokenError(UnavailableError):
    """A sealed value that was altered, belongs to another record, or is no sealed value."""


class Sealer:
    """Seals and unseals with the keys of a ring."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring

    def seal(self, record_id: str, plain: bytes) -> bytes:
        """`plain` sealed for the record under the current key."""
        name = record_id.encode()
        version = self.keyring.current
        nonce = os.urandom(NONCE_BYTES)
        key = self.keyring.derive(version, _PURPOSE, name)
        return bytes([version]) + nonce + AESGCM(key).encrypt(nonce, plain, name)

    def unseal(self, record_id: str, sealed: bytes) -> bytes:
        """What was sealed for the record.

        Raises:
            SealBrokenError: when it was altered or sealed for another record.
            KeyringError: when its key is not in the ring.
        """
        if len(sealed) < 1 + NONCE_BYTES + TAG_BYTES:
            raise SealBrokenError(what="seal", why="short")
        name = record_id.encode()
        key = self.keyring.derive(sealed[0], _PURPOSE, name)
        try:
            return AESGCM(key).decrypt(sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], name)
        except InvalidTag:
            raise SealBrokenError(what="seal", why="tag") from None

    def seal_json(self, record_id: str, value: object) -> bytes:
        """A JSON value, written tightly and sealed."""
        plain = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return self.seal(record_id, plain.encode())

    def unseal_json(self, record_id: str, sealed: bytes) -> Any:
        """The JSON value that was sealed.

        Raises:
            SealBrokenError: also when what was sealed is not JSON.
        """
        try:
            return json.loads(self.unseal(record_id, sealed))
        except ValueError:
            raise SealBrokenError(what="seal", why="json") from None


class BlindIndex:
    """Values that are looked up, but never read back: HMAC-SHA256 under a key of its own.

    The key is random, made once, and kept sealed under `{keys}`: a stolen dump without the
    master keys does not even tell whether a known ID number is in it, and rotating the master
    keys re-seals this one key instead of every entry.
    """

    def __init__(self, database: redis.Redis, sealer: Sealer) -> None:
        self._redis = database
        self._sealer = sealer
        self._key: bytes | None = None

    def of(self, kind: str, value: str) -> str:
        """22 characters that stand for a value of a kind (`id_number`); 128 bits of the HMAC.

        Raises:
            UnavailableError: when the index's key cannot be had.
        """
        made = hmac.digest(self._own_key(), f"{kind}\0{value}".encode(), "sha256")
        return base64.urlsafe_b64encode(made[:BLIND_BYTES]).rstrip(b"=").decode()

    def credential_id(self, name: str) -> str:
        """The 16 hexadecimal characters of the credential that a name stands for; 64 bits."""
        made = hmac.digest(self._own_key(), f"credential\0{name}".encode(), "sha256")
        return made[:8].hex()

    def reseal(self) -> bool:
        """Seal the index's key under the current master key; whether it was under another."""
        with guard():
            sealed = self._redis.hget(KEYS, "index")
        if not isinstance(sealed, bytes) or sealed[0] == self._sealer.keyring.current:
            return False
        key = self._sealer.unseal(KEYS, sealed)
        with guard():
            self._redis.hset(KEYS, "index", self._sealer.seal(KEYS, key))
        return True

    def _own_key(self) -> bytes:
        if self._key is None:
            with guard():
                sealed = self._redis.hget(KEYS, "index")
                if sealed is None:
                    made = self._sealer.seal(KEYS, secrets.token_bytes(32))
                    self._redis.hsetnx(KEYS, "index", made)
                    sealed = self._redis.hget(KEYS, "index")
            if not isinstance(sealed, bytes):
                raise UnavailableError(what="keys", why="index")
            self._key = self._sealer.unseal(KEYS, sealed)
        return self._key
