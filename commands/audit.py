"""`audit verify`: whether every entry of the audit is there, unaltered and in its order."""

from __future__ import annotations

import sys

import click

from commands.context import Opener, opened
from credentials.store import BUCKETS

CHAINS = BUCKETS + 1


@click.group()
def audit() -> None:
    """Check the audit: the chained log of every change and every scan."""


@audit.command()
@click.pass_obj
def verify(opener: Opener) -> None:
    """Check the whole audit chain; exit status 1 and the first bad entry if it is broken."""
    checked = 0
    with (
        opened(opener) as services,
        click.progressbar(
            services.audit.verify(), length=CHAINS, label="checking", file=sys.stderr
        ) as steps,
    ):
        for progress in steps:
            checked = progress.entries
            if progress.finding is not None:
                break
    if progress.finding is not None:
        bad = progress.finding
        raise click.ClickException(
            f"the audit is broken: entry {bad.number} of chain {bad.place} is {bad.fault}"
        )
    click.echo(f"{checked} entries, each in its place and unaltered")
