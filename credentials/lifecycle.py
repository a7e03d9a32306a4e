"""The life of a credential: `pending → active ⇄ frozen → revoked | expired`, as data.

A freeze may pass from the holder to the issuer while the status stays (scripts/transition.lua).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from credentials.model import Status

ARROWS: Mapping[Status, frozenset[Status]] = MappingProxyType(
    {
        Status.PENDING: frozenset({Status.ACTIVE, Status.REVOKED}),
        Status.ACTIVE: frozenset({Status.FROZEN, Status.REVOKED, Status.EXPIRED}),
        Status.FROZEN: frozenset({Status.ACTIVE, Status.REVOKED, Status.EXPIRED}),
        Status.REVOKED: frozenset(),
        Status.EXPIRED: frozenset(),
    }
)


def may(here: Status, there: Status) -> bool:
    """Whether an arrow leads from one status to the other."""
    return there in ARROWS[here]


def sources(there: Status) -> tuple[Status, ...]:
    """The statuses from which an arrow leads to `there`."""
    return tuple(here for here in Status if may(here, there))


def is_over(status: Status) -> bool:
    """Whether no arrow leads on: the ID number and the account are free for a new card."""
    return not ARROWS[status]


def at(status: Status, *, valid_until: float | None, now: float) -> Status:
    """The status at a moment: a card whose time has passed is expired, written down or not.

    Args:
        status: what the record says.
        valid_until: the last moment of the card's validity, seconds since 1970; None, no end.
        now: the moment, seconds since 1970.
    """
    if valid_until is not None and now > valid_until and may(status, Status.EXPIRED):
        return Status.EXPIRED
    return status
