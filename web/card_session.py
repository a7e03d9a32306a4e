"""Who looks at a card page: a sealed cookie that opens one path, and OAuth's state.

The page of one visit lives at `/card/s/<tag>/` and its cookie is sent to that path only, so two
phones in one browser never mix, and the address alone opens nothing. The cookie holds the
account sealed under the tag, so a cookie moved to another tag does not open.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hmac
import json
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from flask import Request, Response

from credentials.errors import CredentialError
from credentials.model import Holder

if TYPE_CHECKING:
    from credentials.sealing import Sealer

SESSION_SECONDS = 30 * 60
STATE_SECONDS = 10 * 60
COOKIE = "card"
STATE_COOKIE = "card_state_"
LONGEST_COOKIE = 2048
CALLBACK = "/card/back"


class SignIn(Protocol):
    """What the card page needs of a channel: OAuth, and the channel's name."""

    name: str

    def sign_in_address(self, return_to: str, state: str) -> str:
        """Where a browser inside the platform is sent to find out who is looking."""

    def who(self, code: str) -> str:
        """The account behind an OAuth code, which works once."""


@dataclasses.dataclass(frozen=True, slots=True)
class CardSession:
    """One visit: its tag (in the address), whose card it shows, and its token against forgery."""

    tag: str
    holder: Holder
    token: str


class CardSessions:
    """Begins and reads visits; nothing is stored on the server.

    Args:
        sealer: seals the account, so that the cookie tells nothing.
        secure: whether cookies are for https only.
        clock: seconds since 1970.
    """

    def __init__(
        self, sealer: Sealer, *, secure: bool, clock: Callable[[], float] = time.time
    ) -> None:
        self._sealer = sealer
        self._secure = secure
        self._clock = clock

    def ask(self, response: Response, channel: str, page: str = "") -> str:
        """A new OAuth state for a channel, bound to the browser that gets `response`.

        `page` is where the visit begins, below its path.
        """
        state = secrets.token_hex(16)
        response.set_cookie(
            STATE_COOKIE + state[:8],
            f"{state}.{channel}.{page}",
            max_age=STATE_SECONDS,
            path=CALLBACK,
            secure=self._secure,
            httponly=True,
            samesite="Lax",
        )
        return state

    def asked(self, request: Request, state: str) -> tuple[str, str]:
        """The channel that this browser was sent to with `state`, and the page to begin with.

        Both are empty if it never was.
        """
        kept, _, rest = request.cookies.get(STATE_COOKIE + state[:8], "").partition(".")
        channel, _, page = rest.partition(".")
        same = hmac.compare_digest(kept.encode(), state.encode())
        return (channel, page) if len(state) == 32 and same else ("", "")

    def answered(self, response: Response, state: str) -> None:
        """Forget `state`: a callback's address works once."""
        response.delete_cookie(STATE_COOKIE + state[:8], path=CALLBACK)

    def begin(self, holder: Holder) -> tuple[CardSession, Callable[[Response], None]]:
        """A new visit of `holder`, and the function that puts its cookie on a response."""
        session = CardSession(secrets.token_urlsafe(12), holder, secrets.token_urlsafe(18))
        plain = json.dumps(
            [holder.channel, holder.openid, session.token, int(self._clock())]
        ).encode()
        sealed = self._sealer.seal(_record(session.tag), plain)
        value = base64.urlsafe_b64encode(sealed).decode().rstrip("=")

        def put(response: Response) -> None:
            response.set_cookie(
                COOKIE,
                value,
                max_age=SESSION_SECONDS,
                path=path_of(session.tag),
                secure=self._secure,
                httponly=True,
                samesite="Lax",
            )

        return session, put

    def read(self, request: Request, tag: str) -> CardSession | None:
        """The visit that the request's cookie opens at `tag`, or None."""
        return self.open(request.cookies.get(COOKIE, ""), tag)

    def open(self, value: str, tag: str) -> CardSession | None:
        """The visit that a cookie opens at `tag`, or None."""
        if not value or len(value) > LONGEST_COOKIE:
            return None
        try:
            sealed = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
            channel, openid, token, began = json.loads(self._sealer.unseal(_record(tag), sealed))
        except (CredentialError, binascii.Error, ValueError):
            return None
        if self._clock() - began > SESSION_SECONDS:
            return None
        return CardSession(tag, Holder(channel, openid), token)


def path_of(tag: str) -> str:
    """The path of a visit's page, which is its cookie's path too."""
    return f"/card/s/{tag}/"


def is_ours(request: Request, session: CardSession) -> bool:
    """Whether a request that changes something comes from the visit's own page.

    The page sends its token in a header of its own, which no other site's form can; the browser
    says where the request was made.
    """
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return False
    token = request.headers.get("X-Card-Token", "")
    return hmac.compare_digest(token.encode(), session.token.encode())


def _record(tag: str) -> str:
    return f"card-session:{tag}"
