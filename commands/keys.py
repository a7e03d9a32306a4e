"""`keys`: a new master key, and with it a new signing key; what older ones sealed, sealed anew."""

from __future__ import annotations

import base64
import secrets
import sys
from typing import TYPE_CHECKING

import click

from commands import run
from commands.context import Opener, opened
from credentials.keyring import KEY_BYTES, LARGEST_VERSION, rotate_file
from credentials.model import Actor
from settings import Settings

if TYPE_CHECKING:
    from credentials.services import Services


@click.group()
def keys() -> None:
    """Look after the master keys, from which every other key is made."""


@keys.command()
@click.option("--reseal", "then", is_flag=True, help="Then seal everything anew under it.")
@click.pass_obj
def rotate(opener: Opener, *, then: bool) -> None:
    """Make a new key current; the old ones stay readable.

    With keys in VAR_DIR the running product takes the new one within a second. With MASTER_KEYS
    in the environment it prints the value to set: put it in place and restart the processes one
    by one; until then nothing changes.
    """
    settings = Settings()
    if settings.master_keys:
        click.echo(f"MASTER_KEYS={_with_a_new_one(settings.master_keys)}")
        click.echo("Set this for every process and restart them one by one.", err=True)
        if then:
            click.echo("When all have it, run `python app.py keys reseal`.", err=True)
        return
    with opened(opener) as services:
        version = rotate_file(run.master_keys_path(settings))
        services.keyring.refresh()  # what follows is written under the new key
        services.audit.note("keys_rotated", Actor("operator", "command line"), f"v{version}")
        services.index.reseal()
        click.echo(f"master key {version} is current; the earlier ones are still readable")
        if then:
            _reseal(services)


@keys.command()
@click.pass_obj
def reseal(opener: Opener) -> None:
    """Seal anew what earlier keys sealed, while the product runs.

    May be stopped and started again: it goes on where it was. Nothing waits for it.
    """
    with opened(opener) as services:
        _reseal(services)


def _reseal(services: Services) -> None:
    version = services.keyring.current
    services.audit.note("resealing", Actor("operator", "command line"), f"v{version}")
    last = None
    with click.progressbar(length=1, label="re-sealing", file=sys.stderr) as bar:
        for last in services.resealing.run():
            bar.length = max(last.total, 1)
            bar.update(min(last.done, last.total) - bar.pos)
    changed = last.changed if last else 0
    if last and last.left:
        raise click.ClickException(
            f"not everything is under master key {version}: what {last.left} holds does not open, "
            "for it was moved or altered; keep the earlier keys, or it is lost"
        )
    services.audit.note("resealed", Actor("operator", "command line"), f"v{version}")
    click.echo(f"{changed} values sealed anew; everything is under master key {version}")
    if len(services.keyring.versions) > 1:
        click.echo(
            "keep the earlier keys until the audit is archived (`audit archive --all`): "
            "they prove its older entries",
            err=True,
        )


def _with_a_new_one(entries: tuple[str, ...]) -> str:
    version = max(int(entry.partition(":")[0]) for entry in entries) + 1
    if version > LARGEST_VERSION:
        raise click.ClickException("all 255 versions are in use: re-seal and drop the oldest first")
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return ",".join([f"{version}:{key}", *entries])
