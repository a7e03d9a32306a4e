"""From the fields of a push to a Turn: every message and event of the platform in one table."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping

from bot.wechat import fields
from bot.wechat.crypto import BadPushError
from credentials.model import Holder
from handlers.turn import Kind, Turn

CHANNEL = "wechat"
SCENE_PREFIX = "qrscene_"

# An openid becomes part of a Redis key's hash tag, so a brace in one would move the key.
_OPENID = re.compile(r"[A-Za-z0-9_.@|=-]{1,128}", re.ASCII)
_TIME = re.compile(r"[0-9]{1,11}", re.ASCII)
_MESSAGE_ID = re.compile(r"[0-9]{1,20}", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """How one kind of push becomes a turn: which fields hold its text, its media and the rest."""

    kind: Kind
    text: str = ""
    media: str = ""
    extra: Mapping[str, str] = dataclasses.field(default_factory=dict)


MESSAGES: Mapping[str, Reading] = {
    "text": Reading(Kind.TEXT, "Content", extra={"menu_id": "bizmsgmenuid"}),
    "image": Reading(Kind.IMAGE, media="MediaId", extra={"address": "PicUrl"}),
    "voice": Reading(Kind.VOICE, "Recognition", "MediaId", {"format": "Format"}),
    "video": Reading(Kind.VIDEO, media="MediaId", extra={"thumbnail": "ThumbMediaId"}),
    "shortvideo": Reading(Kind.VIDEO, media="MediaId", extra={"thumbnail": "ThumbMediaId"}),
    "location": Reading(
        Kind.LOCATION,
        "Label",
        extra={"latitude": "Location_X", "longitude": "Location_Y", "scale": "Scale"},
    ),
    "link": Reading(
        Kind.LINK, "Url", extra={"title": "Title", "description": "Description", "url": "Url"}
    ),
}
EVENTS: Mapping[str, Reading] = {
    "subscribe": Reading(Kind.FOLLOW, "EventKey", extra={"ticket": "Ticket"}),
    "unsubscribe": Reading(Kind.UNFOLLOW),
    "scan": Reading(Kind.SCAN, "EventKey", extra={"ticket": "Ticket"}),
    "click": Reading(Kind.CLICK, "EventKey"),
    "scancode_waitmsg": Reading(
        Kind.SCAN,
        "ScanCodeInfo.ScanResult",
        extra={"menu_key": "EventKey", "scan_type": "ScanCodeInfo.ScanType"},
    ),
}


# What the platform only reports, with the fields that are worth a line in the log.
REPORTS: Mapping[str, Mapping[str, str]] = {
    "view": {},
    "location": {},
    "templatesendjobfinish": {"status": "Status", "message": "MsgID"},
    "subscribe_msg_popup_event": {
        "status": "SubscribeMsgPopupEvent.List.SubscribeStatusString",
        "template": "SubscribeMsgPopupEvent.List.TemplateId",
    },
    "subscribe_msg_change_event": {"status": "SubscribeMsgChangeEvent.List.SubscribeStatusString"},
    "subscribe_msg_sent_event": {"status": "SubscribeMsgSentEvent.List.ErrorStatus"},
}
KNOWN = frozenset((*MESSAGES, *EVENTS, *REPORTS))


@dataclasses.dataclass(frozen=True, slots=True)
class Push:
    """One push: the turn it is, and what an answer to it needs.

    Attributes:
        turn: what the person sent or did.
        account: the official account's own id, which answers come from.
        is_event: whether it is an event; an event cannot be handed over to human service.
        is_report: whether the platform only reports (a link opened, a template delivered, an
            event unknown here): nobody said anything, so nobody is answered.
        is_json: whether the answer must be JSON.
    """

    turn: Turn
    account: str
    is_event: bool = False
    is_report: bool = False
    is_json: bool = False


def read(body: bytes) -> Push:
    """What a decrypted (or plain) body says.

    Raises:
        BadPushError: when it is not a message or an event of the platform.
    """
    table = fields.parse(body)
    openid = table.get("FromUserName", "").strip()
    if not _OPENID.fullmatch(openid):
        raise BadPushError("FromUserName is not an openid")
    time = table.get("CreateTime", "").strip()
    if not _TIME.fullmatch(time):
        raise BadPushError("CreateTime is not a time")
    kind = table.get("MsgType", "").strip().lower()
    if not kind:
        raise BadPushError("the message has no MsgType")
    event = table.get("Event", "").strip().lower() if kind == "event" else ""
    reading = (EVENTS if event else MESSAGES).get(event or kind, Reading(Kind.OTHER))
    text = table.get(reading.text, "")
    if event == "subscribe":
        text = text.removeprefix(SCENE_PREFIX)
    fields_of = reading.extra or REPORTS.get(event, {})
    extra = {name: table[field] for name, field in fields_of.items() if table.get(field)}
    turn = Turn(
        holder=Holder(CHANNEL, openid),
        kind=reading.kind,
        text=text,
        media_id=table.get(reading.media, ""),
        at=float(time),
        key=_key(table, openid, time, kind),
        extra={"type": event or kind} | extra,
    )
    return Push(
        turn,
        account=table.get("ToUserName", ""),
        is_event=kind == "event",
        is_report=kind == "event" and event not in EVENTS,
        is_json=fields.is_json(body),
    )


def _key(table: Mapping[str, str], openid: str, time: str, kind: str) -> str:
    """What a redelivery repeats: the MsgId, or what the platform's documentation says instead."""
    message_id = table.get("MsgId", "").strip()
    if _MESSAGE_ID.fullmatch(message_id) and kind != "event":
        return message_id
    parts = [openid, time, table.get("Event", ""), table.get("EventKey", "")]
    if kind != "event":
        parts += [kind, table.get("Content", ""), table.get("MediaId", "")]
    joined = "\x00".join(parts).encode()  # a character that no field can hold
    return hashlib.sha256(joined).hexdigest()[:32]
