"""The demo's Alipay life account: keys for both sides of it, made anew at each start."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

APP_ID = "2021000000000001"


def account(product: str, platform: str) -> tuple[dict[str, str], dict[str, str]]:
    """What the product is told of the life account, and what the simulator is.

    Args:
        product: the address where the product listens.
        platform: the address where the simulator does.
    """
    own, theirs = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in "12")
    told = {
        "ALIPAY_APP_ID": APP_ID,
        "ALIPAY_PRIVATE_KEY": _private(own),
        "ALIPAY_PUBLIC_KEY": _public(theirs),
        "ALIPAY_GATEWAY": f"{platform}/gateway.do",
    }
    simulated = {
        "SIM_ALIPAY_APP_ID": APP_ID,
        "SIM_ALIPAY_WEBHOOK": f"{product}/alipay",
        "SIM_ALIPAY_PRIVATE_KEY": _private(theirs),
        "SIM_ALIPAY_APP_PUBLIC_KEY": _public(own),
    }
    return told, simulated


def _private(key: rsa.RSAPrivateKey) -> str:
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return base64.b64encode(der).decode()


def _public(key: rsa.RSAPrivateKey) -> str:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()
