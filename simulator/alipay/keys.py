"""RSA2 as the platform does it, written without a look at the product's."""

from __future__ import annotations

import base64
import binascii
import textwrap
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_pem_public_key,
)


class KeyPair:
    """The platform's private key and the application's public one, both as bare base64."""

    def __init__(self, platform_private: str, app_public: str) -> None:
        own = load_pem_private_key(_armoured(platform_private, "PRIVATE"), None)
        theirs = load_pem_public_key(_armoured(app_public, "PUBLIC"))
        if not isinstance(own, RSAPrivateKey) or not isinstance(theirs, RSAPublicKey):
            raise TypeError("RSA2 needs RSA keys")
        self._own, self._theirs = own, theirs
        self.app_public = app_public

    def sign(self, data: bytes) -> str:
        """The platform's signature in base64."""
        return base64.b64encode(self._own.sign(data, PKCS1v15(), hashes.SHA256())).decode()

    def signed_by_app(self, data: bytes, signature: str) -> bool:
        """Whether the application signed this."""
        try:
            self._theirs.verify(
                base64.b64decode(signature, validate=True), data, PKCS1v15(), hashes.SHA256()
            )
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


def joined(parameters: Mapping[str, str], charset: str) -> bytes:
    """The bytes that are signed: `a=1&b=2` in the order of names, `sign` and blanks left out."""
    kept = {name: value for name, value in parameters.items() if value != "" and name != "sign"}
    return "&".join(f"{name}={kept[name]}" for name in sorted(kept)).encode(charset)


def _armoured(bare: str, kind: str) -> bytes:
    if "-----BEGIN" in bare:
        return bare.encode()
    lines = "\n".join(textwrap.wrap(bare, 64))
    return f"-----BEGIN {kind} KEY-----\n{lines}\n-----END {kind} KEY-----\n".encode()
