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
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from commands.player.faults import NO_FAULT, Fault
from commands.player.line import ACCOUNT, Line, LineError
from commands.player.people import (
    GONE,
    HELD,
    HELP,
    ISSUED,
    OTHER_PHOTO,
    PHOTOS,
    Player,
    Turn,
)
from commands.player.platform import Platform
from commands.player.tally import Ear, Tally, Undelivered

IN_LINE = re.compile(r"前面还有 (\d+) 位")
SETTLE_SECONDS = 3.0  # what was tried again comes within it
ASKED_AFTER = 0.3  # a person needs longer to notice that nothing came
MOST_ASKED = 10
LOOK_SECONDS = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """How a game is played.

    Attributes:
        rate: messages a second, of all people together.
        duplicates: the share of pushes that is delivered twice at once.
        patience: seconds for an answer; for a face, seconds in which nobody was answered.
        fault: what goes wrong.
        settle_s: seconds to wait at the end for what comes too often.
        reviewed: whether somebody decides about the faces that are held for review.
    """

    rate: float
    duplicates: float = 0.0
    patience: float = 30.0
    fault: Fault = NO_FAULT
    settle_s: float = SETTLE_SECONDS
    reviewed: bool = False


class Game:
    """Plays people against a webhook; the platform tells it what reaches them beside answers."""

    def __init__(
        self,
        line: Line,
        platform: Platform,
        rules: Rules,
        *,
        photos: tuple[bytes, bytes],
        ledger: TextIO,
        chance: random.Random,
    ) -> None:
        self.tally = Tally()
        self.waiting = 0
        """How many people wait for their face to be looked at."""
        self._line = line
        self._platform = platform
        self._photos = photos
        self._ledger = ledger
        self._chance = chance
        self._rules = rules
        self._fault = rules.fault
        self._due = self._looked_at = 0.0
        self._ears: dict[str, Ear] = collections.defaultdict(Ear)
        self._room = asyncio.Semaphore(max(20, round(4 * rules.rate)))
        self._late: dict[str, dict[str, object]] = {}  # what comes once more, by person
        self._gone: collections.Counter[str] = collections.Counter()  # photos lost, by person

    def hear(self, openid: str, text: str) -> None:
        """A message reached a person."""
        if text and self._ears[openid].hear(text):
            self.tally.doubled.append(f"{openid} {text[:40]}")

    async def play(self, people: Sequence[Player], finished: Callable[[], None]) -> None:
        """Play everybody to the end; `finished` is called after each."""
        self._platform.begin(self.hear, self._refused, self._fault)
        self.tally.began = self._due = time.monotonic()

        async def one(player: Player) -> None:
            async with self._room:
                await self._play(player)
            finished()

        ends = asyncio.create_task(self._end_tokens())
        async with asyncio.TaskGroup() as group:
            for player in people:
                group.create_task(one(player))
        ends.cancel()
        self.tally.ended = time.monotonic()
        await asyncio.sleep(self._rules.settle_s)
        for player in people:
            self._count(player)
        await self._line.close()

    def _refused(self, openid: str, text: str) -> None:
        self._ears[openid].refuse(text)

    async def _end_tokens(self) -> None:
        """End the tokens, each time after as many messages as before it."""
        for _ in range(self._fault.ends_tokens):
            before = self._platform.sent
            while self._platform.sent < before + 2:
                await asyncio.sleep(0.05)
            self._platform.end_tokens()

    async def _play(self, player: Player) -> None:
        follow = Turn("", "申请", "home")
        reached = "home" if await self._turn(player, follow, "follow") else ""
        for place, turn in enumerate(player.turns):
            if not reached:
                break
            name = f"turn {place + 1}"
            if turn.says in PHOTOS and self._fault.gone and self._strikes():
                self.tally.gone += 1
                self._gone[player.openid] += 1
                lost = Turn(turn.says, GONE, turn.leads_to)
                if not await self._turn(player, lost, f"{name}, gone"):
                    reached = ""
                    break
            reached = turn.leads_to if await self._turn(player, turn, name) else ""
        self._write(openid=player.openid, play=player.play, reached=reached, wanted=player.ends_at)

    def _strikes(self) -> bool:
        return self._chance.random() < self._fault.share

    async def _turn(self, player: Player, turn: Turn, name: str) -> bool:
        """Say one thing when it is due, and wait for what must come."""
        due = await self._slot()
        ear = self._ears[player.openid]
        ear.speak()
        message = self._message(player, turn)
        if self._fault.dropped and self._strikes():
            self.tally.dropped += 1
            due = await self._slot()  # the person says it again
            message = self._message(player, turn)
        told = await self._deliver(player, message)
        webhook = time.monotonic() - due
        self.tally.webhook.append(webhook)
        came = await self._await(player, ear, turn) if told else ""
        answered = time.monotonic() - due
        good = bool(came)
        if good:
            (self.tally.faces if turn.says in PHOTOS else self.tally.answers).append(answered)
        elif self._fault.buries and ear.refused:
            self.tally.undelivered.append(Undelivered(player.openid, turn.expects))
        else:
            self.tally.lost.append(f"{player.openid} {name} ({player.play}): {turn.expects}")
        self._write(
            openid=player.openid,
            turn=name,
            webhook_s=round(webhook, 4),
            answer_s=round(answered, 4),
            good=good,
            **({} if good else {"expected": turn.expects, "heard": ear.this_turn}),
        )
        return good

    def _message(self, player: Player, turn: Turn) -> dict[str, object]:
        fields: dict[str, object] = {
            "ToUserName": ACCOUNT,
            "FromUserName": player.openid,
            "CreateTime": int(time.time()),
        }
        if not turn.says:
            return {**fields, "MsgType": "event", "Event": "subscribe", "EventKey": ""}
        fields["MsgId"] = secrets.randbits(62)
        if turn.says not in PHOTOS:
            return {**fields, "MsgType": "text", "Content": turn.says}
        media_id = secrets.token_urlsafe(24)  # nothing is kept under it
        if turn.expects != GONE:
            media_id = self._platform.keep(self._photos[turn.says == OTHER_PHOTO])
        return {**fields, "MsgType": "image", "PicUrl": "", "MediaId": media_id}

    async def _deliver(self, player: Player, message: dict[str, object]) -> bool:
        """Push a message as the fault has it; whether any delivery was answered."""
        fault, struck = self._fault, self._strikes()
        copies = 2 if self._chance.random() < self._rules.duplicates else 1
        pushes = []
        if struck:
            copies = max(copies, fault.copies)
            if fault.forged:
                await self._forge(message)
            if fault.overtaken and message["MsgType"] == "text":
                pushes.append(self._push(player, self._asking(player)))
        unheard = fault.unheard if struck else 0
        pushes += [self._push(player, message, unheard) for _ in range(copies)]
        self.tally.copies += len(pushes) - 1
        told = await asyncio.gather(*pushes)
        if fault.late_copy and struck:
            before = self._late.get(player.openid)
            self._late[player.openid] = message
            self.tally.copies += bool(before)
            if before and await self._say(before):
                self.tally.doubled.append(f"{player.openid} answered again, too late")
        return any(told)

    async def _forge(self, message: Mapping[str, object]) -> None:
        status = await self._line.forge(message)
        self.tally.forged += 1
        if status != 403:
            self.tally.errors[f"a forged push was answered {status}"] += 1

    async def _push(self, player: Player, message: Mapping[str, object], unheard: int = 0) -> bool:
        said = await self._say(message, unheard)
        if said:
            place = IN_LINE.search(said)
            self.tally.longest_line = max(self.tally.longest_line, int(place[1]) if place else 0)
            self.hear(player.openid, said)
        return said is not None

    async def _say(self, message: Mapping[str, object], unheard: int = 0) -> str | None:
        """What a push is answered; None when it is not."""
        self.tally.pushes += 1
        try:
            said, failed = await self._line.push(message, unheard)
        except LineError as error:
            self.tally.errors[str(error)] += 1
            return None
        self.tally.redelivered += failed
        return said

    def _asking(self, player: Player) -> dict[str, object]:
        return self._message(player, Turn(HELP, "", ""))

    async def _await(self, player: Player, ear: Ear, turn: Turn) -> str:
        """What must come, in the way in which the fault and the turn let it come."""
        if turn.says in PHOTOS:
            return await self._await_face(player, ear, turn)
        patience = self._rules.patience
        if not (self._fault.asks or self._fault.buries):
            return await ear.wait_for(turn.expects, patience)
        for _ in range(MOST_ASKED):
            came = await ear.wait_for(turn.expects, patience, or_refusal=True)
            if came or not ear.refused or self._fault.buries:
                return came
            await asyncio.sleep(ASKED_AFTER)
            self.tally.asked += 1
            ear.speak()
            await self._push(player, self._asking(player))
        return ""

    async def _await_face(self, player: Player, ear: Ear, turn: Turn) -> str:
        """Wait in the line of faces, while it moves; make room for others meanwhile."""
        self._room.release()
        self.waiting += 1
        try:
            came = await self._while_it_moves(ear, turn.expects)
            if HELD in came:
                self.tally.held.add(player.openid)
                if self._rules.reviewed:
                    came = await self._while_it_moves(ear, ISSUED)
            return came
        finally:
            self.waiting -= 1
            await self._room.acquire()

    async def _while_it_moves(self, ear: Ear, expects: str) -> str:
        began = time.monotonic()
        while time.monotonic() < max(began, self._looked_at) + self._rules.patience:
            came = await ear.wait_for(expects, LOOK_SECONDS)
            if came:
                self._looked_at = time.monotonic()
                return came
        return ""

    def _count(self, player: Player) -> None:
        """Find what was said more often than it was expected, over the whole of a talk."""
        heard = self._ears[player.openid].heard
        gone = [text for text in heard if GONE in text]
        others = [text for text in heard if GONE not in text]  # it ends as other advice does
        wanted = collections.Counter(turn.expects for turn in player.turns)
        wanted[GONE] = self._gone[player.openid]
        for expects, times in wanted.items():
            # The position of a step ("2/4") is said again whenever somebody asks for help.
            parts = [] if expects[0].isdigit() else expects.split("|")
            said = gone if expects == GONE else others
            came = max((sum(part in text for text in said) for part in parts), default=0)
            if came > times and not any(player.openid in told for told in self.tally.doubled):
                self.tally.doubled.append(f"{player.openid} {expects} ({came} times)")

    async def _slot(self) -> float:
        """Wait for the next moment at which a message is due; that moment."""
        due = max(self._due, time.monotonic())
        self._due = due + 1 / self._rules.rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        return due

    def _write(self, **line: object) -> None:
        self._ledger.write(json.dumps(line, ensure_ascii=False) + "\n")
