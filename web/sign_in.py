"""The pages of signing in, in each area: sign in, set the first password, sign out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import structlog
from flask import Blueprint, Response, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from credentials import passwords
from credentials.accounts import Account
from credentials.errors import RefusalError, SignInError
from credentials.limits import Limits
from credentials.model import Actor
from texts import Texts
from web import pages
from web.sessions import Sessions, own_path

if TYPE_CHECKING:
    from credentials.second_factor import SecondFactors
    from credentials.services import Services

TRIES_PER_ADDRESS = 30
TRIES_WINDOW_S = 60
TRIES_PAUSE_S = 60
LARGEST_BODY = 512 * 1024
log = structlog.get_logger("web.sign_in")


def register(
    routes: Blueprint,
    sessions: Sessions,
    services: Services,
    second: SecondFactors | None = None,
    *,
    required: bool = False,
) -> None:
    """Guard every route of `routes`, and add the pages that let someone in.

    With `second`, whoever has a second factor is asked for it; with `required`, whoever has none
    sees nothing but the page that sets one up.

    Inside a guarded view `current()` is who is signed in.
    """
    area, texts = sessions.area, services.texts

    @routes.before_request
    def admit() -> BaseResponse | None:
        """Let nobody past who is not signed in, and no form that is not from our own page."""
        inside = (request.endpoint or "").rpartition(".")[2]
        request.max_content_length = LARGEST_BODY
        if not sessions.csrf_is_right():
            return _refuse_form(sessions, texts, inside)
        if inside in {"sign_in", "code"}:
            return None
        account = sessions.account()
        if account is None:
            return _ask_to_sign_in(area, texts)
        g.account = account
        first = _first(account, second if required else None)
        if first and inside not in {first, "password", "sign_out"}:
            return redirect(f"/{area}/{first}")
        return None

    @routes.context_processor
    def offer() -> dict[str, object]:
        """What every page of the area can show."""
        return {
            "area": area,
            "csrf_token": sessions.csrf_token,
            "account": g.get("account"),
        }

    @routes.after_request
    def keep_private(answer: Response) -> Response:
        """Keep what is behind a sign-in out of every cache."""
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    _register_pages(routes, sessions, services, second)
    if second is not None:
        _register_code(routes, sessions, services, second)


def _register_code(
    routes: Blueprint, sessions: Sessions, services: Services, second: SecondFactors
) -> None:
    area = sessions.area

    @routes.route("/code", methods=["GET", "POST"])
    def code() -> BaseResponse:
        """Ask for the second factor of whoever knew the password."""
        account = sessions.half()
        target = own_path(request.values.get("next", ""), area)
        if account is None:
            return redirect(f"/{area}/sign-in", 303)
        if request.method == "GET":
            return make_response(render_template("sign_code.html", target=target, error=""))
        try:
            how = second.check(account.username, request.form.get("code", "")[:32])
        except SignInError as error:
            log.warning("second_factor_refused", area=area, username=account.username)
            page = render_template(
                "sign_code.html", target=target, error=error.code, values=error.details
            )
            return make_response(page, 429 if error.code == "locked" else 401)
        services.audit.note("signed_in", Actor(account.kind, account.username), area, second=how)
        sessions.begin(account)
        return redirect(target, 303)


def _register_pages(
    routes: Blueprint, sessions: Sessions, services: Services, second: SecondFactors | None
) -> None:
    area = sessions.area

    @routes.route("/sign-in", methods=["GET", "POST"])
    def sign_in() -> BaseResponse:
        """Ask for user name and password."""
        target = own_path(request.values.get("next", ""), area)
        if request.method == "GET":
            return _sign_in_page(target)
        username = request.form.get("username", "").strip()
        try:
            account = _check(sessions, services.limits, username, request.form.get("password", ""))
        except (SignInError, RefusalError) as error:
            log.warning("sign_in_refused", area=area, username=username[:64], code=error.code)
            return _sign_in_page(target, error=error.code, username=username, values=error.details)
        if second is not None and second.enrolled(account.username):
            sessions.begin_half(account)
            return redirect(url_for(".code", next=target), 303)
        services.audit.note("signed_in", Actor(account.kind, account.username), area)
        sessions.begin(account)
        return redirect(target, 303)

    @routes.route("/password", methods=["GET", "POST"])
    def password() -> BaseResponse:
        """Replace the one-time password."""
        account = current()
        if request.method == "GET":
            return _password_page()
        new = request.form.get("new", "")
        error, values = password_error(account.username, new, request.form.get("again", ""))
        if error:
            return _password_page(error, values)
        try:
            renewed = sessions.accounts.set_password(account.username, new)
        except passwords.PasswordError as refusal:
            return _password_page(refusal.code, refusal.details)
        services.audit.note("password_set", Actor(renewed.kind, renewed.username), area)
        sessions.begin(renewed)
        return redirect(f"/{area}", 303)

    @routes.post("/sign-out")
    def sign_out() -> BaseResponse:
        """End the session."""
        sessions.end()
        return redirect(url_for(".sign_in"), 303)


def _first(account: Account, second: SecondFactors | None) -> str:
    """The page that comes before all others for this account, if any."""
    if account.must_change_password:
        return "password"
    return "second" if second is not None and not second.enrolled(account.username) else ""


def name() -> str:
    """Who is signed in, for a log; nothing before sign-in."""
    account = g.get("account")
    return account.username if isinstance(account, Account) else ""


def current() -> Account:
    """Who is signed in; only inside a guarded view."""
    account = g.account
    if not isinstance(account, Account):
        raise RefusalError("unauthenticated")
    return account


def password_error(username: str, new: str, again: str) -> tuple[str, dict[str, object]]:
    """What is wrong with a new password: the end of a key in `sign.po` and its values, or `""`."""
    try:
        passwords.check_new(new, username)
    except passwords.PasswordError as error:
        return error.code, dict(error.details)
    if username.casefold() in new.casefold():
        return "password_too_common", {}
    return ("password_differs" if new != again else ""), {}


def _check(sessions: Sessions, limits: Limits, username: str, password: str) -> Account:
    """The account of a right password.

    Raises:
        SignInError: when it is not right, or the account is locked.
        RefusalError: too_many_requests, when one address tries too often.
    """
    address = f"{sessions.area}:{request.remote_addr}"
    allowance = limits.attempt(
        "sign_in_address", address, TRIES_PER_ADDRESS, TRIES_WINDOW_S, TRIES_PAUSE_S
    )
    if not allowance.allowed:
        raise RefusalError("too_many_requests")
    return sessions.accounts.sign_in(username, password)


def _sign_in_page(
    target: str, *, error: str = "", username: str = "", values: Mapping[str, object] | None = None
) -> Response:
    status = {"": 200, "locked": 429, "too_many_requests": 429, "csrf": 400}.get(error, 401)
    page = render_template(
        "sign_in.html", target=target, error=error, username=username, values=values or {}
    )
    return make_response(page, status)


def _password_page(error: str = "", values: Mapping[str, object] | None = None) -> Response:
    page = render_template("sign_password.html", error=error, values=values or {})
    return make_response(page, 422 if error else 200)


def _ask_to_sign_in(area: str, texts: Texts) -> BaseResponse:
    if pages.wants_json():
        sentence = texts.say(pages.language(), "sign.error.ended")
        return pages.problem(401, "unauthenticated", sentence)
    if request.method != "GET":
        return redirect(f"/{area}/sign-in", 303)
    path = request.full_path.rstrip("?")
    return redirect(url_for(".sign_in", next=own_path(path, area)), 303)


def _refuse_form(sessions: Sessions, texts: Texts, inside: str) -> BaseResponse:
    if inside == "sign_in":
        target = own_path(request.form.get("next", ""), sessions.area)
        return _sign_in_page(target, error="csrf", username=request.form.get("username", ""))
    if pages.wants_json():
        return pages.problem(400, "csrf", texts.say(pages.language(), "sign.error.csrf"))
    return pages.error_page(400)
