"""What was acknowledged to whom under load, to be held against Redis afterwards."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator

from credentials.errors import CredentialError, UnavailableError
from credentials.model import Actor, Card
from tests.faults.acts import END_SECONDS, Office

OPERATOR = Actor("operator", "load")


@dataclasses.dataclass
class Ledger:
    """Acknowledged acts, by credential; and how often and how long there was no answer."""

    issued: dict[str, Card] = dataclasses.field(default_factory=dict)
    revoked: list[str] = dataclasses.field(default_factory=list)
    accepted: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    refusals: list[tuple[float, float]] = dataclasses.field(default_factory=list)

    @property
    def longest_gap(self) -> float:
        """The longest time in which a thread got nothing but refusals, in seconds."""
        return max((end - begin for begin, end in self.refusals), default=0.0)

    def problems(self, office: Office) -> Iterator[str]:
        """Each acknowledged act that Redis does not know, and each that it contradicts."""
        cards = office.services.cards
        for credential_id in self.issued:
            found = cards.get(credential_id)
            if found is None:
                yield f"{credential_id} was issued, and is gone"
                continue
            kinds = [use.kind for use in cards.history(credential_id, 1000)]
            if kinds.count("activated") != 1:
                yield f"{credential_id} was activated {kinds.count('activated')} times"
            if credential_id in self.revoked and (
                found.status != "revoked" or "revoked" not in kinds
            ):
                yield f"{credential_id} was revoked, and is {found.status}"
        for credential_id, verification_id in self.accepted:
            uses = cards.history(credential_id, 1000)
            count = sum(use.verification_id == verification_id for use in uses)
            if count != 1:
                yield f"{verification_id} is {count} times in the log of {credential_id}"
        yield from (str(step.finding) for step in office.services.audit.verify() if step.finding)


class Load:
    """Threads that issue, show, scan and revoke cards until they are told to stop."""

    def __init__(
        self, office: Office, scan: Callable[[str], str], *, threads: int = 4, number: int = 0
    ) -> None:
        self.ledger = Ledger()
        self._office = office
        self._scan = scan
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._next = number
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(END_SECONDS)

    def reached(self, cards: int) -> bool:
        """Whether so many cards were issued."""
        return len(self.ledger.issued) >= cards

    def _run(self) -> None:
        since = 0.0
        while not self._stop.is_set():
            try:
                self._one()
                if since:
                    self.ledger.refusals.append((since, time.monotonic()))
                since = 0.0
            except UnavailableError:
                since = since or time.monotonic()
            except CredentialError:
                continue  # such as a repeat of what was done without being acknowledged

    def _one(self) -> None:
        with self._lock:
            self._next += 1
            number = self._next
        card = self._office.card(f"oLoad{number:06d}", sequence=number)
        self.ledger.issued[card.credential_id] = card
        verification_id = self._scan(self._office.code(card))
        if verification_id:
            self.ledger.accepted.append((card.credential_id, verification_id))
        if number % 3 == 0:
            self._office.services.cards.revoke(card.credential_id, OPERATOR)
            self.ledger.revoked.append(card.credential_id)
