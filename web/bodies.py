"""The bodies of the verifier API as pydantic models; `/openapi.json` is generated from them."""

from __future__ import annotations

import datetime
import uuid
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from credentials.model import Verification

LONGEST_CODE = 512


class VerificationRequest(BaseModel):
    """One scan."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_CODE)] = Field(
        description="What the QR held: the bare rotating code, or the whole address around it.",
        examples=["http://127.0.0.1:8000/v/MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43UOV3HO6DZPIYDCMRTGQ2Q"],
    )
    purpose: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(
        description="What the card is asked for; one of the purposes granted to this key.",
        examples=["hotel"],
    )
    request_id: uuid.UUID | None = Field(
        default=None,
        description="A UUID of yours for this scan. Sent again, it gives the same answer "
        "instead of `already_used`, so a request whose answer was lost can be repeated.",
        examples=["0b6f1a5e-3d53-4a8e-9a57-0c2a1e6f9d11"],
    )


class VerificationAnswer(BaseModel):
    """A verification as it stands."""

    verification_id: str = Field(examples=["0424d3f8a1b2c3d4e5f6"])
    state: Literal["accepted", "awaiting_holder", "denied"] = Field(
        description="`awaiting_holder`: the holder is being asked on their phone; ask again "
        "each second until `expires_at`."
    )
    level: Literal["light", "upgraded"]
    purpose: str = Field(examples=["internet_cafe"])
    attributes: dict[str, object] = Field(
        description="What the purpose discloses; empty unless the state is `accepted`. "
        "`portrait` is a JPEG in base64, dates are YYYY-MM-DD.",
        examples=[{"age_over_18": True, "name_masked": "张*"}],
    )
    verified_at: datetime.datetime
    number: int | None = Field(
        default=None,
        ge=10,
        le=99,
        description="While waiting: the number that the holder's phone shows too.",
    )
    expires_at: datetime.datetime | None = Field(
        default=None, description="While waiting: when the holder can no longer approve."
    )


class FieldError(BaseModel):
    """One thing that is wrong with the body."""

    pointer: str = Field(description="JSON pointer (RFC 6901) to the field", examples=["/code"])
    code: str = Field(examples=["string_too_long"])


class Problem(BaseModel):
    """A refusal (RFC 9457)."""

    type: str = Field(examples=["urn:virtual-identity-card:problem:already_used"])
    title: str = Field(examples=["Already used"])
    status: int = Field(examples=[409])
    code: str = Field(description="Stable; decide by this.", examples=["already_used"])
    detail: str = Field(description="For people, in the language of Accept-Language.")
    instance: str = Field(examples=["/api/v1/verifications"])
    errors: list[FieldError] | None = None


def answer_of(verification: Verification) -> bytes:
    """The JSON of one verification; what is not known is left out.

    Nothing in it is anybody else's input, so it is written and not checked first.
    """
    return (
        VerificationAnswer.model_construct(
            verification_id=verification.verification_id,
            state=verification.state.value,
            level=verification.level.value,
            purpose=verification.purpose,
            attributes=dict(verification.attributes),
            verified_at=_time(verification.verified_at),
            number=verification.number,
            expires_at=None if verification.expires_at is None else _time(verification.expires_at),
        )
        .model_dump_json(exclude_none=True)
        .encode()
    )


def _time(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(round(seconds, 3), datetime.UTC)
