"""Who somebody is: user info, the mini-program's session, SOTER."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from flask import Blueprint, Response, jsonify, request

from simulator.platform.api.wrap import fine, posted, text_of
from simulator.platform.core import Platform
from simulator.platform.errors import ApiError
from simulator.platform.people import Person


def add(api: Blueprint, platform: Platform) -> None:
    """User endpoints."""

    @api.get("/cgi-bin/user/info")
    def info() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        return jsonify(_info(platform.world.person(request.args.get("openid", ""))))

    @api.get("/cgi-bin/user/get")
    def listed() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        everybody = [each.openid for each in platform.world.people() if each.following]
        after = request.args.get("next_openid", "")
        start = everybody.index(after) + 1 if after in everybody else 0
        page = everybody[start : start + 10_000]
        return jsonify(
            {
                "total": len(everybody),
                "count": len(page),
                "data": {"openid": page},
                "next_openid": page[-1] if page else "",
            }
        )

    @api.get("/sns/jscode2session")
    def mini_program_session() -> Response:
        platform.tokens.authenticate(request.args.get("appid", ""), request.args.get("secret", ""))
        if request.args.get("grant_type") != "authorization_code":
            raise ApiError(40002)
        openid, _ = platform.codes.spend("mini", request.args.get("js_code", ""))
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        return jsonify({"openid": openid, "session_key": key, "unionid": "u" + openid[1:]})

    @api.post("/cgi-bin/soter/verify_signature")
    def soter() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        body = posted()
        person = platform.world.person(text_of(body, "openid"))
        return fine(is_ok=_signed(platform, person, body))


def _info(person: Person) -> dict[str, Any]:
    if not person.following:
        return {"subscribe": 0, "openid": person.openid, "tagid_list": []}
    return {
        "subscribe": 1,
        "openid": person.openid,
        "nickname": "",  # empty since 2021, as the picture
        "sex": 0,
        "language": person.language,
        "city": "",
        "province": "",
        "country": "",
        "headimgurl": "",
        "subscribe_time": int(person.followed_at),
        "remark": "",
        "groupid": 0,
        "tagid_list": [],
        "subscribe_scene": "ADD_SCENE_QR_CODE" if person.scene else "ADD_SCENE_SEARCH",
        "qr_scene": 0,
        "qr_scene_str": person.scene,
    }


def _signed(platform: Platform, person: Person, body: dict[str, Any]) -> bool:
    try:
        signed = base64.b64decode(text_of(body, "json_signature"), validate=True)
        platform.hand.fingerprint_key(person).public_key().verify(
            signed,
            text_of(body, "json_string").encode(),
            padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32),
            hashes.SHA256(),
        )
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True
