"""The load player against a whole product, one fault of the platform at a time.

A small game of `python -m benchmarks.platform_faults`: what people were told is held against
Redis.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator

import pytest

from app import opened_services
from benchmarks.platform_faults import play_all
from commands.load import Stage, register, staged
from commands.player.faults import Fault
from commands.player.game import Rules
from commands.player.people import players

MOST_GAMES = 6  # a fault that strikes a few of a handful of calls may miss them all
RULES = Rules(rate=20.0, patience=120.0, settle_s=1.0)
FAULTS = (
    "-1",
    "45047",
    "40003",
    "hang-up",
    "token ended",
    "concurrent",
    "late copy",
    "reordered",
    "drop",
    "forged",
    "media gone",
)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staged(opened_services, "", 0, compare=True) as stage:
        assert stage.services is not None
        stage.services.redis.config_set("appendfsync", "no")  # a busy disk would hold up answers
        yield stage


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost_or_said_twice(stage: Stage, fault: str) -> None:
    struck = kept = 0
    for found in play_all(stage, [fault] * MOST_GAMES, 4, RULES):
        told = found.tally
        assert (told.lost, told.doubled, found.wrong, list(told.errors)) == ([], [], [], [])
        assert found.dead == len(told.undelivered)
        struck, kept = struck + found.struck, kept + found.kept
        if struck:
            break
    assert struck
    assert bool(kept) == (fault == "45047")


def test_the_ledger_notices_what_does_not_come(stage: Stage) -> None:
    """A message that is kept, and never asked for, is missed by its person and found in Redis."""
    silent = Fault("kept, and nobody asks", share=1.0, code=45047)
    chance = random.Random(1)
    cast = [each for each in players(9, chance, run="silent") if each.play == "straight"][:2]
    assert stage.services is not None
    register(stage.services, cast)
    rules = Rules(20.0, patience=10.0, fault=silent, settle_s=0.0)
    tally = stage.play(cast, rules, chance, io.StringIO(), lambda _: None)
    assert sorted(line.split()[0] for line in tally.lost) == [each.openid for each in cast]
    wrong = stage.differences(cast, tally)
    assert len(wrong) == 2
    assert all("1 are kept" in line for line in wrong)
