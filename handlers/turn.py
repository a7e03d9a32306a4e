"""What arrives from a person and what goes back, whichever channel carries it."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping

from credentials.model import Holder


class Kind(enum.StrEnum):
    """What a turn is."""

    TEXT = "text"
    IMAGE = "image"
    VOICE = "voice"
    VIDEO = "video"
    LOCATION = "location"
    LINK = "link"
    CLICK = "click"
    SCAN = "scan"
    FOLLOW = "follow"
    UNFOLLOW = "unfollow"
    OTHER = "other"
    RESULT = "result"  # not from the person: a work's outcome coming back to the conversation


@dataclasses.dataclass(frozen=True, slots=True)
class Turn:
    """One thing that a person sent or did, or the outcome of a work.

    Attributes:
        holder: whose turn it is.
        kind: what arrived.
        text: what was written, spoken text recognised by the platform, a clicked menu key, a
            scene, or the outcome's name of a RESULT.
        media_id: the platform's handle of a photo or video.
        at: when, in seconds since 1970, by the platform's clock.
        key: what makes it recognisable when the platform delivers it again.
        extra: everything else that a kind carries.
    """

    holder: Holder
    kind: Kind
    text: str = ""
    media_id: str = ""
    at: float = 0.0
    key: str = ""
    extra: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Say:
    """A text for a person."""

    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """A picture for a person: a PNG or JPEG file; `instead` is said where it cannot be sent."""

    image: bytes
    instead: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """A link shown as a little card."""

    title: str
    description: str
    url: str


@dataclasses.dataclass(frozen=True, slots=True)
class Choices:
    """A question with quick answers: the words that a tap sends back.

    `asks` is the id of the verification whose approval it asks for, if it does.
    """

    text: str
    answers: tuple[str, ...]
    asks: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class HandOver:
    """The platform's own human service takes the talk."""


Reply = Say | Picture | Link | Choices | HandOver
