"""What every command is given: a way to open the services, and errors told as sentences."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from credentials.errors import CredentialError, UnavailableError
from credentials.model import Actor
from texts import Texts

if TYPE_CHECKING:
    from credentials.services import Services

Opener = Callable[[], "contextlib.AbstractContextManager[Services]"]
# Details that finish a sentence: what there is to choose from, or what was meant.
_CHOICES = ("purposes", "roles", "ids", "prefix", "name", "username", "limit")


@contextlib.contextmanager
def opened(opener: Opener) -> Iterator[Services]:
    """The services for one command; a refusal ends the command with its sentence and status 1."""
    try:
        with opener() as services:
            yield services
    except CredentialError as error:
        raise click.ClickException(sentence(error)) from error


def note(services: Services, kind: str, about: str, **details: str) -> None:
    """Write into the administration's audit what a command is about to do, or to show.

    Raises:
        UnavailableError: when it cannot be written; the command ends there.
    """
    services.audit.note(kind, Actor("operator", "command line"), about, **details)


def complain_of(unreadable: Sequence[str], unusable: Sequence[str] = ()) -> None:
    """End a command with status 1 where it had to pass cards over.

    Args:
        unreadable: cards that do not open, to be looked for in a backup.
        unusable: cards of whose person the authority's answer cannot be used: theirs to mend.

    Raises:
        click.ClickException: it names them.
    """
    said = []
    for why, cards in (
        ("cannot be read", unreadable),
        ("cannot be re-checked, for the authority's answer about them is unusable,", unusable),
    ):
        if cards:
            count = "1 card" if len(cards) == 1 else f"{len(cards)} cards"
            passed = f"{'was' if len(cards) == 1 else 'were'} passed over"
            said.append(f"{count} {why} and {passed}: {', '.join(cards)}")
    if said:
        raise click.ClickException("; ".join(said))


def sentence(error: CredentialError) -> str:
    """What was wrong and what to do, in English, with the details that help."""
    texts = Texts()
    if isinstance(error, UnavailableError):
        said = ", ".join(f"{key} {value}" for key, value in error.details.items())
        return f"{texts.say('en', 'error.unavailable')} ({said or 'no details'})"
    key = f"error.{error.code}"
    reason = f"{key}.{error.details.get('reason', '')}"
    found = next((name for name in (reason, key) if name in texts), None)
    said = texts.say("en", found) if found else error.code
    helpful = [f"{name}: {error.details[name]}" for name in _CHOICES if name in error.details]
    return f"{said} ({'; '.join(helpful)})" if helpful else said
