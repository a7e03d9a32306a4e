"""Everything this package refuses, each with a stable code; sentences are in the catalogues."""

from __future__ import annotations


class CredentialError(Exception):
    """The root of this package's errors; `code` is stable, its sentence is `error.<code>`."""

    code = "unavailable"

    def __init__(self, code: str | None = None, **details: str | int | float) -> None:
        self.code = code or type(self).code
        self.details = details
        super().__init__(self.code)


class UnavailableError(CredentialError):
    """Redis, the keys, the authority or the audit is missing or slow: nothing was done."""


class UnusableError(UnavailableError):
    """What the authority says of one person cannot be used; of another it may be."""


class RefusalError(CredentialError):
    """A verification that is refused; `code` is one of the contract's.

    malformed, unauthenticated, purpose_not_granted, level_insufficient, unknown_code,
    already_used, expired, bad_signature, frozen, revoked, too_many_requests, unavailable.
    """


class NoCardError(CredentialError):
    """The account holds no card."""

    code = "no_card"


class LifecycleError(CredentialError):
    """A change that the lifecycle has no arrow for; `details["status"]` is where it stands.

    wrong_status; frozen_by_issuer, which a holder does not undo.
    """

    code = "wrong_status"


class IdNumberTakenError(CredentialError):
    """The ID number already has a holder."""

    code = "id_number_taken"


class SignInError(CredentialError):
    """An account that cannot sign in.

    wrong_password, locked, no_such_account, disabled; wrong_code of the second factor;
    passkey_refused, passkey_many, passkey_impossible; wrong_pin, no_tablet of a desk.
    """

    code = "wrong_password"
