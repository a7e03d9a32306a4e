from __future__ import annotations

import dataclasses
import threading
import time

import pytest
import redis

from bot.conversations import (
    BusyError,
    Conversations,
    HeardBeforeError,
    LostError,
)
from bot.engine import Conversation
from credentials.connection import connect
from credentials.errors import UnavailableError
from credentials.model import Holder
from credentials.sealing import Sealer
from tests.credentials.issuer import ring

HOLDER = Holder("wechat", "oPhone")
OTHER = Holder("wechat", "oOther")
FULL = Conversation(
    HOLDER,
    step="id_number",
    aside="language",
    language="en",
    since=1_790_000_000.25,
    last=1_790_000_001.5,
    attempts=2,
    job="registry-1",
    human=1_790_000_000.0,
    version="1",
    given={"name": "张三", "consents": [{"kind": "data", "at": 1.5}]},
)


@pytest.fixture
def conversations(database: redis.Redis) -> Conversations:
    return Conversations(database, Sealer(ring()))


def put(conversations: Conversations, conversation: Conversation, key: str = "") -> None:
    taken = conversations.take(conversation.holder, key)
    conversations.keep(taken, conversation)


def test_somebody_new_is_nowhere_yet(conversations: Conversations) -> None:
    assert conversations.take(HOLDER).conversation == Conversation(HOLDER)


def test_what_is_kept_comes_back(conversations: Conversations) -> None:
    put(conversations, FULL)
    assert conversations.take(HOLDER).conversation == FULL
    assert conversations.look(HOLDER) == FULL


def test_says_whether_messages_were_kept(
    conversations: Conversations, database: redis.Redis
) -> None:
    assert not conversations.take(HOLDER).kept
    database.rpush("{wechat:oOther}:outbox:kept", "sealed")
    assert conversations.take(OTHER).kept


@pytest.mark.parametrize(
    ("given_out", "left"),
    [(b"two", [b"three"]), (b"three", []), (b"one", [b"two", b"three"]), (b"", [b"two", b"three"])],
)
def test_of_what_was_kept_only_what_is_given_out_goes(
    conversations: Conversations, database: redis.Redis, given_out: bytes, left: list[bytes]
) -> None:
    """Whatever was kept beyond the room there is pushes out the oldest, also during a turn."""
    kept = f"{HOLDER.tag}:outbox:kept"
    database.rpush(kept, "one", "two")
    taken = conversations.take(HOLDER)
    database.lpop(kept)
    database.rpush(kept, "three")
    conversations.keep(taken, taken.conversation, given_out=given_out)
    assert database.lrange(kept, 0, -1) == left


def test_people_do_not_mix(conversations: Conversations) -> None:
    put(conversations, FULL)
    assert conversations.look(OTHER) == Conversation(OTHER)


def test_a_turn_that_was_heard_is_not_heard_again(conversations: Conversations) -> None:
    put(conversations, FULL, "m1")
    with pytest.raises(HeardBeforeError):
        conversations.take(HOLDER, "m1")
    conversations.leave(conversations.take(HOLDER, "m2"))


def test_a_turn_that_was_left_is_heard_again(conversations: Conversations) -> None:
    conversations.leave(conversations.take(HOLDER, "m1"))
    assert conversations.take(HOLDER, "m1").conversation == Conversation(HOLDER)


def test_the_last_sixteen_turns_are_remembered(conversations: Conversations) -> None:
    for number in range(18):
        put(conversations, FULL, f"m{number}")
    with pytest.raises(HeardBeforeError):
        conversations.take(HOLDER, "m2")
    conversations.leave(conversations.take(HOLDER, "m1"))


def test_a_taken_conversation_is_busy(conversations: Conversations) -> None:
    conversations.take(HOLDER)
    with pytest.raises(BusyError):
        conversations.take(HOLDER, wait_s=0.02)
    conversations.take(OTHER)


def test_a_second_turn_waits_for_the_first(conversations: Conversations) -> None:
    first = conversations.take(HOLDER)
    second: list[str] = []

    def wait() -> None:
        second.append(conversations.take(HOLDER, wait_s=60).conversation.step)

    waiting = threading.Thread(target=wait)
    waiting.start()
    conversations.keep(first, dataclasses.replace(FULL, step="name"))
    waiting.join()
    assert second == ["name"]


def test_of_many_at_once_each_sees_the_one_before(conversations: Conversations) -> None:
    def add() -> None:
        taken = conversations.take(HOLDER, wait_s=60)
        more = dataclasses.replace(
            taken.conversation, attempts=taken.conversation.attempts + 1, step="name"
        )
        conversations.keep(taken, more)

    threads = [threading.Thread(target=add) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert conversations.look(HOLDER).attempts == 20


def test_a_lost_lock_keeps_nothing(conversations: Conversations, database: redis.Redis) -> None:
    slow = conversations.take(HOLDER)
    database.delete("{wechat:oPhone}:lock")  # it ran out
    put(conversations, dataclasses.replace(FULL, step="name"))
    with pytest.raises(LostError):
        conversations.keep(slow, FULL)
    assert conversations.look(HOLDER).step == "name"


def test_a_lost_lock_unlocks_nobody_else(
    conversations: Conversations, database: redis.Redis
) -> None:
    slow = conversations.take(HOLDER)
    database.delete("{wechat:oPhone}:lock")
    conversations.take(HOLDER)
    conversations.leave(slow)
    with pytest.raises(BusyError):
        conversations.take(HOLDER, wait_s=0.0)


def test_a_dead_workers_lock_runs_out(conversations: Conversations, database: redis.Redis) -> None:
    conversations.take(HOLDER)
    assert 0 < database.pttl("{wechat:oPhone}:lock") <= 10_000


def test_what_was_given_is_gone_before_the_talk(
    conversations: Conversations, database: redis.Redis
) -> None:
    put(conversations, FULL)
    assert database.ttl("{wechat:oPhone}:given") < database.ttl("{wechat:oPhone}:talk")
    database.delete("{wechat:oPhone}:given")
    assert conversations.look(HOLDER).lost


def test_nothing_given_is_nothing_lost(conversations: Conversations, database: redis.Redis) -> None:
    put(conversations, FULL)
    put(conversations, dataclasses.replace(FULL, given={}))
    assert not conversations.look(HOLDER).lost
    assert not database.exists("{wechat:oPhone}:given")


def test_the_talk_holds_nothing_personal(
    conversations: Conversations, database: redis.Redis
) -> None:
    put(conversations, FULL)
    for key in database.scan_iter("*"):
        assert "张三".encode() not in (database.dump(key) or b"")


def test_given_does_not_open_for_somebody_else(
    conversations: Conversations, database: redis.Redis
) -> None:
    put(conversations, FULL)
    sealed = database.get("{wechat:oPhone}:given")
    assert sealed is not None
    database.set("{wechat:oOther}:given", sealed)
    with pytest.raises(UnavailableError):
        conversations.look(OTHER)


def test_erasing_leaves_nothing(conversations: Conversations, database: redis.Redis) -> None:
    put(conversations, FULL, "m1")
    conversations.erase(conversations.take(HOLDER))
    assert list(database.scan_iter("{wechat:*")) == []
    assert conversations.live() == []
    assert conversations.look(HOLDER) == Conversation(HOLDER)


def test_a_lost_lock_erases_nothing_in_silence(
    conversations: Conversations, database: redis.Redis
) -> None:
    put(conversations, FULL)
    slow = conversations.take(HOLDER)
    database.delete("{wechat:oPhone}:lock")  # it ran out
    with pytest.raises(LostError):
        conversations.erase(slow)
    assert conversations.look(HOLDER).step == FULL.step
    conversations.erase(conversations.take(HOLDER))
    assert conversations.look(HOLDER) == Conversation(HOLDER)


def test_without_redis_nothing_is_done(database: redis.Redis) -> None:
    gone = Conversations(connect("unix:///nowhere/redis.sock"), Sealer(ring()))
    with pytest.raises(UnavailableError):
        gone.take(HOLDER)


class TestFigures:
    def test_who_is_where_longest_first(self, conversations: Conversations) -> None:
        now = time.time()
        calm = dataclasses.replace(FULL, human=0.0, attempts=0)
        put(conversations, dataclasses.replace(calm, since=now - 5))
        put(conversations, dataclasses.replace(calm, holder=OTHER, step="name", since=now - 60))
        assert [(place.holder, place.step) for place in conversations.live()] == [
            (OTHER, "name"),
            (HOLDER, "id_number"),
        ]
        assert conversations.counts() == {"id_number": 1, "name": 1}

    def test_moving_on_leaves_the_step(self, conversations: Conversations) -> None:
        put(conversations, FULL)
        put(conversations, dataclasses.replace(FULL, step="face", since=time.time()))
        assert conversations.counts() == {"face": 1, "id_number": 0}

    def test_at_home_nobody_is_in_the_middle_of_anything(
        self, conversations: Conversations
    ) -> None:
        put(conversations, dataclasses.replace(FULL, human=0.0))
        put(conversations, dataclasses.replace(FULL, human=0.0, step="home"))
        assert conversations.live() == []

    def test_stuck_and_calling_for_a_human(self, conversations: Conversations) -> None:
        now = time.time()
        stuck = dataclasses.replace(FULL, attempts=3, since=now, human=now)
        put(conversations, stuck)
        (place,) = conversations.live()
        assert (place.stuck, place.human) == (True, True)
        put(conversations, dataclasses.replace(stuck, attempts=0, human=0.0))
        (place,) = conversations.live()
        assert (place.stuck, place.human) == (False, False)

    def test_who_was_helped_waits_no_longer(self, conversations: Conversations) -> None:
        put(conversations, dataclasses.replace(FULL, step="home", human=time.time()))
        (place,) = conversations.live()
        assert (place.step, place.human) == ("", True)
        conversations.hand_back(HOLDER)
        assert conversations.live() == []
