from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from bot import outbox as module
from bot.channel import (
    ChannelError,
    NotDeliveredError,
    PlatformUnavailableError,
    UnreachableError,
)
from bot.letters import from_json, to_json
from bot.outbox import Outbox
from bot.wechat.channel import WeChatChannel
from credentials.codes import LIFE_SECONDS
from credentials.connection import connect
from credentials.errors import UnavailableError
from credentials.model import Holder
from credentials.questions import Questions
from credentials.sealing import Sealer
from handlers.turn import Choices, HandOver, Link, Picture, Reply, Say
from tests.bot.platform import FakePlatform

ALICE = Holder("wechat", "oAlice")
BOB = Holder("wechat", "oBob")
BUSY = PlatformUnavailableError("busy")
CLOSED = NotDeliveredError(45015, "response out of time limit")
GONE = UnreachableError("40003: invalid openid", 40003)


class Scripted:
    """A channel that receives, and fails as it was told to."""

    name = "wechat"
    hands_over = False

    def __init__(self) -> None:
        self.noticed: list[Reply] = []
        self.notices = False
        self.received: list[tuple[str, Reply]] = []
        self.failures: list[Exception] = []
        self.before: Callable[[], object] = lambda: None

    def send(self, openid: str, reply: Reply) -> None:
        self.before()
        if self.failures:
            raise self.failures.pop(0)
        self.received.append((openid, reply))

    def notify(self, openid: str, reply: Reply) -> bool:
        del openid
        if self.notices and isinstance(reply, (Say, Choices)):
            self.noticed.append(reply)
            return True
        return False

    def typing(self, openid: str) -> None: ...

    def fetch(self, media_id: str, *, limit: int) -> bytes:
        raise NotImplementedError

    def sign_in_address(self, return_to: str, state: str) -> str:
        raise NotImplementedError

    def who(self, code: str) -> str:
        raise NotImplementedError

    def words(self, holder: Holder = ALICE) -> list[str]:
        return [
            reply.text
            for openid, reply in self.received
            if openid == holder.openid and isinstance(reply, Say)
        ]


class Post:
    """An outbox with what stands around it: a channel, the jobs it asked for, the time."""

    def __init__(self, database: redis.Redis, sealer: Sealer) -> None:
        self.database = database
        self.channel = Scripted()
        self.jobs: list[tuple[str, float, Holder]] = []
        self.now = 1_800_000_000.0
        self.box = Outbox(
            database, sealer, {"wechat": self.channel}, self._enqueue, lambda: self.now
        )

    def _enqueue(self, name: str, *, channel: str, openid: str, delay_s: float) -> None:
        self.jobs.append((name, delay_s, Holder(channel, openid)))

    def put(self, *words: str, holder: Holder = ALICE, key: str = "") -> bool:
        return self.box.put(holder, [Say(word) for word in words], key or "/".join(words))

    def deliver(self, holder: Holder = ALICE) -> None:
        self.database.delete(f"{holder.tag}:outbox:pause")  # the time until the retry is over
        self.box.deliver(holder)


@pytest.fixture
def post(database: redis.Redis, sealer: Sealer) -> Post:
    return Post(database, sealer)


def test_messages_arrive_in_order(post: Post) -> None:
    post.put("one", "two")
    post.put("three")
    post.deliver()
    assert post.channel.words() == ["one", "two", "three"]


def test_the_same_key_says_nothing_twice(post: Post) -> None:
    assert post.put("one", key="job:1")
    assert not post.put("one", key="job:1")
    post.deliver()
    assert not post.put("one", key="job:1")
    post.deliver()
    assert post.channel.words() == ["one"]


def test_nothing_to_say_is_nothing(post: Post) -> None:
    assert not post.put()
    post.deliver()
    assert post.database.keys("*") == []


def test_people_do_not_wait_for_each_other(post: Post) -> None:
    post.put("to alice")
    post.put("to bob", holder=BOB)
    post.channel.failures = [BUSY]
    post.deliver()
    post.deliver(BOB)
    assert (post.channel.words(), post.channel.words(BOB)) == ([], ["to bob"])


def test_messages_are_sealed(post: Post) -> None:
    post.put("your name is Zhang San")
    for kept in post.database.lrange(f"{ALICE.tag}:outbox", 0, -1):
        assert b"Zhang" not in kept


@pytest.mark.parametrize(
    "reply",
    [
        Say("你好"),
        Picture(b"\x89PNG\x00\xff", "words"),
        Link("a", "b", "c"),
        Choices("a", ("b", "c")),
        Choices("a", ("b", "c"), "0" * 20),
        HandOver(),
    ],
)
def test_every_kind_survives_being_written_down(reply: Reply) -> None:
    assert from_json(to_json(reply)) == reply


class TestQuestions:
    """Row 22: which request a person was asked about counts from just before it is sent."""

    QUESTION = Choices("Who?", ("approve",), "0" * 20)

    def asked(self, database: redis.Redis) -> bool:
        return Questions(database).is_only(ALICE, self.QUESTION.asks)

    def test_not_while_it_waits(self, post: Post, database: redis.Redis) -> None:
        post.box.put(ALICE, [self.QUESTION], "k")
        assert not self.asked(database)
        post.channel.before = lambda: seen.append(self.asked(database))
        seen: list[bool] = []
        post.deliver()
        assert seen == [True]
        assert self.asked(database)

    @pytest.mark.parametrize("failure", [BUSY, CLOSED, GONE, ChannelError("48001")])
    def test_not_where_it_did_not_arrive(
        self, post: Post, database: redis.Redis, failure: Exception
    ) -> None:
        post.box.put(ALICE, [self.QUESTION], "k")
        post.channel.failures = [failure]
        post.deliver()
        assert not self.asked(database)

    def test_a_notice_asks_as_well(self, post: Post, database: redis.Redis) -> None:
        post.channel.notices = True
        post.box.put(ALICE, [self.QUESTION], "k")
        post.channel.failures = [CLOSED]
        post.deliver()
        assert post.channel.noticed == [self.QUESTION]
        assert self.asked(database)


class TestRetry:
    """Row 9: what is worth trying again is, within bounds and in order."""

    def test_later_each_time(self, post: Post) -> None:
        post.put("one", "two")
        post.channel.failures = [BUSY] * 4
        for _ in range(4):
            post.deliver()
        assert post.jobs == [("deliver", wait, ALICE) for wait in (0, 1, 2, 4, 8)]
        post.deliver()
        assert post.channel.words() == ["one", "two"]

    def test_a_message_put_meanwhile_does_not_use_up_the_tries(
        self, post: Post, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "FIRST_WAIT", module.MOST_WAIT)  # longer than twenty puts take
        post.put("one")
        post.channel.failures = [BUSY] * 2
        post.deliver()
        for number in range(20):
            post.put(f"more {number}")
            post.box.deliver(ALICE)
        assert len(post.channel.failures) == 1

    def test_after_the_last_try_it_is_kept_and_the_rest_goes_on(self, post: Post) -> None:
        post.put("one", "two")
        post.channel.failures = [BUSY] * module.MOST_TRIES
        for _ in range(module.MOST_TRIES):
            post.deliver()
        assert post.channel.words() == ["two"]
        assert post.box.kept(ALICE).replies == (Say("one"),)


class TestKept:
    """Row 9: what the platform refuses now is given with the next turn."""

    @pytest.mark.parametrize("code", [45015, 45047, 43101])
    def test_it_and_all_behind_it(self, post: Post, code: int) -> None:
        post.put("one", "two", "three")
        post.channel.before = lambda: (
            post.channel.failures.append(NotDeliveredError(code, "no"))
            if len(post.channel.received) == 1
            else None
        )
        post.deliver()
        assert post.channel.words() == ["one"]
        assert post.box.kept(ALICE).replies == (Say("two"), Say("three"))

    def test_what_is_refused_as_it_stands_is_kept_alone(self, post: Post) -> None:
        post.put("one", "two")
        post.channel.failures = [ChannelError("48001")]
        post.deliver()
        assert post.channel.words() == ["two"]
        assert post.box.kept(ALICE).replies == (Say("one"),)

    @pytest.mark.parametrize("code", [45015, 45047, 43101])
    def test_as_many_as_were_kept_are_counted(self, post: Post, code: int) -> None:
        for words in (["one", "two", "three"], ["four"]):
            post.put(*words)
            post.channel.failures = [NotDeliveredError(code, "no")]
            post.deliver()
        assert post.box.figures() == {str(code): 2, f"kept:{code}": 4, "dead": 0}
        post.now += 3600 * 2
        assert post.box.figures(2) == {"dead": 0}

    @pytest.mark.parametrize("code", [45015, 45047, 43101])
    def test_but_not_where_a_notice_fits(self, post: Post, code: int) -> None:
        post.channel.notices = True
        post.put("one", "two")
        post.channel.failures = [NotDeliveredError(code, "no")]
        post.deliver()
        assert post.channel.noticed == [Say("one")]
        assert post.channel.words() == ["two"]
        assert post.box.kept(ALICE).replies == ()
        assert f"kept:{code}" not in post.box.figures()

    def test_a_notice_that_fails_leaves_it_kept(self, post: Post) -> None:
        post.put("one")
        post.channel.failures = [NotDeliveredError(45015, "no")]

        def refuse(openid: str, reply: Reply) -> bool:
            raise BUSY

        post.channel.notify = refuse  # type: ignore[method-assign]
        post.deliver()
        assert post.box.kept(ALICE).replies == (Say("one"),)

    def test_a_picture_that_waited_is_told_in_words(self, post: Post) -> None:
        post.box.put(ALICE, [Picture(b"png", "open your card"), Picture(b"png")], "k")
        post.channel.failures = [CLOSED]
        post.deliver()
        assert post.box.kept(ALICE).replies == (
            Say("open your card"),
            Picture(b"png"),
        )

    def test_only_so_many(self, post: Post) -> None:
        words = [str(number) for number in range(module.MOST_KEPT + 2)]
        post.put(*words)
        post.channel.failures = [CLOSED]
        post.deliver()
        assert post.box.kept(ALICE).replies == tuple(Say(word) for word in words[2:])
        assert [letter.reply for letter in post.box.dead()] == [Say("1"), Say("0")]

    def test_they_are_anothers_neither_to_take_nor_to_read(
        self, post: Post, database: redis.Redis
    ) -> None:
        post.put("one")
        post.channel.failures = [CLOSED]
        post.deliver()
        assert post.box.kept(BOB).replies == ()
        database.rename(f"{ALICE.tag}:outbox:kept", f"{BOB.tag}:outbox:kept")
        assert post.box.kept(BOB).replies == ()


def half_a_minute_passes(post: Post) -> None:
    (key,) = post.database.scan_iter(f"{ALICE.tag}:outbox:fresh:*")
    assert 0 < post.database.ttl(key) <= LIFE_SECONDS
    post.database.delete(key)


class TestLatePictures:
    """A code in a picture is good for half a minute from when it was drawn."""

    CARD = Picture(b"png", "open your card's page")

    def test_a_picture_that_had_to_wait_is_told_in_its_words(self, post: Post) -> None:
        post.box.put(ALICE, [self.CARD, Picture(b"png")], "k")
        post.channel.failures = [BUSY]
        post.deliver()
        half_a_minute_passes(post)
        post.deliver()
        assert [reply for _, reply in post.channel.received] == [
            Say("open your card's page"),
            Picture(b"png"),
        ]

    def test_one_that_waited_for_a_moment_is_shown(self, post: Post) -> None:
        post.box.put(ALICE, [self.CARD], "k")
        post.channel.failures = [BUSY]
        post.deliver()
        post.now += 600  # this machine's clock is another one's
        post.deliver()
        assert [reply for _, reply in post.channel.received] == [self.CARD]

    def test_one_that_an_operator_sends_again_is_told_in_its_words(self, post: Post) -> None:
        post.box.put(ALICE, [self.CARD], "k")
        post.channel.failures = [CLOSED]
        post.deliver()
        half_a_minute_passes(post)
        post.box.retry(ALICE)
        post.deliver()
        assert [reply for _, reply in post.channel.received] == [Say("open your card's page")]


class TestDead:
    def test_an_account_that_is_nobodys_ends_it(self, post: Post) -> None:
        post.put("one", "two")
        post.channel.failures = [UnreachableError("40003: invalid openid")]
        post.deliver()
        post.deliver()
        assert post.channel.received == []
        letters = post.box.dead()
        assert [(letter.holder, letter.reply) for letter in letters] == [
            (ALICE, Say("two")),
            (ALICE, Say("one")),
        ]
        assert letters[0].reason == "40003: invalid openid"
        assert letters[0].at == post.now

    def test_who_left_leaves_no_letter(self, post: Post) -> None:
        for holder in (ALICE, BOB, ALICE):
            post.put("a receipt", holder=holder, key=f"{len(post.box.dead())}")
            post.channel.failures = [GONE]
            post.deliver(holder)
        assert len(post.box.dead()) == 3
        post.box.forget(ALICE)
        assert [letter.holder for letter in post.box.dead()] == [BOB]

    def test_a_letter_has_its_deadline(self, post: Post) -> None:
        for key in ("old", "newer"):
            post.now += module.DEAD_SECONDS / 2
            post.put(key)
            post.channel.failures = [GONE]
            post.deliver()
        post.now += module.DEAD_SECONDS / 2 + 1
        post.box.wake_stuck()
        assert [letter.reply for letter in post.box.dead()] == [Say("newer")]
        assert 0 < post.database.ttl(module.DEAD) <= module.DEAD_SECONDS

    def test_a_letter_that_does_not_open_keeps_no_other(
        self, post: Post, database: redis.Redis
    ) -> None:
        post.put("old")
        post.channel.failures = [GONE]
        post.deliver()
        database.rpush(module.DEAD, b"\x01" + b"x" * 60, b"\x63" + b"x" * 60)
        assert [letter.reply for letter in post.box.dead()] == [Say("old")]
        post.now += module.DEAD_SECONDS + 1
        post.box.wake_stuck()
        assert post.box.dead() == []

    def test_a_letter_keeps_no_picture(self, post: Post) -> None:
        post.box.put(ALICE, [Picture(b"png", "open your card")], "k")
        post.channel.failures = [GONE]
        post.deliver()
        [letter] = post.box.dead()
        assert letter.reply == Picture(b"", "open your card")
        assert letter.words == "open your card"

    def test_an_unreadable_message_does_not_stop_the_others(
        self, post: Post, database: redis.Redis
    ) -> None:
        database.rpush(f"{ALICE.tag}:outbox", b"\x01" + b"x" * 60)
        post.put("two")
        post.deliver()
        assert post.channel.words() == ["two"]


class TestTogether:
    def test_two_workers_send_each_message_once(self, post: Post) -> None:
        words = [str(number) for number in range(30)]
        post.put(*words)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: post.deliver(), range(4)))
        assert post.channel.words() == words

    def test_a_message_put_while_the_last_is_sent_is_not_left(self, post: Post) -> None:
        post.put("one")
        post.channel.before = lambda: post.put("two")  # again before "two": its key is known
        post.deliver()
        assert post.channel.words() == ["one", "two"]

    def test_whoever_finds_it_locked_comes_back(self, post: Post, database: redis.Redis) -> None:
        """Row 8: a worker killed in mid-sending holds the lock until it runs out."""
        post.put("one")
        database.set(f"{ALICE.tag}:outbox:lock", b"a killed worker", px=40_000)
        post.deliver()
        assert post.channel.words() == []
        assert post.jobs[-1] == ("deliver", module.BUSY_WAIT, ALICE)
        database.delete(f"{ALICE.tag}:outbox:lock")
        post.deliver()
        assert post.channel.words() == ["one"]

    def test_whoever_lost_the_lock_strikes_off_what_was_sent_and_leaves_the_rest(
        self, post: Post, database: redis.Redis
    ) -> None:
        post.put("one", "two")
        lock = f"{ALICE.tag}:outbox:lock"
        post.channel.before = lambda: database.set(lock, b"another worker", px=40_000)
        post.deliver()
        assert post.channel.words() == ["one"]
        assert database.llen(f"{ALICE.tag}:outbox") == 1
        assert database.get(lock) == b"another worker"
        assert post.jobs[-1] == ("deliver", module.BUSY_WAIT, ALICE)

    def test_the_lock_is_given_back_however_a_delivery_ends(
        self, post: Post, database: redis.Redis
    ) -> None:
        for failure in (None, BUSY, CLOSED, GONE, ValueError("a fault of ours")):
            post.channel.failures = [failure] if failure else []
            post.put(str(failure))
            with contextlib.suppress(ValueError):
                post.deliver()
            assert not database.exists(f"{ALICE.tag}:outbox:lock"), failure
            database.delete(f"{ALICE.tag}:outbox")

    def test_what_nobody_delivers_is_found(self, post: Post) -> None:
        post.put("one")
        assert not post.box.wake_stuck()
        post.now += module.STUCK_SECONDS + 1
        assert post.box.wake_stuck() == 1
        assert post.jobs[-1] == ("deliver", 0.0, ALICE)
        post.deliver()
        assert post.box.wake_stuck() == 0

    def test_whoever_leaves_is_not_written_to(self, post: Post) -> None:
        post.put("one", "two")
        post.channel.failures = [CLOSED]
        post.deliver()
        post.put("three")
        post.box.forget(ALICE)
        post.deliver()
        assert post.channel.received == []
        assert post.box.kept(ALICE).replies == ()


def test_without_redis_nothing_is_promised(sealer: Sealer, tmp_path: Path) -> None:
    post = Post(connect(f"unix://{tmp_path}/none"), sealer)
    with pytest.raises(UnavailableError):
        post.put("one")
    assert not post.jobs
    for act in (post.box.deliver, post.box.kept, post.box.forget):
        with pytest.raises(UnavailableError):
            act(ALICE)
    with pytest.raises(UnavailableError):
        post.box.wake_stuck()
    with pytest.raises(UnavailableError):
        post.box.dead()


def test_over_the_real_protocol(
    database: redis.Redis, sealer: Sealer, channel: WeChatChannel, wechat: FakePlatform
) -> None:
    """Row 9 from end to end: each kind of trouble once, and everything arrives or is kept."""
    woken = threading.Event()
    box = Outbox(database, sealer, {"wechat": channel}, lambda *_, **__: woken.set())
    box.put(ALICE, [Say("1"), Say("2"), Say("3")], "k")
    wechat.next("message/custom/send", {"errcode": 0}, 40001, -1)
    box.deliver(ALICE)
    assert woken.is_set()
    wechat.next("message/custom/send", 45009)
    database.delete(f"{ALICE.tag}:outbox:pause")
    box.deliver(ALICE)
    wechat.next("message/custom/send", {"errcode": 0}, 45047)
    database.delete(f"{ALICE.tag}:outbox:pause")
    box.deliver(ALICE)
    assert box.kept(ALICE).replies == (Say("3"),)
    assert [body["text"]["content"] for body in wechat.sent()] == list("122223")
    assert box.figures() == {"-1": 1, "45009": 1, "45047": 1, "kept:45047": 1, "dead": 0}
