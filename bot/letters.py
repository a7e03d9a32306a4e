"""Messages as they are written down: to JSON and back, and the ones that never arrive."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping
from typing import Any

from bot.transcripts import mask
from credentials.model import Holder
from handlers.turn import Choices, HandOver, Link, Picture, Reply, Say


@dataclasses.dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that a person will not receive, why, and when that was decided.

    `given` is what its words may repeat of the person, as `transcripts.given_of` has it.
    """

    holder: Holder
    reply: Reply
    reason: str
    at: float
    given: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def words(self) -> str:
        """What it said, without ID numbers and without what was given: for operators."""
        match self.reply:
            case Say(text) | Choices(text, _) | Picture(_, text):
                return mask(text, self.given)
            case Link(title, description, _):
                return mask(f"{title} {description}".strip(), self.given)
        return ""

    def to_json(self) -> dict[str, Any]:
        """The letter as JSON."""
        return {
            "channel": self.holder.channel,
            "openid": self.holder.openid,
            "reply": to_json(self.reply),
            "reason": self.reason,
            "at": self.at,
            "given": dict(self.given),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DeadLetter:
        """The letter that `to_json` wrote."""
        holder = Holder(value["channel"], value["openid"])
        reply = from_json(value["reply"])
        return cls(holder, reply, value["reason"], value["at"], value.get("given", {}))


def to_json(reply: Reply) -> dict[str, Any]:
    """A message as JSON."""
    match reply:
        case Say(text):
            return {"kind": "say", "text": text}
        case Picture(image, instead):
            encoded = base64.b64encode(image).decode()
            return {"kind": "picture", "image": encoded, "instead": instead}
        case Link(title, description, url):
            return {"kind": "link", "title": title, "description": description, "url": url}
        case Choices(text, answers, asks):
            return {"kind": "choices", "text": text, "answers": list(answers), "asks": asks}
        case HandOver():
            return {"kind": "hand_over"}


def from_json(value: Mapping[str, Any]) -> Reply:
    """The message that `to_json` wrote."""
    match value["kind"]:
        case "say":
            return Say(value["text"])
        case "picture":
            return Picture(base64.b64decode(value["image"]), value["instead"])
        case "link":
            return Link(value["title"], value["description"], value["url"])
        case "choices":
            return Choices(value["text"], tuple(value["answers"]), value["asks"])
        case _:
            return HandOver()
