"""What the operators' figures cost: beside a turn, on the flow page, and with 10,000 at once.

With `crowd` (`python -m benchmarks.flow crowd`) it plays 5,000 people instead, and holds each
figure of the console against their own log.
"""

from __future__ import annotations

import dataclasses
import logging
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import redis
import structlog

from benchmarks.harness import publish, table
from benchmarks.sheet import Goal, Sheet
from bot.behind import Behind
from bot.conversations import Conversations
from bot.engine import Conversation
from bot.figures import Figures, Slice, ways
from commands import embedded
from credentials.connection import connect
from credentials.model import Holder
from credentials.sealing import Sealer
from handlers.dialog import DIALOG
from tests.bot.talking import World, make_world
from tests.credentials.issuer import ring
from tests.product.crowd import play
from web import console_flow

TURNS = 150
ROUNDS = 7
FINISHED = 1_000_000
DAYS = 60
LIVE = 10_000
CROWD = 5_000


class Silent(Conversations):
    """The same with the list of who is where, but without figures and transcript."""

    def _count(self, before: Conversation, after: Conversation, *_: object, **__: object) -> None:
        """Nothing: the list is written with the turn."""


def main(sheet: Sheet) -> None:
    """Measure and publish."""
    with tempfile.TemporaryDirectory() as folder, embedded.borrowed(Path(folder)) as url:
        database = connect(url)
        beside = _beside_a_turn(database, url)
        page = _page(database)
        live, unchanged = _live(database)
    share = sheet.keep(
        "a text turn with the operators' figures and transcript",
        [(1000 * full, 1000 * bare) for full, bare in beside],
        against="without them",
        unit="ms",
        goal=Goal("≤", 1.1),
    ).median
    share -= 1
    for what, found in (
        (f"console flow page over {FINISHED:,} conversations", page),
        (f"console live list with {LIVE:,} conversations", live),
    ):
        pair = (1000 * found, 1000.0)
        sheet.keep(what, [pair], against="1 s", unit="ms", goal=Goal("≤", 1))
    with_figures, without = (statistics.median(pair[n] for pair in beside) for n in (0, 1))
    rows = [
        ["a text turn without figures and transcript", f"{without * 1000:.2f} ms", ""],
        ["the same with them", f"{with_figures * 1000:.2f} ms", f"**{share:+.1%}**"],
        [
            f"flow figures over {FINISHED:,} finished conversations",
            f"{page * 1000:.0f} ms",
            "< 1 s",
        ],
        [f"live list with {LIVE:,} conversations", f"{live * 1000:.0f} ms", "< 1 s"],
        ["the same, unchanged: the change counter", f"{unchanged * 1000:.2f} ms", ""],
    ]
    publish(
        "flow",
        table(
            "What the operators' figures cost",
            f"Median of {ROUNDS} rounds in turn (A B A B …), {TURNS} turns each, over a "
            "socket; seconds of a turn are the process's own work (CPU), of pages wall time.",
            ("what", "time", "limit or cost"),
            rows,
        ),
    )


def _beside_a_turn(database: redis.Redis, url: str) -> list[tuple[float, float]]:
    """Pairs of seconds a turn, with and without the figures."""
    worlds = []
    for kind in (Conversations, Silent):
        world = make_world(database, url)
        sealer, behind = world.services.sealer, Behind(database)
        figures = Figures(database, steps=DIALOG.steps)
        conversations = kind(database, sealer, figures=figures, behind=behind)
        world.talk._conversations = conversations  # the one thing that differs
        worlds.append((world, behind))
    pairs = []
    for turn in range(ROUNDS + 1):
        full, bare = (_turns(*place, f"{turn}{number}") for number, place in enumerate(worlds))
        if turn:  # the first warms up
            pairs.append((full, bare))
    return pairs


def _turns(world: World, behind: Behind, name: str) -> float:
    """Seconds of this process's own work a turn: the machine may be busy with other things."""
    phones = [world.phone(f"oTurn{name}x{number}") for number in range(TURNS // 5)]
    began = time.process_time()
    for phone in phones:
        for text in ("申请", "同意", "张三丰", "12345", "取消"):
            phone.say(text)
    behind.flush()
    return (time.process_time() - began) / TURNS


def _page(database: redis.Redis) -> float:
    """Seconds to read two months of a million conversations, each day by language and version."""
    figures = Figures(database, steps=DIALOG.steps)
    order = [name for name in ways(DIALOG) if name != DIALOG.home]
    now, dice = time.time(), random.Random(1)
    for day in range(DAYS):
        name = time.strftime("%Y%m%d", time.gmtime(now - 86400 * day))
        counts: dict[Any, Any] = {}
        for language in ("zh_CN", "en", "id"):
            for channel in ("wechat", "alipay"):
                mark = f"{language}/{channel}/1"
                share = FINISHED // DAYS // 6
                for start, end in zip(["", *order], order, strict=False):
                    counts[f"{mark}|m|{start}|{end}"] = share
                    for band in dice.sample(range(60), 40):
                        counts[f"{mark}|s|{end}|{band}"] = share // 40
                    for key in range(8):
                        counts[f"{mark}|k|{end}|chat.sentence.{key}"] = share // 50
                counts[f"{mark}|e|match_photo|issued"] = share
        database.hset(f"{{flow}}:real:d:{name}", mapping=counts)
    until = (now // 86400 + 1) * 86400
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for last in (until, until - 30 * 86400):
            flow = figures.read(last - 30 * 86400, last)
            for step in order:
                flow.median(step)
        times.append(time.perf_counter() - began)
    assert flow.ended("issued") > FINISHED * 0.4
    assert Slice().runs == "real"
    return statistics.median(times)


def _live(database: redis.Redis) -> tuple[float, float]:
    conversations = Conversations(database, Sealer(ring()), home=DIALOG.home)
    order = [name for name in ways(DIALOG) if name != DIALOG.home]
    now = time.time()
    pipeline: Any = database.pipeline(transaction=False)
    for number in range(LIVE):
        holder = Holder("wechat", f"oLive{number}")
        after = Conversation(
            holder, order[number % len(order)], since=now - number, last=now - number / 9
        )
        before = Conversation(holder)
        if not number % 20:
            after = dataclasses.replace(after, attempts=3)
        for command in conversations.places.note(before, after):
            pipeline.execute_command(*command)
    pipeline.execute()
    times, quick = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        assert len(conversations.live(200)) == 200
        conversations.counts()
        conversations.signs()
        times.append(time.perf_counter() - began)
        began = time.perf_counter()
        conversations.change_number()
        quick.append(time.perf_counter() - began)
    return statistics.median(times), statistics.median(quick)


def crowd() -> None:
    """Play 5,000 people and hold each of the console's figures against their own log."""
    with tempfile.TemporaryDirectory() as folder, embedded.borrowed(Path(folder)) as url:
        _crowd(connect(url), url)


def _crowd(database: redis.Redis, url: str) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    began = time.perf_counter()
    world = make_world(database, url)
    log = play(world, CROWD)
    took, now = time.perf_counter() - began, time.time()
    flow = world.conversations.figures.read(now - 86400, now + 3600)
    steps = console_flow.steps_of(flow, list(ways(DIALOG)))
    turned = {
        (step, key): count for step, keys in flow.turned.items() for key, count in keys.items()
    }
    where = {place.holder.openid: place for place in world.conversations.live(CROWD)}
    rows = [
        *(
            _equal(f"{name}, by step", _some(steps, field), dict(counted))
            for name, field, counted in (
                ("came", "entered", log.came),
                ("went on", "onward", log.onward),
                ("went back", "back", log.back),
                ("ended without a card", "ended", log.ended),
                ("are there now", "there", Counter(log.there.values())),
            )
        ),
        _equal("could not get past a sentence, by step and sentence", turned, dict(log.turned)),
        _equal(
            "live list: who is at which step",
            Counter(f"{name} {place.step}" for name, place in where.items()),
            Counter(f"{name} {step}" for name, step in log.there.items()),
        ),
        _equal(
            "live list: stuck",
            Counter(name for name, place in where.items() if place.stuck),
            Counter(log.stuck),
        ),
        _equal(
            "live list: asked for a human",
            Counter(name for name, place in where.items() if place.human),
            Counter(log.human),
        ),
    ]
    publish(
        "crowd",
        table(
            "The console's figures against a crowd's own log",
            f"{log.people:,} people, {log.turns:,} turns in {took:.0f} s, one after the other; the "
            "log is kept from what each person's plan says. Photos are left out, so nobody gets "
            "as far as a card (`python -m benchmarks.flow crowd`).",
            ("what", "console", "log", "equal, each for itself"),
            rows,
        ),
    )


def _some(rows: Sequence[console_flow.Row], field: str) -> dict[str, int]:
    return {row.step: getattr(row, field) for row in rows if getattr(row, field)}


def _equal(what: str, shown: Mapping[Any, int], counted: Mapping[Any, int]) -> list[str]:
    """A row: both sums, and whether every single figure is the same."""
    unlike = [key for key in {*shown, *counted} if shown.get(key, 0) != counted.get(key, 0)]
    said = f"no: {', '.join(map(str, sorted(map(str, unlike))[:5]))}" if unlike else "yes"
    return [what, f"{sum(shown.values()):,}", f"{sum(counted.values()):,}", said]


if __name__ == "__main__":
    crowd() if sys.argv[1:] == ["crowd"] else main(Sheet("flow"))
