"""What the product needs of the population registry, and the ways it says no."""

from __future__ import annotations

from typing import Literal, Protocol

from credentials.errors import CredentialError
from credentials.model import Person

Ending = Literal["died", "cancelled"]


class AuthorityError(CredentialError):
    """The authority answered, and the answer is no."""

    code = "not_registered"


class NotRegisteredError(AuthorityError):
    """Nobody is registered under this ID number."""

    code = "not_registered"


class NameMismatchError(AuthorityError):
    """The ID number is registered under another name."""

    code = "name_mismatch"


class PersonEndedError(AuthorityError):
    """The registration has ended: `details["reason"]` is died or cancelled."""

    code = "person_ended"


class Authority(Protocol):
    """A population registry. One question, bounded in time, safe to be repeated."""

    def check(self, name: str, id_number: str) -> Person:
        """Who is registered under this name and ID number.

        Args:
            name: as `names.parse` gives it.
            id_number: as `id_number.parse` gives it, 18 characters.

        Raises:
            NotRegisteredError: nobody has this number.
            NameMismatchError: somebody has it, under another name.
            PersonEndedError: the holder of the number died, or the number was cancelled.
            UnavailableError: the authority cannot be asked, or its answer cannot be trusted.
        """
