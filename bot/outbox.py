"""The way of every message to a person: in order, said once for each key, never lost silently.

`put` writes messages down before anybody tries to send them; `deliver`, run by a worker, sends
a person's messages one by one, each after the one before it. What a platform answers decides:

| answer | then |
|---|---|
| taken | the message is struck off |
| does not answer, busy (-1, 45009, a timeout) | tried again, later each time; at last kept |
| not now (45015, 45047, 43101) | sent as a template message where one fits; else it and all \
  behind it are kept for the person's next turn |
| never (40003, unfollowed) | it and all behind it go to the dead letters |
| refused as it stands (any other code) | kept, since an answer to a turn may still carry it |

A platform has no word for "I have sent this already". A worker that dies between the platform's
yes and striking the message off therefore sends it again: a message twice is the smaller harm.

| key | holds |
|---|---|
| `{channel:openid}:outbox` | list of sealed messages, oldest first |
| `{channel:openid}:outbox:once:<key>` | that the messages of this key were put; three days |
| `{channel:openid}:outbox:fresh:<name>` | there while a code in a picture is good; 30 seconds |
| `{channel:openid}:outbox:tries` | how often the first message failed |
| `{channel:openid}:outbox:pause` | there until the first message is tried again |
| `{channel:openid}:outbox:kept` | list of sealed messages for the next turn; seven days |
| `{channel:openid}:outbox:lock` | who delivers to this person now |
| `{channel:openid}:outbox:errors` | list of what the platform answered lately; 20, seven days |
| `{outbox}:waiting` | sorted set of `channel:openid` by when messages were last put or tried |
| `{outbox}:dead` | list of sealed dead letters, newest first, at most 1000; seven days, and not \
  beyond the person's unfollowing or deleting the card |
| `{outbox}:codes:<YYYYMMDDHH>` | hash: how often the platform answered with which code, and \
  `kept:<code>` how many messages had to be kept for it; nine days |
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import redis
import structlog

from bot.channel import (
    Channel,
    ChannelError,
    NotDeliveredError,
    PlatformUnavailableError,
    UnreachableError,
)
from bot.letters import DeadLetter, from_json, to_json
from credentials.codes import LIFE_SECONDS
from credentials.connection import guard
from credentials.errors import UnavailableError
from credentials.model import Holder
from credentials.questions import Questions
from credentials.sealing import SealBrokenError, Sealer
from handlers.turn import Choices, Picture, Reply, Say

ONCE_SECONDS = 3 * 86400
KEPT_SECONDS = 7 * 86400
QUEUE_SECONDS = 7 * 86400
LOCK_MS = 90_000  # longer than one message can take: a token, an upload, a sending
BUSY_WAIT = 5.0
MOST_TRIES = 8
FIRST_WAIT = 1.0
MOST_WAIT = 120.0
MOST_KEPT = 20
MOST_DEAD = 1000
DEAD_SECONDS = 7 * 86400
MOST_ENDED = 100
MOST_FAILURES = 20
CODES_SECONDS = 9 * 86400
STUCK_SECONDS = 300.0
WAITING = "{outbox}:waiting"
DEAD = "{outbox}:dead"
ALL = 0
SCRIPTS = Path(__file__).parent / "scripts"

log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """What was kept for a person's next turn, and the last of it as it lies in Redis."""

    replies: tuple[Reply, ...] = ()
    last: bytes = b""

    @property
    def mark(self) -> str:
        """Part of the key that it is put under again, with an answer that must wait.

        A turn that was not heard in the end is heard once more. Had its answer been kept meanwhile,
        then it lies here, and would be struck off without having been put.
        """
        return f":{hashlib.blake2b(self.last, digest_size=8).hexdigest()}" if self.last else ""


NOTHING_KEPT = Kept()


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """What the platform answered instead of delivering a message, and when."""

    at: float
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """How a person's messages fare: waiting, kept for the next turn, tries, what went wrong."""

    waiting: int
    kept: int
    tries: int
    failures: tuple[Failure, ...] = ()


class Outbox:
    """Every person's messages. Each method raises UnavailableError when Redis does not answer.

    Args:
        database: where messages are kept.
        sealer: seals them, because they say things about people.
        channels: the platforms by name.
        jobs_enqueue: called as `jobs_enqueue("deliver", channel=…, openid=…, delay_s=…)`; it has
            a worker call `deliver` after that many seconds.
        clock: the time, in seconds since 1970.
    """

    def __init__(
        self,
        database: redis.Redis,
        sealer: Sealer,
        channels: Mapping[str, Channel],
        jobs_enqueue: Callable[..., object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._redis = database
        self._sealer = sealer
        self._channels = channels
        self._enqueue = jobs_enqueue
        self._clock = clock
        self._questions = Questions(database)
        self._put = database.register_script(_script("put"))
        self._next = database.register_script(_script("next"))
        self._leave = database.register_script(_script("leave"))
        self._keep = database.register_script(_script("keep"))
        self._take = database.register_script(_script("take"))

    def put(
        self,
        holder: Holder,
        replies: Sequence[Reply],
        key: str,
        given: Mapping[str, Any] | None = None,
    ) -> bool:
        """Write messages down and have them delivered; False when `key` was put before.

        Called again with the same key, as a repeated job does, it says nothing twice, but makes
        sure that a delivery is on its way.

        Args:
            holder: to whom.
            replies: what is said, in order.
            key: what it is said for.
            given: what of the person the messages may repeat (`transcripts.given_of`): operators
                see a dead letter without it.
        """
        if not replies:
            return False
        queue = _queue(holder)
        beside: dict[str, Any] = {"given": given} if given and any(given.values()) else {}
        if any(isinstance(reply, Picture) for reply in replies):
            beside["fresh"] = self._fresh(queue)
        sealed = [self._sealer.seal_json(queue, {**to_json(reply), **beside}) for reply in replies]
        with guard():
            self._redis.zadd(WAITING, {_member(holder): self._clock()})
            new = self._put(
                keys=[queue, f"{queue}:once:{key}"], args=[ONCE_SECONDS, QUEUE_SECONDS, *sealed]
            )
        self._wake(holder, 0.0)
        return bool(new)

    def deliver(self, holder: Holder) -> None:
        """Send what waits for a person, in order, until nothing waits or the platform declines."""
        queue, ours, done = _queue(holder), secrets.token_hex(8), b""
        keys = [queue, *(f"{queue}:{name}" for name in ("tries", "pause", "lock"))]
        with guard(), contextlib.ExitStack() as leaving:
            give_back = functools.partial(self._leave, keys=[f"{queue}:lock"], args=[ours])
            leaving.callback(give_back)
            while True:
                how, message = self._next(keys=keys, args=[ours, LOCK_MS, done])
                if how != b"next":
                    break
                sent = self._send(holder, message)
                if sent is None:
                    return
                done = sent
            leaving.pop_all()  # the script that found nothing more gave the lock back with it
            if how == b"busy":
                # Whoever has the lock goes on until nothing waits; but they may have been killed,
                # and then somebody has to come when the lock has run out.
                self._wake(holder, BUSY_WAIT)
            elif how == b"nothing":
                self._redis.zrem(WAITING, _member(holder))
                if self._redis.llen(queue):  # put in between, and struck from the set
                    self._redis.zadd(WAITING, {_member(holder): self._clock()})

    def kept(self, holder: Holder) -> Kept:
        """What was kept for this person's next turn, oldest first.

        It stays there until `Conversations.keep` is told that an answer gives it out.
        """
        with guard():
            found = cast("list[bytes]", self._redis.lrange(f"{_queue(holder)}:kept", 0, -1))
        replies = (reply for sealed in found if (reply := self._open(holder, sealed)))
        said = tuple(_in_words(reply) for reply in replies)
        return Kept(said, found[-1] if found else b"")

    def dead(self, most: int = 100) -> list[DeadLetter]:
        """The newest dead letters, newest first."""
        with guard():
            sealed = cast("list[bytes]", self._redis.lrange(DEAD, 0, most - 1))
        return [letter for each in sealed if (letter := self._letter(each))]

    def delivery(self, holder: Holder) -> Delivery:
        """How one person's messages fare, for operators."""
        queue = _queue(holder)
        with guard():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.llen(queue)
            pipeline.llen(f"{queue}:kept")
            pipeline.get(f"{queue}:tries")
            pipeline.lrange(f"{queue}:errors", 0, -1)
            waiting, kept, tries, errors = pipeline.execute()
        failures = (error.decode().partition("|") for error in errors)
        return Delivery(
            waiting,
            kept,
            int(tries or 0),
            tuple(Failure(float(at), reason) for at, _, reason in failures),
        )

    def retry(self, holder: Holder) -> int:
        """Have everything tried again now that waits or was kept; gives how many messages."""
        queue = _queue(holder)
        with guard():
            moved = 0
            while self._redis.lmove(f"{queue}:kept", queue, "LEFT", "RIGHT"):
                moved += 1
            self._redis.delete(f"{queue}:pause", f"{queue}:tries")
            waiting = int(self._redis.llen(queue))
            if waiting:
                self._redis.zadd(WAITING, {_member(holder): self._clock()})
        if waiting:
            self._wake(holder, 0.0)
        return max(waiting, moved)

    def figures(self, hours: int = 24) -> Mapping[str, int]:
        """How often the platform answered with which code lately, and `dead` letters."""
        now = self._clock()
        with guard():
            pipeline = self._redis.pipeline(transaction=False)
            for hour in range(hours):
                pipeline.hgetall(_codes(now - 3600 * hour))
            pipeline.llen(DEAD)
            *counts, dead = pipeline.execute()
        found = {"dead": int(dead)}
        for count in counts:
            for code, number in count.items():
                name = code.decode()
                found[name] = found.get(name, 0) + int(number)
        return found

    def wake_stuck(self) -> int:
        """Have everything delivered that waited too long, as after the loss of a broker's queue.

        Returns how many people's; a worker calls it when it starts and every few minutes. Dead
        letters that are over end with it.
        """
        self._end_letters()
        with guard():
            before = self._clock() - STUCK_SECONDS
            found = self._redis.zrangebyscore(WAITING, "-inf", before, start=0, num=1000)
            members = cast("list[bytes]", found)
        for member in members:
            channel, _, openid = member.decode().partition(":")
            self._wake(Holder(channel, openid), 0.0)
        return len(members)

    def forget(self, holder: Holder) -> None:
        """Remove everything that waits or is kept for a person who has left."""
        queue = _queue(holder)
        with guard():
            self._redis.delete(
                queue,
                f"{queue}:kept",
                f"{queue}:tries",
                f"{queue}:pause",
                f"{queue}:errors",
            )
            self._redis.zrem(WAITING, _member(holder))
        self.forget_letters(holder)

    def forget_letters(self, holder: Holder) -> None:
        """Remove the dead letters of a person who has left, or whose data is erased."""
        with guard():
            for sealed in cast("list[bytes]", self._redis.lrange(DEAD, 0, -1)):
                letter = self._letter(sealed)
                if letter is not None and letter.holder == holder:
                    self._redis.lrem(DEAD, 1, cast("str", sealed))

    def _end_letters(self) -> None:
        """Remove the dead letters whose time is over, some of the oldest at a time."""
        with guard():
            oldest = cast("list[bytes]", self._redis.lrange(DEAD, -MOST_ENDED, -1))
            for sealed in reversed(oldest):
                letter = self._letter(sealed)
                if letter is None:
                    continue
                if self._clock() - letter.at <= DEAD_SECONDS:
                    return
                self._redis.lrem(DEAD, -1, cast("str", sealed))

    def _letter(self, sealed: bytes) -> DeadLetter | None:
        """A dead letter; None where it does not open, as under a key that is gone."""
        try:
            return DeadLetter.from_json(self._sealer.unseal_json(DEAD, sealed))
        except UnavailableError:
            return None

    def _send(self, holder: Holder, sealed: bytes) -> bytes | None:
        """Send one message: what to strike off, empty where it went elsewhere, None for later."""
        queue, channel = _queue(holder), self._channels[holder.channel]
        value = self._unsealed(holder, sealed)
        if value is None:
            return sealed
        reply = from_json(value)
        if "fresh" in value and not self._redis.exists(f"{queue}:fresh:{value['fresh']}"):
            reply = _in_words(reply)
        try:
            with self._asking(holder, reply):
                channel.send(holder.openid, reply)
        except PlatformUnavailableError as error:
            self._note(holder, error)
            return None if self._try_later(holder, error, sealed) else b""
        except NotDeliveredError as error:
            self._note(holder, error)
            if not self._notified(holder, reply, error):
                self._keep_messages(holder, ALL, error)
                return b""
        except UnreachableError as error:
            self._note(holder, error)
            self._bury(holder, self._take(keys=[queue]), str(error))
            self._redis.delete(f"{queue}:tries")
            return b""
        except ChannelError as error:
            self._note(holder, error)
            self._keep_messages(holder, 1, error, sealed)
            return b""
        return sealed

    def _fresh(self, queue: str) -> str:
        """The name of a key that lives as long as a code that was drawn just now, by Redis's time.

        Clocks of two machines may differ by more than that.
        """
        name = secrets.token_hex(8)
        with guard():
            self._redis.set(f"{queue}:fresh:{name}", b"", ex=LIFE_SECONDS)
        return name

    def _note(self, holder: Holder, error: ChannelError) -> None:
        """Keep what the platform answered, for operators."""
        key, now = f"{_queue(holder)}:errors", self._clock()
        codes = _codes(now)
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.rpush(key, f"{now:.3f}|{str(error)[:200]}")
        pipeline.ltrim(key, -MOST_FAILURES, -1)
        pipeline.expire(key, KEPT_SECONDS)
        pipeline.hincrby(codes, error.label, 1)
        pipeline.expire(codes, CODES_SECONDS)
        pipeline.execute()

    def _notified(self, holder: Holder, reply: Reply, refusal: NotDeliveredError) -> bool:
        """Whether the message went another way, one for which the rules leave room."""
        try:
            sent = self._channels[holder.channel].notify(holder.openid, reply)
        except ChannelError as error:
            log.warning("no notice", reason=str(error))
            return False
        if sent:
            log.info("sent as a notice", code=refusal.code)
            if isinstance(reply, Choices) and reply.asks:
                self._questions.show(holder, reply.asks)
        return sent

    @contextlib.contextmanager
    def _asking(self, holder: Holder, reply: Reply) -> Iterator[None]:
        """Note the question that is being sent: before, since its answer may come at once."""
        asks = reply.asks if isinstance(reply, Choices) else ""
        if asks:
            self._questions.show(holder, asks)
        try:
            yield
        except ChannelError:
            if asks:
                self._questions.take_back(holder, asks)
            raise

    def _try_later(self, holder: Holder, error: ChannelError, sealed: bytes) -> bool:
        """Arrange for another try of the first message; False when it had enough of them."""
        tries = int(self._redis.incr(f"{_queue(holder)}:tries"))
        self._redis.expire(f"{_queue(holder)}:tries", QUEUE_SECONDS)
        if tries >= MOST_TRIES:
            self._keep_messages(holder, 1, error, sealed)
            return False
        wait = min(FIRST_WAIT * 2 ** (tries - 1), MOST_WAIT)
        # Messages put meanwhile must not use up the tries: until then a delivery does nothing.
        self._redis.set(f"{_queue(holder)}:pause", b"", px=int(wait * 900))
        log.warning("message delayed", tries=tries, wait_s=wait, reason=str(error))
        self._redis.zadd(WAITING, {_member(holder): self._clock()})
        self._wake(holder, wait)
        return True

    def _keep_messages(
        self, holder: Holder, count: int, error: ChannelError, first: bytes = b""
    ) -> None:
        """Keep so many for the next turn; with `first`, only while that one is the first."""
        queue = _queue(holder)
        moved, lost = self._keep(
            keys=[queue, f"{queue}:tries", f"{queue}:kept"],
            args=[count, KEPT_SECONDS, MOST_KEPT, first],
        )
        self._redis.hincrby(_codes(self._clock()), f"kept:{error.label}", moved)
        log.warning("message kept", reason=str(error))
        self._bury(holder, lost, f"more than {MOST_KEPT} messages were kept")

    def _bury(self, holder: Holder, messages: Sequence[bytes], reason: str) -> None:
        for sealed in messages:
            if value := self._unsealed(holder, sealed):
                given = value.get("given", {})
                reply = from_json(value)
                if isinstance(reply, Picture):  # operators read its words; a card is not theirs
                    reply = dataclasses.replace(reply, image=b"")
                letter = DeadLetter(holder, reply, reason, self._clock(), given)
                self._redis.lpush(DEAD, self._sealer.seal_json(DEAD, letter.to_json()))
                self._redis.ltrim(DEAD, 0, MOST_DEAD - 1)
                self._redis.expire(DEAD, DEAD_SECONDS)
                log.warning("message dead", reason=reason)

    def _open(self, holder: Holder, sealed: bytes) -> Reply | None:
        value = self._unsealed(holder, sealed)
        return from_json(value) if value else None

    def _unsealed(self, holder: Holder, sealed: bytes) -> Mapping[str, Any] | None:
        try:
            value: Mapping[str, Any] = self._sealer.unseal_json(_queue(holder), sealed)
        except SealBrokenError:
            log.error("message unreadable", reason="its seal is broken")  # noqa: TRY400 - told, not traced
            return None
        return value

    def _wake(self, holder: Holder, delay_s: float) -> None:
        self._enqueue("deliver", channel=holder.channel, openid=holder.openid, delay_s=delay_s)


def _in_words(reply: Reply) -> Reply:
    """A picture that had to wait is told in its words: a code in it would be stale by now."""
    return Say(reply.instead) if isinstance(reply, Picture) and reply.instead else reply


def _script(name: str) -> str:
    return (SCRIPTS / f"outbox_{name}.lua").read_text()


def _queue(holder: Holder) -> str:
    return f"{holder.tag}:outbox"


def _codes(at: float) -> str:
    return f"{{outbox}}:codes:{time.strftime('%Y%m%d%H', time.gmtime(at))}"


def _member(holder: Holder) -> str:
    return f"{holder.channel}:{holder.openid}"
