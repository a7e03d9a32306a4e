"""What comes after the password, in each area: passkeys and codes of an app.

| address below the area | does |
|---|---|
| `GET/POST /second` | shows one's own second factors; sets up the app's code |
| `POST /passkeys/options`, `POST /passkeys` | what a browser needs to make a passkey; keeps it |
| `POST /passkeys/remove` | makes one's own passkey worthless |
| `POST /passkey/options`, `POST /passkey` | signs in with a passkey, which is both factors |
| `GET/POST /code` | asks whoever knew the password for the app's code, or a passkey |
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

import structlog
import zxingcpp
from flask import Blueprint, Response, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from credentials.accounts import Account
from credentials.errors import RefusalError, SignInError
from credentials.model import Actor
from web import pages
from web.sessions import current, own_path

if TYPE_CHECKING:
    from credentials.passkeys import Passkeys
    from credentials.second_factor import SecondFactors
    from credentials.services import Services
    from web.sessions import Sessions

LARGEST_ANSWER = 16 * 1024
log = structlog.get_logger("web.second")


@dataclasses.dataclass(frozen=True, slots=True)
class Factors:
    """The second factors of an area's accounts; `required` where nobody works without one."""

    codes: SecondFactors
    passkeys: Passkeys
    required: bool

    def has(self, username: str) -> bool:
        """Whether an account has any of them."""
        return self.codes.enrolled(username) or self.passkeys.enrolled(username)

    def remove(self, username: str) -> None:
        """Take all of them away, as when phone and recovery codes are lost."""
        self.codes.remove(username)
        self.passkeys.remove(username)


def register(
    routes: Blueprint,
    sessions: Sessions,
    services: Services,
    factors: Factors,
    attempt: Callable[[], None],
) -> None:
    """Add these pages to an area.

    Args:
        routes: the area's.
        sessions: the area's.
        services: the card's services.
        factors: the second factors of its accounts.
        attempt: counts one try to sign in of this address, or raises RefusalError.
    """
    _register_own(routes, services, factors)
    _register_passkeys(routes, services, factors)
    _register_entrance(routes, sessions, services, factors, attempt)
    _register_code(routes, sessions, services, factors)


def _register_own(routes: Blueprint, services: Services, factors: Factors) -> None:
    @routes.route("/second", methods=["GET", "POST"])
    def second() -> BaseResponse:
        """Show one's own second factors, and set up the app's code."""
        account = current()
        if request.method == "GET":
            return make_response(_own_page(factors, account))
        known = factors.codes.enrolled(account.username)
        try:
            codes = factors.codes.confirm(account.username, request.form.get("code", "")[:16])
        except SignInError as error:
            if known:
                return make_response(_own_page(factors, account), 409)
            page = _own_page(factors, account, error=error.code, values=error.details)
            return make_response(page, 429 if error.code == "locked" else 422)
        actor = Actor(account.kind, account.username)
        if not known:
            services.audit.note("second_factor_set", actor, account.username)
        return make_response(_own_page(factors, account, codes=codes))


def _register_passkeys(routes: Blueprint, services: Services, factors: Factors) -> None:
    passkeys = factors.passkeys

    @routes.post("/passkeys/options")
    def passkey_offer() -> BaseResponse:
        """What a browser needs to make a passkey."""
        if not passkeys.possible:
            return _refused(services, SignInError("passkey_impossible"))
        return _json(passkeys.offer(current().username))

    @routes.post("/passkeys")
    def passkey_add() -> BaseResponse:
        """Keep the passkey that a browser made."""
        request.max_content_length = LARGEST_ANSWER
        account = current()
        named = unquote(request.headers.get("X-Passkey-Name", ""))[:200]
        try:
            kept = passkeys.add(account.username, request.get_data(as_text=True), named)
        except SignInError as error:
            return _refused(services, error)
        actor = Actor(account.kind, account.username)
        services.audit.note("passkey_added", actor, account.username, what=kept.identifier[:16])
        return _json('{"kept": true}')

    @routes.post("/passkeys/remove")
    def passkey_remove() -> BaseResponse:
        """Make one's own passkey worthless."""
        account = current()
        identifier = request.form.get("passkey", "")[:1400]
        actor = Actor(account.kind, account.username)
        services.audit.note("passkey_removed", actor, account.username, what=identifier[:16])
        if identifier:
            passkeys.remove(account.username, identifier)
        return redirect(f"/{routes.name}/second", 303)


def _register_entrance(
    routes: Blueprint,
    sessions: Sessions,
    services: Services,
    factors: Factors,
    attempt: Callable[[], None],
) -> None:
    passkeys = factors.passkeys

    @routes.post("/passkey/options")
    def passkey_ask() -> BaseResponse:
        """What a browser needs to sign in with a passkey."""
        try:
            attempt()
        except RefusalError as error:
            return _refused(services, error)
        return _json(passkeys.ask())

    @routes.post("/passkey")
    def passkey_enter() -> BaseResponse:
        """Sign in with a passkey."""
        request.max_content_length = LARGEST_ANSWER
        try:
            username = passkeys.check(request.get_data(as_text=True))
        except SignInError as error:
            log.warning("passkey_refused", area=sessions.area, code=error.code)
            return _refused(services, error)
        account = sessions.accounts.get(username)
        if account is None or account.disabled:
            return _refused(services, SignInError("disabled"))
        actor = Actor(account.kind, account.username)
        services.audit.note("signed_in", actor, sessions.area, second="passkey")
        sessions.begin(account)
        target = own_path(request.args.get("next", ""), sessions.area)
        return make_response({"to": target})


def _register_code(
    routes: Blueprint, sessions: Sessions, services: Services, factors: Factors
) -> None:
    area = sessions.area

    @routes.route("/code", methods=["GET", "POST"])
    def code() -> BaseResponse:
        """Ask for the second factor of whoever knew the password."""
        account = sessions.half()
        target = own_path(request.values.get("next", ""), area)
        if account is None:
            return redirect(f"/{area}/sign-in", 303)
        shown = {
            "target": target,
            "app": factors.codes.enrolled(account.username),
            "passkey": factors.passkeys.enrolled(account.username),
        }
        if not (shown["app"] or shown["passkey"]):  # taken away meanwhile: the phone is lost
            return redirect(f"/{area}/sign-in", 303)
        if request.method == "GET":
            return make_response(render_template("sign_code.html", error="", **shown))
        try:
            how = factors.codes.check(account.username, request.form.get("code", "")[:32])
        except SignInError as error:
            log.warning("second_factor_refused", area=area, username=account.username)
            page = render_template(
                "sign_code.html", error=error.code, values=error.details, **shown
            )
            return make_response(page, 429 if error.code == "locked" else 401)
        services.audit.note("signed_in", Actor(account.kind, account.username), area, second=how)
        sessions.begin(account)
        return redirect(target, 303)


def _own_page(factors: Factors, account: Account, **values: object) -> str:
    enrolled = factors.codes.enrolled(account.username)
    offer = None if enrolled else factors.codes.offer(account.username)
    picture = ""
    if offer:
        svg = zxingcpp.create_barcode(offer.address, zxingcpp.BarcodeFormat.QRCode).to_svg()
        picture = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    shown = {"codes": (), "error": "", "values": {}, **values}
    return render_template(
        "sign_second.html",
        offer=offer,
        picture=picture,
        passkeys=factors.passkeys.of(account.username),
        possible=factors.passkeys.possible,
        must=factors.required and not factors.has(account.username),
        **shown,
    )


def _json(body: str) -> Response:
    return Response(body, content_type="application/json")


def _refused(services: Services, error: SignInError | RefusalError) -> Response:
    """A refusal that the page's script shows as it is."""
    key = f"sign.error.{error.code}"
    sentence = services.texts.say(pages.language(), key, **error.details)
    return pages.problem(429 if error.code == "too_many_requests" else 422, error.code, sentence)
