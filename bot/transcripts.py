"""What was said with each person lately, as they saw it: for the operator who is asked for help.

An entry is sealed, so that a stolen copy of Redis tells nothing, and it is short-lived and
capped, because it is kept for help and for nothing else. What identifies is masked before it
is shown: a name that was typed, ID numbers, and wherever they stand the name and what was read of
an ID card's photo, its birth date and address. What is behind a mask takes a reason and an entry
in the audit.

| key | holds |
|---|---|
| `{channel:openid}:said` | list of sealed turns of entries, oldest first, some 60; seven days |
| `{channel:openid}:notes` | list of sealed notes of operators, oldest first; 90 days |
| `{channel:openid}:about` | hash: l labels, o the operator it is assigned to; 90 days |

All of it goes when a person unfollows or deletes the card.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import redis

from bot.conversations import Beside
from bot.engine import Conversation
from credentials import id_number, names
from credentials.connection import guard
from credentials.model import Holder
from credentials.sealing import SealBrokenError, Sealer
from handlers.turn import Choices, Kind, Link, Picture, Reply, Say, Turn

MOST = 60
TRIM_EVERY = 4
SAID_SECONDS = 7 * 24 * 3600
NOTES_SECONDS = 90 * 24 * 3600
MOST_NOTES = 200
LONGEST = 2000
PERSON, BOT, OPERATOR = "person", "bot", "operator"
NAME_STEPS = frozenset({"name", "new_name", "card_photo", "registry", "refresh"})
"""Where a name is asked for, and the works after which it is, for who writes before they end."""
CARD_FIELDS = ("birth", "address")
_NUMBER = re.compile(r"(?<!\d)\d{14,}[\dX]")
_SHOWN_DIGITS = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was said or sent.

    Attributes:
        at: when, in seconds since 1970.
        who: `person`, `bot` or `operator`.
        kind: `text`, `image`, `voice`, `video`, `picture`, `link`, `event`.
        text: what was said.
        step: where the person was.
        by: the operator's name.
        name: the name that was given, which is masked wherever it stands.
        read: what was read of an ID card's photo, for the same.
    """

    at: float
    who: str
    kind: str
    text: str
    step: str = ""
    by: str = ""
    name: str = ""
    read: Sequence[str] = ()

    @property
    def masked(self) -> str:
        """What may be shown to an operator; made when it is shown, which is seldom."""
        typed = self.who == PERSON and self.step in NAME_STEPS and self.kind in ("text", "voice")
        if typed and _is_name(self.text):
            return names.mask(self.text.strip())
        return mask(self.text, {"name": self.name, "read": self.read})

    @property
    def hides(self) -> bool:
        """Whether something was masked."""
        return self.masked != self.text


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    """What an operator wrote down about a person's case."""

    at: float
    by: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class About:
    """Labels and whose task it is."""

    labels: tuple[str, ...] = ()
    assigned: str = ""


_FIELDS = tuple(field.name for field in dataclasses.fields(Entry))


class Transcripts:
    """The transcripts and notes of one Redis; every method raises UnavailableError."""

    def __init__(self, database: redis.Redis, sealer: Sealer) -> None:
        self._redis = database
        self._sealer = sealer

    def beside(self, holder: Holder, entries: Sequence[Entry]) -> Beside:
        """Adds entries to the pipeline behind a turn."""

        def write(pipeline: Any) -> None:
            if entries:
                self._write(pipeline, holder, entries)

        return write

    def add(self, holder: Holder, entries: Sequence[Entry]) -> None:
        """Add entries by themselves."""
        if not entries:
            return
        with guard():
            pipeline = self._redis.pipeline(transaction=False)
            self._write(pipeline, holder, entries)
            pipeline.execute()

    def read(self, holder: Holder) -> list[Entry]:
        """What was said, oldest first."""
        with guard():
            sealed: Any = self._redis.lrange(_key(holder, "said"), 0, -1)
        return [Entry(*entry) for turn in self._opened(holder, "said", sealed) for entry in turn]

    def note(self, holder: Holder, by: str, text: str) -> None:
        """Write a note of an operator."""
        entry = {"at": time.time(), "by": by, "text": text[:LONGEST]}
        key = _key(holder, "notes")
        with guard():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.rpush(key, self._sealer.seal_json(key, entry))
            pipeline.ltrim(key, -MOST_NOTES, -1)
            pipeline.expire(key, NOTES_SECONDS)
            pipeline.execute()

    def notes(self, holder: Holder) -> list[Note]:
        """The operators' notes, oldest first."""
        with guard():
            sealed: Any = self._redis.lrange(_key(holder, "notes"), 0, -1)
        return [Note(**note) for note in self._opened(holder, "notes", sealed)]

    def about(self, holder: Holder) -> About:
        """A person's labels, and who looks after it."""
        with guard():
            fields: Any = self._redis.hgetall(_key(holder, "about"))
        labels = tuple(filter(None, fields.get(b"l", b"").decode().split(",")))
        return About(labels, fields.get(b"o", b"").decode())

    def describe(self, holder: Holder, about: About) -> None:
        """Keep a person's labels and who looks after it."""
        key = _key(holder, "about")
        with guard():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.hset(key, mapping={"l": ",".join(about.labels), "o": about.assigned})
            pipeline.expire(key, NOTES_SECONDS)
            pipeline.execute()

    def forget(self, holder: Holder) -> None:
        """Erase all of a person's."""
        with guard():
            self._redis.delete(*(_key(holder, name) for name in ("said", "notes", "about")))

    def _write(self, pipeline: Any, holder: Holder, entries: Sequence[Entry]) -> None:
        key = _key(holder, "said")
        turn = [[getattr(entry, name) for name in _FIELDS] for entry in entries]
        pipeline.rpush(key, self._sealer.seal_json(key, turn))
        if not int(entries[0].at) % TRIM_EVERY:
            pipeline.ltrim(key, -MOST, -1)
        pipeline.expire(key, SAID_SECONDS)

    def _opened(self, holder: Holder, name: str, sealed: Iterable[bytes]) -> Iterable[Any]:
        for one in sealed:
            try:
                yield self._sealer.unseal_json(_key(holder, name), one)
            except SealBrokenError:  # one that cannot be read hides no other
                continue


def heard(turn: Turn, conversation: Conversation) -> Entry:
    """A person's turn as an entry; `conversation` is as it was before."""
    step = conversation.step
    if step not in NAME_STEPS:  # whoever is asked something beside may give the name all the same
        step = conversation.aside or step
    kind = {Kind.TEXT: "text", Kind.CLICK: "text"}.get(turn.kind, turn.kind.value)
    if turn.kind in (Kind.SCAN, Kind.FOLLOW, Kind.UNFOLLOW):
        kind = "event"
    text = turn.text if kind in ("text", "voice") else turn.kind.value if kind == "event" else ""
    return Entry(turn.at, PERSON, kind, text[:LONGEST], step, **given_of(conversation))


def answered(replies: Iterable[Reply], conversation: Conversation, at: float) -> list[Entry]:
    """What was answered, as entries; `conversation` knows what was given."""
    given = given_of(conversation)
    return [
        Entry(at, BOT, kind, text, conversation.step, **given)
        for kind, text in filter(None, map(_said, replies))
    ]


def given_of(conversation: Conversation) -> dict[str, Any]:
    """What `mask` hides wherever it stands: `name` and `read`, as an entry has them."""
    given = conversation.given
    name, shown = given.get("new_name") or given.get("name"), given.get("shown")
    read = [shown.get(field) for field in CARD_FIELDS] if isinstance(shown, Mapping) else []
    return {
        "name": name if isinstance(name, str) else "",
        "read": [each for each in read if isinstance(each, str) and len(each) > 1],
    }


def mask(text: str, given: Mapping[str, object]) -> str:
    """The same text without ID numbers, however they are written, and without what was given.

    Args:
        text: what was said or sent.
        given: what `given_of` a conversation says.
    """
    read = given.get("read", ())
    for each in read if isinstance(read, Sequence) else ():
        text = text.replace(each, "*" * len(each))
    name = given.get("name")
    if isinstance(name, str) and name:
        text = text.replace(name, names.mask(name))
    if not _NUMBER.search(id_number.normalise(text)):
        return text
    # Looked for in what `id_number.parse` would read, hidden in what was written.
    written = [(part, at) for at, one in enumerate(text) for part in id_number.normalise(one)]
    shown, done = [], 0
    for found in _NUMBER.finditer("".join(part for part, _ in written)):
        begin, end = written[found.start()][1], written[found.end() - 1][1] + 1
        shown += [text[done:begin], _stars(found[0])]
        done = end
    return "".join([*shown, text[done:]])


def _said(reply: Reply) -> tuple[str, str] | None:
    match reply:
        case Say(text) | Choices(text):
            return "text", text[:LONGEST]
        case Picture(_, instead):
            return "picture", instead[:LONGEST]
        case Link(title, description, _):
            return "link", f"{title}\n{description}"[:LONGEST]
    return None


def _is_name(text: str) -> bool:
    try:
        names.parse(text)
    except names.PersonNameError:
        return False
    return True


def _stars(number: str) -> str:
    hidden = "*" * (len(number) - 2 * _SHOWN_DIGITS)
    return f"{number[:_SHOWN_DIGITS]}{hidden}{number[-_SHOWN_DIGITS:]}"


def _key(holder: Holder, name: str) -> str:
    return f"{holder.tag}:{name}"
