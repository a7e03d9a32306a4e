"""Messages outside of a push's answer: customer service, typing, templates, subscriptions."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from simulator.platform import quota
from simulator.platform.api.wrap import fine, posted, text_of
from simulator.platform.chat import checked_content
from simulator.platform.core import Platform
from simulator.platform.errors import ApiError


def add(api: Blueprint, platform: Platform) -> None:
    """Message endpoints."""

    @api.post("/cgi-bin/message/custom/send")
    def custom_send() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        body = posted()
        openid, kind = text_of(body, "touser"), text_of(body, "msgtype")
        platform.world.person(openid)
        content = checked_content(kind, body)
        if content.get("media_id"):
            platform.media.get(str(content["media_id"]))
        quota.spend(platform.world, openid)
        platform.chat.show(openid, kind, content)
        return fine()

    @api.post("/cgi-bin/message/custom/typing")
    def typing() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        body = posted()
        quota.typing(platform.world, text_of(body, "touser"), text_of(body, "command"))
        return fine()

    @api.post("/cgi-bin/message/template/send")
    def template_send() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        body = posted()
        person = platform.world.person(text_of(body, "touser"))
        if not text_of(body, "template_id"):
            raise ApiError(40037)
        if not person.following:
            raise ApiError(43004)
        platform.chat.show(person.openid, "template", _template(body, text_of(body, "url")))
        number = platform.world.next_id()
        platform.hand.template_done(person.openid, number, "success")
        return fine(msgid=number)

    @api.post("/cgi-bin/message/subscribe/bizsend")
    def subscribe_send() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        body = posted()
        template_id = text_of(body, "template_id")
        if not template_id:
            raise ApiError(40037)
        with platform.world.locked():
            person = platform.world.person(text_of(body, "touser"))
            if not person.subscriptions.get(template_id):
                raise ApiError(43101)
            person.subscriptions[template_id] -= 1
            platform.world.keep(person)
        platform.chat.show(person.openid, "template", _template(body, text_of(body, "page")))
        return fine()


def _template(body: dict[str, Any], url: str) -> dict[str, Any]:
    """A template's values, in their order.

    Raises:
        ApiError: 47001 when the data are not values by name.
    """
    data = body.get("data")
    if not isinstance(data, dict) or not all(isinstance(each, dict) for each in data.values()):
        raise ApiError(47001)
    return {
        "template_id": body["template_id"],
        "url": url,
        "values": [[name, str(each.get("value", ""))] for name, each in data.items()],
    }
