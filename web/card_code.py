"""The code on the card page: asked for every fifteen seconds by every page that is open.

So it is a hot route of the front (`front.py`). Answered there is the one thing that nearly always
happens: a visit that is open gets its code. Everything else is told by Flask, which has the words
and the pages for it: a visit that is over, a wish that is not plain, and a refusal, which goes
along in the request, so that nothing is done or waited for twice.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from flask import request
from werkzeug.exceptions import BadRequest

from credentials.errors import CredentialError
from credentials.pictures import qr_svg
from web.card_session import COOKIE, CardSession, CardSessions
from web.front import Answer, Asked, Route, response

if TYPE_CHECKING:
    from flask import Response

    from credentials.model import Holder
    from credentials.services import Services

RULE = "/card/s/<tag>/code"
REFUSED = "card.refused"
HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}
_PLAIN = re.compile(r"(?:purpose=([a-z_]*))?(?:(?:(?<=.)&|\A)short=(1?))?")


class FreshCodes:
    """Gives fresh codes to pages, by either way.

    Times are in seconds from now: the phone's clock does not matter.
    """

    def __init__(self, services: Services, sessions: CardSessions) -> None:
        self._services = services
        self._sessions = sessions

    def route(self) -> Route:
        """The hot route."""
        return Route("GET", RULE, self.at_once, query=True)

    def at_once(self, asked: Asked, tag: str) -> Answer | None:
        """The code for an open visit; None for everything else."""
        wish = _PLAIN.fullmatch(asked.query)
        session = self._sessions.open(asked.cookie(COOKIE), tag)
        if wish is None or session is None or not self._knows(wish[1] or ""):
            return None
        try:
            return self._fresh(session.holder, wish[1] or "", short=bool(wish[2]))
        except CredentialError as error:
            asked.environ[REFUSED] = error
            return None

    def code(self, session: CardSession) -> Response:
        """The same behind Flask."""
        refused = request.environ.get(REFUSED)
        if isinstance(refused, CredentialError):
            raise refused
        purpose = request.args.get("purpose", "")
        if not self._knows(purpose):
            raise BadRequest
        short = bool(request.args.get("short"))
        return response(self._fresh(session.holder, purpose, short=short))

    def _knows(self, purpose: str) -> bool:
        return not purpose or purpose in self._services.purposes

    def _fresh(self, holder: Holder, purpose: str, *, short: bool) -> Answer:
        code = self._services.cards.mint(holder, purpose or None)
        body = {
            "svg": qr_svg(code.address, random=True),
            "purpose": purpose,
            "refresh_in": round(code.refresh_at - code.issued_at, 3),
            "expires_in": round(code.expires_at - code.issued_at, 3),
            "short": self._services.short_codes.give(code) if short else "",
        }
        return Answer(200, json.dumps(body).encode(), dict(HEADERS))
