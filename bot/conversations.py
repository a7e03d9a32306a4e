"""Each person's place in the talk, in Redis: lock, then read; write once, at the end.

| key | holds |
|---|---|
| `{wechat:<openid>}:talk` | hash, no personal data; its fields are below |
| `{wechat:<openid>}:given` | what the person gave, sealed; lives for two days after the last turn |
| `{wechat:<openid>}:lock` | the token of whoever works on it |
| `{wechat:<openid>}:answer` | what the last turn was answered, sealed; 30 seconds |

Fields of a talk: s step, a aside, l language, t since when, m last heard, n answers that led
nowhere, j job waited for, h human asked for, v dialog version, g 1 while something is given,
o operator who has taken over, q until when at most, x 1 for a test's conversation, d marks of the
last turns.
Of whoever is at home nothing is kept but the language and the marks, for 30 days.
The three scripts touch one hash tag. What operators see lies under tags of its own: `places.py`,
`figures.py` and `transcripts.py` list it. Who is where is written by the script that keeps a turn,
in the same round trip (in a cluster by a pipeline after it), the rest in one pipeline behind the
person's back. It decides nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import redis
from redis.cluster import RedisCluster

from bot.behind import Behind
from bot.engine import Conversation
from bot.figures import Figures
from bot.places import TALK_SECONDS, Command, Place, Places
from credentials.connection import guard
from credentials.errors import UnavailableError
from credentials.model import Holder
from credentials.sealing import SealBrokenError, Sealer

LOCK_SECONDS = 10.0
SPIN_SECONDS = 0.005
GIVEN_SECONDS = 48 * 3600
MARKS = 16
ANSWER_SECONDS = 30.0  # the platform asks again after five seconds, and after five more
SCRIPTS = Path(__file__).parent / "scripts"


class HeardBeforeError(Exception):
    """The platform delivered this turn again: there is nothing to do.

    Attributes:
        answer: what the turn was answered, as JSON, if it was and that is still known.
        age_s: how many seconds ago that was.
    """

    def __init__(self, answer: Mapping[str, object] | None = None, age_s: float = 0.0) -> None:
        self.answer = answer
        self.age_s = age_s
        super().__init__("this turn was heard before")


class BusyError(Exception):
    """Another turn of the same person is still worked on."""


class LostError(BusyError):
    """The work took so long that the lock went to somebody else: nothing was kept."""


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """A conversation that is locked for one worker, with what unlocks it.

    `kept` tells whether the outbox has messages that were kept for this person's next turn:
    asked on the way, because most turns find none.
    """

    conversation: Conversation
    token: str
    mark: str = ""
    kept: bool = False


Beside = Callable[[Any], None]
"""Adds commands to the pipeline that is written behind a turn."""


class Conversations:
    """The conversations of one Redis; every method raises UnavailableError when it is out."""

    def __init__(
        self,
        database: redis.Redis,
        sealer: Sealer,
        *,
        home: str = "home",
        figures: Figures | None = None,
        behind: Behind | None = None,
    ) -> None:
        self._redis = database
        self._sealer = sealer
        self.places = Places(database, home=home)
        self.figures = figures or Figures(database, steps=(home,))
        self._behind = behind
        self._together = not isinstance(cast("object", database), RedisCluster)
        self._take, self._keep, self._leave = (
            database.register_script((SCRIPTS / f"{name}.lua").read_text())
            for name in ("take", "keep", "leave")
        )

    def take(self, holder: Holder, turn_key: str = "", *, wait_s: float = 1.5) -> Taken:
        """Lock and read a conversation; a new one is at home.

        Args:
            holder: whose conversation.
            turn_key: what makes the turn recognisable, kept with it by `keep`.
            wait_s: how long to wait for another turn of the same person.

        Raises:
            HeardBeforeError: when a turn with this key was kept already.
            BusyError: when the other turn takes longer than that.
        """
        token = secrets.token_hex(8)
        mark = hashlib.blake2b(turn_key.encode(), digest_size=8).hexdigest() if turn_key else ""
        deadline = time.monotonic() + wait_s
        while True:
            with guard():
                answer = self._take(
                    keys=[*_keys(holder), *_more_keys(holder)],
                    args=[mark, token, round(LOCK_SECONDS * 1000)],
                )
            if answer[0] == b"heard":
                raise self._heard(holder, mark, answer[1], answer[2])
            if answer[0] == b"taken":
                conversation = self._read(holder, answer[1], answer[2])
                return Taken(conversation, token, mark, kept=bool(answer[3]))
            if time.monotonic() >= deadline:
                raise BusyError
            time.sleep(SPIN_SECONDS)

    def keep(
        self,
        taken: Taken,
        conversation: Conversation,
        *,
        answer: Mapping[str, object] | None = None,
        given_out: bytes = b"",
        said: Sequence[str] = (),
        beside: Beside | None = None,
    ) -> None:
        """Write a taken conversation and unlock it.

        Args:
            taken: as it was taken.
            conversation: as it is now.
            answer: what the turn is answered, as JSON: should the answer be lost on its way, the
                platform delivers the turn again and is given the same.
            given_out: the last message that the outbox had kept and that is part of the answer,
                sealed as it lies there; the ones before it are, too.
            said: the keys of the sentences that the turn is answered with, for the figures.
            beside: adds what else is to be written for operators.

        Raises:
            LostError: when the lock was lost; nothing was written.
        """
        holder = conversation.holder
        given = b""
        if conversation.given:
            given = self._sealer.seal_json(f"{holder.tag}:given", dict(conversation.given))
        told = b""
        if answer and taken.mark:
            told = self._sealer.seal_json(_answer_record(holder, taken.mark), dict(answer))
        fields = [part for pair in _fields(conversation).items() for part in pair]
        lives = [TALK_SECONDS, GIVEN_SECONDS]
        answered: list[bytes | int] = [told, round(ANSWER_SECONDS * 1000), given_out]
        noted = self.places.note(taken.conversation, conversation)
        with_it = noted if self._together else []
        with guard():
            kept = self._keep(
                keys=[
                    *_keys(holder), *_more_keys(holder), *dict.fromkeys(each[1] for each in with_it)
                ],
                args=[
                    taken.token, taken.mark, MARKS, *lives, given, *answered,
                    json.dumps(with_it) if with_it else "", *fields,
                ],
            )  # fmt: skip
        if not kept:
            raise LostError
        self._count(taken.conversation, conversation, said, beside, noted[len(with_it) :])

    def leave(self, taken: Taken) -> None:
        """Unlock a taken conversation as it was."""
        self._let_go(taken, "leave")

    def erase(self, taken: Taken) -> None:
        """Erase a taken conversation: its place, its language, everything that was given.

        Raises:
            LostError: when the lock was lost; nothing was erased.
        """
        if not self._let_go(taken, "erase"):
            raise LostError
        gone = Conversation(taken.conversation.holder)
        noted = self.places.note(taken.conversation, gone)
        self._count(taken.conversation, gone, noted=noted)

    def hand_back(self, holder: Holder) -> None:
        """An operator has helped: the person no longer waits for a human.

        Raises:
            BusyError: when the person is writing just now; try again.
        """
        self.change(holder, human=0.0, attempts=0, helper="", helped_until=0.0)

    def change(self, holder: Holder, **fields: object) -> Conversation:
        """Change fields of a conversation from outside of the talk; the conversation afterwards.

        Raises:
            BusyError: when the person is writing just now; try again.
        """
        taken = self.take(holder)
        changed = dataclasses.replace(taken.conversation, **fields)  # type: ignore[arg-type]
        self.keep(taken, changed)
        return changed

    def look(self, holder: Holder) -> Conversation:
        """A conversation as it stands, without locking it."""
        talk, given, _ = _keys(holder)
        with guard():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.hgetall(talk)
            pipeline.get(given)
            return self._read(holder, *pipeline.execute())

    def live(self, limit: int = 200, step: str = "") -> list[Place]:
        """Who is in the middle of something; see `Places.live`."""
        return self.places.live(limit, step)

    def counts(self) -> dict[str, int]:
        """How many people are at each step now."""
        return self.places.counts()

    def signs(self) -> dict[str, int]:
        """How many asked for a human, are stuck, and were not heard for ten minutes."""
        return self.places.signs()

    def change_number(self) -> int:
        """A number that grows with every change of who is where; one key is read."""
        return self.places.change_number()

    def _let_go(self, taken: Taken, how: str) -> bool:
        """Whether the lock was still this taker's."""
        with guard():
            holder = taken.conversation.holder
            keys = [*_keys(holder), _more_keys(holder)[1]]
            return bool(self._leave(keys=keys, args=[taken.token, how]))

    def _heard(self, holder: Holder, mark: str, sealed: object, left_ms: int) -> HeardBeforeError:
        """The error for a turn that was heard, with its answer if that was the last one given."""
        if not isinstance(sealed, bytes):
            return HeardBeforeError()
        try:
            answer = self._sealer.unseal_json(_answer_record(holder, mark), sealed)
        except SealBrokenError:  # the answer of another turn
            return HeardBeforeError()
        return HeardBeforeError(answer, ANSWER_SECONDS - left_ms / 1000)

    def _read(self, holder: Holder, fields: object, given: object) -> Conversation:
        kept = {_text(key): _text(value) for key, value in _pairs(fields)}
        opened: Mapping[str, object] = {}
        if isinstance(given, bytes):
            opened = self._sealer.unseal_json(f"{holder.tag}:given", given)
        return Conversation(
            holder,
            step=kept.get("s", ""),
            aside=kept.get("a", ""),
            language=kept.get("l", ""),
            since=float(kept.get("t") or 0),
            last=float(kept.get("m") or 0),
            attempts=int(kept.get("n") or 0),
            job=kept.get("j", ""),
            human=float(kept.get("h") or 0),
            version=kept.get("v", ""),
            given=opened,
            lost=kept.get("g") == "1" and not opened,
            helper=kept.get("o", ""),
            helped_until=float(kept.get("q") or 0),
            test=kept.get("x") == "1",
        )

    def _count(
        self,
        before: Conversation,
        after: Conversation,
        said: Sequence[str] = (),
        beside: Beside | None = None,
        noted: Sequence[Command] = (),
    ) -> None:
        """Move a person in the operators' figures, where anything changed there.

        What is `noted` of who is where is written at once: two processes must not write it in the
        wrong order.
        """
        pipeline: Any = self._redis.pipeline(transaction=False)
        for command in noted:
            pipeline.execute_command(*command)
        if self._behind is not None:
            self.figures.count(self._behind, before, after, said)
            self.places.hear(self._behind, before, after)
            if beside is not None:
                self._behind.call(beside)
        else:
            self.figures.count(pipeline, before, after, said)
            self.places.hear(pipeline, before, after)
            if beside is not None:
                beside(pipeline)
        if len(pipeline):
            try:
                with guard():
                    pipeline.execute()
            except UnavailableError:
                return  # the turn itself is kept; the figures will be short of one


def _keys(holder: Holder) -> list[str]:
    return [f"{holder.tag}:{name}" for name in ("talk", "given", "lock")]


def _more_keys(holder: Holder) -> list[str]:
    return [f"{holder.tag}:outbox:kept", f"{holder.tag}:answer"]


def _answer_record(holder: Holder, mark: str) -> str:
    return f"{holder.tag}:answer:{mark}"


def _fields(conversation: Conversation) -> dict[str, str]:
    return {
        "s": conversation.step,
        "a": conversation.aside,
        "l": conversation.language,
        "t": f"{conversation.since:.3f}",
        "m": f"{conversation.last:.3f}",
        "n": str(conversation.attempts),
        "j": conversation.job,
        "h": f"{conversation.human:.3f}" if conversation.human else "",
        "v": conversation.version,
        "g": "1" if conversation.given else "",
        "o": conversation.helper,
        "q": f"{conversation.helped_until:.3f}" if conversation.helped_until else "",
        "x": "1" if conversation.test else "",
    }


def _pairs(fields: object) -> Iterator[tuple[object, object]]:
    """Fields of a hash, as a script gives them (a list) or as a command does (a dict)."""
    if isinstance(fields, Mapping):
        yield from fields.items()
    elif isinstance(fields, list):
        yield from zip(fields[::2], fields[1::2], strict=True)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
