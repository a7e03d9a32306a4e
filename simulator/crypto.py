"""The platform's message encryption, written from its published description alone.

Message encryption and decryption of official accounts: AES-256-CBC, key = base64 of the
EncodingAESKey with one `=`, IV = the key's first 16 bytes, PKCS7 to 32 bytes; the plain text is
16 random bytes, a 4-byte big-endian length, the message, the AppID.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 32
RANDOM = 16


class EnvelopeError(Exception):
    """A message that this account's key did not seal, or that was not sealed whole."""


def signature(*parts: str) -> str:
    """The SHA-1 of the sorted, joined parts, in hexadecimal."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


class Envelope:
    """Seals and opens messages of one account.

    Raises:
        EnvelopeError: when the key is not an EncodingAESKey.
    """

    def __init__(self, token: str, aes_key: str, app_id: str) -> None:
        try:
            self._key = base64.b64decode(aes_key + "=", validate=True)
        except (binascii.Error, ValueError) as error:
            raise EnvelopeError("the EncodingAESKey is not base64") from error
        if len(self._key) != 32:
            raise EnvelopeError("the EncodingAESKey must have 43 characters")
        self._token = token
        self._app_id = app_id.encode()

    def sign(self, timestamp: str, nonce: str, sealed: str) -> str:
        """The msg_signature of a sealed message."""
        return signature(self._token, timestamp, nonce, sealed)

    def seal(self, message: str, random: bytes | None = None) -> str:
        """Encrypt; `random` is given by tests of published vectors only."""
        body = message.encode()
        plain = (random or os.urandom(RANDOM)) + struct.pack(">I", len(body)) + body + self._app_id
        filling = BLOCK - len(plain) % BLOCK
        encryptor = self._cipher().encryptor()
        sealed = encryptor.update(plain + bytes([filling]) * filling) + encryptor.finalize()
        return base64.b64encode(sealed).decode()

    def open(self, sealed: str, msg_signature: str, timestamp: str, nonce: str) -> str:
        """Check and decrypt.

        Raises:
            EnvelopeError: with a sentence that says what does not hold.
        """
        if not hmac.compare_digest(
            self.sign(timestamp, nonce, sealed).encode(), msg_signature.encode()
        ):
            raise EnvelopeError("MsgSignature does not match")
        try:
            raw = base64.b64decode(sealed, validate=True)
        except (binascii.Error, ValueError) as error:
            raise EnvelopeError("Encrypt is not base64") from error
        if not raw or len(raw) % 16:
            raise EnvelopeError("Encrypt is not whole AES blocks")
        decryptor = self._cipher().decryptor()
        return self._unpack(decryptor.update(raw) + decryptor.finalize())

    def _unpack(self, plain: bytes) -> str:
        filling = plain[-1]
        if not 1 <= filling <= BLOCK or plain[-filling:] != bytes([filling]) * filling:
            raise EnvelopeError("the padding is wrong")
        content = plain[RANDOM:-filling]
        if len(content) < 4:
            raise EnvelopeError("the message is too short")
        length = struct.unpack(">I", content[:4])[0]
        body, app_id = content[4 : 4 + length], content[4 + length :]
        if len(body) != length or app_id != self._app_id:
            raise EnvelopeError("the length or the AppID inside does not match")
        try:
            return body.decode()
        except UnicodeDecodeError as error:
            raise EnvelopeError("the message is not UTF-8") from error

    def _cipher(self) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(self._key), modes.CBC(self._key[:16]))
