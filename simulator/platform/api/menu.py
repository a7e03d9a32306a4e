"""The account's menu."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from simulator.platform.api.wrap import fine, posted, text_of
from simulator.platform.core import Platform


def add(api: Blueprint, platform: Platform) -> None:
    """Menu endpoints."""

    @api.post("/cgi-bin/menu/create")
    def create() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        platform.menus.create(posted())
        return fine()

    @api.get("/cgi-bin/menu/get")
    def get() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        return jsonify(platform.menus.get())

    @api.get("/cgi-bin/menu/delete")
    def delete() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        platform.menus.delete()
        return fine()

    @api.post("/cgi-bin/menu/addconditional")
    def add_conditional() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        return jsonify({"menuid": platform.menus.add_conditional(posted())})

    @api.post("/cgi-bin/menu/delconditional")
    def remove_conditional() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        platform.menus.remove_conditional(str(posted().get("menuid", "")))
        return fine()

    @api.post("/cgi-bin/menu/trymatch")
    def try_match() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        person = platform.world.person(text_of(posted(), "user_id"))
        return jsonify({"button": platform.menus.of(person)})
