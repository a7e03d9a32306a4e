"""Signatures and encryption of the webhook, by the platform's message protocol.

wechatpy does the cipher; what it leaves open is closed here:
signatures are compared in constant time, the random bytes before a message come from the
system's generator, and of the many exceptions that a decryption can end in, none but
`BadPushError` leaves.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct

from wechatpy.crypto import PrpCrypto
from wechatpy.exceptions import InvalidAppIdException

from bot.channel import ChannelError


class ForgedPushError(ChannelError):
    """The signature is missing or does not match: whoever sent this does not know the token."""


class BadPushError(ChannelError):
    """What was pushed cannot be read: ciphertext, XML, JSON or a field is not as it must be."""


def sign(*parts: str) -> str:
    """The platform's signature: SHA-1, in hex, of the sorted and joined parts."""
    joined = "".join(sorted(parts)).encode("utf-8", "replace")
    return hashlib.sha1(joined).hexdigest()  # noqa: S324 - the platform's protocol says so


def check(signature: str, *parts: str) -> None:
    """Pass if `signature` is that of the parts.

    Raises:
        ForgedPushError: when it is not.
    """
    expected = sign(*parts)
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        raise ForgedPushError("the signature does not match")


class Envelope:
    """Safe mode: AES-256-CBC under the EncodingAESKey, bound to one account's appid.

    Raises:
        ValueError: when the key is not the 43 characters of an EncodingAESKey.
    """

    def __init__(self, token: str, aes_key: str, app_id: str) -> None:
        try:
            key = base64.b64decode(aes_key + "=", validate=True)
        except ValueError:  # also binascii.Error
            key = b""
        if len(key) != 32:
            raise ValueError("an EncodingAESKey is 43 characters that stand for 32 bytes")
        self._token = token
        self._app_id = app_id
        self._cipher = PrpCrypto(key)
        # The initialisation vector is part of the key, so these 16 bytes alone make two equal
        # messages differ; wechatpy takes them from a generator that can be predicted.
        self._cipher.get_random_string = lambda: secrets.token_hex(8)

    def open(self, encrypted: str, signature: str, timestamp: str, nonce: str) -> bytes:
        """The message inside, once its signature was found right.

        Raises:
            ForgedPushError: when the signature is not that of this ciphertext.
            BadPushError: when it cannot be decrypted, or is meant for another appid.
        """
        check(signature, self._token, timestamp, nonce, encrypted)
        try:
            return str(self._cipher.decrypt(encrypted, self._app_id)).encode()
        except InvalidAppIdException:
            raise BadPushError("the message is for another account") from None
        except (ValueError, TypeError, IndexError, struct.error):
            raise BadPushError("the message cannot be decrypted") from None

    def close(self, message: str, timestamp: str, nonce: str) -> tuple[str, str]:
        """The encrypted message and its signature."""
        encrypted = self._cipher.encrypt(message, self._app_id).decode("ascii")
        return encrypted, sign(self._token, timestamp, nonce, encrypted)
