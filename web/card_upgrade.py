"""The holder's page and what makes a card stronger: the upgrade, and the PIN."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from flask import Response, jsonify, render_template
from werkzeug.exceptions import BadRequest

from credentials.model import Card, Level, Status
from credentials.pictures import qr_svg
from credentials.pins import LONGEST
from credentials.upgrade import BINDINGS
from web.card_session import CardSession

if TYPE_CHECKING:
    from credentials.services import Services

Body = Callable[[], Mapping[str, object]]
Now = Callable[[CardSession], Response]
View = Callable[..., Response]


def panel(services: Services, card: Card) -> str:
    """What the page says of upgrade and PIN: a piece of the page; '' where there is nothing."""
    if card.status is not Status.ACTIVE:
        return ""
    if card.level is Level.UPGRADED:
        pin = services.pins.state(card.credential_id)
        return render_template("card/_pin.html", pin=pin)
    upgrade = services.upgrades.look(card.holder)
    bound = upgrade.bound if upgrade else {}
    return render_template(
        "card/_upgrade.html",
        begun=upgrade is not None,
        bindings=[{"name": name, "done": name in bound} for name in BINDINGS],
    )


def views(services: Services, body: Body, now: Now) -> Iterator[tuple[str, str, View]]:
    """Address, method and view of each.

    Args:
        services: the product's services.
        body: reads the JSON object that was sent.
        now: answers with everything as it is now.
    """

    def upgrade(session: CardSession) -> Response:
        """Begin an upgrade, or go on with it: a fresh binding code."""
        body()
        code = services.upgrades.binding_code(session.holder)
        spaced = f"{code.digits[:4]} {code.digits[4:]}"
        return jsonify(
            digits=spaced,
            svg=qr_svg(code.digits),
            expires_in=round(code.expires_at - code.now, 1),
        )

    def pin(session: CardSession) -> Response:
        """Set the PIN, or change it by giving the current one."""
        sent = body()
        services.pins.set(session.holder, _digits(sent, "new"), _digits(sent, "current"))
        return now(session)

    def unlock(session: CardSession) -> Response:
        """Enter the PIN for a purpose: the codes of the next two minutes may be for it."""
        sent = body()
        purpose = str(sent.get("purpose", ""))
        if purpose not in services.purposes:
            raise BadRequest
        services.cards.mint(session.holder, purpose, _digits(sent, "pin"))
        return now(session)

    yield "upgrade", "POST", upgrade
    yield "pin", "POST", pin
    yield "unlock", "POST", unlock


def _digits(sent: Mapping[str, object], field: str) -> str:
    """A PIN as it was typed; what is longer than any is cut to be one too long."""
    return str(sent.get(field, ""))[: LONGEST + 1]
