"""What the account says, as it stands in the chat: replies and customer messages alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.platform.errors import ApiError
from simulator.platform.media import Media
from simulator.platform.world import World

NOTICE = "该公众号暂时无法提供服务，请稍后再试"
HANDED_OVER = "已转接人工客服"


class Chat:
    """Writes the account's messages into chats."""

    def __init__(self, world: World, media: Media) -> None:
        self._world = world
        self._media = media

    def show(self, openid: str, kind: str, content: dict[str, Any]) -> None:
        """Put a message of the account into a chat; its media must be known.

        Raises:
            ApiError: 40007 when they are not.
        """
        for name in ("media_id", "thumb_media_id"):
            if content.get(name):
                self._media.get(str(content[name]))
        self._world.write(openid, "account", kind, content)

    def show_reply(self, openid: str, reply: Mapping[str, Any]) -> None:
        """Put a passive reply into a chat.

        Raises:
            ApiError: 40007.
        """
        kind = str(reply["MsgType"])
        if kind == "transfer_customer_service":
            self.note(openid, HANDED_OVER)
            return
        self.show(openid, kind, _content(kind, reply))

    def note(self, openid: str, text: str) -> None:
        """Put a line of the platform's own into a chat."""
        self._world.write(openid, "note", "note", {"text": text})


def _content(kind: str, reply: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "text":
        return {"content": reply["Content"]}
    if kind in {"image", "voice"}:
        return {"media_id": _inner(reply, kind.capitalize(), "MediaId")}
    if kind == "video":
        return {
            "media_id": _inner(reply, "Video", "MediaId"),
            "title": _inner(reply, "Video", "Title"),
        }
    if kind == "music":
        return {
            "title": _inner(reply, "Music", "Title"),
            "description": _inner(reply, "Music", "Description"),
            "url": _inner(reply, "Music", "MusicUrl"),
        }
    articles = reply["Articles"]
    items = articles.get("item", []) if isinstance(articles, Mapping) else articles
    return {
        "articles": [
            {
                "title": item.get("Title", ""),
                "description": item.get("Description", ""),
                "url": item.get("Url", ""),
                "picurl": item.get("PicUrl", ""),
            }
            for item in (items if isinstance(items, list) else [items])
            if isinstance(item, Mapping)
        ]
    }


def _inner(reply: Mapping[str, Any], outer: str, name: str) -> str:
    inside = reply.get(outer)
    return str(inside.get(name, "")) if isinstance(inside, Mapping) else ""


def checked_content(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a customer message, as the API's JSON gives it.

    Raises:
        ApiError: 40008 for an unknown kind, 44004 and 45002 for a text, 41006 for media, 45008
            for news of more than one article, 40035 for what else is missing.
    """
    inside = body.get(kind)
    if kind not in {"text", "image", "voice", "video", "news", "msgmenu"}:
        raise ApiError(40008)
    if not isinstance(inside, dict):
        raise ApiError(40035, kind)
    if kind == "text":
        text = inside.get("content")
        if not isinstance(text, str) or not text:
            raise ApiError(44004)
        if len(text.encode()) > 2048:
            raise ApiError(45002)
    if kind in {"image", "voice", "video"} and not inside.get("media_id"):
        raise ApiError(41006)
    if kind == "news":
        _check_articles(inside.get("articles"))
    if kind == "msgmenu":
        _check_choices(inside.get("list"))
    return dict(inside)


def _check_articles(articles: object) -> None:
    if not isinstance(articles, list) or not articles:
        raise ApiError(40035, "articles")
    if len(articles) > 1:
        raise ApiError(45008)


def _check_choices(choices: object) -> None:
    if not isinstance(choices, list) or not choices:
        raise ApiError(40035, "list")
    for choice in choices:
        if not isinstance(choice, dict) or not choice.get("id") or not choice.get("content"):
            raise ApiError(40035, "list")
