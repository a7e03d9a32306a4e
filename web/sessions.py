"""Signing in to the desk and the console: two areas, each with a cookie and accounts of its own.

The cookie is Flask's signed one, sent only below its area's path. It names a session that
Redis holds, so that signing out ends it, wherever the cookie was copied to. On every request:

1. An unsafe method carries the session's CSRF token, or is refused.
2. The session is known to Redis, and not older than a shift.
3. Its account exists, and its epoch is the one signed in with: a new password, or an
   account that was disabled, ends every session at once.
4. A one-time password opens nothing but the page that replaces it.

| key | holds |
|---|---|
| `{s:<area>:<tag>}` | `<time of sign-in> <epoch> <full or pin> <user name>`; ends after an idle \
  hour |

Cookie and token are signed with the time of the web server that wrote them, which is never looked
at: how long they hold is for Redis to say, and one server's clock may be ahead of another's.

A desk's tablet is remembered for a shift (`credentials/desk_pins.py`): its name is in the cookie,
made anew at each full sign-in, and goes with signing out.
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Any, cast

import redis
from flask import Flask, Request, Response, g, request, session
from flask.sessions import (
    NullSession,
    SecureCookieSession,
    SecureCookieSessionInterface,
    SessionMixin,
)
from flask_wtf.csrf import generate_csrf, validate_csrf
from itsdangerous import URLSafeTimedSerializer

from credentials.connection import guard
from credentials.errors import RefusalError

if TYPE_CHECKING:
    from credentials.accounts import Account, Accounts
    from credentials.desk_pins import DeskPins
    from credentials.keyring import Keyring

AREAS = ("desk", "console")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
IDLE_S = 60 * 60
SHIFT_S = 12 * 60 * 60
COOKIE_PURPOSE = "web-session"
CSRF_PURPOSE = "web-csrf"
LONGEST_NEXT = 300
LONGEST_BROWSER = 120
HALF_S = 5 * 60


@dataclasses.dataclass(frozen=True, slots=True)
class Open:
    """A session that is open: its id, since when, from where, and whether it is this one."""

    identifier: str
    began: float
    address: str
    browser: str
    own: bool


class NoSession(NullSession):
    """What a request outside the areas has: nothing, and no cookie is read or written for it."""

    accessed = False
    modified = False


class Serializer(URLSafeTimedSerializer):
    """Reads what it wrote, at any time."""

    def loads(self, s: str | bytes, *_: object, **__: object) -> Any:
        """What was written; BadSignature when it is none of ours."""
        return super().loads(s)


class AreaSessions(SecureCookieSessionInterface):
    """Flask's signed session cookie, one for each area, under the keys of the ring."""

    salt = "web-session"

    def __init__(self, keyring: Keyring, *, secure: bool) -> None:
        self._keyring = keyring
        self._secure = secure

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The session of an area's page; the API and the other pages have none to open."""
        if not area_of(request.path):
            return NoSession()
        found = super().open_session(app, request)
        if not found and request.cookies.get(self.get_cookie_name(app)) and self._keyring.refresh():
            return super().open_session(app, request)  # another process had the new key first
        return found

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Send the cookie of an area's page."""
        if not isinstance(session, NoSession):
            super().save_session(app, session, response)

    def get_signing_serializer(self, app: Flask) -> Serializer | None:  # noqa: ARG002 - Flask's
        """Sign under the current key, read under every key of the ring."""
        return Serializer(
            cast("Any", _keys(self._keyring, COOKIE_PURPOSE)),
            salt=self.salt,
            serializer=self.serializer,
            signer_kwargs={"key_derivation": self.key_derivation, "digest_method": hashlib.sha256},
        )

    def get_cookie_name(self, app: Flask) -> str:
        """`desk`, `console`, or Flask's own name elsewhere."""
        return area_of(request.path) or super().get_cookie_name(app)

    def get_cookie_path(self, app: Flask) -> str:
        """Send an area's cookie to that area alone."""
        area = area_of(request.path)
        return f"/{area}" if area else super().get_cookie_path(app)

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002
        """Send it over https alone, where that is how this server is reached."""
        return self._secure or request.is_secure

    def get_cookie_samesite(self, app: Flask) -> str:  # noqa: ARG002
        """Not with requests that another site starts, except by following a link."""
        return "Lax"

    def get_cookie_httponly(self, app: Flask) -> bool:  # noqa: ARG002
        """Keep it from scripts."""
        return True


def install(app: Flask, keyring: Keyring, *, secure: bool) -> None:
    """Give `app` the sessions of the areas; `secure` sends their cookies over https alone."""
    app.session_interface = AreaSessions(keyring, secure=secure)
    app.config["WTF_CSRF_TIME_LIMIT"] = None  # a token ends with its session


def area_of(path: str) -> str:
    """The area that a path belongs to, or nothing."""
    first = path.removeprefix("/").partition("/")[0]
    return first if first in AREAS else ""


class Sessions:
    """The sessions of one area.

    Every method works on the request at hand.

    Raises:
        UnavailableError: from each method, when Redis does not answer.
    """

    def __init__(
        self,
        area: str,
        accounts: Accounts,
        connection: redis.Redis,
        keyring: Keyring,
        tablets: DeskPins | None = None,
    ) -> None:
        """The sessions of `area`; with `tablets`, colleagues change over by PIN there."""
        self.area = area
        self._tablets = tablets
        self.accounts = accounts
        self._redis = connection
        self._keyring = keyring

    def csrf_token(self) -> str:
        """The token that this session's forms carry."""
        return str(generate_csrf(secret_key=_keys(self._keyring, CSRF_PURPOSE)))

    def csrf_is_right(self) -> bool:
        """Whether an unsafe request carries its session's token, as a field or a header (1)."""
        if request.method in SAFE_METHODS:
            return True
        given = request.headers.get("X-CSRF-Token") or request.form.get("csrf_token")
        return self._is_token(given) or (self._keyring.refresh() and self._is_token(given))

    def _is_token(self, given: str | None) -> bool:
        try:
            validate_csrf(given, secret_key=_keys(self._keyring, CSRF_PURPOSE))
        except ValueError:  # WTForms' ValidationError is one
            return False
        return True

    def begin(self, account: Account, *, trusted_since: float | None = None) -> None:
        """Start a fresh session: nothing of the one before sign-in is kept (fixation).

        Args:
            account: who signed in.
            trusted_since: for who came in by a desk PIN, since when the tablet is trusted: no
                session there outlives that shift. None after a full sign-in.
        """
        tablet = self.tablet()
        self.lock()
        if self._tablets is not None and trusted_since is None:
            session["tablet"] = self._tablets.trust(account, before=tablet)
        tag = secrets.token_urlsafe(24)
        how, since = ("full", time.time()) if trusted_since is None else ("pin", trusted_since)
        value = f"{since:.0f} {account.epoch} {how} {account.username}"
        with guard():
            self._redis.set(self._key(tag), value, ex=IDLE_S)
            listed = self._listed(account.username)
            browser = " ".join(str(request.user_agent).split())[:LONGEST_BROWSER] or "-"
            self._redis.hset(
                listed,
                hashlib.sha256(tag.encode()).hexdigest()[:12],
                f"{tag} {time.time():.0f} {request.remote_addr or '-'} {browser}",
            )
            self._redis.expire(listed, SHIFT_S)
        session["tag"] = tag

    def begin_half(self, account: Account) -> None:
        """Remember that the password was right, until the second factor is."""
        self.lock()
        tag = secrets.token_urlsafe(24)
        with guard():
            self._redis.set(self._half(tag), f"{account.epoch} {account.username}", ex=HALF_S)
        session["half"] = tag

    def half(self) -> Account | None:
        """Whose second factor is asked for."""
        tag = session.get("half")
        if not isinstance(tag, str):
            return None
        with guard():
            value = cast("bytes | None", self._redis.get(self._half(tag)))
        if value is None:
            return None
        epoch, username = value.decode().split(" ", 1)
        return self.accounts.of_session(username, int(epoch))

    def open_of(self, username: str) -> list[Open]:
        """The sessions of an account that are open, the newest first."""
        key = self._listed(username)
        with guard():
            found = cast("dict[bytes, bytes]", self._redis.hgetall(key))
            opened = []
            for name, value in found.items():
                tag, began, address, browser = value.decode().split(" ", 3)
                if self._redis.exists(self._key(tag)):
                    own = tag == session.get("tag")
                    opened.append(Open(name.decode(), float(began), address, browser, own))
                else:
                    self._redis.hdel(key, name)
        return sorted(opened, key=lambda each: -each.began)

    def end_one(self, username: str, identifier: str) -> bool:
        """End one session of an account; False when it was not open."""
        key = self._listed(username)
        with guard():
            value = cast("bytes | None", self._redis.hget(key, identifier))
            if value is None:
                return False
            self._redis.hdel(key, identifier)
            return bool(self._redis.delete(self._key(value.decode().split(" ", 1)[0])))

    def end(self) -> None:
        """End the session here and in Redis, so that a copied cookie is worthless."""
        tablet = self.tablet()
        self.lock()
        session.clear()
        if tablet and self._tablets is not None:
            self._tablets.distrust(tablet)

    def lock(self) -> None:
        """End the session as `end` does, but keep the tablet for a colleague's PIN."""
        over = [
            key(tag)
            for name, key in (("tag", self._key), ("half", self._half))
            if isinstance(tag := session.get(name), str)
        ]
        tablet = self.tablet()
        session.clear()
        if tablet:
            session["tablet"] = tablet
        with guard():
            for each in over:
                self._redis.delete(each)

    def tablet(self) -> str:
        """This browser's name as a tablet; empty for one that has none."""
        tag = session.get("tablet")
        return tag if isinstance(tag, str) else ""

    def account(self) -> Account | None:
        """Who is signed in, checked against the server's own record (2 and 3)."""
        tag = session.get("tag")
        if not isinstance(tag, str):
            return None
        with guard():
            value = cast("bytes | None", self._redis.getex(self._key(tag), ex=IDLE_S))
        if value is None:
            return None
        began, epoch, how, username = value.decode().split(" ", 3)
        if time.time() - float(began) > SHIFT_S or how not in {"full", "pin"}:
            return None
        g.by_pin = how == "pin"
        return self.accounts.of_session(username, int(epoch))

    def _half(self, tag: str) -> str:
        return f"{{s2:{self.area}:{tag}}}"

    def _listed(self, username: str) -> str:
        return f"{{sessions:{self.area}:{username}}}"

    def _key(self, tag: str) -> str:
        return f"{{s:{self.area}:{tag}}}"


def name() -> str:
    """Who is signed in, for a log; nothing before sign-in."""
    account: Account | None = g.get("account")
    return account.username if account is not None else ""


def current() -> Account:
    """Who is signed in; only inside a guarded view."""
    account: Account | None = g.get("account")
    if account is None:
        raise RefusalError("unauthenticated")
    return account


def own_path(target: str, area: str) -> str:
    """`target` if it is a path of this area, else the area's first page (open redirects)."""
    home = f"/{area}"
    inside = target == home or target.startswith((f"{home}/", f"{home}?"))
    plain = target.isascii() and target.isprintable() and "\\" not in target
    climbs = "//" in target or ".." in target
    return target if inside and plain and not climbs and len(target) <= LONGEST_NEXT else home


def _keys(keyring: Keyring, purpose: str) -> list[bytes]:
    """The keys for one purpose, oldest first and current last, as itsdangerous wants them."""
    return [keyring.derive(version, purpose) for version in reversed(keyring.versions)]
