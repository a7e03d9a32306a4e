"""Access tokens and JS-SDK tickets."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from simulator.platform.api.wrap import posted, text_of
from simulator.platform.core import Platform
from simulator.platform.errors import ApiError


def add(api: Blueprint, platform: Platform) -> None:
    """Token endpoints."""

    @api.get("/cgi-bin/token")
    def token() -> Response:
        if request.args.get("grant_type") != "client_credential":
            raise ApiError(40002)
        platform.tokens.authenticate(request.args.get("appid", ""), request.args.get("secret", ""))
        return jsonify(platform.tokens.plain())

    @api.post("/cgi-bin/stable_token")
    def stable_token() -> Response:
        body = posted()
        if body.get("grant_type") != "client_credential":
            raise ApiError(40002)
        platform.tokens.authenticate(text_of(body, "appid"), text_of(body, "secret"))
        return jsonify(platform.tokens.stable(force=body.get("force_refresh") is True))

    @api.get("/cgi-bin/ticket/getticket")
    def ticket() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        if request.args.get("type") != "jsapi":
            raise ApiError(40097)
        return jsonify(platform.tokens.ticket())

    @api.get("/cgi-bin/get_api_domain_ip")
    @api.get("/cgi-bin/getcallbackip")
    def callback_ip() -> Response:
        platform.tokens.check(request.args.get("access_token", ""))
        return jsonify({"ip_list": ["127.0.0.1"]})
