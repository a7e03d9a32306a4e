"""Terminals: accredited readers of the physical card's chip, each with a key of its own.

A terminal signs what it says (Ed25519, RFC 8032) over canonical JSON: keys in order, no blanks,
UTF-8, no numbers but whole ones (RFC 8785 gives the same bytes for such). The private key is
shown once and kept nowhere here; Redis holds the public one.

| key | holds |
|---|---|
| `{terminals}` | hash: the name of each terminal by id |
| `{terminal:<id>}` | hash: n name, k public key (base64), x disabled, t since |
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import re
import secrets
import time
from collections.abc import Mapping

import redis
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from credentials.errors import CredentialError, RefusalError
from credentials.hashes import Fields, read, read_many, write

NAMES = "{terminals}"
LONGEST_NAME = 60
SIGNATURE_BYTES = 64
_TERMINAL_ID = re.compile(r"t[0-9a-f]{12}")


class TerminalError(CredentialError):
    """What a terminal cannot be accredited or found with: bad_terminal_name, unknown_terminal."""

    code = "unknown_terminal"


@dataclasses.dataclass(frozen=True, slots=True)
class Terminal:
    """An accredited terminal; `public_key` is base64 of 32 bytes."""

    terminal_id: str
    name: str
    public_key: str
    disabled: bool = False


class Terminals:
    """The accredited terminals; every method raises UnavailableError when Redis cannot be asked."""

    def __init__(self, database: redis.Redis) -> None:
        self._database = database

    def add(self, name: str) -> tuple[Terminal, str]:
        """Accredit a terminal; gives it and its private key (base64), which is kept nowhere.

        Raises:
            TerminalError: bad_terminal_name.
        """
        tidy = " ".join(name.split())
        if not tidy or len(tidy) > LONGEST_NAME or not tidy.isprintable():
            raise TerminalError("bad_terminal_name", limit=LONGEST_NAME)
        key = Ed25519PrivateKey.generate()
        public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
        terminal = Terminal("t" + secrets.token_hex(6), tidy, public)
        # Listed first: a terminal that is listed and holds no record is passed over.
        write(self._database, NAMES, {terminal.terminal_id: tidy})
        fields: dict[str, str | int] = {"n": tidy, "k": public, "x": 0, "t": int(time.time())}
        write(self._database, _place(terminal.terminal_id), {**fields})
        return terminal, base64.b64encode(key.private_bytes_raw()).decode()

    def get(self, terminal_id: str) -> Terminal | None:
        """The terminal with this id."""
        if not _TERMINAL_ID.fullmatch(terminal_id):
            return None
        fields = read(self._database, _place(terminal_id))
        return _terminal(terminal_id, fields) if fields else None

    def all(self) -> list[Terminal]:
        """Every terminal, by name."""
        ids = [terminal_id.decode() for terminal_id in read(self._database, NAMES)]
        records = read_many(self._database, map(_place, ids))
        found = [
            _terminal(terminal_id, fields)
            for terminal_id, fields in zip(ids, records, strict=True)
            if fields
        ]
        return sorted(found, key=lambda terminal: (terminal.name, terminal.terminal_id))

    def disable(self, terminal_id: str, *, disabled: bool = True) -> Terminal:
        """Believe nothing more of what a terminal says, or believe it again.

        Raises:
            TerminalError: unknown_terminal.
        """
        known = self.get(terminal_id)
        if known is None:
            raise TerminalError("unknown_terminal", name=terminal_id[:40])
        write(self._database, _place(terminal_id), {"x": int(disabled)})
        return dataclasses.replace(known, disabled=disabled)

    def authenticate(
        self, terminal_id: str, said: Mapping[str, object], signature: str
    ) -> Terminal:
        """The terminal that signed what is said.

        Raises:
            RefusalError: unauthenticated for a terminal that is unknown or disabled;
                bad_signature when it did not sign this.
        """
        terminal = self.get(terminal_id)
        if terminal is None or terminal.disabled:
            raise RefusalError("unauthenticated")
        try:
            signed = base64.b64decode(signature, validate=True)
            public = Ed25519PublicKey.from_public_bytes(base64.b64decode(terminal.public_key))
            public.verify(signed, canonical(said))
        except (binascii.Error, ValueError, InvalidSignature):
            raise RefusalError("bad_signature") from None
        return terminal


def canonical(said: Mapping[str, object]) -> bytes:
    """The bytes that are signed: JSON with its keys in order and no blanks, in UTF-8."""
    text = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()


def sign(private_key: str, said: Mapping[str, object]) -> str:
    """What a terminal does with its key (base64 of 32 bytes); base64 of 64 bytes."""
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(private_key))
    return base64.b64encode(key.sign(canonical(said))).decode()


def _terminal(terminal_id: str, fields: Fields) -> Terminal:
    return Terminal(
        terminal_id=terminal_id,
        name=fields.get(b"n", b"").decode(),
        public_key=fields.get(b"k", b"").decode(),
        disabled=fields.get(b"x", b"1") != b"0",
    )


def _place(terminal_id: str) -> str:
    return f"{{terminal:{terminal_id}}}"
