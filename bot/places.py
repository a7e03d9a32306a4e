"""Who is where in the talk, for operators: sets that are kept as people move.

| key | holds |
|---|---|
| `{talk}:at:<step>` | sorted set: who is at a step (holders' names), since when |
| `{talk}:steps` | set: the steps that have had somebody |
| `{talk}:human`, `{talk}:stuck` | sorted sets: who asked for a human; who cannot get past a step |
| `{talk}:heard` | sorted set: who is in the middle of something, by when they were last heard |
| `{talk}:change` | a number that grows with every change of the sets above |

The sets of steps are written in the script that keeps a turn, in a cluster right after it; `heard`
is written behind it. They decide nothing.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

import redis

from bot.engine import Conversation
from credentials.connection import guard
from credentials.model import Holder

TALK_SECONDS = 30 * 24 * 3600
SILENT_SECONDS = 600.0
MOST_SILENT = 2000
Command = tuple[str, ...]
"""A command of Redis: its name, its one key, and what else it takes."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where one person is, for operators: no personal data but the account itself."""

    holder: Holder
    step: str
    since: float
    human: bool = False
    stuck: bool = False
    heard: float = 0.0
    silent: bool = False


class Places:
    """The sets of one Redis; every method raises UnavailableError when it is out."""

    def __init__(self, database: redis.Redis, *, home: str = "home") -> None:
        self._redis = database
        self._home = home

    def note(self, before: Conversation, after: Conversation) -> list[Command]:
        """What is to be written of what a turn changed of a person's place."""
        name = f"{after.holder.channel}:{after.holder.openid}"
        away = after.step in ("", self._home)
        commands: list[Command] = []
        if before.step != after.step:
            if before.step not in ("", self._home):
                commands.append(("ZREM", f"{{talk}}:at:{before.step}", name))
            if not away:
                commands.append(("SADD", "{talk}:steps", after.step))
                commands.append(("ZADD", f"{{talk}}:at:{after.step}", f"{after.since}", name))
        for key, was, now in (
            ("{talk}:human", bool(before.human), after.human),
            ("{talk}:stuck", before.stuck, after.since if after.stuck else 0.0),
        ):
            if now and not was:
                commands.append(("ZADD", key, f"{now}", name))
            elif was and not now:
                commands.append(("ZREM", key, name))
        if commands:
            commands.append(("INCR", "{talk}:change"))
        return commands

    def hear(self, pipeline: Any, before: Conversation, after: Conversation) -> None:
        """Add to a pipeline when a person in the middle of something was heard."""
        name = f"{after.holder.channel}:{after.holder.openid}"
        away = after.step in ("", self._home)
        if not away and after.last > before.last:
            pipeline.zadd("{talk}:heard", {name: after.last})
        elif away and before.step not in ("", self._home):
            pipeline.zrem("{talk}:heard", name)

    def live(self, limit: int = 200, step: str = "") -> list[Place]:
        """Who is in the middle of something, or of one step.

        First those who asked for a human, then those who are stuck, however many there are; then
        the others. Of each, those who wait longest come first.
        """
        with guard():
            known = sorted(_text(name) for name in self._redis.smembers("{talk}:steps"))
            steps = [name for name in known if step in ("", name)]
            oldest = time.time() - TALK_SECONDS
            pipeline = self._redis.pipeline(transaction=False)
            for name in ("human", "stuck", "heard"):
                pipeline.zremrangebyscore(f"{{talk}}:{name}", 0, oldest)
            pipeline.zrange("{talk}:human", 0, limit - 1, withscores=True)
            pipeline.zrange("{talk}:stuck", 0, limit - 1, withscores=True)
            for name in steps:
                pipeline.zremrangebyscore(f"{{talk}}:at:{name}", 0, oldest)
                pipeline.zrange(f"{{talk}}:at:{name}", 0, limit - 1, withscores=True)
            answers = pipeline.execute()
        human, stuck = dict(answers[3]), dict(answers[4])
        where = {
            name: (at, since)
            for at, rows in zip(steps, answers[6::2], strict=True)
            for name, since in rows
        }
        waiting = {name: since for name, since in (stuck | human).items() if name not in where}
        where |= self._found(waiting, steps, all_of_them=not step)
        chosen = sorted(
            where, key=lambda name: (name not in human, name not in stuck, where[name][1])
        )
        return self._places(chosen[:limit], where, human, stuck)

    def _found(
        self, waiting: Mapping[bytes, float], steps: Sequence[str], *, all_of_them: bool
    ) -> dict[bytes, tuple[str, float]]:
        """Where those are who wait but are not among the longest at their step."""
        with guard():
            pipeline = self._redis.pipeline(transaction=False)
            for name in waiting:
                for step in steps:
                    pipeline.zscore(f"{{talk}}:at:{step}", name)
            answers = iter(pipeline.execute() if waiting and steps else [])
        found = {}
        for name, since in waiting.items():
            at = [(step, score) for step in steps if (score := next(answers)) is not None]
            if at or all_of_them:
                found[name] = at[0] if at else ("", since)
        return found

    def _places(
        self,
        names: Sequence[bytes],
        where: Mapping[bytes, tuple[str, float]],
        human: Mapping[bytes, float],
        stuck: Mapping[bytes, float],
    ) -> list[Place]:
        with guard():
            pipeline = self._redis.pipeline(transaction=False)
            for name in names:
                pipeline.zscore("{talk}:heard", name)
            heard = pipeline.execute() if names else []
        late = time.time() - SILENT_SECONDS
        return [
            Place(
                _holder(name),
                *where[name],
                human=name in human,
                stuck=name in stuck,
                heard=last or 0.0,
                silent=last is not None and last < late,
            )
            for name, last in zip(names, heard, strict=True)
        ]

    def change_number(self) -> int:
        """A number that grows with every change of who is where; one key is read."""
        with guard():
            return int(cast("bytes | None", self._redis.get("{talk}:change")) or 0)

    def signs(self) -> dict[str, int]:
        """How many asked for a human, are stuck, and were not heard for ten minutes."""
        now = time.time()
        with guard():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.zcard("{talk}:human")
            pipeline.zcard("{talk}:stuck")
            pipeline.zrange(
                "{talk}:heard", now - TALK_SECONDS, now - SILENT_SECONDS, byscore=True,
                offset=0, num=MOST_SILENT,
            )  # fmt: skip
            human, stuck, names = pipeline.execute()
            gone = self._gone(names)
            if gone:  # written late by a process that others overtook
                self._redis.zrem("{talk}:heard", *gone)
        return {"human": human, "stuck": stuck, "silent": len(names) - len(gone)}

    def _gone(self, names: Sequence[bytes]) -> list[bytes]:
        """Those of them who are in the middle of nothing."""
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.hget(f"{_holder(name).tag}:talk", "s")
        at = pipeline.execute() if names else []
        home = ("", self._home)
        return [
            name
            for name, step in zip(names, at, strict=True)
            if step is not None and _text(step) in home
        ]

    def counts(self) -> dict[str, int]:
        """How many people are at each step now."""
        with guard():
            steps = sorted(_text(step) for step in self._redis.smembers("{talk}:steps"))
            pipeline = self._redis.pipeline(transaction=False)
            for step in steps:
                pipeline.zcard(f"{{talk}}:at:{step}")
            return dict(zip(steps, pipeline.execute(), strict=True))


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _holder(name: bytes) -> Holder:
    channel, _, openid = name.decode().partition(":")
    return Holder(channel, openid)
