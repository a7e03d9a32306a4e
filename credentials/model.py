"""The words of the card as types: what the services of this package take and give."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Mapping
from typing import Final


class Level(enum.StrEnum):
    """How firmly a card is bound to its holder."""

    LIGHT = "light"
    UPGRADED = "upgraded"


class Status(enum.StrEnum):
    """Where a credential is in its life; it moves only along the arrows of `lifecycle.py`."""

    PENDING = "pending"
    ACTIVE = "active"
    FROZEN = "frozen"
    REVOKED = "revoked"
    EXPIRED = "expired"


class State(enum.StrEnum):
    """How a verification stands."""

    ACCEPTED = "accepted"
    AWAITING_HOLDER = "awaiting_holder"
    DENIED = "denied"


CHANNELS: Final = ("wechat", "alipay")
"""The messaging accounts that a card can be in."""


@dataclasses.dataclass(frozen=True, slots=True)
class Holder:
    """One account of one of `CHANNELS`: `wechat` and the openid."""

    channel: str
    openid: str

    @property
    def tag(self) -> str:
        """The Redis hash tag of everything that belongs to this account: `{wechat:oABC}`."""
        return f"{{{self.channel}:{self.openid}}}"


@dataclasses.dataclass(frozen=True, slots=True)
class Person:
    """What the authority says of one person.

    `portrait` is a JPEG or PNG file; `residence` the six-digit division code (GB/T 2260) of the
    registered residence; `valid_until` None means a card without an end date (GB 11643 holders
    over 46 receive such cards).
    """

    name: str
    id_number: str
    residence: str
    address: str
    valid_until: datetime.date | None
    portrait: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Consent:
    """What a person agreed to: `data` or `face`, in which wording, when (seconds since 1970)."""

    kind: str
    version: str
    at: float


@dataclasses.dataclass(frozen=True, slots=True)
class Actor:
    """Who caused a change: kind `holder`, `operator`, `staff`, `verifier` or `system`."""

    kind: str
    name: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Card:
    """What a holder, or an operator, may see of a credential at a glance.

    `change` grows with every change of the record; a page asks again with it. `frozen_by` is the
    kind of the actor who froze it, "" while it is not frozen.
    """

    credential_id: str
    holder: Holder
    status: Status
    level: Level
    name_masked: str
    id_number_masked: str
    issued_at: float
    valid_until: datetime.date | None
    change: int
    frozen_by: str = ""

    @property
    def frozen_by_issuer(self) -> bool:
        """Whether it is frozen, and not by the holder, who therefore cannot unfreeze it."""
        return self.status is Status.FROZEN and self.frozen_by != "holder"


@dataclasses.dataclass(frozen=True, slots=True)
class RotatingCode:
    """One code: its 52 characters, the address in the QR, its times (Redis's, in seconds)."""

    code: str
    address: str
    purpose: str | None
    issued_at: float
    refresh_at: float
    expires_at: float


@dataclasses.dataclass(frozen=True, slots=True)
class Decided:
    """A verification as its record says: whose card, who asked, where, what for, the outcome."""

    verification_id: str
    credential_id: str
    verifier_id: str
    desk: str
    purpose: str
    state: State

    @classmethod
    def read(
        cls, verification_id: str, fields: Mapping[str, bytes], state: State | None = None
    ) -> Decided:
        """From the fields of a verification's record; with `state`, as it was then."""
        return cls(
            verification_id=verification_id,
            credential_id=fields["c"].decode(),
            verifier_id=fields["vr"].decode(),
            desk=fields["dk"].decode(),
            purpose=fields["pu"].decode(),
            state=state or State(fields["st"].decode()),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Use:
    """One line of a holder's history: what happened, who asked, which fields (names only)."""

    at: float
    kind: str
    verifier: str = ""
    desk: str = ""
    purpose: str = ""
    fields: tuple[str, ...] = ()
    verification_id: str = ""
    detail: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Approval:
    """A disclosure that waits for the holder: who asks, where, what for, which fields."""

    verification_id: str
    verifier: str
    desk: str
    purpose: str
    fields: tuple[str, ...]
    number: int
    expires_at: float


@dataclasses.dataclass(frozen=True, slots=True)
class Verification:
    """One scan and its outcome. `attributes` is empty unless the state is accepted.

    `number` is the two-digit number (10 to 99) that the desk and the holder both see while it
    waits; `expires_at` the end of that waiting.
    """

    verification_id: str
    state: State
    level: Level
    purpose: str
    attributes: Mapping[str, object]
    verified_at: float
    number: int | None = None
    expires_at: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Verifier:
    """An organisation that may scan, and the purposes that it was granted."""

    verifier_id: str
    name: str
    purposes: tuple[str, ...]
    blocked: bool = False
    division: str = ""
