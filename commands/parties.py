"""`verifier`, `staff`, `operator`: those who scan, and those who watch over it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from commands.context import Opener, note, opened
from credentials.accounts import Account, Accounts, Role
from credentials.organisations import MANAGER, STAFF
from credentials.purposes import PURPOSES

if TYPE_CHECKING:
    from credentials.services import Services

PURPOSE = click.Choice(list(PURPOSES))


@click.group()
def verifier() -> None:
    """Organisations that may scan cards, and their API keys."""


@verifier.command("add")
@click.option("--name", required=True, help="As holders will read it.")
@click.option(
    "--purpose", "purposes", required=True, multiple=True, type=PURPOSE, help="May be repeated."
)
@click.pass_obj
def add_verifier(opener: Opener, name: str, purposes: tuple[str, ...]) -> None:
    """Register a verifier; prints one JSON object with its verifier_id and api_key.

    The key is shown this once and kept only as a hash.
    """
    with opened(opener) as services:
        added, api_key = services.verifiers.add(name, purposes)
        note(services, "verifier_added", added.verifier_id, purposes=",".join(added.purposes))
    click.echo(json.dumps({"verifier_id": added.verifier_id, "api_key": api_key}))


@verifier.command("list")
@click.pass_obj
def list_verifiers(opener: Opener) -> None:
    """Print one JSON object for each verifier."""
    with opened(opener) as services:
        found = services.verifiers.all()
    for known in found:
        about = {
            "verifier_id": known.verifier_id,
            "name": known.name,
            "purposes": known.purposes,
            "blocked": known.blocked,
        }
        click.echo(json.dumps(about, ensure_ascii=False))


@verifier.command("grant")
@click.argument("who", metavar="VERIFIER")
@click.option("--purpose", "purposes", required=True, multiple=True, type=PURPOSE)
@click.pass_obj
def grant(opener: Opener, who: str, purposes: tuple[str, ...]) -> None:
    """Replace the purposes of VERIFIER (id or name); holds from its next request on."""
    with opened(opener) as services:
        known = services.verifiers.find(who)
        note(services, "purposes_granted", known.verifier_id, purposes=",".join(purposes))
        changed = services.verifiers.grant(known.verifier_id, purposes)
    click.echo(f"{changed.name} may now ask for: {', '.join(changed.purposes)}")


@verifier.command("block")
@click.argument("who", metavar="VERIFIER")
@click.option("--undo", is_flag=True, help="Serve it again.")
@click.pass_obj
def block(opener: Opener, who: str, *, undo: bool) -> None:
    """Refuse everything that VERIFIER (id or name) asks, at once."""
    with opened(opener) as services:
        known = services.verifiers.find(who)
        kind = "verifier_unblocked" if undo else "verifier_blocked"
        note(services, kind, known.verifier_id)
        services.verifiers.block(known.verifier_id, blocked=not undo)
    click.echo(f"{known.name} is {'served again' if undo else 'blocked'}")


@verifier.command("new-key")
@click.argument("who", metavar="VERIFIER")
@click.option("--drop-others", is_flag=True, help="Make all earlier keys worthless at once.")
@click.pass_obj
def new_key(opener: Opener, who: str, *, drop_others: bool) -> None:
    """Give VERIFIER (id or name) one more API key; prints it as `verifier add` does."""
    with opened(opener) as services:
        known = services.verifiers.find(who)
        note(services, "api_key_made", known.verifier_id, others="dropped" if drop_others else "")
        api_key = services.verifiers.new_key(known.verifier_id)
        if drop_others:
            services.verifiers.drop_keys(known.verifier_id, keep=api_key)
    click.echo(json.dumps({"verifier_id": known.verifier_id, "api_key": api_key}))


@click.group()
def staff() -> None:
    """Accounts of the people who scan at a verifier's desks."""


@staff.command("add")
@click.option("--verifier", "who", required=True, help="The verifier's id, or its exact name.")
@click.option("--username", required=True, help="2 to 64 letters, digits, or . @ - _")
@click.option("--desk", default="", help="Where they scan, as holders will read it.")
@click.option("--manager", is_flag=True, help="May also manage people, desks, keys and webhooks.")
@click.pass_obj
def add_staff(opener: Opener, who: str, username: str, desk: str, *, manager: bool) -> None:
    """Add a staff account; prints its one-time password, alone on a line.

    It must be changed at the first sign-in and cannot be shown again.
    """
    with opened(opener) as services:
        known = services.verifiers.find(who)
        password = services.staff.add(
            username,
            verifier_id=known.verifier_id,
            desk=desk,
            role=MANAGER if manager else STAFF,
        )
        note(services, "staff_added", username, verifier=known.verifier_id)
    click.echo(password)


@click.group()
def operator() -> None:
    """Accounts of the issuer's operators."""


@operator.command("add")
@click.option("--username", required=True, help="2 to 64 letters, digits, or . @ - _")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]))
@click.pass_obj
def add_operator(opener: Opener, username: str, role: str) -> None:
    """Add an operator; prints a one-time password, alone on a line.

    It must be changed at the first sign-in and cannot be shown again.
    """
    with opened(opener) as services:
        password = services.operators.add(username, role=role)
        note(services, "operator_added", username, role=role)
    click.echo(password)


def _of(services: Services, kind: str) -> Accounts:
    return services.staff if kind == "staff" else services.operators


def _about(account: Account) -> str:
    about = {
        "username": account.username,
        "role": account.role,
        "verifier_id": account.verifier_id,
        "desk": account.desk,
        "must_change_password": account.must_change_password,
        "disabled": account.disabled,
    }
    return json.dumps(
        {key: value for key, value in about.items() if value != ""}, ensure_ascii=False
    )


def _add_upkeep(group: click.Group) -> None:
    """The commands that both kinds of accounts have."""
    kind = str(group.name)

    @group.command("list")
    @click.pass_obj
    def list_accounts(opener: Opener) -> None:
        """Print one JSON object for each account."""
        with opened(opener) as services:
            found = _of(services, kind).all()
        for account in found:
            click.echo(_about(account))

    @group.command("reset-password")
    @click.argument("username")
    @click.pass_obj
    def reset_password(opener: Opener, username: str) -> None:
        """Print a new one-time password; opens a lock and ends all sessions of the account."""
        with opened(opener) as services:
            note(services, f"{kind}_password_reset", username)
            password = _of(services, kind).reset_password(username)
        click.echo(password)

    @group.command("disable")
    @click.argument("username")
    @click.option("--undo", is_flag=True, help="Let the account in again.")
    @click.pass_obj
    def disable(opener: Opener, username: str, *, undo: bool) -> None:
        """Keep an account from signing in and end its sessions, at once."""
        with opened(opener) as services:
            note(services, f"{kind}_{'enabled' if undo else 'disabled'}", username)
            account = _of(services, kind).disable(username, disabled=not undo)
        click.echo(_about(account))


_add_upkeep(staff)
_add_upkeep(operator)
