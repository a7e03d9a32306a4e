"""`audit`: whether every entry is there, unaltered and in its order; archives, and exports."""

from __future__ import annotations

import contextlib
import datetime
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.context import Opener, note, opened
from credentials.archive import KEEP_DAYS, Archives, signature_path
from credentials.audit import Finding, Progress
from credentials.store import BUCKETS, Store
from credentials.witness import Witness
from settings import Settings

if TYPE_CHECKING:
    from credentials.services import Services

CHAINS = BUCKETS + 1


@click.group()
def audit() -> None:
    """Check and keep the audit: the chained log of every change and every scan."""


def archives_of(services: Services) -> Archives:
    """The files in VAR_DIR/audit."""
    folder = Settings().var_dir / "audit"
    return Archives(folder, Store(services.redis), services.audit, services.keyring)


def witness_of(services: Services) -> Witness:
    """What the last check saw, beside the archives."""
    folder = Settings().var_dir / "audit"
    return Witness(folder, Store(services.redis), services.keyring)


@audit.command()
@click.option("--live-only", is_flag=True, help="Trust the archives, which are kept elsewhere.")
@click.option("--anew", is_flag=True, help="Do not hold it against what the last check saw.")
@click.pass_obj
def verify(opener: Opener, *, live_only: bool, anew: bool) -> None:
    """Check the whole audit: archives, live chains, and that none ends before the last check.

    Exit status 1 and the first bad entry if it is broken. What a check saw is kept in
    VAR_DIR/audit, so that a log that was set back as a whole is noticed by the next one.
    """
    with opened(opener) as services:
        archives, witness = archives_of(services), witness_of(services)
        if anew:
            note(services, "audit_anew", "audit")
        files = 0 if live_only else len(archives.files())
        ends = witness.ends()
        with click.progressbar(
            _steps(services, archives, None if anew else witness, live_only=live_only),
            length=CHAINS + files,
            label="checking",
            file=sys.stderr,
        ) as steps:
            entries, finding = 0, None
            for seen, finding in steps:
                entries += seen
                if finding is not None:
                    break
        if finding is None:
            witness.keep(ends)
    if finding is not None:
        where = (
            f"entry {finding.number} of chain {finding.place}" if finding.number else finding.place
        )
        raise click.ClickException(f"the audit is broken: {where} is {finding.fault}")
    kept = f", {files} archives among them" if files else ""
    click.echo(f"{entries} entries, each in its place and unaltered{kept}")


def _steps(
    services: Services, archives: Archives, witness: Witness | None, *, live_only: bool
) -> Iterator[tuple[int, Finding | None]]:
    if not live_only:
        yield from archives.verify()
    before = 0
    progress: Progress
    for progress in services.audit.verify():
        yield progress.entries - before, progress.finding
        before = progress.entries
    if witness:  # last: it knows of what nothing in Redis shows any more
        yield from ((0, finding) for finding in witness.findings())


@audit.command()
@click.option("--keep-days", default=KEEP_DAYS, show_default=True, type=click.IntRange(0, 3653))
@click.option("--all", "everything", is_flag=True, help="Archive also what is of today.")
@click.pass_obj
def archive(opener: Opener, *, keep_days: int, everything: bool) -> None:
    """Write what is older than some days to a signed file in VAR_DIR/audit, and trim the log.

    Holders see as much of their history as is kept live.
    """
    now = datetime.datetime.now(datetime.UTC)
    before = now if everything else now - datetime.timedelta(days=keep_days)
    with opened(opener) as services:
        note(services, "audit_archived", "audit", before=before.date().isoformat())
        archives = archives_of(services)
        entries = 0
        with click.progressbar(
            archives.write(before), length=CHAINS, label="archiving", file=sys.stderr
        ) as steps:
            for step in steps:
                entries = step.entries
        written = archives.files()[-1].name if entries else "no file"
    click.echo(f"{entries} entries archived, {written}")


@audit.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def export(opener: Opener, file: Path) -> None:
    """Write every entry to FILE as JSON Lines, and its Ed25519 signature to FILE.sig.

    No file that is there is replaced.
    """
    for path in (file, signature_path(file)):
        if path.exists():
            raise click.ClickException(f"{path} is there; give another name")
    with opened(opener) as services:
        note(services, "audit_exported", "audit")
        archives = archives_of(services)
        entries = 0
        draft = file.with_name(f".{file.name}.draft")
        with contextlib.ExitStack() as stack:
            stack.callback(draft.unlink, missing_ok=True)
            try:
                with draft.open("wb") as out:
                    out.writelines(_counted(archives, bar := _Counter()))
                entries = bar.count
                beside = archives.sign(draft, file)
                draft.replace(file)
            except OSError as error:
                raise click.ClickException(f"{file}: {error.strerror or error}") from error
    click.echo(f"{entries} entries in {file}, signed in {beside.name}")


class _Counter:
    count = 0


def _counted(archives: Archives, counter: _Counter) -> Iterator[bytes]:
    with click.progressbar(archives.everything(), label="exporting", file=sys.stderr) as lines:
        for line in lines:
            counter.count += 1
            yield line


@audit.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def check(opener: Opener, file: Path) -> None:
    """Check the signature of an archive or an export."""
    with opened(opener) as services:
        archives_of(services).check_file(file)
    click.echo(f"{file.name} is as it was signed")


@audit.command()
@click.pass_obj
def key(opener: Opener) -> None:
    """Print the public key that archives and exports are signed with now."""
    with opened(opener) as services:
        click.echo(json.dumps(archives_of(services).public_key()))
