"""The demo's citizens never send a picture that the product knows from an earlier sending."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest
import redis

from faces import compare, liveness, passive, photo, reuse, selfie
from faces.gestures import Gesture
from web.demo import CITIZENS, REMEMBERED_TAKES, TAKES, Citizen, Takes

EACH = pytest.mark.parametrize("citizen", CITIZENS, ids=["hopper", "collins"])


@pytest.fixture(autouse=True)
def dice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same throws in every run.

    Of 360 000 pairs of takes the nearest two were 8 bits apart, where 6 are one picture saved
    anew: so in one run of a few hundred two of the sixty would be alike.
    """
    thrown = random.Random(4)
    monkeypatch.setattr("web.demo.random.SystemRandom", lambda: thrown)


def shape(taken: bytes) -> str:
    return reuse.perceptual_hash(photo.open_photo(taken).pixels)


@EACH
def test_takes_of_different_processes_are_unlike_each_other(citizen: Citizen) -> None:
    """Without a list of earlier ones, as tests and the load's player take them."""
    shapes = [shape(citizen.selfie()) for _ in range(60)]
    assert not any(reuse.near(a, b) for a, b in itertools.combinations(shapes, 2))


@EACH
def test_takes_look_like_their_person_and_like_nothing_false(citizen: Citizen) -> None:
    portrait = selfie.measure(citizen.portrait()).template
    for _ in range(8):
        taken = citizen.selfie()
        measured = selfie.measure(taken)
        assert compare.compare(measured.template, portrait).match
        opened = photo.open_photo(taken)
        assert not passive.examine(taken, opened, selfie.find_one(opened.pixels)).suspicious


@EACH
@pytest.mark.parametrize("gesture", sorted(set(Gesture) - {Gesture.CLOSE_EYES}), ids=str)
def test_who_makes_a_gesture_is_known(citizen: Citizen, gesture: Gesture) -> None:
    """Or one challenge in twelve of a demo would go before people, for a doubtful picture."""
    portrait = selfie.measure(citizen.portrait()).template
    for _ in range(4):
        found = compare.compare(selfie.measure(citizen.gesture(gesture)).template, portrait)
        assert found.match
        assert gesture not in liveness.RESTING or not found.doubtful


def test_a_gesture_is_shown_and_never_twice_the_same(database: redis.Redis) -> None:
    takes = Takes(database)
    shapes = [shape(takes.new(lambda: CITIZENS[0].gesture(Gesture.OPEN_MOUTH))) for _ in range(6)]
    assert not any(reuse.near(a, b) for a, b in itertools.combinations(shapes, 2))


def test_what_was_handed_out_before_is_taken_again(database: redis.Redis) -> None:
    old, new = CITIZENS[0].selfie(), CITIZENS[0].selfie()
    pictures: Iterator[bytes] = iter([old, old, old, new])
    takes = Takes(database)
    assert takes.new(lambda: next(pictures)) == old
    # Another process of the same product, with its own copy of everything but Redis.
    assert Takes(database).new(lambda: next(pictures)) == new
    assert next(pictures, None) is None


def test_the_list_of_takes_is_bounded(database: redis.Redis) -> None:

    database.rpush(TAKES, *(["f" * 64] * REMEMBERED_TAKES))
    Takes(database).new(CITIZENS[0].selfie)
    assert database.llen(TAKES) == REMEMBERED_TAKES
