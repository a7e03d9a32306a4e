"""The holder's page and a desk that would like to compare the guest's face with the portrait."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from flask import Response, render_template
from werkzeug.exceptions import BadRequest

from web.card_session import CardSession

if TYPE_CHECKING:
    from credentials.model import Card
    from credentials.services import Services

Body = Callable[[], Mapping[str, object]]
Now = Callable[[CardSession], Response]
View = Callable[..., Response]


def question(services: Services, card: Card) -> dict[str, object] | None:
    """Who asks, as a piece of the page, and how long the question stands."""
    asked = services.comparisons.question(card.credential_id)
    if asked is None:
        return None
    return {
        "id": asked.verification_id,
        "agreed": asked.agreed,
        "expires_in": round(asked.left_s, 1),
        "html": render_template("card/_compare.html", asked=asked),
    }


def views(services: Services, body: Body, now: Now) -> Iterator[tuple[str, str, View]]:
    """Address, method and view, as `card_upgrade.views`."""

    def comparison(session: CardSession, verification_id: str) -> Response:
        """Agree that the face may be compared, or not; either is as good."""
        answer = body().get("answer")
        if answer not in ("agree", "decline"):
            raise BadRequest
        services.comparisons.answer(session.holder, verification_id, agrees=answer == "agree")
        return now(session)

    yield "comparisons/<verification_id>", "POST", comparison
