"""Sentences that operators change: live at once, never broken, every version kept."""

from __future__ import annotations

import pytest
import redis

from credentials.connection import connect
from credentials.wording import LOOK_SECONDS, LiveTexts, WordingError

KEY = "chat.name.too_long"
PLAIN = "chat.welcome"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def texts(database: redis.Redis, clock: Clock) -> LiveTexts:
    return LiveTexts(database, clock=clock)


def test_a_change_is_live_elsewhere_within_a_second(
    database: redis.Redis, texts: LiveTexts, clock: Clock
) -> None:
    here = LiveTexts(database)
    own = texts.say("en", PLAIN)
    here.change("en", PLAIN, "Good day!", "adam", "friendlier")
    assert texts.say("en", PLAIN) == own  # looked at just now
    clock.now += LOOK_SECONDS
    assert texts.say("en", PLAIN) == "Good day!"
    assert texts.say("zh_CN", PLAIN) != "Good day!"
    here.change("en", PLAIN, "", "adam", "as it was")
    clock.now += LOOK_SECONDS
    assert texts.say("en", PLAIN) == own
    assert [version.text for version in texts.history("en", PLAIN)] == ["", "Good day!"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x" * 601, "bad_text"),
        ("bell \a", "bad_text"),
        ("{", "bad_placeholders"),
        ("{other}", "bad_placeholders"),
        ("{0}", "bad_placeholders"),
        ("{x.__class__}", "bad_placeholders"),
        ("{x!r}", "bad_placeholders"),
        ("{x:>9999999}", "bad_placeholders"),
    ],
)
def test_what_would_break_a_sentence_is_refused(texts: LiveTexts, text: str, code: str) -> None:
    with pytest.raises(WordingError) as refused:
        texts.change("en", PLAIN, text, "adam", "because")
    assert refused.value.code == code
    assert texts.history("en", PLAIN) == []


@pytest.mark.parametrize(
    ("language", "key", "code"),
    [("fr", PLAIN, "bad_language"), ("en", "chat.nothing", "unknown_text")],
)
def test_what_is_not_there(texts: LiveTexts, language: str, key: str, code: str) -> None:
    with pytest.raises(WordingError) as refused:
        texts.change(language, key, "x", "adam", "because")
    assert refused.value.code == code


def test_without_redis_it_says_what_it_knows() -> None:
    gone = LiveTexts(connect("unix:///nowhere/redis.sock"))
    assert gone.say("en", PLAIN)
