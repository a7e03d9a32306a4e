from __future__ import annotations

from pathlib import Path

import pytest
import redis

from credentials.approvals import WAIT_SECONDS
from credentials.connection import connect
from credentials.errors import UnavailableError
from credentials.model import Holder
from credentials.questions import Questions

ALICE, BOB = Holder("wechat", "oAlice"), Holder("wechat", "oBob")
FIRST, SECOND = "0" * 20, "1" * 20


@pytest.fixture
def questions(database: redis.Redis) -> Questions:
    return Questions(database)


def test_one_question_is_the_only_one(questions: Questions) -> None:
    assert not questions.is_only(ALICE, FIRST)
    questions.show(ALICE, FIRST)
    questions.show(ALICE, FIRST)
    assert questions.is_only(ALICE, FIRST)
    assert not questions.is_only(ALICE, SECOND)
    assert not questions.is_only(BOB, FIRST)


def test_of_two_neither_is(questions: Questions) -> None:
    questions.show(ALICE, FIRST)
    questions.show(ALICE, SECOND)
    assert not questions.is_only(ALICE, FIRST)
    assert not questions.is_only(ALICE, SECOND)
    questions.take_back(ALICE, FIRST)
    assert questions.is_only(ALICE, SECOND)


def test_forgotten(questions: Questions) -> None:
    questions.show(ALICE, FIRST)
    questions.forget(ALICE)
    assert not questions.is_only(ALICE, FIRST)


def test_it_lives_as_long_as_an_approval_waits(questions: Questions, database: redis.Redis) -> None:
    questions.show(ALICE, FIRST)
    (key,) = database.keys("*")
    assert 0 < database.ttl(key) <= WAIT_SECONDS


def test_without_redis_nobody_was_asked(tmp_path: Path) -> None:
    questions = Questions(connect(f"unix://{tmp_path}/none"))
    for act in (questions.show, questions.take_back, questions.is_only):
        with pytest.raises(UnavailableError):
            act(ALICE, FIRST)
    with pytest.raises(UnavailableError):
        questions.forget(ALICE)
