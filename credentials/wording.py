"""Sentences that operators have changed: the catalogues' own, with an overlay from Redis.

A change is live everywhere within a second and needs no restart: each process looks at one
counter at most once a second while it speaks. A sentence may be changed only where its
`{placeholders}` stay the same, so that no change can break what is said. Every version is kept.

| key | holds |
|---|---|
| `{texts}:changed` | hash: `<language>|<key>` to the sentence in its place |
| `{texts}:number` | a number that grows with each change |
| `{texts}:history:<language>|<key>` | list of JSON (at, by, why, text), newest first; 50 |
"""

from __future__ import annotations

import dataclasses
import json
import string
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
import structlog

from credentials.connection import guard
from credentials.errors import CredentialError, UnavailableError
from texts import DEFAULT_LANGUAGE, LANGUAGES, Texts

CHANGED, NUMBER = "{texts}:changed", "{texts}:number"
LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 0.2
LONGEST = 600
MOST_HISTORY = 50
log = structlog.get_logger("credentials.wording")


class WordingError(CredentialError):
    """What a sentence cannot be changed to.

    unknown_text; bad_language; bad_text for one that is empty, too long or has control characters;
    bad_placeholders, with `details["wanted"]`.
    """

    code = "unknown_text"


@dataclasses.dataclass(frozen=True, slots=True)
class Version:
    """One version of a sentence: when, by whom, why; an empty text is the catalogue's own."""

    at: float
    by: str
    why: str
    text: str


class LiveTexts(Texts):
    """The catalogues with the operators' changes; safe to share between threads.

    Without Redis it goes on with what it knew last: to speak is more than to speak the newest.
    """

    def __init__(
        self,
        database: redis.Redis,
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(folder)
        self._redis = database
        self._clock = clock
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._reading: threading.Thread | None = None
        self._number = b""
        self._changed: dict[tuple[str, str], str] = {}

    def say(self, language: str, key: str, /, **values: object) -> str:
        """The sentence of `key`, as operators have changed it, its placeholders filled in."""
        self._look()
        spoken = language if language in LANGUAGES else DEFAULT_LANGUAGE
        changed = self._changed.get((spoken, key))
        if changed is None:
            return super().say(language, key, **values)
        return changed.format_map(values) if values else changed

    def original(self, language: str, key: str) -> str:
        """The catalogue's own sentence, its placeholders as they stand.

        Raises:
            WordingError: unknown_text, bad_language.
        """
        if language not in LANGUAGES:
            raise WordingError("bad_language")
        if key not in self:
            raise WordingError("unknown_text", key=key[:80])
        return super().say(language, key)

    def now(self, language: str, key: str) -> str:
        """The sentence that is said now, its placeholders as they stand; raises as `original`."""
        own = self.original(language, key)
        self._look()
        return self._changed.get((language, key), own)

    def changed(self) -> dict[tuple[str, str], str]:
        """Every change that is live: by language and key."""
        self._look()
        return dict(self._changed)

    def change(self, language: str, key: str, text: str, by: str, why: str) -> None:
        """Say this sentence from now on; an empty one puts the catalogue's own back.

        Raises:
            WordingError: see there.
            UnavailableError: when it was not changed.
        """
        wanted = text.replace("\r\n", "\n").strip()
        own = self.original(language, key)
        if wanted:
            check(own, wanted)
        if wanted == own:
            wanted = ""
        field = f"{language}|{key}"
        version = dataclasses.asdict(Version(time.time(), by, why, wanted))
        history = f"{{texts}}:history:{field}"
        with guard():
            together = self._redis.pipeline(transaction=True)
            if wanted:
                together.hset(CHANGED, field, wanted)
            else:
                together.hdel(CHANGED, field)
            together.lpush(history, json.dumps(version, ensure_ascii=False))
            together.ltrim(history, 0, MOST_HISTORY - 1)
            together.incr(NUMBER)
            together.execute()
        self._looked = float("-inf")

    def history(self, language: str, key: str) -> list[Version]:
        """The versions of a sentence, newest first."""
        with guard():
            found: Any = self._redis.lrange(f"{{texts}}:history:{language}|{key}", 0, -1)
        return [Version(**json.loads(version)) for version in found]

    def _look(self) -> None:
        """Have the changes read anew if there are others, at most once a second.

        A refusal because of a slow Redis is made of sentences, too, and must not wait for it
        again: after a moment this goes on with what is known, and the reading ends by itself.
        """
        now = self._clock()
        if now - self._looked < LOOK_SECONDS:
            return
        with self._lock:
            if now - self._looked < LOOK_SECONDS:
                return
            self._looked = now
            if self._reading is None or not self._reading.is_alive():
                self._reading = threading.Thread(target=self._read, name="texts", daemon=True)
                self._reading.start()
            reading = self._reading
        reading.join(PATIENCE_SECONDS)

    def _read(self) -> None:
        try:
            with guard():
                number = self._redis.get(NUMBER)
                if (number or b"") == self._number:
                    return
                found: Any = self._redis.hgetall(CHANGED)
        except UnavailableError:
            log.warning("texts not looked at")
            return
        pairs = ((field.decode().partition("|"), text.decode()) for field, text in found.items())
        self._changed = {(language, key): text for (language, _, key), text in pairs}
        self._number = number if isinstance(number, bytes) else b""


def placeholders(text: str) -> frozenset[str]:
    """The names of a sentence's placeholders.

    Raises:
        WordingError: bad_placeholders, when braces do not match or something is reached into.
    """
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        raise WordingError("bad_placeholders", wanted="") from error
    names = {name for _, name, _, _ in parts if name is not None}
    if any(not name.isidentifier() for name in names) or any(
        spec or how for _, _, spec, how in parts
    ):
        raise WordingError("bad_placeholders", wanted="")
    return frozenset(names)


def check(own: str, text: str) -> None:
    """Whether a sentence may stand in the place of the catalogue's own.

    Raises:
        WordingError: bad_text, bad_placeholders.
    """
    if len(text) > LONGEST or not all(c.isprintable() or c == "\n" for c in text):
        raise WordingError("bad_text", limit=LONGEST)
    wanted = placeholders(own) if _has_any(own) else frozenset()
    if placeholders(text) != wanted:
        named = ", ".join(f"{{{name}}}" for name in sorted(wanted))
        raise WordingError("bad_placeholders", wanted=named)


def _has_any(own: str) -> bool:
    return "{" in own
