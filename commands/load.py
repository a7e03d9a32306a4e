"""`load`: whole enrolments against any address, over the real protocol, with a ledger.

Each person follows the account and goes through the talk as people do: some mistype a number,
some give another name, some give up, and the others send a photo and get a card. All photos are
of the two people that a demo has, so the product holds nearly every face for review, as one face
under many numbers; two reviewers approve them beside the game.

A face costs a second of a processor. People who wait for theirs make room for others, so the
backlog grows as it would; what is waited for is that the line goes on moving.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import random
import secrets
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import click
from click._termui_impl import ProgressBar

from commands.context import Opener, opened
from commands.player.faults import FAULTS
from commands.player.game import Game, Rules
from commands.player.line import Line
from commands.player.people import Player, players
from commands.player.platform import Platform
from commands.player.product import HOST, account, free_port, own_product
from commands.player.report import differences, tell
from commands.player.reviewers import reviewing
from commands.player.tally import Tally
from credentials.authority import EmbeddedRegistry
from credentials.model import Person
from credentials.services import Services
from web.demo import CITIZENS


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
@click.option(
    "--faces",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="share of those who come to the photo that sends one",
)
@click.option("--seed", default=None, type=int, help="decides who does what; random without it")
@click.option("--duplicates", default=0.02, type=click.FloatRange(0, 1), help="pushed twice")
@click.option("--fault", default="none", type=click.Choice([*FAULTS]), help="what goes wrong")
@click.option(
    "--patience",
    default=30.0,
    show_default=True,
    type=click.FloatRange(1),
    help="seconds for an answer; for a face, in which nobody's was looked at",
)
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
    fault: str,
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
    chance = random.Random(seed)  # noqa: S311 - a game
    known = _identities(identities, people)
    cast = players(people, chance, run=secrets.token_hex(5), faces=faces, identities=known)
    rules = Rules(rate, duplicates, patience, FAULTS[fault])
    with contextlib.ExitStack() as stack:
        try:
            out = stack.enter_context(ledger.open("w", encoding="utf-8"))
        except OSError as error:
            raise click.ClickException(f"{ledger}: {error.strerror}; see --ledger") from error
        stage = stack.enter_context(staged(opener, url, api_port, compare=compare or not known))
        if stage.services and not known:
            register(stage.services, cast)
        click.echo(f"{people} people, {rate:g} messages a second, seed {seed}, at {stage.url}")
        with progress(len(cast)) as moved:
            tally = stage.play(cast, rules, chance, out, moved)
        wrong = stage.differences(cast, tally) if compare else []
    tell(tally, stage.platform, wrong, compared=compare)
    if tally.undelivered or tally.lost or tally.doubled or wrong:
        sys.exit(1)


Moved = Callable[[Game], None]
"""Called after each person, to move a bar."""
Do = Callable[[Coroutine[Any, Any, object]], object]
"""Does something in the players' loop and waits for it."""


@dataclasses.dataclass
class Stage:
    """Where games are played: a product, the platform that it knows, and its Redis."""

    url: str
    platform: Platform
    services: Services | None
    do: Do

    def play(
        self, cast: Sequence[Player], rules: Rules, chance: random.Random, out: TextIO, moved: Moved
    ) -> Tally:
        """Play one game to its end."""
        rules = dataclasses.replace(rules, reviewed=self.services is not None)
        photos = (CITIZENS[0].selfie(), CITIZENS[1].selfie())
        line = Line(self.url, account())
        game = Game(line, self.platform, rules, photos=photos, ledger=out, chance=chance)

        async def play() -> None:
            async with reviewing(self.services):
                await game.play(cast, lambda: moved(game))

        self.do(play())
        return game.tally

    def differences(self, cast: Sequence[Player], tally: Tally) -> list[str]:
        """What is otherwise in Redis than people were told; nothing without one to look into."""
        if self.services is None:
            return []
        return list(differences(self.services, cast, tally, reviewed=True))


@contextlib.contextmanager
def staged(opener: Opener, url: str, api_port: int, *, compare: bool) -> Iterator[Stage]:
    """A stage at an address, or with a product of our own; its platform answers from now on."""
    with contextlib.ExitStack() as stack:
        do = stack.enter_context(_beside())
        platform = Platform(random.Random())  # noqa: S311 - a game
        port = api_port or free_port()
        do(platform.open(HOST, port))
        stack.callback(lambda: do(platform.close()))
        if not url:
            click.echo("starting a product of our own …")
            url = stack.enter_context(own_product(port))
        services = stack.enter_context(opened(opener)) if compare else None
        yield Stage(url, platform, services, do)


@contextlib.contextmanager
def _beside() -> Iterator[Do]:
    """A loop in a thread of its own, so that the platform answers while a product starts."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="load player")
    thread.start()
    try:
        yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextlib.contextmanager
def progress(people: int) -> Iterator[Moved]:
    """A progress bar of people, which tells how many wait for their face."""
    bar: ProgressBar[Game] = click.progressbar(
        length=people,
        label="people",
        show_pos=True,
        item_show_func=lambda game: f"{game.waiting} wait for their face" if game else "",
    )
    with bar:
        yield lambda game: bar.update(1, game)


def register(services: Services, cast: Sequence[Player]) -> None:
    """Have the embedded registry know everybody.

    Raises:
        click.ClickException: when the authority is somebody else's.
    """
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
