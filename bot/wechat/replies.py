"""From a Reply to what answers a push: XML, or JSON where the push was JSON.

Our own renderer, because wechatpy's leaves `]]>` as it is, so that a person's own words
echoed back to them could add elements to the answer.
"""

from __future__ import annotations

import functools
import json
from urllib.parse import quote

from bot.wechat.crypto import Envelope
from bot.wechat.fields import clean
from bot.wechat.push import Push
from handlers.turn import Choices, HandOver, Link, Picture, Reply, Say

NOTHING = "success"  # the platform's word for "received, no answer"
LONGEST_TEXT = 2048  # bytes of UTF-8 in one text message
MOST_TITLE = 64
MOST_DESCRIPTION = 512

Value = str | int | list["Value"] | dict[str, "Value"]


def fit(text: str, most: int = LONGEST_TEXT) -> str:
    """The text, cut at a character with `…` if it has more than `most` bytes; never emptied."""
    text = clean(text)
    data = text.encode()
    if len(data) <= most:
        return text
    return data[: most - len("…".encode())].decode(errors="ignore") + "…"


def as_text(choices: Choices) -> str:
    """A question with its quick answers below it, each on a line, to tap or to type.

    The answer to a push cannot hold the platform's own menu message; its links in texts can be
    tapped all the same, and say the same.
    """
    below = _below(choices.answers)
    return fit(choices.text, LONGEST_TEXT - len(below.encode())) + below


@functools.lru_cache(maxsize=256)
def _below(answers: tuple[str, ...]) -> str:
    links = [
        f'<a href="weixin://bizmsgmenu?msgmenucontent={quote(answer)}&msgmenuid={number}">'
        f"{clean(answer)}</a>"
        for number, answer in enumerate(answers, start=1)
    ]
    return "\n".join(["", "", *links])


def render(reply: Reply | None, push: Push, now: int) -> str:
    """The answer to a push, or `success` where the platform takes none.

    A picture cannot be part of an answer before it is uploaded, which takes longer than an
    answer may: its words are given instead, and the picture belongs into the outbox.
    """
    content = _content(reply, push)
    if not content:
        return NOTHING
    table: dict[str, Value] = {
        "ToUserName": push.turn.holder.openid,
        "FromUserName": push.account,
        "CreateTime": now,
        **content,
    }
    return json.dumps(table, ensure_ascii=False) if push.is_json else _xml(table)


def seal(answer: str, envelope: Envelope, push: Push, now: int, nonce: str) -> str:
    """The answer as safe mode wants it; `success` goes as it is."""
    if answer == NOTHING:
        return answer
    encrypted, signature = envelope.close(answer, str(now), nonce)
    table: dict[str, Value] = {
        "Encrypt": encrypted,
        "MsgSignature": signature,
        "TimeStamp": now,
        "Nonce": nonce,
    }
    return json.dumps(table) if push.is_json else _xml(table)


def _content(reply: Reply | None, push: Push) -> dict[str, Value]:
    match reply:
        case Say(text):
            return _text(text)
        case Picture(instead=text):
            return _text(text)
        case Choices():
            return _text(as_text(reply))
        case Link():
            article: Value = {
                "Title": fit(reply.title, MOST_TITLE),
                "Description": fit(reply.description, MOST_DESCRIPTION),
                "PicUrl": "",
                "Url": clean(reply.url),
            }
            return {"MsgType": "news", "ArticleCount": 1, "Articles": [article]}
        case HandOver() if not push.is_event:
            return {"MsgType": "transfer_customer_service"}
        case _:
            return {}


def _text(text: str) -> dict[str, Value]:
    return {"MsgType": "text", "Content": fit(text)} if text.strip() else {}


def _xml(table: dict[str, Value]) -> str:
    return f"<xml>{_element(table)}</xml>"


def _element(value: Value) -> str:
    match value:
        case int():
            return str(value)
        case str():
            return "<![CDATA[" + clean(value).replace("]]>", "]]]]><![CDATA[>") + "]]>"
        case dict():
            return "".join(f"<{name}>{_element(inner)}</{name}>" for name, inner in value.items())
        case list():
            return "".join(f"<item>{_element(inner)}</item>" for inner in value)
