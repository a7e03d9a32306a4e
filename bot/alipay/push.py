"""From a pushed form to a Turn: every message and event of the life account in one table."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from bot.wechat import fields
from bot.wechat.crypto import BadPushError
from credentials.model import Holder
from handlers.turn import Kind, Turn

CHANNEL = "alipay"
MOST_PARAMETERS = 32
# GB 18030 holds all of GBK and GB 2312, and reads them the same.
CHARSETS = {"gbk": "gb18030", "gb2312": "gb18030", "gb18030": "gb18030", "utf-8": "utf-8"}

MESSAGES: Mapping[str, Kind] = {
    "text": Kind.TEXT,
    "image": Kind.IMAGE,
    "voice": Kind.VOICE,
    "video": Kind.VIDEO,
    "location": Kind.LOCATION,
    "link": Kind.LINK,
}
EVENTS: Mapping[str, Kind] = {
    "follow": Kind.FOLLOW,
    "unfollow": Kind.UNFOLLOW,
    "click": Kind.CLICK,
    "enter": Kind.SCAN,
}

# A user's id becomes part of a Redis key's hash tag, so a brace in one would move the key.
_USER = re.compile(r"[A-Za-z0-9_.+/=-]{1,128}", re.ASCII)
_TIME = re.compile(r"[0-9]{1,14}", re.ASCII)
_MILLISECONDS = 100_000_000_000  # as seconds, a year far beyond this product


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """A pushed form: its parameters as the bytes that were signed."""

    parameters: Mapping[bytes, bytes]

    @property
    def charset(self) -> str:
        """The name of the codec that its values are written in.

        Raises:
            BadPushError: when it is none of the platform's.
        """
        named = self.parameters.get(b"charset", b"GBK").decode("ascii", "replace").lower()
        if named not in CHARSETS:
            raise BadPushError("the charset is none of the platform's")
        return CHARSETS[named]

    def __getitem__(self, name: str) -> str:
        """A value as text; empty when there is none."""
        try:
            return self.parameters.get(name.encode(), b"").decode(self.charset)
        except UnicodeDecodeError:
            raise BadPushError("the form is not written in its charset") from None


@dataclasses.dataclass(frozen=True, slots=True)
class Push:
    """One push: the turn it is, for which account, and whether anybody said anything.

    `check` marks the platform's question whether this is the account's server.
    """

    turn: Turn
    app_id: str
    is_report: bool = False
    check: bool = False


def read_form(body: bytes) -> Form:
    """The parameters of `application/x-www-form-urlencoded`, each at most once.

    Raises:
        BadPushError: when it is no such form.
    """
    parameters: dict[bytes, bytes] = {}
    parts = body.split(b"&")
    if len(parts) > MOST_PARAMETERS:
        raise BadPushError("the form has too many fields")
    for part in parts:
        name, _, value = part.replace(b"+", b" ").partition(b"=")
        name = unquote_to_bytes(name)
        if name in parameters:
            raise BadPushError("the form has a field twice")
        parameters[name] = unquote_to_bytes(value)
    return Form(parameters)


def read(content: str) -> Push:
    """What the XML of `biz_content` says.

    Raises:
        BadPushError: when it is not a message or an event of the platform.
    """
    content = re.sub(r"^\s*<\?xml[^>]*\?>", "", content)  # it names the charset of the form
    table = fields.parse(content.encode("utf-8", "replace"))
    if content.lstrip().startswith("{"):
        raise BadPushError("the message is not XML")
    app_id, event = table.get("AppId", "").strip(), table.get("EventType", "").strip().lower()
    kind = table.get("MsgType", "").strip().lower()
    if event == "verifygw":
        return Push(Turn(Holder(CHANNEL, ""), Kind.OTHER), app_id, is_report=True, check=True)
    user = (table.get("FromAlipayUserId") or table.get("FromUserId", "")).strip()
    if not _USER.fullmatch(user):
        raise BadPushError("FromAlipayUserId is not a user")
    created = table.get("CreateTime", "").strip()
    if not _TIME.fullmatch(created):
        raise BadPushError("CreateTime is not a time")
    if not kind:
        raise BadPushError("the message has no MsgType")
    is_event = kind == "event"
    scene = _scene(table.get("ActionParam", ""))
    turn = Turn(
        holder=Holder(CHANNEL, user),
        kind=(EVENTS if is_event else MESSAGES).get(event if is_event else kind, Kind.OTHER),
        text=_text(table, event if is_event else "", scene),
        media_id=_of(table, kind.capitalize(), "MediaId"),
        at=_seconds(created),
        key=_key(table, user, created),
        extra={"type": event if is_event else kind},
    )
    # Entering the chat is no word of anybody's, unless a scanned code led there.
    nothing_said = is_event and (event not in EVENTS or (event == "enter" and not scene))
    return Push(turn, app_id, is_report=nothing_said)


def _of(table: Mapping[str, str], group: str, name: str) -> str:
    """A field that stands in a group of its kind, or alone."""
    return table.get(f"{group}.{name}") or table.get(name, "")


def _text(table: Mapping[str, str], event: str, scene: str) -> str:
    if event == "click":
        return table.get("ActionParam", "")
    if event:
        return scene
    return _of(table, "Text", "Content") or table.get("Text", "")


def _scene(action: str) -> str:
    """The scene of a scanned code: ActionParam is then `{"scene": {"sceneId": …}}`."""
    if not action.lstrip().startswith("{"):
        return ""
    try:
        found = json.loads(action)["scene"]["sceneId"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return fields.clean(str(found))


def _seconds(created: str) -> float:
    number = int(created)
    return number / 1000 if number >= _MILLISECONDS else float(number)


def _key(table: Mapping[str, str], user: str, created: str) -> str:
    """What a redelivery repeats."""
    message_id = table.get("MsgId", "").strip()
    parts = [message_id] if message_id else ["", table.get("EventType", "")]
    parts += [user, created, table.get("ActionParam", "")]
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:32]
