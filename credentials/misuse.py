"""Uses that were not the holder's: the card is stopped, and operators have a case."""

from __future__ import annotations

from credentials.cards import Cards
from credentials.cases import Cases, Kind
from credentials.errors import LifecycleError
from credentials.model import Actor

HOLDER = Actor("holder")


class Misuse:
    """Takes the holders' reports; every method raises UnavailableError when Redis is out."""

    def __init__(self, cards: Cards, cases: Cases) -> None:
        self._cards = cards
        self._cases = cases

    def report(self, credential_id: str, verification_id: str) -> bool:
        """Freeze the card of a use that was not its holder's, and open a case for operators.

        A card that has ended cannot be frozen; how it was used is reported all the same.
        Repeating a call that failed is safe: the same use is the same case.

        Args:
            credential_id: the card; the caller knows that it is this holder's.
            verification_id: the use; the caller has seen it in the card's history.

        Returns:
            Whether the card is frozen now; False when it has ended.
        """
        frozen = True
        try:
            self._cards.stop(credential_id, HOLDER, f"not_me:{verification_id}")
        except LifecycleError:
            frozen = False
        self._cases.open(Kind.NOT_ME, credential_id, HOLDER, verification_id=verification_id)
        return frozen
