"""What a holder reads of a card's history: in the chat, on its page, in the mini-program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from credentials.model import Use

# Steps on the way to what is told: `activated` for issuing, the outcome for a comparison.
UNSEEN_KINDS: Final = frozenset({"issued", "abandoned", "face_asked", "face_agreed", "guest_same"})


def of_interest(history: Sequence[Use]) -> list[Use]:
    """The lines that a holder reads, newest first: each scan once, as it ended."""
    ended = {use.verification_id for use in history if use.kind in {"accepted", "denied"}}
    return [
        use
        for use in history
        if use.kind not in UNSEEN_KINDS
        and not (use.kind == "asked" and use.verification_id in ended)
    ]
