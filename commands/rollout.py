"""`rollout`: where cards are issued now."""

from __future__ import annotations

import json
import sys

import click

from commands.context import Opener, note, opened, sentence
from credentials.rollout import RolloutError, checked

EVERYONE = "everyone"


@click.group()
def rollout() -> None:
    """Divisions of the registered residence to whose people cards are issued."""


def _prefixes(
    _context: click.Context, _argument: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    given = [part.strip() for text in value for part in text.split(",") if part.strip()]
    if given == [EVERYONE]:
        return ()
    if not given:
        raise click.BadParameter(f"give prefixes such as 440115,44, or the word {EVERYONE}")
    try:
        return checked(given)
    except RolloutError as error:
        raise click.BadParameter(sentence(error)) from error


def _prefix(_context: click.Context, _argument: click.Parameter, value: str) -> str:
    try:
        return checked([value])[0] if value else ""
    except RolloutError as error:
        raise click.BadParameter(sentence(error)) from error


@rollout.command("set")
@click.argument("prefixes", nargs=-1, callback=_prefixes)
@click.pass_obj
def set_prefixes(opener: Opener, prefixes: tuple[str, ...]) -> None:
    """Issue cards to people registered under PREFIXES, from the next applicant on.

    PREFIXES are division codes or their beginnings, with commas or blanks between:
    440115 is Nansha, 44 Guangdong. The word `everyone` takes all bounds away.
    """
    with opened(opener) as services:
        note(services, "rollout_set", "rollout", prefixes=",".join(prefixes) or EVERYONE)
        chosen = services.rollout.set(prefixes)
        told = 0
        with click.progressbar(length=1, label="telling who waits", file=sys.stderr) as bar:
            for step in services.waiting.tell_covered():
                bar.length = max(step.total, 1)
                bar.update(step.done - bar.pos)
                told = step.done
    click.echo(_about(chosen))
    if told:
        click.echo(f"{told} who asked to be told are told", err=True)


@rollout.command("waiting")
@click.argument("prefix", default="", callback=_prefix)
@click.pass_obj
def waiting(opener: Opener, prefix: str) -> None:
    """Print how many wait for each division that begins with PREFIX, as one JSON object."""
    with opened(opener) as services:
        click.echo(json.dumps(services.waiting.counts(prefix)))


@rollout.command("show")
@click.pass_obj
def show(opener: Opener) -> None:
    """Print where cards are issued now, as one JSON object."""
    with opened(opener) as services:
        current = services.rollout.current()
    click.echo(_about(current))


def _about(prefixes: tuple[str, ...]) -> str:
    return json.dumps({"rollout": list(prefixes) or EVERYONE})
