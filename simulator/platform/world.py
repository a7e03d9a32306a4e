"""The phones and their chats, with a counter that grows with every change."""

from __future__ import annotations

import dataclasses
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from simulator.config import Config
from simulator.platform.errors import ApiError
from simulator.platform.people import Message, Person
from simulator.platform.shelf import Shelf

KEPT_MESSAGES = 300  # of each chat, in memory and on the shelf


class World:
    """Every phone and its chat. Whoever waits for a chat is woken by its changes alone."""

    def __init__(self, config: Config, shelf: Shelf, clock: Callable[[], float]) -> None:
        self.config = config
        self.now = clock
        self.shelf = shelf
        self._changed = threading.RLock()
        self._bells: dict[str, threading.Condition] = {}  # who waits for a chat's change
        self._people: dict[str, Person] = {}
        self._chats: dict[str, list[Message]] = {}
        self._load()

    def _load(self) -> None:
        counters = self.shelf.get("counter", "world") or {"change": 0, "message": 0, "push": 0}
        self.change: int = counters["change"]
        self._last_message: int = counters["message"]
        self._last_push: int = counters["push"]
        for openid, body in self.shelf.all("person"):
            self._people[openid] = Person(**body)
            self._chats[openid] = []
            self.change = max(self.change, body["change"])
        for _, body in self.shelf.all("message"):
            message = Message(**body)
            self._chats[message.openid].append(message)
            self.change = max(self.change, message.change)
            self._last_message = max(self._last_message, message.id)

    def add_person(
        self, name: str, *, language: str = "zh_CN", visible: bool = True, openid: str = ""
    ) -> Person:
        """A new phone, which follows nobody yet."""
        person = Person(openid or "o" + secrets.token_urlsafe(20)[:27], name, language, visible)
        with self._changed:
            self._people[person.openid] = person
            self._chats[person.openid] = []
            self.keep(person)
        return person

    def remove_person(self, openid: str) -> None:
        """Forget a phone and its chat."""
        with self._changed:
            self.person(openid)
            for message in self._chats.pop(openid):
                self.shelf.drop("message", _key(message.id))
            del self._people[openid]
            self.shelf.drop("person", openid)
            self._bump()

    def person(self, openid: str) -> Person:
        """The user behind an openid.

        Raises:
            ApiError: 40003 when there is none.
        """
        try:
            return self._people[openid]
        except KeyError:
            raise ApiError(40003) from None

    def people(self, *, visible_only: bool = False) -> list[Person]:
        """Everybody, in the order in which they came."""
        with self._changed:
            return [each for each in self._people.values() if each.visible or not visible_only]

    def keep(self, person: Person) -> None:
        """Save what was changed in a person."""
        with self._changed:
            person.change = self._bump()
            self.shelf.put("person", person.openid, dataclasses.asdict(person))

    def write(
        self, openid: str, side: str, kind: str, content: dict[str, Any], state: str = "delivered"
    ) -> Message:
        """Put a message into a chat."""
        with self._changed:
            self.person(openid)
            self._last_message += 1
            message = Message(self._last_message, openid, side, kind, content, self.now(), state)
            chat = self._chats[openid]
            chat.append(message)
            if side == "account":
                self._stop_typing(openid)
            while len(chat) > KEPT_MESSAGES:
                self.shelf.drop("message", _key(chat.pop(0).id))
            self._keep_message(message)
            return message

    def mark(self, openid: str, message_id: int, state: str) -> None:
        """Set a message's state."""
        with self._changed:
            for message in self._chats.get(openid, []):
                if message.id == message_id:
                    message.state = state
                    self._keep_message(message)

    def clear(self, openid: str) -> None:
        """Empty a chat on the phone."""
        with self._changed:
            for message in self._chats[self.person(openid).openid]:
                self.shelf.drop("message", _key(message.id))
            self._chats[openid] = []
            self.keep(self.person(openid))

    def messages(self, openid: str, after: int = 0) -> list[Message]:
        """The messages of a chat that changed after a change."""
        with self._changed:
            return [each for each in self._chats.get(openid, []) if each.change > after]

    def next_id(self) -> int:
        """A MsgId: 64 bits, never the same twice, and growing."""
        with self._changed:
            self._last_push += 1
            self._save_counters()
            return (int(self.now()) << 24) + self._last_push

    def wait_for_message(self, openid: str, after: int, seconds: float) -> None:
        """Wait until a chat changed after a change, at most some seconds."""
        with self._changed:
            bell = self._bells.setdefault(openid, threading.Condition(self._changed))
            bell.wait_for(lambda: self._newest(openid) > after, timeout=seconds)

    def _newest(self, openid: str) -> int:
        return max((each.change for each in self._chats.get(openid, [])), default=0)

    def locked(self) -> AbstractContextManager[bool]:
        """The lock to read and change several things under."""
        return self._changed

    def touch(self) -> None:
        """Count a change that is kept elsewhere (the menu)."""
        with self._changed:
            self._bump()

    def _stop_typing(self, openid: str) -> None:
        person = self._people[openid]
        if person.typing_until:
            person.typing_until = 0.0
            self.keep(person)

    def _keep_message(self, message: Message) -> None:
        message.change = self._bump()
        self.shelf.put("message", _key(message.id), dataclasses.asdict(message))
        bell = self._bells.get(message.openid)
        if bell:
            bell.notify_all()

    def _bump(self) -> int:
        self.change += 1
        return self.change

    def _save_counters(self) -> None:
        self.shelf.put(
            "counter",
            "world",
            {"change": self.change, "message": self._last_message, "push": self._last_push},
        )


def wall_clock() -> float:
    """Seconds since 1970; named, so that tests can pass their own."""
    return time.time()


def _key(number: int) -> str:
    return f"{number:012}"
