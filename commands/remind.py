"""`remind`: what is due by the calendar; for a timer, once a day."""

from __future__ import annotations

import json
import sys

import click

from commands.context import Opener, complain_of, opened
from credentials.store import BUCKETS


@click.command()
@click.pass_obj
def remind(opener: Opener) -> None:
    """Remind holders 30, 7 and 1 days before their card ends, and write down ends.

    Forgets, too, who has waited a year for cards to be issued where they live. Run it once a
    day. Days that were missed are made up for; nobody is told twice. Exit status 1 where cards
    could not be read: all others were looked at.
    """
    told = ended = 0
    unreadable: tuple[str, ...] = ()
    with (
        opened(opener) as services,
        click.progressbar(length=BUCKETS, label="reminding", file=sys.stderr) as bar,
    ):
        for step in services.expiry.remind():
            bar.update(step.done - bar.pos)
            told, ended, unreadable = step.told, step.ended, step.unreadable
        forgotten = services.waiting.forget_old()
    click.echo(json.dumps({"reminded": told, "ended": ended, "forgotten": forgotten}))
    complain_of(unreadable)
