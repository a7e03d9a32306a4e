"""`load`: whole enrolments against any address, over the real protocol, with a ledger.

Each person follows the account and goes through the talk as people do: some mistype a number,
some give another name, some give up. Photos cost a second of a processor each, so without
`--faces` people stop before the face step.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from commands.context import Opener, opened
from commands.player.game import Game
from commands.player.line import Account, Line
from commands.player.people import Player, players
from commands.player.platform import Platform
from commands.player.report import differences, tell
from commands.run import DEMO_ACCOUNT, ROOT
from credentials.authority import EmbeddedRegistry
from credentials.model import Person
from credentials.services import Services
from settings import Settings
from web.demo import CITIZENS

HOST = "127.0.0.1"
READY_SECONDS = 60.0


@click.command()
@click.option("--people", default=100, show_default=True, type=click.IntRange(1), help="how many")
@click.option(
    "--rate", default=50.0, show_default=True, type=click.FloatRange(0.1), help="messages a second"
)
@click.option("--url", default="", help="the product's address; without it one is started")
@click.option(
    "--api-port",
    default=0,
    type=click.IntRange(0, 65535),
    help="port of the platform's API here; the product at --url needs WECHAT_API_BASE with it",
)
@click.option("--faces", default=0.0, type=click.FloatRange(0, 1), help="share with a photo")
@click.option("--seed", default=None, type=int, help="decides who does what; random without it")
@click.option("--duplicates", default=0.02, type=click.FloatRange(0, 1), help="pushed twice")
@click.option("--api-errors", default=0.0, type=click.FloatRange(0, 0.5), help="API calls refused")
@click.option("--patience", default=30.0, type=click.FloatRange(1), help="seconds for an answer")
@click.option(
    "--identities",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='JSON Lines of {"name", "id_number"} known to the authority, instead of made-up people',
)
@click.option(
    "--ledger",
    default=Path("load.jsonl"),
    show_default=True,
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="what was said and answered, as JSON Lines",
)
@click.option("--compare/--no-compare", default=True, help="hold the ledger against Redis")
@click.pass_obj
def load(
    opener: Opener,
    *,
    people: int,
    rate: float,
    url: str,
    api_port: int,
    faces: float,
    seed: int | None,
    duplicates: float,
    api_errors: float,
    patience: float,
    identities: Path | None,
    ledger: Path,
    compare: bool,
) -> None:
    """Play enrolments and say how fast, how many errors, and whether anything was lost.

    The account's settings, Redis and the keys are those of this environment, as for the product
    at --url. Ends with status 1 when something was lost, said twice, or stands otherwise in
    Redis than it was told.
    """
    seed = secrets.randbelow(10**6) if seed is None else seed
    known = _identities(identities, people)
    chance = random.Random(seed)  # noqa: S311 - a game
    run = secrets.token_hex(5)
    cast = players(people, chance, run=run, faces=faces, identities=known)
    with contextlib.ExitStack() as stack:
        api_port = api_port or _free_port()
        if not url:
            url = stack.enter_context(_own_product(api_port))
        services = stack.enter_context(opened(opener)) if compare or not known else None
        if services and not known:
            _register(services, cast)
        with ledger.open("w", encoding="utf-8") as out:
            game = Game(
                Line(url, _account()),
                (CITIZENS[0].selfie(), CITIZENS[1].selfie()),
                out,
                chance,
                rate=rate,
                duplicates=duplicates,
                patience=patience,
            )
            game.platform = Platform(game.hear, chance, api_errors)
            click.echo(f"{people} people, {rate:g} messages a second, seed {seed}, at {url}")
            asyncio.run(_play(game, game.platform, cast, api_port))
        wrong = list(differences(services, cast, game.tally)) if compare and services else []
    tell(game.tally, game.platform, wrong, compared=compare)
    if game.tally.lost or game.tally.doubled or wrong:
        sys.exit(1)


async def _play(game: Game, platform: Platform, cast: Sequence[Player], port: int) -> None:
    await platform.open(HOST, port)
    with click.progressbar(length=len(cast), label="people", show_pos=True) as bar:
        await game.play(cast, lambda: bar.update(1))
    await platform.close()


def _register(services: Services, cast: Sequence[Player]) -> None:
    """Have the embedded registry know everybody."""
    registry = services.authority
    if not isinstance(registry, EmbeddedRegistry):
        raise click.ClickException(
            "the authority is somebody else's: give people that it knows with --identities"
        )
    portrait = CITIZENS[0].portrait()
    with click.progressbar(cast, label="registry") as bar:
        for player in bar:
            registry.add(
                Person(player.name, player.id_number, "440115", "广州市南沙区", None, portrait)
            )


def _identities(path: Path | None, people: int) -> list[tuple[str, str]]:
    if path is None:
        return []
    try:
        told = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
        known = [(str(each["name"]), str(each["id_number"])) for each in told]
    except (ValueError, KeyError, TypeError) as error:
        raise click.BadParameter(
            f"{path}: each line is a JSON object of name and id_number"
        ) from error
    if len(known) < people:
        raise click.BadParameter(f"{path} has {len(known)} people, and {people} are to play")
    return known


def _account() -> Account:
    """The account of the environment's settings; the demo's where nothing is set."""
    settings = Settings()
    return Account(
        settings.wechat_app_id or DEMO_ACCOUNT["wechat_app_id"],
        settings.wechat_token or DEMO_ACCOUNT["wechat_token"],
        settings.wechat_aes_key or DEMO_ACCOUNT["wechat_aes_key"],
    )


@contextlib.contextmanager
def _own_product(api_port: int) -> Iterator[str]:
    """A product of our own, started for this game and thrown away after it; its address."""
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        port = _free_port()
        ours = {
            "VAR_DIR": folder,
            "PORT": str(port),
            "WECHAT_API_BASE": f"http://{HOST}:{api_port}",
            "LIVENESS": "unsafe-none",
        }
        os.environ.update(ours)  # the services are opened with the same settings
        log = Path(folder) / "run.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "app.py", "run"], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT
            )
        try:
            click.echo("starting a product of our own …")
            _wait_for(f"http://{HOST}:{port}/healthz", process, log)
            yield f"http://{HOST}:{port}"
        finally:
            process.terminate()
            process.wait(60)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise click.ClickException(f"the product did not start:\n{log.read_text()[-2000:]}")


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
