"""RSA2, the platform's signature both ways: SHA256withRSA (PKCS #1 v1.5) over sorted parameters.

What is signed are bytes, as they travelled: a push comes in GBK, and text that was decoded and
encoded again need not be the same bytes.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bot.channel import ChannelError

LEAST_BITS = 2048
SIGN_TYPE = "RSA2"


class SigningKeyError(ValueError):
    """A key that was set is not an RSA key of at least 2048 bits; its value is not repeated."""


class ForgedError(ChannelError):
    """A signature is missing or does not match."""


class Signer:
    """Signs as the account and checks what the platform signed.

    Args:
        private_key: the application's, PEM or the bare base64 that the platform's tools give.
        platform_key: the platform's public key, in the same forms.

    Raises:
        SigningKeyError: when one of them is no such key.
    """

    def __init__(self, private_key: str, platform_key: str) -> None:
        self._own = _private(private_key)
        self._platform = _public(platform_key)

    def sign(self, content: bytes) -> str:
        """The account's signature of these bytes, in base64."""
        return base64.b64encode(
            self._own.sign(content, padding.PKCS1v15(), hashes.SHA256())
        ).decode()

    def check(self, signature: str | bytes, content: bytes) -> None:
        """Pass if the platform signed these bytes.

        Raises:
            ForgedError: when it did not.
        """
        try:
            given = base64.b64decode(signature, validate=True)
            self._platform.verify(given, content, padding.PKCS1v15(), hashes.SHA256())
        except (binascii.Error, ValueError, InvalidSignature):
            raise ForgedError("the signature does not match") from None

    @property
    def public_key(self) -> str:
        """The account's own public key as the platform wants it shown: bare base64."""
        der = self._own.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(der).decode()


def content_of(parameters: Mapping[bytes, bytes]) -> bytes:
    """What is signed of parameters: sorted, without `sign` and without what is empty."""
    return b"&".join(
        name + b"=" + value
        for name, value in sorted(parameters.items())
        if value and name != b"sign"
    )


def _private(key: str) -> rsa.RSAPrivateKey:
    for label in ("PRIVATE KEY", "RSA PRIVATE KEY"):
        try:
            loaded = serialization.load_pem_private_key(_pem(key, label), None)
        except (ValueError, TypeError):
            continue
        if isinstance(loaded, rsa.RSAPrivateKey) and loaded.key_size >= LEAST_BITS:
            return loaded
    raise SigningKeyError("not an RSA private key of at least 2048 bits")


def _public(key: str) -> rsa.RSAPublicKey:
    try:
        loaded = serialization.load_pem_public_key(_pem(key, "PUBLIC KEY"))
    except (ValueError, TypeError):
        loaded = None
    if isinstance(loaded, rsa.RSAPublicKey) and loaded.key_size >= LEAST_BITS:
        return loaded
    raise SigningKeyError("not an RSA public key of at least 2048 bits")


def _pem(key: str, label: str) -> bytes:
    r"""A key as PEM; in an environment variable the lines of a PEM may be joined by `\n`."""
    key = key.strip().replace("\\n", "\n")
    if key.startswith("-----"):
        return key.encode()
    body = "".join(key.split())
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()
