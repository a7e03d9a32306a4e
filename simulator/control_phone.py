"""What a phone's buttons do, under /simulator/api/phones/<openid>."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import zxingcpp
from flask import Blueprint, Response, jsonify, request
from PIL import Image, UnidentifiedImageError

from simulator.citizens import Citizens
from simulator.platform.core import Platform
from simulator.platform.errors import ApiError
from simulator.platform.hand import HandError
from simulator.platform.people import Message

SENT_KINDS = {"image", "voice", "video", "shortvideo"}
# A voice note of half a second of silence: an AMR file (RFC 4867, section 5) of empty frames.
SILENCE = b"#!AMR\n" + b"\x7c" * 25


def add_phone_acts(control: Blueprint, platform: Platform, citizens: Citizens) -> None:
    """Hang the acts on the control blueprint."""
    _add_messages(control, platform)
    _add_media(control, platform, citizens)
    _add_touches(control, platform)
    _add_mini_program(control, platform)


def _told() -> dict[str, Any]:
    body = request.get_json(silent=True)
    return body if isinstance(body, dict) else {}


def _text(name: str) -> str:
    value = _told().get(name)
    return value if isinstance(value, str) else ""


def _sent(message: Message) -> Response:
    return jsonify(dataclasses.asdict(message))


def _add_messages(control: Blueprint, platform: Platform) -> None:
    hand = platform.hand

    @control.post("/phones/<openid>/say")
    def say(openid: str) -> Response:
        return _sent(hand.say(openid, _text("text"), _text("menu_id")))

    @control.post("/phones/<openid>/location")
    def location(openid: str) -> Response:
        body = _told()
        try:
            place = float(body["latitude"]), float(body["longitude"])
        except (KeyError, TypeError, ValueError):
            raise HandError("a place needs latitude and longitude") from None
        return _sent(hand.send_location(openid, *place, _text("label")))

    @control.post("/phones/<openid>/link")
    def link(openid: str) -> Response:
        told = _text("title"), _text("description"), _text("url")
        return _sent(hand.send_link(openid, *told))

    @control.post("/phones/<openid>/clear")
    def clear(openid: str) -> Response:
        platform.world.clear(openid)
        return jsonify({})

    @control.get("/phones/<openid>/idle")
    def idle(openid: str) -> Response:
        """Wait until every push of this phone has been answered or given up."""
        seconds = min(request.args.get("wait", 20.0, float), 25.0)
        return jsonify({"idle": platform.courier.idle(openid, seconds)})


def _add_media(control: Blueprint, platform: Platform, citizens: Citizens) -> None:
    hand = platform.hand

    @control.post("/phones/<openid>/media/<kind>")
    def send(openid: str, kind: str) -> Response:
        """A form with the file `file`; a voice may be `heard` alone."""
        if kind not in SENT_KINDS:
            raise HandError(f"a phone sends {', '.join(sorted(SENT_KINDS))}")
        file = request.files.get("file")
        heard = request.form.get("heard", "")
        data = file.read() if file else b""
        if kind == "voice" and not data and heard.strip():
            data = SILENCE
        content_type = (file.content_type if file else "") or ""
        return _sent(hand.send_media(openid, kind, data, content_type, heard))

    @control.post("/phones/<openid>/citizen-photo")
    def citizen_photo(openid: str) -> Response:
        place = _told().get("place")
        place = place if isinstance(place, int) else -1
        data, content_type = citizens.photo(place, selfie=True, gesture=_text("gesture"))
        return _sent(hand.send_media(openid, "image", data, content_type))

    @control.get("/media/<media_id>")
    def media(media_id: str) -> Response:
        medium = platform.media.known(media_id)
        if medium is None:
            raise ApiError(40007)
        # Whatever it claims to be, a browser must not run it.
        content_type = medium.content_type
        if not content_type.startswith(("image/", "video/", "audio/")) or "svg" in content_type:
            content_type = "application/octet-stream"
        answer = Response(platform.media.data(media_id), content_type=content_type)
        answer.headers["Cache-Control"] = "private, max-age=86400, immutable"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer


def _add_touches(control: Blueprint, platform: Platform) -> None:
    hand = platform.hand

    @control.post("/phones/<openid>/follow")
    def follow(openid: str) -> Response:
        hand.follow(openid, _text("scene"))
        return jsonify({})

    @control.post("/phones/<openid>/unfollow")
    def unfollow(openid: str) -> Response:
        hand.unfollow(openid)
        return jsonify({})

    @control.post("/phones/<openid>/click")
    def click(openid: str) -> Response:
        hand.click(openid, _text("key"))
        return jsonify({})

    @control.post("/phones/<openid>/view")
    def view(openid: str) -> Response:
        hand.view(openid, _text("url"))
        return jsonify({})

    @control.post("/phones/<openid>/scan")
    def scan(openid: str) -> Response:
        """Scan what a QR says (`text`), or a picture of one (the file `file`)."""
        file = request.files.get("file")
        what = _read_code(file.read()) if file else _text("text")
        key = request.form.get("key", "") or _text("key")
        if not what.strip():
            raise HandError("no QR code was found")
        if key:
            hand.menu_scan(openid, key, what)
            return jsonify({"scanned": what})
        return jsonify(hand.scan(openid, what))

    @control.post("/phones/<openid>/subscription")
    def subscription(openid: str) -> Response:
        accept = _told().get("accept") is True
        hand.answer_subscription(openid, _text("template_id"), accept=accept)
        return jsonify({})


def _add_mini_program(control: Blueprint, platform: Platform) -> None:
    @control.post("/phones/<openid>/mini-program")
    def mini_program(openid: str) -> Response:
        """The js_code of wx.login."""
        platform.world.person(openid)
        return jsonify({"js_code": platform.codes.make("mini", openid)})

    @control.post("/phones/<openid>/fingerprint")
    def fingerprint(openid: str) -> Response:
        """What wx.startSoterAuthentication gives for a challenge."""
        return jsonify(platform.hand.fingerprint(openid, _text("challenge")))


def _read_code(data: bytes) -> str:
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.draft("L", (2000, 2000))
            found = zxingcpp.read_barcodes(picture.convert("L"))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        raise HandError("this is not a picture") from None
    return found[0].text if found else ""
