"""The bodies that the mini-program sends and is answered with, as pydantic models."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

Pin = Annotated[str, pydantic.StringConstraints(max_length=8)]


class _Sent(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Login(_Sent):
    """The code of `wx.login`."""

    js_code: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=512)]


class Code(_Sent):
    """What a code is for; without a purpose a scan may have to be approved."""

    purpose: Annotated[str, pydantic.StringConstraints(max_length=64)] | None = None
    pin: Pin = pydantic.Field(
        default="", description="Where the purpose needs it; good for one scan, two minutes."
    )


class Answer(_Sent):
    """The holder's answer to a request that waits."""

    answer: Literal["approve", "deny", "deny_freeze"]
    pin: Pin = pydantic.Field(default="", description="For an approval that needs it.")


class NotMe(_Sent):
    """A use of the history that was not the holder's."""

    verification_id: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=64)]


class Fingerprint(_Sent):
    """What `wx.startSoterAuthentication` gave."""

    json_string: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=4096)]
    json_signature: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=2048)]


class Token(pydantic.BaseModel):
    """A session of this mini-program."""

    token: str
    expires_in: int = pydantic.Field(description="Seconds.", examples=[900])


class Upgrade(pydantic.BaseModel):
    """An upgrade that is under way."""

    bound: list[Literal["chip", "fingerprint", "face"]]
    missing: list[Literal["chip", "fingerprint", "face"]]
    expires_in: int = pydantic.Field(description="Seconds.")


class PinInfo(pydantic.BaseModel):
    """How the PIN stands."""

    there: bool
    locked: bool
    settable: bool = pydantic.Field(description="Whether a new one may be set on the card page.")
    wait_minutes: int = pydantic.Field(description="Until a new one may be set, if it was begun.")


class Waiting(pydantic.BaseModel):
    """A request that waits for the holder."""

    id: str
    verifier: str
    desk: str
    purpose: str
    purpose_word: str
    fields: list[str] = pydantic.Field(description="In the language of Accept-Language.")
    number: int = pydantic.Field(description="Must be the desk's number.", ge=10, le=99)
    pin: bool = pydantic.Field(description="Whether an approval needs the PIN.")
    expires_in: float


class State(pydantic.BaseModel):
    """Everything that the first page shows."""

    change: int = pydantic.Field(description="Ask `/mini/state` again with it.")
    status: Literal["active", "frozen", "revoked", "expired"]
    can_unfreeze: bool = pydantic.Field(description="Whether the holder may: not what we froze.")
    level: Literal["light", "upgraded"]
    name_masked: str
    id_number_masked: str
    valid_until: str | None
    upgrade: Upgrade | None
    pin: PinInfo | None
    approval: Waiting | None


class PurposeInfo(pydantic.BaseModel):
    """One purpose."""

    name: str
    word: str
    fields: list[str]
    level: Literal["light", "upgraded"]
    pin: bool
    open: bool = pydantic.Field(description="Whether this card's level is enough.")


class RotatingCodeAnswer(pydantic.BaseModel):
    """A code; draw `address` as the QR. Times are seconds from now."""

    code: str
    address: str
    purpose: str
    refresh_in: float
    expires_in: float


class UseAnswer(pydantic.BaseModel):
    """One line of the history."""

    at: float
    kind: str
    what: str
    verifier: str
    desk: str
    purpose: str
    fields: list[str]
    verification_id: str


class BindingCodeAnswer(pydantic.BaseModel):
    """What to show at the terminal."""

    binding_code: str = pydantic.Field(examples=["20171225"])
    expires_in: int
    upgrade: Upgrade


class Challenge(pydantic.BaseModel):
    """What the fingerprint sensor signs."""

    challenge: str
    expires_in: int
