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
from web import pages, proxies, second
from web.sessions import Sessions, current, name, own_path

if TYPE_CHECKING:
    from credentials.services import Services
    from web.second import Factors

__all__ = ["current", "name", "password_error", "register"]

TRIES_PER_ADDRESS = 30
TRIES_WINDOW_S = 60
TRIES_PAUSE_S = 60
LARGEST_BODY = 512 * 1024
OPEN = frozenset({"sign_in", "code", "passkey_ask", "passkey_enter", "locked"})
"""The views that let somebody in."""
SETTING_UP = frozenset({"passkey_offer", "passkey_add"})
OWN = frozenset({"password", "second", "pin", "passkey_remove", *SETTING_UP})
"""The views that change how one signs in."""
log = structlog.get_logger("web.sign_in")


def register(
    routes: Blueprint,
    sessions: Sessions,
    services: Services,
    factors: Factors,
) -> None:
    """Guard every route of `routes`, and add the pages that let someone in.

    Whoever has a second factor is asked for it; where one is required, whoever has none sees
    nothing but the page that sets one up. What changes how somebody signs in is closed to whoever
    came in by a desk PIN.

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
        if inside in OPEN:
            return None
        account = sessions.account()
        if account is None:
            return _ask_to_sign_in(area, texts)
        g.account = account
        if g.by_pin and inside in OWN:
            return _ask_to_sign_in(area, texts)
        first = _first(account, factors)
        allowed = {first, "password", "sign_out", *(SETTING_UP if first == "second" else ())}
        if first and inside not in allowed:
            return redirect(f"/{area}/{first}")
        return None

    @routes.context_processor
    def offer() -> dict[str, object]:
        """What every page of the area can show."""
        return {
            "area": area,
            "csrf_token": sessions.csrf_token,
            "account": g.get("account"),
            "by_pin": g.get("by_pin", False),
        }

    @routes.after_request
    def keep_private(answer: Response) -> Response:
        """Keep what is behind a sign-in out of every cache."""
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    def attempt() -> None:
        _count(sessions, services.limits)

    _register_pages(routes, sessions, services, factors)
    _register_password(routes, sessions, services)
    second.register(routes, sessions, services, factors, attempt)


def _register_pages(
    routes: Blueprint, sessions: Sessions, services: Services, factors: Factors
) -> None:
    area = sessions.area

    @routes.route("/sign-in", methods=["GET", "POST"])
    def sign_in() -> BaseResponse:
        """Ask for user name and password."""
        target = own_path(request.values.get("next", ""), area)
        if request.method == "GET":
            ended = "unsent" if "unsent" in request.args else ""
            return _sign_in_page(target, error=ended, passkeys=factors.passkeys.possible)
        username = request.form.get("username", "").strip()
        try:
            account = _check(sessions, services.limits, username, request.form.get("password", ""))
        except (SignInError, RefusalError) as error:
            log.warning("sign_in_refused", area=area, username=username[:64], code=error.code)
            return _sign_in_page(
                target,
                error=error.code,
                username=username,
                values=error.details,
                passkeys=factors.passkeys.possible,
            )
        if factors.has(account.username):
            sessions.begin_half(account)
            return redirect(url_for(".code", next=target), 303)
        services.audit.note("signed_in", Actor(account.kind, account.username), area)
        sessions.begin(account)
        return redirect(target, 303)

    @routes.post("/sign-out")
    def sign_out() -> BaseResponse:
        """End the session."""
        sessions.end()
        return redirect(url_for(".sign_in"), 303)


def _register_password(routes: Blueprint, sessions: Sessions, services: Services) -> None:
    area = sessions.area

    @routes.route("/password", methods=["GET", "POST"])
    def password() -> BaseResponse:
        """Replace the one-time password, or one's own by whoever still knows it."""
        account = current()
        if request.method == "GET":
            return _password_page()
        new = request.form.get("new", "")
        error, values = password_error(account.username, new, request.form.get("again", ""))
        if error:
            return _password_page(error, values)
        try:
            if not account.must_change_password:
                present = request.form.get("present", "")
                _check(sessions, services.limits, account.username, present)
            renewed = sessions.accounts.set_password(account.username, new)
        except (passwords.PasswordError, SignInError, RefusalError) as refusal:
            return _password_page(refusal.code, refusal.details)
        services.audit.note("password_set", Actor(renewed.kind, renewed.username), area)
        sessions.begin(renewed)
        return redirect(f"/{area}", 303)


def _first(account: Account, factors: Factors) -> str:
    """The page that comes before all others for this account, if any."""
    if account.must_change_password:
        return "password"
    return "second" if factors.required and not factors.has(account.username) else ""


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
    _count(sessions, limits)
    return sessions.accounts.sign_in(username, password)


def _count(sessions: Sessions, limits: Limits) -> None:
    """Count one try of this address.

    Raises:
        RefusalError: too_many_requests, when it tries too often.
    """
    address = f"{sessions.area}:{proxies.caller()}"
    allowance = limits.attempt(
        "sign_in_address", address, TRIES_PER_ADDRESS, TRIES_WINDOW_S, TRIES_PAUSE_S
    )
    if not allowance.allowed:
        raise RefusalError("too_many_requests")


def _sign_in_page(
    target: str,
    *,
    error: str = "",
    username: str = "",
    values: Mapping[str, object] | None = None,
    passkeys: bool = False,
) -> Response:
    status = {"": 200, "locked": 429, "too_many_requests": 429, "csrf": 400, "unsent": 200}.get(
        error, 401
    )
    page = render_template(
        "sign_in.html",
        target=target,
        error=error,
        username=username,
        values=values or {},
        passkeys=passkeys,
    )
    return make_response(page, status)


def _password_page(error: str = "", values: Mapping[str, object] | None = None) -> Response:
    page = render_template("sign_password.html", error=error, values=values or {})
    status = {"": 200, "locked": 429, "too_many_requests": 429, "wrong_password": 401}
    return make_response(page, status.get(error, 422))


def _ask_to_sign_in(area: str, texts: Texts) -> BaseResponse:
    if pages.wants_json():
        sentence = texts.say(pages.language(), "sign.error.ended")
        return pages.problem(401, "unauthenticated", sentence)
    if request.method != "GET":
        if (request.endpoint or "").endswith(".sign_out"):
            return redirect(url_for(".sign_in"), 303)
        return redirect(url_for(".sign_in", unsent=1), 303)  # it says that nothing was done
    path = request.full_path.rstrip("?")
    return redirect(url_for(".sign_in", next=own_path(path, area)), 303)


def _refuse_form(sessions: Sessions, texts: Texts, inside: str) -> BaseResponse:
    if inside == "sign_in":
        target = own_path(request.form.get("next", ""), sessions.area)
        return _sign_in_page(target, error="csrf", username=request.form.get("username", ""))
    if pages.wants_json():
        return pages.problem(400, "csrf", texts.say(pages.language(), "sign.error.csrf"))
    return pages.error_page(400, "sign.csrf")
