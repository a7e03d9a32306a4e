"""The rotating code: 52 characters that say nothing, and die in thirty seconds.

    code    = BASE32( block · tag )                      32 bytes, 52 characters
    block   = AES-256( credential id 8 · issued µs 7 · purpose 1 )
    tag     = HMAC-SHA256( block ) cut to 16 bytes, by itsdangerous' Signer

The one AES block makes codes of the same card look unrelated to everybody but the issuer; no
mode of operation is needed, since no two blocks are equal (the time is in microseconds). The
tag is checked before the block is opened. itsdangerous gives key derivation, salt and the
comparison in constant time; each master key has a signer of its own, so a rotated ring still
reads the codes of the last half minute, and a key that left the ring reads nothing.

Base32 (RFC 4648, 6) without padding and an upper-case address keep the QR in its alphanumeric
mode. Whether a code is fresh and unused is decided in Redis, by its clock, not here.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import re

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from itsdangerous import Signer
from itsdangerous.encoding import base64_decode
from itsdangerous.signer import SigningAlgorithm

from credentials.errors import RefusalError
from credentials.keyring import Keyring
from credentials.model import RotatingCode

REFRESH_SECONDS = 15
LIFE_SECONDS = 30
CODE_CHARACTERS = 52
ANY_PURPOSE = 0
_ID_BYTES, _TIME_BYTES, _BLOCK_BYTES, _TAG_BYTES = 8, 7, 16, 16
_CODE = re.compile(r"[0-9A-Za-z]{52}")
_CANONICAL = re.compile(r"[A-Z2-7]{51}[AQ]")
"""Base32 whose four bits beyond the 256 are zero."""
_DIGITS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHIJKLMNOPQRSTUV")
"""From RFC 4648's digits to those that `int` reads, six times as fast as `base64` does."""
_ADDRESS = re.compile(r"\A\S*/v/([^/?#\s]*)/?(?:[?#]\S*)?\Z", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True)
class Payload:
    """What a code carries: the credential, the moment of its making (µs), the purpose's index."""

    credential_id: str
    issued: int
    purpose: int = ANY_PURPOSE


class _ShortHmac(SigningAlgorithm):
    """HMAC-SHA256 cut to 128 bits (RFC 2104, 5), so that the QR stays small."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return hmac.digest(key, value, "sha256")[:_TAG_BYTES]


class _OwnSigner(Signer):
    """itsdangerous' signer, whose key is derived once and not for every signature."""

    def __init__(self, secret: bytes) -> None:
        super().__init__(
            secret,
            salt=b"rotating-code",
            key_derivation="hmac",
            digest_method=hashlib.sha256,
            algorithm=_ShortHmac(),
        )
        self._derived = super().derive_key()

    def holds(self, value: bytes, signature: bytes) -> bool:
        """Whether a signature that was not written in base64 is this signer's, in constant time."""
        return self.algorithm.verify_signature(self._derived, value, signature)

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        """The derived key; there is one secret."""
        del secret_key
        return self._derived


class _Key:
    """What one master key signs and seals with."""

    def __init__(self, keyring: Keyring, version: int) -> None:
        self.signer = _OwnSigner(keyring.derive(version, "rotating-code-signing"))
        secret = keyring.derive(version, "rotating-code-block")
        # One block, all of whose plain texts differ: a permutation is what is wanted.
        self.cipher = Cipher(algorithms.AES256(secret), modes.ECB())  # noqa: S305
        self._openers: list[CipherContext] = []

    def opened(self, block: bytes) -> bytes:
        """A block's plain text. ECB keeps nothing between blocks, so a context serves many."""
        opener = self._openers.pop() if self._openers else self.cipher.decryptor()
        plain = opener.update(block)
        self._openers.append(opener)
        return plain


class Codes:
    """Writes and reads codes for one public address."""

    def __init__(self, keyring: Keyring, address: str) -> None:
        self._keyring = keyring
        self._address = address.rstrip("/").upper()
        self._keys: dict[int, _Key] = {}

    def write(self, payload: Payload) -> str:
        """The 52 characters of a payload, under the current key."""
        key = self._key(self._keyring.current)
        plain = (
            bytes.fromhex(payload.credential_id)
            + payload.issued.to_bytes(_TIME_BYTES, "big")
            + bytes([payload.purpose])
        )
        encryptor = key.cipher.encryptor()
        block = encryptor.update(plain) + encryptor.finalize()
        tag = base64_decode(key.signer.get_signature(block))
        return base64.b32encode(block + tag).rstrip(b"=").decode()

    def rotating(self, payload: Payload, purpose: str | None) -> RotatingCode:
        """The code with its address and its times."""
        code = self.write(payload)
        issued_at = payload.issued / 1e6
        return RotatingCode(
            code=code,
            address=f"{self._address}/V/{code}",
            purpose=purpose,
            issued_at=issued_at,
            refresh_at=issued_at + REFRESH_SECONDS,
            expires_at=issued_at + LIFE_SECONDS,
        )

    def read(self, text: str) -> Payload:
        """What a bare code, or the whole address that a QR holds, carries.

        Letters' case and blanks around do not matter.

        Raises:
            RefusalError: malformed when it is no code at all; bad_signature when it looks like
                one, but no key of ours made it.
        """
        code = _bare(text)
        if not _CANONICAL.fullmatch(code):
            raise RefusalError("bad_signature")
        raw = (int(code.translate(_DIGITS), 32) >> 4).to_bytes(_BLOCK_BYTES + _TAG_BYTES, "big")
        block, tag = raw[:_BLOCK_BYTES], raw[_BLOCK_BYTES:]
        key = self._signed_by(block, tag, self._keyring.versions)
        if key is None and self._keyring.refresh():
            key = self._signed_by(block, tag, self._keyring.versions)
        if key is None:
            raise RefusalError("bad_signature")
        plain = key.opened(block)
        return Payload(
            credential_id=plain[:_ID_BYTES].hex(),
            issued=int.from_bytes(plain[_ID_BYTES : _ID_BYTES + _TIME_BYTES], "big"),
            purpose=plain[-1],
        )

    def _signed_by(self, block: bytes, tag: bytes, versions: tuple[int, ...]) -> _Key | None:
        for version in versions:
            key = self._key(version)
            if key.signer.holds(block, tag):
                return key
        return None

    def _key(self, version: int) -> _Key:
        key = self._keys.get(version)
        if key is None:
            key = self._keys[version] = _Key(self._keyring, version)
        return key


def _bare(text: str) -> str:
    stripped = text.strip()
    address = _ADDRESS.match(stripped)
    code = address[1] if address else stripped
    if not _CODE.fullmatch(code):
        raise RefusalError("malformed")
    return code.upper()
