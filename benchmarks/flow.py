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
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import redis
import structlog
from flask import Flask

import app
import parts
from benchmarks import stage, units
from benchmarks.harness import Served, publish, server, table
from benchmarks.sheet import Goal, Sheet
from bot.conversations import Conversations
from bot.engine import Conversation
from bot.figures import Figures, Slice, ways
from commands import embedded
from credentials.connection import connect
from credentials.model import Holder
from credentials.sealing import Sealer
from handlers.dialog import DIALOG
from tests.bot.talking import make_world
from tests.credentials.issuer import ring
from tests.product.crowd import play
from web import console_flow

PEOPLE = 300
TEXTS = ("申请", "同意", "张三丰", "12345", "取消")
ROUNDS = 7
FINISHED = 1_000_000
DAYS = 60
LIVE = 10_000
CROWD = 5_000


Spent = tuple[float, float]
"""Processor milliseconds of one request: of the web, and of Redis."""


class Silent(Conversations):
    """The same with the list of who is where, but without figures and transcript.

    Made for this measurement; there is no setting for it.
    """

    def _count(self, before: Conversation, after: Conversation, *_: object, **__: object) -> None:
        """Nothing: the list is written with the turn."""


def main(sheet: Sheet) -> None:
    """Measure and publish."""
    beside = _beside_a_turn()
    with tempfile.TemporaryDirectory() as folder, embedded.borrowed(Path(folder)) as url:
        database = connect(url)
        page = _page(database)
        live, unchanged = _live(database)
    whole = sheet.keep(
        "a chat text turn with the operators' figures and transcript",
        [(sum(full), sum(bare)) for full, bare in beside],
        against="without them",
        unit="ms",
        goal=Goal("≤", 1.1),
    )
    for what, found in (
        (f"console flow page over {FINISHED:,} conversations", page),
        (f"console live list with {LIVE:,} conversations", live),
    ):
        pair = (1000 * found, 1000.0)
        sheet.keep(what, [pair], against="1 s", unit="ms", goal=Goal("≤", 1))
    rows = [
        *(
            [f"a chat text turn {what}", *_split(each[n] for each in beside), cost]
            for n, what, cost in (
                (1, "without figures and transcript", ""),
                (0, "with them", f"**{whole.median - 1:+.1%}**"),
            )
        ),
        [
            f"flow figures over {FINISHED:,} finished conversations",
            f"{page * 1000:.0f} ms",
            "",
            "< 1 s",
        ],
        [f"live list with {LIVE:,} conversations", f"{live * 1000:.0f} ms", "", "< 1 s"],
        ["the same, unchanged: the change counter", f"{unchanged * 1000:.2f} ms", "", ""],
    ]
    publish(
        "flow",
        table(
            "What the operators' figures cost",
            f"Median of {ROUNDS} rounds in turn (A B A B …). A turn is one of {PEOPLE} people's "
            f"{len(TEXTS)} texts to the webhook in safe mode, in processor time of the web process "
            "and of Redis; pages are wall time.",
            ("what", "time", "of it Redis", "limit or cost"),
            rows,
        ),
    )


def _split(spent: Iterable[Spent]) -> tuple[str, str]:
    """Web and Redis together, and Redis alone, in ms."""
    web, of_redis = (statistics.median(each) for each in zip(*spent, strict=True))
    return f"{web + of_redis:.2f} ms", f"{of_redis:.2f} ms"


def silent() -> Flask:
    """The web application without the operators' figures and transcripts."""
    parts.Conversations = Silent  # type: ignore[attr-defined] # which `parts` puts together
    return app.create_app_from_environment()


def _beside_a_turn() -> list[list[Spent]]:
    """Rounds: what a webhook turn costs web and Redis with the figures, and without."""
    with (
        stage.stage() as scene,
        server("app:create_app_from_environment", scene.environment) as full,
        server("benchmarks.flow:silent", scene.environment) as bare,
    ):
        rounds = [[_turns(scene, web) for web in (full, bare)] for _ in range(ROUNDS + 1)]
    return rounds[1:]  # the first warms up


def _turns(scene: stage.Stage, web: Served) -> Spent:
    people = stage.strangers(PEOPLE)
    turns = [turn for text in TEXTS for turn in stage.text_turns(people, text)]
    return units.spent_on(scene, web, turns, 200)


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
