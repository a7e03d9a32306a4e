"""`terminal`: accredited readers of the physical card's chip."""

from __future__ import annotations

import json
from pathlib import Path

import click

from commands.context import Opener, note, opened
from simulator import terminal as kiosk

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


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


@terminal.command("read")
@click.argument("code")
@click.option("--key", type=FILE, required=True, help="File with what `terminal add` printed.")
@click.option("--name", required=True, help="On the card that lies on the reader.")
@click.option("--id-number", required=True, help="On the same card.")
@click.option("--portrait", type=FILE, required=True, help="The picture in its chip.")
@click.option(
    "--finger",
    type=click.Choice(sorted(kiosk.FINGERS)),
    default="own",
    show_default=True,
    help="Whose finger is pressed.",
)
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="The product.")
def read(  # noqa: PLR0917 - one for each option
    code: str, key: Path, name: str, id_number: str, portrait: Path, finger: str, url: str
) -> None:
    """Play a terminal: take the CODE that a holder shows, read a card, sign, and post.

    Prints the product's answer as one JSON object: the level, and what is missing for the next.
    """
    try:
        told = json.loads(key.read_text("utf-8"))
        played = kiosk.Terminal(url, str(told["terminal_id"]), str(told["private_key"]))
    except (ValueError, KeyError, TypeError) as error:
        raise click.BadParameter(f"{key} is not what `terminal add` printed") from error
    person = {"name": name, "id_number": id_number}
    try:
        answer = played.read(code, person, portrait.read_bytes(), finger, "en")
    except kiosk.TerminalError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(answer, ensure_ascii=False))
