"""Temporary media, up and down."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from simulator.platform.core import Platform
from simulator.platform.errors import ApiError


def add(api: Blueprint, platform: Platform) -> None:
    """Media endpoints, and the open addresses of PicUrl and video_url."""

    @api.post("/cgi-bin/media/upload")
    def upload() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        file = request.files.get("media")
        if file is None:
            raise ApiError(41005)
        kind = request.args.get("type", "")
        medium = platform.media.upload(kind, file.read(), file.filename or "")
        created = int(platform.world.now())
        name = "thumb_media_id" if kind == "thumb" else "media_id"
        return jsonify({"type": kind, name: medium.id, "created_at": created})

    @api.get("/cgi-bin/media/get")
    def fetch() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        medium = platform.media.get(request.args.get("media_id", ""))
        if medium.type == "video":
            return jsonify({"video_url": platform.hand.address(medium)})
        ending = medium.content_type.rpartition("/")[2].replace("jpeg", "jpg")
        answer = Response(platform.media.data(medium.id), content_type=medium.content_type)
        answer.headers["Content-Disposition"] = f'attachment; filename="{medium.id}.{ending}"'
        return answer

    @api.get("/mmbiz/<media_id>")
    def open_address(media_id: str) -> Response:
        medium = platform.media.get(media_id)
        return Response(platform.media.data(medium.id), content_type=medium.content_type)
