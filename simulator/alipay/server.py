"""The platform's addresses: the gateway, files, OAuth, and the JSON that steers its phones."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, jsonify, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from simulator.alipay.keys import joined
from simulator.alipay.life import WINDOW, Life, LifeError, User

LONGEST_WAIT = 25.0
LONGEST_TEXT = 2000
Call = Callable[[Life, Mapping[str, str], Mapping[str, Any]], dict[str, Any]]


def blueprint(life: Life) -> Blueprint:
    """Everything of one life account."""
    pages = Blueprint("alipay_platform", __name__)
    _add_gateway(pages, life)
    _add_files(pages, life)
    _add_oauth(pages, life)
    _add_phones(pages, life)
    return pages


# The gateway's methods.


def _send(life: Life, _told: Mapping[str, str], body: Mapping[str, Any]) -> dict[str, Any]:
    user = life.user(str(body.get("to_user_id", "")))
    if not user.following:
        raise LifeError("40004", "USER_NOT_FOLLOW", "用户未关注")
    if life.now() - user.touched_at > WINDOW:
        raise LifeError("40004", "OVER_TIME_LIMIT", "超过48小时未互动")
    kind = body.get("msg_type")
    if kind == "text":
        text = body.get("text")
        said = text.get("content") if isinstance(text, dict) else None
        if not isinstance(said, str) or not 0 < len(said) <= LONGEST_TEXT:
            raise LifeError("40004", "INVALID_PARAMETER", "text.content")
        life.write(user, "account", "text", {"content": said})
    elif kind == "image-text":
        articles = body.get("articles")
        if not isinstance(articles, list) or not articles:
            raise LifeError("40004", "INVALID_PARAMETER", "articles")
        life.write(user, "account", "image-text", {"articles": articles})
    else:
        raise LifeError("40004", "INVALID_PARAMETER", "msg_type")
    return {"code": "10000", "msg": "Success"}


def _token(life: Life, told: Mapping[str, str], _body: Mapping[str, Any]) -> dict[str, Any]:
    if told.get("grant_type") != "authorization_code":
        raise LifeError("40002", "isv.grant-type-invalid", "grant_type")
    user_id = life.spend(told.get("code", ""))
    return {"user_id": user_id, "access_token": "publicpB" + user_id, "expires_in": 1296000}


def _upload(life: Life, told: Mapping[str, str], _body: Mapping[str, Any]) -> dict[str, Any]:
    file = request.files.get("image_content")
    if file is None or told.get("image_type") not in {"png", "jpg", "gif"}:
        raise LifeError("40004", "INVALID_PARAMETER", "image_content")
    file_id = life.keep_file(file.read(), file.content_type or "image/png")
    address = f"{life.config.base}/simulator/alipay/files/{file_id}"
    return {"code": "10000", "msg": "Success", "image_id": file_id, "image_url": address}


METHODS: Mapping[str, Call] = {
    "alipay.open.public.message.custom.send": _send,
    "alipay.system.oauth.token": _token,
    "alipay.offline.material.image.upload": _upload,
}


def _add_gateway(pages: Blueprint, life: Life) -> None:
    @pages.post("/gateway.do")
    def gateway() -> Response:
        told = request.args.to_dict() | request.form.to_dict()
        method = told.get("method", "")
        name = f"{method.replace('.', '_')}_response"
        try:
            answer = _answered(life, method, told)
        except LifeError as error:
            answer = {"code": error.code, "msg": error.sentence, "sub_code": error.sub_code}
            if error.sub_code == "isv.code-invalid" or method not in METHODS:
                name = "error_response"
        inner = json.dumps(answer, ensure_ascii=False)
        signature = life.keys.sign(inner.encode())
        return Response(
            f'{{"{name}":{inner},"sign":"{signature}"}}', content_type="text/html;charset=utf-8"
        )

    @pages.post("/chat/multimedia.do")
    def multimedia() -> Response:
        told = request.args.to_dict() | request.form.to_dict()
        try:
            _check(life, told)
            media_id = str(_content(told).get("mediaId", ""))
            data, kind = life.files[media_id]
        except (LifeError, KeyError):
            return jsonify({"code": "40004", "sub_code": "MEDIA_NOT_EXIST"})
        return Response(data, content_type=kind)


def _answered(life: Life, method: str, told: Mapping[str, str]) -> dict[str, Any]:
    _check(life, told)
    if method not in METHODS:
        raise LifeError("40002", "isv.invalid-method", "不存在的方法名")
    return METHODS[method](life, told, _content(told))


def _check(life: Life, told: Mapping[str, str]) -> None:
    if told.get("app_id") != life.config.app_id:
        raise LifeError("40002", "isv.invalid-app-id", "无效的AppID参数")
    if told.get("sign_type") != "RSA2" or not life.keys.signed_by_app(
        joined(told, told.get("charset", "utf-8")), told.get("sign", "")
    ):
        raise LifeError("40002", "isv.invalid-signature", "验签出错")


def _content(told: Mapping[str, str]) -> dict[str, Any]:
    try:
        found = json.loads(told.get("biz_content") or "{}")
    except ValueError:
        raise LifeError("40002", "isv.invalid-parameter", "biz_content") from None
    return found if isinstance(found, dict) else {}


def _add_files(pages: Blueprint, life: Life) -> None:
    @pages.get("/simulator/alipay/files/<file_id>")
    def file(file_id: str) -> Response:
        data, kind = life.files.get(file_id, (b"", ""))
        answer = Response(data, 200 if data else 404)
        # Whatever it claims to be, a browser must not run it.
        answer.content_type = kind if kind.startswith("image/") else "application/octet-stream"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer


def _add_oauth(pages: Blueprint, life: Life) -> None:
    @pages.get("/oauth2/publicAppAuthorize.htm")
    def authorize() -> BaseResponse:
        """Send a phone's browser back with a code; it names itself in `sim_user`."""
        told = request.args
        target = told.get("redirect_uri", "")
        if told.get("app_id") != life.config.app_id or told.get("scope") != "auth_base":
            return Response("app_id or scope is wrong", 400)
        if urlsplit(target).scheme not in {"http", "https"}:
            return Response("redirect_uri is no address", 400)
        try:
            user = life.user(told.get("sim_user", ""))
        except LifeError:
            return Response("open this page in a phone", 403)
        back = {
            "app_id": life.config.app_id,
            "scope": "auth_base",
            "state": told.get("state", ""),
            "auth_code": life.code_for(user),
        }
        return redirect(f"{target}{'&' if '?' in target else '?'}{urlencode(back)}", 302)


def _add_phones(pages: Blueprint, life: Life) -> None:
    base = "/simulator/alipay/api"

    @pages.before_request
    def refuse_other_sites() -> tuple[Response, int] | None:
        other = request.headers.get("Sec-Fetch-Site", "none") == "cross-site"
        if other and request.path.startswith(base):
            return jsonify({"detail": "other sites may not steer this simulator"}), 403
        return None

    @pages.errorhandler(LifeError)
    def refused(error: LifeError) -> tuple[Response, int]:
        return jsonify({"detail": str(error)}), 422

    @pages.post(f"{base}/phones")
    def add() -> Response:
        name = str((request.get_json(silent=True) or {}).get("name", ""))[:40]
        return jsonify({"user_id": life.add(name).user_id})

    @pages.get(f"{base}/phones/<user_id>")
    def messages(user_id: str) -> Response:
        wait = min(request.args.get("wait", 0.0, float), LONGEST_WAIT)
        user = life.user(user_id)
        return jsonify({"messages": life.after(user, request.args.get("after", 0, int), wait)})

    @pages.get(f"{base}/phones/<user_id>/idle")
    def idle(user_id: str) -> Response:
        wait = min(request.args.get("wait", 0.0, float), LONGEST_WAIT)
        return jsonify({"idle": life.idle(life.user(user_id), wait)})

    @pages.post(f"{base}/phones/<user_id>/<verb>")
    def act(user_id: str, verb: str) -> Response:
        _act(life, life.user(user_id), verb)
        return jsonify({})

    _add_controls(pages, life, base)


def _add_controls(pages: Blueprint, life: Life, base: str) -> None:
    @pages.post(f"{base}/pushes")
    def pushes() -> Response:
        """Switch the `charset` of pushes: GBK or UTF-8."""
        charset = str((request.get_json(silent=True) or {}).get("charset", ""))
        if charset not in {"GBK", "UTF-8"}:
            raise LifeError("40002", "isv.invalid-charset", "charset is GBK or UTF-8")
        life.charset = charset
        return jsonify({"charset": charset})

    @pages.post(f"{base}/check")
    def check() -> Response:
        return jsonify({"problem": life.check_webhook()})


def _act(life: Life, user: User, verb: str) -> None:
    told = request.get_json(silent=True) or {}
    text = str(told.get("text", ""))
    match verb:
        case "say":
            life.say(user, text)
        case "follow" | "unfollow" | "enter":
            scene = json.dumps({"scene": {"sceneId": text}}) if text else ""
            life.event(user, verb, scene)
        case "click":
            life.event(user, verb, text)
        case "image" | "video":
            file = request.files["file"]
            life.send_file(user, verb, file.read(), file.content_type or "")
        case _:
            raise LifeError("40002", "isv.invalid-method", f"a phone cannot {verb}")
