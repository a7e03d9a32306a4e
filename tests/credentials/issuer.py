"""Actors of the tests: an issuer on a real Redis, phones that show codes, desks that scan them."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import functools
import io
from collections.abc import Callable, Mapping

import redis
from PIL import Image

from credentials.audit import Audit, Finding
from credentials.cards import Cards
from credentials.codes import ANY_PURPOSE, Codes, Payload
from credentials.errors import RefusalError
from credentials.keyring import Keyring
from credentials.limits import Limits
from credentials.model import (
    Actor,
    Approval,
    Card,
    Consent,
    Holder,
    Person,
    Status,
    Verification,
    Verifier,
)
from credentials.pins import Pins
from credentials.purposes import PURPOSES
from credentials.receipts import Receipt, Receipts
from credentials.sealing import BlindIndex, Sealer
from credentials.store import Store
from credentials.terminals import Terminals
from credentials.upgrade import Upgrades
from credentials.verification import Verifications
from tests.credentials.kiosk import Kiosk

ADDRESS = "https://card.example.gov.cn"
CONSENTS = (
    Consent("data", "2024-01", 1_700_000_000.0),
    Consent("face", "2024-01", 1_700_000_001.0),
)
HOLDER = Actor("holder")
PIN = "274906"
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def ring(*versions: int) -> Keyring:
    """A ring of keys that anybody could guess, the first version current."""
    return Keyring.from_entries(
        f"{version}:{base64.b64encode(bytes([version]) * 32).decode()}"
        for version in versions or (1,)
    )


def id_number(sequence: int = 1, birth: str = "19900307", division: str = "440115") -> str:
    """A number with its check character (GB 11643, ISO 7064 MOD 11-2)."""
    body = f"{division}{birth}{sequence:03d}"
    total = sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True))
    return body + "10X98765432"[total % 11]


@functools.cache
def picture(size: tuple[int, int] = (480, 640)) -> bytes:
    """A JPEG file that no compression makes very small."""
    noise = Image.effect_noise((size[0] // 8, size[1] // 8), 60).resize(size)
    buffer = io.BytesIO()
    noise.convert("RGB").save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def person(sequence: int = 1, name: str = "张三丰", **other: object) -> Person:
    """Somebody whom the authority knows."""
    known: dict[str, object] = {
        "name": name,
        "id_number": id_number(sequence),
        "residence": "440115",
        "address": "广东省广州市南沙区进港大道8号201室",
        "valid_until": datetime.date(2040, 1, 1),
        "portrait": picture(),
    }
    return Person(**{**known, **other})  # type: ignore[arg-type]


@dataclasses.dataclass
class Phone:
    """A holder with the card in hand."""

    issuer: Issuer
    holder: Holder
    credential_id: str

    def show(self, purpose: str | None = None, pin: str = "") -> str:
        return self.issuer.cards.mint(self.holder, purpose, pin).code

    def showed(self, seconds_ago: float, purpose: str | None = None) -> str:
        """A code as it was made some seconds ago."""
        now = self.issuer.store.glance(self.credential_id).now
        index = PURPOSES[purpose].index if purpose else ANY_PURPOSE
        issued = round(now - seconds_ago * 1e6)
        return self.issuer.codes.write(Payload(self.credential_id, issued, index))

    def freeze(self) -> Card:
        return self.issuer.cards.freeze(self.credential_id, HOLDER)

    def unfreeze(self) -> Card:
        return self.issuer.cards.unfreeze(self.credential_id, HOLDER)

    def asked(self) -> Approval:
        pending = self.issuer.cards.state(self.holder).pending
        assert pending is not None
        return pending

    def approve(self, pin: str = "") -> None:
        self.issuer.verifications.approve(self.holder, self.asked().verification_id, pin)

    def upgrade(self, who: Person | None = None, pin: str = PIN) -> None:
        """Chip and finger at a terminal, then the face, then the PIN."""
        issuer = self.issuer
        kiosk = Kiosk.accredited(issuer.upgrades, issuer.terminals)
        kiosk.reads(issuer.upgrades.binding_code(self.holder).digits, who or person())
        issuer.upgrades.face(self.holder, {"distance": "0.31"})
        if pin:
            issuer.pins.set(self.holder, pin)

    def history(self) -> list[str]:
        return [use.kind for use in self.issuer.cards.history(self.credential_id)]


@dataclasses.dataclass
class Desk:
    """A verifier's scanning place."""

    issuer: Issuer
    verifier: Verifier
    name: str = "Front desk"

    def scan(self, code: str, purpose: str, request_id: str | None = None) -> Verification:
        return self.issuer.verifications.verify(self.verifier, self.name, code, purpose, request_id)

    def refused(self, code: str, purpose: str, request_id: str | None = None) -> str:
        """The code of the refusal; an answer is a failure."""
        return refusal(lambda: self.scan(code, purpose, request_id))

    def look(self, verification: Verification) -> Verification:
        return self.issuer.verifications.look(self.verifier, verification.verification_id)


class Issuer:
    """An issuer, complete, on one Redis."""

    def __init__(self, database: redis.Redis, keyring: Keyring | None = None) -> None:
        self.database = database
        self.keyring = keyring or ring()
        self.store = Store(database)
        self.sealer = Sealer(self.keyring)
        self.index = BlindIndex(database, self.sealer)
        self.codes = Codes(self.keyring, ADDRESS)
        self._told: list[Receipt] = []
        self.cards = Cards(self.store, self.sealer, self.index, self.codes)
        self.verifications = Verifications(self.store, self.sealer, self.codes)
        self.waiting = Receipts(self.store, self.sealer)
        self.audit = Audit(self.store, self.keyring)
        self.pins = Pins(self.store, self.sealer)
        self.terminals = Terminals(database)
        self.upgrades = Upgrades(
            self.store, self.sealer, self.index, self.terminals, Limits(database)
        )

    @property
    def receipts(self) -> list[Receipt]:
        """What holders were told, oldest first."""
        self.waiting.pass_on("test", self._told.extend)
        return self._told

    def issue(self, who: Person, openid: str = "oAnna") -> Card:
        evidence: Mapping[str, str] = {"liveness": "unsafe-none", "distance": "0.41"}
        return self.cards.issue(Holder("wechat", openid), who, CONSENTS, evidence=evidence)

    def phone(self, sequence: int = 1, **other: object) -> Phone:
        card = self.issue(person(sequence, **other), f"oPhone{sequence}")  # type: ignore[arg-type]
        return Phone(self, card.holder, card.credential_id)

    def desk(self, *purposes: str, name: str = "Seaside Hotel", number: int = 1) -> Desk:
        granted = purposes or tuple(PURPOSES)
        return Desk(self, Verifier(f"{number:012x}", name, granted))

    def credential_ids(self, *statuses: Status) -> list[str]:
        """The ids of all credentials, or of those whose record says one of these statuses."""
        found: list[bytes] = list(self.database.scan_iter(match="{b*}:c:*"))
        wanted = {status.encode() for status in statuses or Status}
        return [
            key.decode().rpartition(":")[2]
            for key in found
            if self.database.hget(key, "s") in wanted
        ]

    def findings(self) -> list[Finding]:
        """What a check of all chains finds."""
        return [step.finding for step in self.audit.verify() if step.finding]


def refusal(act: Callable[[], object]) -> str:
    """The code of the refusal that an act must meet."""
    try:
        outcome = act()
    except RefusalError as error:
        return error.code
    raise AssertionError(f"not refused: {outcome}")
