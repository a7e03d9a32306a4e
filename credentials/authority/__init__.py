"""The authority: the population registry that says who a person is.

`Authority` is what the product needs of it; `EmbeddedRegistry` keeps made-up people in this
product's Redis, for demos and tests; `HttpAuthority` asks the real one, `GuardedAuthority`
leaves it alone while it is ill.
"""

from credentials.authority.base import (
    Authority,
    AuthorityError,
    NameMismatchError,
    NotRegisteredError,
    PersonEndedError,
)
from credentials.authority.breaker import GuardedAuthority
from credentials.authority.embedded import EmbeddedRegistry
from credentials.authority.http import HttpAuthority

__all__ = [
    "Authority",
    "AuthorityError",
    "EmbeddedRegistry",
    "GuardedAuthority",
    "HttpAuthority",
    "NameMismatchError",
    "NotRegisteredError",
    "PersonEndedError",
]
