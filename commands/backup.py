"""`backup` and `restore`: everything that is in Redis, sealed in one file."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.transcripts import Transcripts
from commands.audit import archives_of, witness_of
from commands.context import Opener, note, opened
from credentials import backup as backups
from credentials.backup import BackupError, Step
from credentials.cards import ERASED
from credentials.errors import LifecycleError, NoCardError
from credentials.model import Actor, Status

if TYPE_CHECKING:
    from credentials.services import Services

CLERK = Actor("operator", "command line")
SAID = {
    "not_a_backup": "this file is not a backup",
    "backup_broken": "this backup was altered, cut off, or made under other master keys; "
    "nothing was changed",
    "not_empty": "this Redis is not empty; stop the product, and add --replace to forget what is "
    "there",
    "backup_too_new": "this backup was made by a newer Redis than this one",
}
_STOPPED = re.compile(
    r"\bevent=card_stopped\b.*\bcredential_id=(?P<credential_id>[0-9a-f]{16}) .*?"
    r"\bstatus=(?P<status>\w+)(?: by=(?P<by>\w+))?"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Stop:
    """A card that was stopped after the backup.

    `status` is what it came to, `by` the kind of actor who stopped it, where the log says so.
    """

    credential_id: str
    status: str
    by: str | None = None


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def backup(opener: Opener, file: Path) -> None:
    """Write everything into FILE while the product runs, sealed under the current master key.

    The master keys are not in it: without them nobody can read it, and they are kept elsewhere.
    An earlier backup is replaced, a file of another kind never.
    """
    if file.exists() and not backups.is_backup(file):
        raise click.ClickException(f"{file} is there and is no backup; give another name")
    with opened(opener) as services, _told():
        note(services, "backup", str(file.name))
        _shown(backups.save(services.redis, services.keyring, file), "saving")
        made = backups.check(services.keyring, file)
    size = file.stat().st_size / 1e6
    click.echo(f"{made['keys']} keys in {file} ({size:.1f} MB), read back and whole")


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Forget first whatever is in this Redis.")
@click.option(
    "--stopped",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The product's logs since the backup: cards stopped or deleted since are so again.",
)
@click.pass_obj
def restore(opener: Opener, file: Path, *, replace: bool, stopped: Path | None) -> None:
    """Put the backup FILE into an empty Redis, while the product is stopped.

    The whole file is checked before anything is changed, and the whole audit afterwards.
    """
    with opened(opener) as services, _told():
        stops = _read(stopped) if stopped else None
        made = backups.check(services.keyring, file)
        _shown(
            backups.load(services.redis, services.keyring, file, replace=replace), "putting back"
        )
        entries = _audited(services)
        again = None if stops is None else stop_again(services, stops)
        note(services, "restored", str(file.name), keys=str(made["keys"]))
        witness = witness_of(services)
        witness.keep(witness.ends())  # the log ends earlier than the last check saw, rightly
        click.echo(f"{made['keys']} keys put back; {entries} entries of the audit are whole")
        aside = archives_of(services).match_restored()
        if aside is not None:
            note(services, "archives_set_aside", aside.name)
            click.echo(f"what was archived later than the backup is in {aside} now", err=True)
    if again is None:
        age = max(0.0, time.time() - made["made"]) / 3600
        click.echo(
            f"the backup is {age:.1f} hours old: a card that was stopped or deleted since is as it "
            "was then. Give the logs since with --stopped, before the product starts.",
            err=True,
        )
    else:
        click.echo(f"{again} stops and deletions of cards since were done again")


def _audited(services: Services) -> int:
    entries = 0
    for step in services.audit.verify():
        entries += step.entries
        if step.finding is not None:
            raise click.ClickException(
                f"put back, but the audit is broken at {step.finding.place}; do not serve"
            )
    return entries


def _read(path: Path) -> list[Stop]:
    try:
        with path.open(encoding="utf-8") as lines:
            return stops_in(lines)
    except UnicodeDecodeError as error:
        raise click.ClickException(
            f"{path} is no text; unpack it first. Nothing was changed"
        ) from error


def stops_in(lines: Iterable[str]) -> list[Stop]:
    """What the log's `card_stopped` lines say, in their order."""
    found = (_STOPPED.search(line) for line in lines)
    return [Stop(**line.groupdict()) for line in found if line]


def stop_again(services: Services, stops: Iterable[Stop]) -> int:
    """Do again what stopped cards; gives how many times something was left to do."""
    cards, stopped = services.cards, 0
    acts = {Status.FROZEN.value: cards.freeze, Status.EXPIRED.value: cards.expire}
    for stop in stops:
        with contextlib.suppress(LifecycleError, NoCardError):
            if stop.status == ERASED:
                holder = cards.erase_again(stop.credential_id, CLERK, "restored")
                services.waiting.forget(holder)
                Transcripts(services.redis, services.sealer).forget(holder)
            else:
                act = acts.get(stop.status, cards.revoke)
                # Whose freeze it was says who may undo it.
                by = stop.by if stop.by in {"holder", "system"} else CLERK.kind
                act(stop.credential_id, Actor(by, CLERK.name), "restored")
            stopped += 1
    return stopped


def _shown(steps: Iterator[Step], label: str) -> None:
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:
        for step in steps:
            bar.length = max(step.total, 1)
            bar.update(step.done - bar.pos)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BackupError as error:
        reason = error.details.get("reason")
        raise click.ClickException(
            SAID[error.code] + (f" ({json.dumps(reason)})" if reason else "")
        ) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
