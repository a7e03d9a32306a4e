"""What a game comes to: its figures, and the ledger held against Redis."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence

import click

from bot.channel import Channel
from bot.conversations import Conversations
from bot.outbox import Outbox
from commands.player.people import Player
from commands.player.platform import Platform
from commands.player.tally import Tally, Undelivered
from credentials.model import Holder
from credentials.services import Services
from handlers.turn import Choices, Reply, Say

MOST_SHOWN = 5
MOST_DEAD = 1000
LOOK_S = 0.2
PATIENCE_S = 30.0  # a message whose answer was lost is sent again after some seconds


def tell(tally: Tally, platform: Platform, wrong: Sequence[str], *, compared: bool) -> None:
    """Print what a game saw, and what is otherwise in Redis."""
    took = tally.ended - tally.began
    click.echo(
        f"\n{tally.pushes} messages in {took:.1f} s: {tally.rate:.1f} a second; "
        f"{platform.sent} messages came outside of answers, {platform.refused} were refused"
    )
    click.echo(f"{'latency (ms)':<24}{'p50':>8}{'p90':>8}{'p99':>8}{'max':>8}")
    for name, seconds in (
        ("webhook", tally.webhook),
        ("what is waited for", tally.answers),
        ("faces", tally.faces),
    ):
        if seconds:
            told = "".join(f"{each:>8.0f}" for each in percentiles(seconds))
            click.echo(f"{name:<24}{told}")
    told = ", ".join(f"{reason} × {count}" for reason, count in tally.errors.most_common())
    click.echo(f"errors              {tally.errors.total()} ({told or 'none'})")
    click.echo(f"redelivered         {tally.redelivered}")
    click.echo(f"longest line told   {tally.longest_line}")
    click.echo(f"held for review     {len(tally.held)}")
    for name, count in (
        ("said again, dropped", tally.dropped),
        ("asked for what was kept", tally.asked),
        ("forged and refused", tally.forged),
        ("photos gone", tally.gone),
        ("dead letters", len(tally.undelivered)),
    ):
        if count:
            click.echo(f"{name:<20}{count}")
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


def percentiles(seconds: Sequence[float]) -> tuple[float, float, float, float]:
    """The median, p90, p99 and the longest, in milliseconds."""
    if not seconds:
        return (0.0, 0.0, 0.0, 0.0)
    if len(seconds) == 1:
        return (seconds[0] * 1000,) * 4
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return cuts[49] * 1000, cuts[89] * 1000, cuts[98] * 1000, max(seconds) * 1000


def differences(
    services: Services, cast: Sequence[Player], tally: Tally, *, reviewed: bool
) -> Iterator[str]:
    """Everybody whose place, card or messages in Redis are not what they were told.

    What is still on its way is waited for, as long as the outbox may need for another try.
    """
    unsure = {line.partition(" ")[0] for line in tally.lost}
    unsure |= {each.openid for each in tally.undelivered}
    yield from _not_buried(services, tally)
    conversations = Conversations(services.redis, services.sealer)
    outbox = looked_into(services)
    patient_until = time.monotonic() + PATIENCE_S
    for player in cast:
        holder = Holder("wechat", player.openid)
        while (left := outbox.delivery(holder)).waiting and time.monotonic() < patient_until:
            time.sleep(LOOK_S)
        if left.waiting or left.kept:
            yield f"{player.openid}: {left.waiting} messages wait, {left.kept} are kept"
        if player.openid in unsure:
            continue  # told of as lost, or among the dead letters
        step = conversations.look(holder).step
        held = player.openid in tally.held and not reviewed
        wanted = "in_review" if held else player.ends_at
        if step != wanted:
            yield f"{player.openid} ({player.play}) is at {step}, and was led to {wanted}"
        yield from _wrong_card(services, holder, wanted=player.gets_card and not held)


def _wrong_card(services: Services, holder: Holder, *, wanted: bool) -> Iterator[str]:
    card = services.cards.of(holder)
    if (card is not None) != wanted:
        yield f"{holder.openid} {'holds a card' if card else 'holds no card'}"
    if card and wanted:
        kinds = [use.kind for use in services.cards.history(card.credential_id)]
        if kinds.count("activated") != 1:
            yield f"{holder.openid}'s card was activated {kinds.count('activated')} times"


def _not_buried(services: Services, tally: Tally) -> Iterator[str]:
    """Every message that could not arrive must lie among the dead letters, in its words."""
    patient_until = time.monotonic() + PATIENCE_S
    while (missing := _missing(services, tally)) and time.monotonic() < patient_until:
        time.sleep(LOOK_S)  # a worker buries it after the platform has refused it
    for each in missing:
        yield f"{each.openid}: {each.words!r} is not among the dead letters"


def _missing(services: Services, tally: Tally) -> list[Undelivered]:
    """What could not arrive, and is not among the dead letters."""
    if not tally.undelivered:
        return []
    buried: dict[str, list[str]] = {}
    for letter in looked_into(services).dead(MOST_DEAD):
        buried.setdefault(letter.holder.openid, []).append(_words(letter.reply))
    return [
        each
        for each in tally.undelivered
        if not any(each.words in text for text in buried.get(each.openid, ()))
    ]


def looked_into(services: Services) -> Outbox:
    """An outbox to look into; nothing is sent through it."""
    return Outbox(services.redis, services.sealer, NO_CHANNELS, _nothing_to_do)


NO_CHANNELS: Mapping[str, Channel] = {}


def _nothing_to_do(*_: object, **__: object) -> None:
    raise AssertionError("an outbox that is looked into sends nothing")


def _words(reply: Reply) -> str:
    return reply.text if isinstance(reply, (Say, Choices)) else ""
