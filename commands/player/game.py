"""The playing: everybody's turns at the wanted rate, what was heard, and the ledger of it.

The rate is of messages sent, and a latency counts from the moment at which the message was due,
so that a product that falls behind cannot make the figures better by slowing the players down.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import json
import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from commands.player.line import ACCOUNT, Line, LineError
from commands.player.people import HELD, OTHER_PHOTO, PHOTO, Player, Turn
from commands.player.platform import Platform


@dataclasses.dataclass
class Tally:
    """What a game saw. Latencies are seconds."""

    webhook: list[float] = dataclasses.field(default_factory=list)
    answers: list[float] = dataclasses.field(default_factory=list)
    errors: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    lost: list[str] = dataclasses.field(default_factory=list)
    doubled: list[str] = dataclasses.field(default_factory=list)
    held: set[str] = dataclasses.field(default_factory=set)
    redelivered: int = 0
    pushes: int = 0
    began: float = 0.0
    ended: float = 0.0

    @property
    def rate(self) -> float:
        """Messages sent a second."""
        return self.pushes / max(self.ended - self.began, 1e-9)


class Ear:
    """What one person was told, in order, and what of it was waited for."""

    def __init__(self) -> None:
        self._heard: list[str] = []
        self._turn = 0  # where this turn's messages begin
        self._read = 0
        self._news = asyncio.Event()

    def hear(self, text: str) -> bool:
        """Take a message; whether it is the second of its words within a turn."""
        again = text in self._heard[self._turn :]
        self._heard.append(text)
        self._news.set()
        return again

    @property
    def this_turn(self) -> list[str]:
        """What was heard since the turn began."""
        return self._heard[self._turn :]

    def speak(self) -> None:
        """A turn begins: what comes from here on may repeat what was said before."""
        self._turn = len(self._heard)

    async def wait_for(self, parts: str, seconds: float) -> str:
        """Wait for a message with some of these words, behind the last one that was waited for.

        Returns:
            The message, or nothing when none came.
        """
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for place in range(self._read, len(self._heard)):
                        if any(part in self._heard[place] for part in parts.split("|")):
                            self._read = place + 1
                            return self._heard[place]
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return ""


class Game:
    """Plays people against a webhook; `platform` hears what reaches them outside of answers."""

    def __init__(
        self,
        line: Line,
        photos: tuple[bytes, bytes],
        ledger: TextIO,
        chance: random.Random,
        *,
        rate: float,
        duplicates: float,
        patience: float,
    ) -> None:
        self.tally = Tally()
        self.platform: Platform | None = None
        self._line = line
        self._photos = photos
        self._ledger = ledger
        self._chance = chance
        self._rate = rate
        self._duplicates = duplicates
        self._patience = patience
        self._due = 0.0
        self._ears: dict[str, Ear] = collections.defaultdict(Ear)

    def hear(self, openid: str, text: str) -> None:
        """A message reached a person."""
        if text and self._ears[openid].hear(text):
            self.tally.doubled.append(openid)

    async def play(self, people: Sequence[Player], finished: Callable[[], None]) -> None:
        """Play everybody to the end; `finished` is called after each."""
        self.tally.began = self._due = time.monotonic()
        room = asyncio.Semaphore(max(20, round(4 * self._rate)))

        async def one(player: Player) -> None:
            async with room:
                await self._play(player)
            finished()

        async with asyncio.TaskGroup() as group:
            for player in people:
                group.create_task(one(player))
        self.tally.ended = time.monotonic()
        await self._line.close()

    async def _play(self, player: Player) -> None:
        follow = {"MsgType": "event", "Event": "subscribe", "EventKey": ""}
        reached = "home" if await self._turn(player, follow, "申请", "follow") else ""
        for place, turn in enumerate(player.turns):
            if not reached:
                break
            good = await self._turn(player, self._fields(turn), turn.expects, f"turn {place + 1}")
            reached = turn.leads_to if good else ""
        self._write(openid=player.openid, play=player.play, reached=reached, wanted=player.ends_at)

    def _fields(self, turn: Turn) -> dict[str, object]:
        if turn.says not in (PHOTO, OTHER_PHOTO):
            return {"MsgType": "text", "Content": turn.says}
        assert self.platform is not None  # noqa: S101 - opened before the game
        media_id = self.platform.keep(self._photos[turn.says == OTHER_PHOTO])
        return {"MsgType": "image", "PicUrl": "", "MediaId": media_id}

    async def _turn(
        self, player: Player, fields: Mapping[str, object], expects: str, name: str
    ) -> bool:
        """Say one thing when it is due, and wait for what must come."""
        due = await self._slot()
        ear = self._ears[player.openid]
        ear.speak()
        message = {
            "ToUserName": ACCOUNT,
            "FromUserName": player.openid,
            "CreateTime": int(time.time()),
            **fields,
        }
        if fields["MsgType"] != "event":
            message["MsgId"] = secrets.randbits(62)
        copies = 2 if self._chance.random() < self._duplicates else 1
        self.tally.pushes += copies
        told = await asyncio.gather(*(self._push(player, message) for _ in range(copies)))
        webhook = time.monotonic() - due
        self.tally.webhook.append(webhook)
        came = await ear.wait_for(expects, self._patience) if any(told) else ""
        if HELD in came:
            self.tally.held.add(player.openid)
        good = bool(came)
        answered = time.monotonic() - due
        if good:
            self.tally.answers.append(answered)
        else:
            self.tally.lost.append(f"{player.openid} {name} ({player.play}): {expects}")
        self._write(
            openid=player.openid,
            turn=name,
            copies=copies,
            webhook_s=round(webhook, 4),
            answer_s=round(answered, 4),
            good=good,
            **({} if good else {"expected": expects, "heard": ear.this_turn}),
        )
        return good

    async def _push(self, player: Player, message: dict[str, object]) -> bool:
        try:
            said, failed = await self._line.push(message)
        except LineError as error:
            self.tally.errors[str(error)] += 1
            return False
        self.tally.redelivered += failed
        self.hear(player.openid, said)
        return True

    async def _slot(self) -> float:
        """Wait for the next moment at which a message is due; that moment."""
        due = max(self._due, time.monotonic())
        self._due = due + 1 / self._rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        return due

    def _write(self, **line: object) -> None:
        self._ledger.write(json.dumps(line, ensure_ascii=False) + "\n")
