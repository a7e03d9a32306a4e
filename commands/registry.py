"""`registry`: what the population registry says by now of people who hold a card."""

from __future__ import annotations

import json
import sys

import click

from commands.context import Opener, complain_of, note, opened, sentence
from credentials import id_number
from credentials.authority import EmbeddedRegistry
from credentials.authority.base import Ending


@click.group()
def registry() -> None:
    """Ask the authority again about people who hold a card."""


@registry.command()
@click.option(
    "--rate",
    default=20.0,
    show_default=True,
    type=click.FloatRange(0.1, 1000),
    help="Questions a second, at most.",
)
@click.pass_obj
def sync(opener: Opener, *, rate: float) -> None:
    """Re-check every card: take over what changed, revoke where the registration has ended.

    Prints one JSON object of what was found. Beginning again is harmless. Exit status 1 where
    cards could not be read, or what the authority says of their person could not be used: all
    others were re-checked.
    """
    with opened(opener) as services:
        note(services, "registry_sync", "registry")
        found: dict[str, int] = {}
        unreadable: tuple[str, ...] = ()
        unusable: tuple[str, ...] = ()
        with click.progressbar(length=1, label="re-checking", file=sys.stderr) as bar:
            for step in services.renewals.sync(rate=rate):
                bar.length = max(step.total, 1)
                bar.update(step.done - bar.pos)
                found, unreadable = dict(step.findings), step.unreadable
                unusable = step.unusable
    click.echo(json.dumps(found))
    complain_of(unreadable, unusable)


def _id_number(_context: click.Context, _option: click.Parameter, value: str) -> str:
    try:
        return id_number.parse(value).value
    except id_number.IdNumberError as error:
        raise click.BadParameter(sentence(error)) from error


@registry.command()
@click.option("--id-number", "number", required=True, callback=_id_number)
@click.option("--reason", required=True, type=click.Choice(["died", "cancelled"]))
@click.pass_obj
def end(opener: Opener, *, number: str, reason: Ending) -> None:
    """Say in the embedded registry that a person died, or that a number was cancelled."""
    with opened(opener) as services:
        if not isinstance(services.authority, EmbeddedRegistry):
            raise click.ClickException("AUTHORITY_URL is set: that authority keeps its people")
        note(services, "person_ended", services.index.of("person", number), why=reason)
        services.authority.end(number, reason)
    click.echo(json.dumps({"id_number": id_number.mask(number), "ended": reason}))
