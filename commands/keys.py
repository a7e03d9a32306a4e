"""`keys rotate`: a new master key, and with it a new signing key, becomes the current one."""

from __future__ import annotations

import base64
import secrets

import click

from commands import run
from commands.context import Opener, opened
from credentials.keyring import KEY_BYTES, LARGEST_VERSION, rotate_file
from credentials.model import Actor
from settings import Settings


@click.group()
def keys() -> None:
    """Look after the master keys, from which every other key is made."""


@keys.command()
@click.pass_obj
def rotate(opener: Opener) -> None:
    """Make a new key current; the old ones stay readable.

    With keys in VAR_DIR the running product takes the new one within a second. With MASTER_KEYS
    in the environment it prints the value to set: put it in place and restart the processes one
    by one; until then nothing changes.
    """
    settings = Settings()
    if settings.master_keys:
        click.echo(f"MASTER_KEYS={_with_a_new_one(settings.master_keys)}")
        click.echo("Set this for every process and restart them one by one.", err=True)
        return
    with opened(opener) as services:
        version = rotate_file(run.master_keys_path(settings))
        services.audit.note("keys_rotated", Actor("operator", "command line"), f"v{version}")
        services.index.reseal()
    click.echo(f"master key {version} is current; the earlier ones are still readable")


def _with_a_new_one(entries: tuple[str, ...]) -> str:
    version = max(int(entry.partition(":")[0]) for entry in entries) + 1
    if version > LARGEST_VERSION:
        raise click.ClickException("all 255 versions are in use: re-seal and drop the oldest first")
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return ",".join([f"{version}:{key}", *entries])
