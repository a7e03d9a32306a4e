"""OAuth inside the platform: which phone is looking at this page?"""

from __future__ import annotations

import secrets
from urllib.parse import urlencode, urlsplit, urlunsplit

from flask import Blueprint, Response, jsonify, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from simulator.pages import page
from simulator.platform.core import Platform
from simulator.platform.errors import ApiError

SCOPES = {"snsapi_base", "snsapi_userinfo"}


def add(api: Blueprint, platform: Platform) -> None:
    """OAuth endpoints."""

    @api.get("/sns/oauth2/access_token")
    def oauth_token() -> Response:
        platform.tokens.authenticate(request.args.get("appid", ""), request.args.get("secret", ""))
        if request.args.get("grant_type") != "authorization_code":
            raise ApiError(40002)
        openid, scope = platform.codes.spend("oauth", request.args.get("code", ""))
        return jsonify(
            {
                "access_token": secrets.token_urlsafe(64),
                "expires_in": 7200,
                "refresh_token": secrets.token_urlsafe(64),
                "openid": openid,
                "scope": scope,
            }
        )

    @api.get("/connect/oauth2/authorize")
    def authorize() -> AnyResponse:
        problem = _problem(platform)
        if problem:
            return Response(problem, status=400, content_type="text/plain; charset=utf-8")
        openid = request.args.get("sim_openid", "")
        if not openid:
            return page("authorize.html")
        platform.world.person(openid)
        code = platform.codes.make("oauth", openid, request.args["scope"])
        return redirect(_back(request.args["redirect_uri"], code, request.args.get("state", "")))


def _problem(platform: Platform) -> str:
    """What is wrong with an authorize address, in the platform's words; empty when nothing is."""
    asked = request.args
    address = urlsplit(asked.get("redirect_uri", ""))
    allowed = platform.config.oauth_domain
    checks = (
        (asked.get("appid") == platform.config.app_id, "AppID 参数错误 / invalid appid (10013)"),
        (
            address.scheme in {"http", "https"} and bool(address.hostname),
            "redirect_uri 参数错误 / invalid redirect_uri (10003)",
        ),
        (
            not allowed or address.hostname == allowed,
            "redirect_uri 域名与后台配置不一致 / not the configured domain (10003)",
        ),
        (
            asked.get("response_type") == "code",
            "response_type 参数错误 / response_type must be code (10004)",
        ),
        (
            asked.get("scope") in SCOPES,
            "Scope 参数错误或没有 Scope 权限 / invalid scope (10005)",
        ),
        (len(asked.get("state", "")) <= 128, "state 参数过长 / state is over 128 bytes (10006)"),
    )
    return next((sentence for holds, sentence in checks if not holds), "")


def _back(address: str, code: str, state: str) -> str:
    parts = urlsplit(address)
    more = urlencode({"code": code, "state": state})
    return urlunsplit(parts._replace(query=f"{parts.query}&{more}" if parts.query else more))
