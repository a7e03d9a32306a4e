"""An accredited terminal as an actor: reads cards, presses fingers, signs."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from typing import Protocol

from credentials.model import Level
from credentials.terminals import Terminals, sign
from credentials.upgrade import Upgrades


class Named(Protocol):
    """Whose card lies on the reader."""

    @property
    def name(self) -> str: ...

    @property
    def id_number(self) -> str: ...


@dataclasses.dataclass
class Kiosk:
    """A terminal with its private key."""

    upgrades: Upgrades
    terminal_id: str
    key: str

    @classmethod
    def accredited(cls, upgrades: Upgrades, terminals: Terminals, name: str = "Kiosk 1") -> Kiosk:
        terminal, key = terminals.add(name)
        return cls(upgrades, terminal.terminal_id, key)

    def session_request(self, code: str, **other: object) -> dict[str, object]:
        said = {
            "type": "terminal-session",
            "terminal": self.terminal_id,
            "binding_code": code,
            "time": int(time.time()),
        }
        return {**said, **other}

    def claims(self, code: str, **other: object) -> str:
        """Enter a binding code; the nonce."""
        said = self.session_request(code, **other)
        return self.upgrades.claim(said, sign(self.key, said))[0]

    def attestation(
        self, nonce: str, who: Named, finger: str = "matched", **other: object
    ) -> dict[str, object]:
        return {
            "type": "chip-attestation",
            "version": 1,
            "terminal": self.terminal_id,
            "session": nonce,
            "name": who.name,
            "id_number": who.id_number,
            "card_serial": "00A1B2C3D4E5F607",
            "valid_from": "2020-01-01",
            "valid_until": "2040-01-01",
            "portrait_sha256": hashlib.sha256(b"portrait").hexdigest(),
            "fingerprint": finger,
            "time": int(time.time()),
            **other,
        }

    def attests(self, said: dict[str, object]) -> Level:
        return self.upgrades.attest(said, sign(self.key, said))[0]

    def reads(self, code: str, who: Named, finger: str = "matched", **other: object) -> Level:
        """All of it: the code, the card, the finger."""
        return self.attests(self.attestation(self.claims(code), who, finger, **other))
