"""`wechat`: the official account, set up and looked over."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.channel import ChannelError
from bot.wechat import menu, posters
from bot.wechat.channel import WeChatChannel
from bot.wechat.diagnosis import Finding, diagnose
from commands.context import Opener, opened
from commands.run import demo_account
from credentials.pictures import qr_png
from settings import Settings

if TYPE_CHECKING:
    from credentials.services import Services

SIGNS = {True: "ok  ", False: "FAIL", None: "    "}
POSTERS = "posters"
QR_SCALE = 24  # pixels of a module: about 10 cm at 180 dpi


@click.group()
def wechat() -> None:
    """Set the official account up, and find out why it does not work."""


def settings_here() -> Settings:
    """The settings; beside a running demo, those of its account at the simulator."""
    settings = Settings()
    if not settings.wechat_app_id:
        told = demo_account(settings)
        if told:
            named = {name.lower(): value for name, value in told.items()}
            return Settings.model_validate({**named, "profile": "demo"})
    return settings


@contextlib.contextmanager
def _account(opener: Opener) -> Iterator[tuple[Settings, Services, WeChatChannel]]:
    settings = settings_here()
    if not settings.wechat_app_id:
        raise click.ClickException(
            "WECHAT_APP_ID is not set: set the account in .env, or start the demo first (make run)"
        )
    with opened(opener) as services:
        channel = WeChatChannel(settings, services.redis, services.sealer)
        try:
            yield settings, services, channel
        except ChannelError as error:
            raise click.ClickException(
                f"{error}\nTo find out why: python app.py wechat check"
            ) from error
        finally:
            channel.close()


@wechat.command()
@click.option("--yes", is_flag=True, help="do it without asking")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path(POSTERS), help="for the posters' QR"
)
@click.option("--scene", "scenes", multiple=True, help="a poster's scene, such as district.440115")
@click.pass_obj
def setup(opener: Opener, *, yes: bool, folder: Path, scenes: tuple[str, ...]) -> None:
    """Publish the menus, and make the QR posters of districts and terminals.

    Shows first what would change. A second run changes nothing. Without --scene there is a
    poster for each district of the rollout, and one for each terminal.
    """
    with _account(opener) as (_, services, channel):
        changes = menu.difference(channel.api, services.texts)
        wanted = scenes or _scenes(services)
        missing = [scene for scene in wanted if not _place(folder, scene).exists()]
        if not changes and not missing:
            click.echo("everything is set up already")
            return
        click.echo("\n".join([*changes, *(f"+ {_place(folder, scene)}" for scene in missing)]))
        if not yes and not click.confirm("do this?"):
            raise click.Abort
        if missing:
            _prepare(folder)
        if changes:
            menu.publish(channel.api, services.texts)
        for scene in missing:
            _draw(folder, scene, _made(channel, scene))
    click.echo("done")


@wechat.command()
@click.argument("scene")
@click.pass_obj
def poster(opener: Opener, scene: str) -> None:
    """Make a poster's code for SCENE and print the address that its QR says."""
    with _account(opener) as (_, _, channel):
        address = _made(channel, scene)
    click.echo(address)


@wechat.command()
@click.option("--json", "as_json", is_flag=True, help="one JSON object for each finding")
@click.pass_context
def check(context: click.Context, *, as_json: bool) -> None:
    """Say whether account, platform and this machine work together, and what to do if not.

    Looks at the settings, clocks, token, permissions, menu, quotas, domains and the webhook.
    The exit status is 1 if anything must be mended.
    """
    failed = 0
    with _account(context.obj) as (settings, services, channel):
        seconds, microseconds = services.redis.time()
        now = seconds + microseconds / 1e6
        for finding in diagnose(settings, channel.api, services.texts, now):
            _tell(finding, as_json=as_json)
            failed += finding.good is False
    if not as_json:
        click.echo(f"{failed} to mend" if failed else "nothing to mend")
    context.exit(1 if failed else 0)


def _tell(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        said = {"name": finding.name, "good": finding.good, "said": finding.said}
        click.echo(json.dumps(said | {"advice": finding.advice}, ensure_ascii=False))
        return
    click.echo(f"{SIGNS[finding.good]} {finding.name}: {finding.said}")
    if finding.advice and finding.good is not True:
        click.echo(f"       {finding.advice}")


def _scenes(services: Services) -> tuple[str, ...]:
    districts = [f"district.{prefix}" for prefix in services.rollout.current()]
    terminals = [f"terminal.{each.terminal_id}" for each in services.terminals.all()]
    return (*districts, *terminals)


def _place(folder: Path, scene: str) -> Path:
    return folder / f"{os.path.basename(scene)}.png"  # noqa: PTH119 - a scene is no path


def _made(channel: WeChatChannel, scene: str) -> str:
    try:
        return posters.make(channel.api, scene)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _prepare(folder: Path) -> None:
    """Have a folder that can be written, before anything is asked of the platform for it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise click.ClickException(
            f"{folder} cannot be written: {error.strerror}; give another with --folder"
        ) from error


def _draw(folder: Path, scene: str, address: str) -> None:
    place = _place(folder, scene)
    unfinished = place.with_suffix(".part")
    unfinished.write_bytes(qr_png(address, QR_SCALE))
    unfinished.replace(place)
