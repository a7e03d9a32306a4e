"""Passwords of accounts: argon2id (RFC 9106), what is refused, and one-time passwords."""

from __future__ import annotations

import secrets

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from credentials.errors import CredentialError

SHORTEST = 10
LONGEST = 256
# No letter or digit that is read for another one.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_COMMON = frozenset(
    {
        "password", "passw0rd", "123456789", "1234567890", "0123456789", "qwertyuiop", "qwerty123",
        "letmein", "iloveyou", "administrator", "welcome", "changeme", "abcdefghij", "woaini1314",
        "a123456789", "1q2w3e4r5t", "1qaz2wsx3edc", "5201314520", "88888888", "66666666",
    }
)  # fmt: skip
_HASHER = argon2.PasswordHasher()
# The hash of a password that nobody knows, with the parameters of the hasher above: what a
# sign-in under an unknown name is compared with, so that it takes as long as any other.
_NOBODY = (
    "$argon2id$v=19$m=65536,t=3,p=4$"
    "6BVp5xO11rg4u1BmQJocyw$0edTkxNqtdKGkKlqIhrglKXAYn8fjLO+lp69mt0DU/k"
)


class PasswordError(CredentialError):
    """A new password that is refused.

    password_too_short (`details["limit"]`), password_too_long, password_too_common, password_same.
    """

    code = "password_too_short"


def hashed(password: str) -> str:
    """The argon2id hash that is kept."""
    return _HASHER.hash(password)


def matches(kept: str | None, password: str) -> bool:
    """Whether `password` is the one that `kept` was made of; with None as slow, and False."""
    try:
        right = _HASHER.verify(kept or _NOBODY, password[:LONGEST])
    except (VerificationError, InvalidHashError, UnicodeEncodeError):  # half a character, of JSON
        return False
    return right and kept is not None and len(password) <= LONGEST


def is_outdated(kept: str) -> bool:
    """Whether a hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(kept)


def one_time() -> str:
    """A password of 79 random bits that can be read out: `k7mq-x2fa-9pdw-tj4c`."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def check_new(password: str, username: str) -> None:
    """Refuse what is guessed first.

    Raises:
        PasswordError: with the code of what is wrong.
    """
    if len(password) < SHORTEST:
        raise PasswordError("password_too_short", limit=SHORTEST)
    if len(password) > LONGEST:
        raise PasswordError("password_too_long", limit=LONGEST)
    plain = password.casefold().strip()
    bare = plain.strip("0123456789!@#$%^&*._-+= ")
    if (
        plain in _COMMON
        or bare in _COMMON
        or len(set(plain)) < 5
        or (len(username) > 3 and username in plain)
    ):
        raise PasswordError("password_too_common")
