"""What every page shares: language, static addresses, security headers, and error pages.

`install(app, services, settings)` gives the templates `t(key, **values)` in the request's
language, `say(language, key, **values)`, `language()`, `language_tag()`, `languages` and
`words(*keys)` (a JSON object of sentences for a `data-` attribute, because pages carry no inline
script). `url_for('static', filename=…)` gets a content hash and may then be kept for a year.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from flask import Blueprint, Flask, Response, g, jsonify, make_response, render_template, request
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException, InternalServerError

from credentials.errors import CredentialError
from texts import DEFAULT_LANGUAGE, LANGUAGES, Texts, negotiate
from web.front import REST, Answer, Asked

if TYPE_CHECKING:
    from credentials.services import Services
    from settings import Settings

STATIC = Path(__file__).resolve().parent.parent / "static"
LANGUAGE_COOKIE = "lang"
YEAR_SECONDS = 365 * 24 * 3600
PAGES_WITH_WORDS = {400, 401, 403, 404, 405, 410, 413, 429, 500, 503}
KEPT_HEADERS = {"Allow", "Retry-After", "WWW-Authenticate"}
STATUS_OF_CODE = {
    "malformed": 400,
    "unauthenticated": 401,
    "wrong_password": 401,
    "no_such_account": 401,
    "disabled": 403,
    "locked": 429,
    "purpose_not_granted": 403,
    "level_insufficient": 403,
    "unknown_code": 404,
    "unknown_verification": 404,
    "no_card": 404,
    "pin_required": 403,
    "wrong_pin": 403,
    "pin_needs_face": 403,
    "already_upgraded": 409,
    "no_upgrade": 409,
    "pin_unset": 409,
    "pin_cooling": 409,
    "already_used": 409,
    "has_card": 409,
    "id_number_taken": 409,
    "wrong_status": 409,
    "already_answered": 409,
    "not_agreed": 409,
    "too_late": 410,
    "expired": 410,
    "bad_signature": 422,
    "pin_format": 422,
    "pin_weak": 422,
    "bad_challenge": 422,
    "fingerprint_refused": 422,
    "pin_locked": 423,
    "frozen": 423,
    "frozen_by_issuer": 423,
    "revoked": 423,
    "too_many_requests": 429,
    "unavailable": 503,
}

log = structlog.get_logger()


def install(app: Flask, services: Services, settings: Settings) -> None:
    """Give `app` the templates, the language, the static addresses, the headers and error pages.

    Call it before any blueprint is registered. The app keeps Flask's own `static` endpoint.
    """
    app.static_folder = str(STATIC)
    app.register_blueprint(Blueprint("pages", __name__, template_folder="templates"))
    _install_language(app, services.texts, secure=settings.address.startswith("https://"))
    _install_static(app)
    _install_headers(app, settings)
    app.after_request(_read_rest)
    _install_errors(app, services.texts)


def _read_rest(response: Response) -> Response:
    """Read a small body that no view asked for; see `front.REST`."""
    length, largest = request.content_length or 0, request.max_content_length
    if 0 < length <= min(REST, REST if largest is None else largest):
        with contextlib.suppress(HTTPException):  # whoever broke it off hears no answer
            request.stream.read()
    return response


def language() -> str:
    """The language of this request: `?lang=`, else the cookie, else Accept-Language."""
    if "language" not in g:
        asked = request.args.get("lang") or request.cookies.get(LANGUAGE_COOKIE, "")
        if asked in LANGUAGES:
            g.language = asked
        else:
            g.language = negotiate(request.headers.get("Accept-Language", ""))
    return str(g.language)


def language_tag(code: str | None = None) -> str:
    """The BCP 47 tag of a language here, for `lang` attributes: `zh-CN`, `en`, `id`."""
    return (code or language()).replace("_", "-")


def content_security_policy(*, demo: bool, **more: str) -> str:
    """The policy of a page; `more` adds sources, such as `style_src="'unsafe-inline'"`.

    A view that needs more sets the header on its own response; it is then left as it is.
    """
    directives = {
        "default-src": "'self'",
        "img-src": "'self' data: blob:",
        "media-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'self'" if demo else "'none'",
    }
    for name, sources in more.items():
        directive = name.replace("_", "-")
        directives[directive] = f"{directives.get(directive, directives['default-src'])} {sources}"
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


def status_of(error: CredentialError) -> int:
    """The HTTP status of an error of the card's; an unknown code is a 400."""
    return STATUS_OF_CODE.get(error.code, 400)


def error_page(
    status: int, key: str | None = None, *, action: str = "", **values: object
) -> Response:
    """A page with one sentence in the request's language and, below it, in the other.

    Args:
        status: the HTTP status of the answer.
        key: `<key>.title` and `<key>.what` are said; `web.error.<status>` when it is None.
        action: where a button "try again" leads, if anywhere.
        values: what fills the placeholders.
    """
    if key is None:
        key = f"web.error.{status if status in PAGES_WITH_WORDS else 500}"
    other = "en" if language() == DEFAULT_LANGUAGE else DEFAULT_LANGUAGE
    page = render_template("error.html", key=key, other=other, action=action, values=values)
    response = make_response(page, status)
    response.headers["Cache-Control"] = "no-store"
    return response


def problem(status: int, code: str, sentence: str) -> Response:
    """An `application/problem+json` answer (RFC 9457) with a stable `code`."""
    response = jsonify(type="about:blank", title=sentence, status=status, code=code)
    response.status_code = status
    response.mimetype = "application/problem+json"
    response.headers["Cache-Control"] = "no-store"
    return response


def wants_json() -> bool:
    """Whether whoever asks is a program rather than a person's browser."""
    if request.path.startswith(("/api/", "/mini/")):
        return True
    accepted = request.accept_mimetypes
    return bool(accepted) and accepted["application/json"] > accepted["text/html"]


def _install_language(app: Flask, texts: Texts, *, secure: bool) -> None:
    def t(key: str, /, **values: object) -> str:
        return texts.say(language(), key, **values)

    def words(*keys: str) -> str:
        return json.dumps({key: texts.say(language(), key) for key in keys}, ensure_ascii=False)

    app.jinja_env.globals.update(
        t=t,
        say=texts.say,
        words=words,
        language=language,
        language_tag=language_tag,
        languages=LANGUAGES,
    )
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True

    @app.after_request
    def remember(response: Response) -> Response:
        asked = request.args.get("lang", "")
        if asked in LANGUAGES:
            response.set_cookie(
                LANGUAGE_COOKIE,
                asked,
                max_age=YEAR_SECONDS,
                secure=secure,
                httponly=True,
                samesite="Lax",
            )
        return response


def _install_static(app: Flask) -> None:
    hashes: dict[tuple[str, int], str] = {}

    def content_hash(filename: str) -> str:
        path = STATIC / filename
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return ""
        key = (filename, changed)
        if key not in hashes:
            hashes[key] = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        return hashes[key]

    @app.url_defaults
    def add_hash(endpoint: str, values: dict[str, object]) -> None:
        if endpoint == "static":
            values.setdefault("v", content_hash(str(values.get("filename", ""))) or None)

    @app.after_request
    def keep(response: Response) -> Response:
        if request.endpoint == "static" and response.status_code in {200, 304}:
            filename = str((request.view_args or {}).get("filename", ""))
            known = request.args.get("v", "")
            if known and known == content_hash(filename):
                response.headers["Cache-Control"] = f"public, max-age={YEAR_SECONDS}, immutable"
        return response


def headers_of(settings: Settings) -> dict[str, str]:
    """The headers of every answer that has none of its own by the same name."""
    demo = settings.profile == "demo"
    headers = {
        "Content-Security-Policy": content_security_policy(demo=demo),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN" if demo else "DENY",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if settings.address.startswith("https://"):
        headers["Strict-Transport-Security"] = f"max-age={YEAR_SECONDS}"
    return headers


def broken(texts: Texts, asked: Asked) -> Answer:
    """What a program is answered when a hot route fails as none should."""
    sentence = texts.say(negotiate(asked.header("ACCEPT_LANGUAGE")), "web.error.500.what")
    body = {
        "type": "about:blank",
        "title": sentence,
        "status": InternalServerError.code,
        "code": "internal_error",
    }
    headers = {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
    return Answer(InternalServerError.code, json.dumps(body, ensure_ascii=False).encode(), headers)


def _install_headers(app: Flask, settings: Settings) -> None:
    headers = headers_of(settings)

    @app.after_request
    def protect(response: Response) -> Response:
        there = {name.lower() for name in response.headers.keys()}  # noqa: SIM118 - not a dict
        for name, value in headers.items():
            if name.lower() not in there:
                response.headers.add(name, value)
        return response


def _install_errors(app: Flask, texts: Texts) -> None:
    def answer(status: int, code: str) -> Response:
        return _error_answer(texts, status, code)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        if error.response is not None:
            return make_response(error.response)
        status = error.code or 500
        if status < 400:
            return make_response(error.get_response())
        code = "unavailable" if status == 503 else error.name.lower().replace(" ", "_")
        response = answer(status, code)
        response.headers.extend(
            (name, value) for name, value in error.get_headers() if name in KEPT_HEADERS
        )
        return response

    @app.errorhandler(CredentialError)
    def refused(error: CredentialError) -> Response:
        return answer(status_of(error), error.code)

    @app.errorhandler(RedisError)
    def unavailable(error: RedisError) -> Response:
        log.error("redis_failed", path=request.path, error=str(error))
        return answer(503, "unavailable")

    @app.errorhandler(Exception)
    def broken(error: Exception) -> Response:
        log.error("page_failed", path=request.path, exc_info=error)
        return answer(InternalServerError.code, "internal_error")


def _error_answer(texts: Texts, status: int, code: str) -> Response:
    if wants_json():
        known = status if status in PAGES_WITH_WORDS else 500
        return problem(status, code, texts.say(language(), f"web.error.{known}.what"))
    return error_page(status)
