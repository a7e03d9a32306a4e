"""`terminal`: accredited readers of the physical card's chip."""

from __future__ import annotations

import json

import click

from commands.context import Opener, note, opened


@click.group()
def terminal() -> None:
    """Accredited terminals, which read the physical ID card and sign what they read."""


@terminal.command("add")
@click.option("--name", required=True, help="Where it stands, such as 南沙政务大厅 1.")
@click.pass_obj
def add_terminal(opener: Opener, name: str) -> None:
    """Accredit a terminal; prints one JSON object with its terminal_id and private_key.

    The key (Ed25519, base64 of 32 bytes) is shown this once and kept nowhere.
    """
    with opened(opener) as services:
        added, private_key = services.terminals.add(name)
        note(services, "terminal_added", added.terminal_id)
    click.echo(json.dumps({"terminal_id": added.terminal_id, "private_key": private_key}))


@terminal.command("list")
@click.pass_obj
def list_terminals(opener: Opener) -> None:
    """Print one JSON object for each terminal."""
    with opened(opener) as services:
        found = services.terminals.all()
    for known in found:
        about = {
            "terminal_id": known.terminal_id,
            "name": known.name,
            "public_key": known.public_key,
            "disabled": known.disabled,
        }
        click.echo(json.dumps(about, ensure_ascii=False))


@terminal.command("disable")
@click.argument("terminal_id", metavar="TERMINAL")
@click.option("--undo", is_flag=True, help="Believe it again.")
@click.pass_obj
def disable(opener: Opener, terminal_id: str, *, undo: bool) -> None:
    """Believe nothing more of what TERMINAL (its id) says, at once."""
    with opened(opener) as services:
        kind = "terminal_enabled" if undo else "terminal_disabled"
        note(services, kind, terminal_id[:40])
        known = services.terminals.disable(terminal_id, disabled=not undo)
    click.echo(f"{known.name} is {'believed again' if undo else 'disabled'}")
