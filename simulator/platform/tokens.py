"""Access tokens and JS-SDK tickets: the plain kind, the stable kind, and what they allow."""

from __future__ import annotations

import dataclasses
import hmac
import secrets
import string
import threading
from typing import Any

from simulator.platform.errors import ApiError
from simulator.platform.world import World

LIFE = 7200
OVERLAP = 300.0  # a replaced plain token goes on for five minutes
PLAIN_A_DAY = 2000
FORCED_A_DAY = 20
DAY = 86400.0
LENGTH = 136


@dataclasses.dataclass(slots=True)
class Token:
    """One access token and until when it holds."""

    value: str
    kind: str
    until: float
    gone: bool = False


class Tokens:
    """Gives tokens out and checks them; survives a restart."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._tokens = {key: Token(**body) for key, body in world.shelf.all("token")}
        self._current: dict[str, str] = dict(world.shelf.get("token-current", "all") or {})
        self._calls: dict[str, list[float]] = {}
        ticket = world.shelf.get("ticket", "jsapi")
        self._ticket: tuple[str, float] = (ticket[0], ticket[1]) if ticket else ("", 0.0)

    def authenticate(self, app_id: str, secret: str) -> None:
        """Check AppID and AppSecret.

        Raises:
            ApiError: 41002, 41004, 40013, 40125.
        """
        if not app_id:
            raise ApiError(41002)
        if not secret:
            raise ApiError(41004)
        if app_id != self._world.config.app_id:
            raise ApiError(40013)
        if not hmac.compare_digest(secret.encode(), self._world.config.secret.encode()):
            raise ApiError(40125)

    def plain(self) -> dict[str, Any]:
        """A new plain token; the former one goes on for five minutes.

        Raises:
            ApiError: 45009 beyond 2000 a day.
        """
        with self._lock:
            self._count("plain", PLAIN_A_DAY)
            former = self._tokens.get(self._current.get("plain", ""))
            if former:
                former.until = min(former.until, self._world.now() + OVERLAP)
                self._keep(former)
            return self._issue("plain")

    def stable(self, *, force: bool) -> dict[str, Any]:
        """The stable token, the same for all who ask until its last five minutes.

        Raises:
            ApiError: 45009 beyond 20 forced refreshes a day.
        """
        with self._lock:
            former = self._tokens.get(self._current.get("stable", ""))
            now = self._world.now()
            if former and not force and not former.gone and former.until - now > OVERLAP:
                return {"access_token": former.value, "expires_in": int(former.until - now)}
            if force:
                self._count("forced", FORCED_A_DAY)
                if former:
                    former.gone = True
                    self._keep(former)
            return self._issue("stable")

    def check(self, value: str) -> None:
        """Let a call with this token pass.

        Raises:
            ApiError: 41001, 40014, 40001, 42001.
        """
        if not value:
            raise ApiError(41001)
        with self._lock:
            token = self._tokens.get(value)
            if token is None and not _looks_like_token(value):
                raise ApiError(40014)
            if token is None or token.gone:
                raise ApiError(40001)
            if token.until <= self._world.now():
                raise ApiError(42001)

    def invalidate(self, kind: str = "") -> int:
        """Make every token, or every one of a kind, invalid at once; says how many."""
        with self._lock:
            hit = [each for each in self._tokens.values() if not each.gone]
            hit = [each for each in hit if not kind or each.kind == kind]
            for token in hit:
                token.gone = True
                self._keep(token)
            return len(hit)

    def ticket(self) -> dict[str, Any]:
        """The JS-SDK ticket, the same until it expires."""
        with self._lock:
            value, until = self._ticket
            now = self._world.now()
            if until <= now:
                value, until = _random(86), now + LIFE
                self._ticket = (value, until)
                self._world.shelf.put("ticket", "jsapi", [value, until])
            return {"errcode": 0, "errmsg": "ok", "ticket": value, "expires_in": int(until - now)}

    def _issue(self, kind: str) -> dict[str, Any]:
        token = Token(_random(LENGTH), kind, self._world.now() + LIFE)
        self._tokens[token.value] = token
        self._current[kind] = token.value
        self._world.shelf.put("token-current", "all", self._current)
        self._keep(token)
        return {"access_token": token.value, "expires_in": LIFE}

    def _count(self, name: str, limit: int) -> None:
        now = self._world.now()
        recent = [each for each in self._calls.get(name, []) if now - each < DAY]
        if len(recent) >= limit:
            raise ApiError(45009)
        self._calls[name] = [*recent, now]

    def _keep(self, token: Token) -> None:
        self._world.shelf.put("token", token.value, dataclasses.asdict(token))


def _random(length: int) -> str:
    letters = string.ascii_letters + string.digits + "-_"
    return "".join(secrets.choice(letters) for _ in range(length))


def _looks_like_token(value: str) -> bool:
    return len(value) >= 64 and all(each.isascii() for each in value)
