"""Scene QR codes and mini-program codes."""

from __future__ import annotations

import re

from flask import Blueprint, Response, jsonify, request

from simulator.platform.api.wrap import posted, text_of
from simulator.platform.core import Platform
from simulator.platform.errors import ApiError
from simulator.platform.scenes import picture

MINI_SCENE = re.compile(r"[0-9A-Za-z!#$&'()*+,/:;=?@\-._~]{1,32}")


def add(api: Blueprint, platform: Platform) -> None:
    """Code endpoints."""

    @api.post("/cgi-bin/qrcode/create")
    def create_scene() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        return jsonify(platform.scenes.create(posted()))

    @api.get("/cgi-bin/showqrcode")
    def show_scene() -> Response:
        scene = platform.scenes.find(request.args.get("ticket", ""))
        if scene is None:
            return Response("", status=404)
        return Response(picture(scene.url), content_type="image/jpg")

    @api.post("/wxa/getwxacodeunlimit")
    def mini_program_code() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        body = posted()
        scene, page = text_of(body, "scene"), text_of(body, "page")
        if not MINI_SCENE.fullmatch(scene):
            raise ApiError(40129)
        if page.startswith("/"):
            raise ApiError(41030)
        content = f"{platform.config.base}/wxa/open?scene={scene}&page={page}"
        return Response(picture(content), content_type="image/jpeg")
