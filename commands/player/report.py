"""What a game comes to: its figures, and the ledger held against Redis."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

import click

from bot.conversations import Conversations
from commands.player.game import Tally
from commands.player.people import Player
from commands.player.platform import Platform
from credentials.model import Holder
from credentials.services import Services

MOST_SHOWN = 5


def tell(tally: Tally, platform: Platform, wrong: Sequence[str], *, compared: bool) -> None:
    """Print what a game saw, and what is otherwise in Redis."""
    took = tally.ended - tally.began
    click.echo(
        f"\n{tally.pushes} messages in {took:.1f} s: {tally.rate:.1f} a second; "
        f"{platform.sent} messages came outside of answers, {platform.refused} were refused once"
    )
    click.echo(f"{'latency (ms)':<24}{'p50':>8}{'p90':>8}{'p99':>8}{'max':>8}")
    for name, seconds in (("webhook", tally.webhook), ("what is waited for", tally.answers)):
        click.echo(f"{name:<24}" + "".join(f"{each:>8.0f}" for each in _percentiles(seconds)))
    told = ", ".join(f"{reason} × {count}" for reason, count in tally.errors.most_common())
    click.echo(f"errors              {tally.errors.total()} ({told or 'none'})")
    click.echo(f"redelivered         {tally.redelivered}")
    click.echo(f"held for review     {len(tally.held)}")
    _list("lost", tally.lost)
    _list("said twice", tally.doubled)
    if compared:
        _list("otherwise in Redis", wrong)
    else:
        click.echo("not held against Redis")


def _list(name: str, found: Sequence[str]) -> None:
    click.echo(f"{name:<20}{len(found)}")
    for each in found[:MOST_SHOWN]:
        click.echo(f"    {each}")


def _percentiles(seconds: Sequence[float]) -> tuple[float, float, float, float]:
    """The median, p90, p99 and the longest, in milliseconds."""
    if not seconds:
        return (0.0, 0.0, 0.0, 0.0)
    if len(seconds) == 1:
        return (seconds[0] * 1000,) * 4
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return cuts[49] * 1000, cuts[89] * 1000, cuts[98] * 1000, max(seconds) * 1000


def differences(services: Services, cast: Sequence[Player], tally: Tally) -> Iterator[str]:
    """Everybody whose place or card in Redis is not what they were told."""
    conversations = Conversations(services.redis, services.sealer)
    unsure = {line.partition(" ")[0] for line in tally.lost}
    for player in cast:
        if player.openid in unsure:
            continue  # told of as lost
        holder = Holder("wechat", player.openid)
        step = conversations.look(holder).step
        held = player.openid in tally.held
        wanted = "in_review" if held else player.ends_at
        if step != wanted:
            yield f"{player.openid} ({player.play}) is at {step}, and was led to {wanted}"
        card = services.cards.of(holder)
        gets_card = player.gets_card and not held
        if (card is not None) != gets_card:
            yield f"{player.openid} {'holds a card' if card else 'holds no card'}"
        if gets_card:
            kinds = [use.kind for use in services.cards.history(card.credential_id)] if card else []
            if kinds.count("activated") != 1:
                yield f"{player.openid}'s card was activated {kinds.count('activated')} times"
