"""Who holds a phone, and what stands in its chat."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(slots=True)
class Person:
    """One phone's user, as the account knows them.

    Attributes:
        openid: the account's name for them.
        name: what the phone's owner calls the phone; the account never sees it.
        language: zh_CN or en, as the phone is set.
        visible: shown on the phone page; actors of tests and load are not.
        following: whether they follow the account.
        followed_at: when they did, in seconds since 1970.
        scene: the scene that brought them.
        message_left, message_until: customer messages that their last message allows.
        touch_left, touch_until: the same for their last click, follow or scan.
        last_message_at: when they last wrote.
        typing_until: until when the account is shown as typing.
        subscriptions: how many messages of each template they have agreed to.
        fingerprint_key: the phone's own signing key (PEM), made when first needed.
    """

    openid: str
    name: str
    language: str = "zh_CN"
    visible: bool = True
    following: bool = False
    followed_at: float = 0.0
    scene: str = ""
    message_left: int = 0
    message_until: float = 0.0
    touch_left: int = 0
    touch_until: float = 0.0
    last_message_at: float = 0.0
    typing_until: float = 0.0
    subscriptions: dict[str, int] = dataclasses.field(default_factory=dict)
    fingerprint_key: str = ""
    change: int = 0


@dataclasses.dataclass(slots=True)
class Message:
    """One thing in a chat.

    Attributes:
        id: grows over all chats.
        openid: whose chat.
        side: `person`, `account`, or `note` for what the platform itself says.
        kind: text, image, voice, video, location, link, news, msgmenu, template …
        content: what the kind needs; names as in the API's JSON.
        at: when, in seconds since 1970.
        state: of a person's message: `sending`, `delivered` or `lost`.
        change: the world's change at which it last changed.
    """

    id: int
    openid: str
    side: str
    kind: str
    content: dict[str, Any]
    at: float
    state: str = "delivered"
    change: int = 0
