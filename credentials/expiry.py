"""The ends of cards: holders are reminded 30, 7 and 1 days before, and told at the end.

Each bucket keeps its credentials by when they end (`{b0042}:due`), so a run looks only at what
is due and not at every card. A run that was cut short is simply run again: whom it told before,
the outbox does not tell again (each message has a name).

| key | holds |
|---|---|
| `{reminders}` | hash: through, the last day (China's) whose reminders are done; done, told, \
  ended, at: how far the latest run came, and when |
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator
from typing import Any

from credentials import record
from credentials.cards import Cards
from credentials.connection import guard
from credentials.errors import LifecycleError
from credentials.model import Actor, Card, Status
from credentials.renewal import Tell
from credentials.sealing import SealBrokenError
from credentials.store import BUCKETS, Store, bucket

KEY = "{reminders}"
STEPS = (1, 7, 30)  # days before the end
CHUNK = 256
DAY = 86_400
SYSTEM = Actor("system")


@dataclasses.dataclass(frozen=True, slots=True)
class Reminded:
    """How far a run has come: buckets done of all, how many were reminded, how many ended.

    `at` is when it came there, in seconds since 1970. `unreadable` are the credentials that do not
    open, who are therefore not told; only the run itself knows of them.
    """

    done: int
    total: int
    told: int
    ended: int
    at: float = 0.0
    unreadable: tuple[str, ...] = ()


class Expiry:
    """Reminds of ends. Every method raises UnavailableError when it cannot know."""

    def __init__(self, store: Store, cards: Cards, tell: Tell) -> None:
        self._store = store
        self._cards = cards
        self._tell = tell

    def remind(self, today: datetime.date | None = None) -> Iterator[Reminded]:
        """Tell whoever is due today, or was on a day that was missed; yields as it goes.

        Args:
            today: the day in China; by Redis's clock when not given.
        """
        now = self._now()
        today = today or datetime.datetime.fromtimestamp(now, record.CHINA).date()
        kept = self._store.fields(KEY)[0].get("through")
        yesterday = today - datetime.timedelta(days=1)
        through = datetime.date.fromisoformat(kept.decode()) if kept else yesterday
        told = ended = 0
        unreadable: tuple[str, ...] = ()
        for start in range(0, BUCKETS, CHUNK):
            for credential_id, end in self._due(start, today + datetime.timedelta(days=STEPS[-1])):
                try:
                    card = self._cards.get(credential_id)
                except SealBrokenError:  # it holds up no other
                    unreadable += (credential_id,)
                    continue
                if card is None:
                    continue
                last_day = datetime.datetime.fromtimestamp(end, record.CHINA).date()
                if last_day < today:
                    ended += self._end(card, last_day)
                else:
                    told += self._remind(card, last_day, through, today)
            come = Reminded(
                min(start + CHUNK, BUCKETS), BUCKETS, told, ended, unreadable=unreadable
            )
            yield self._note(come)
        if today > through:
            with guard():
                self._store.redis.hset(KEY, "through", today.isoformat())

    def progress(self) -> Reminded | None:
        """How far the latest run came; None before the first."""
        kept = self._store.fields(KEY)[0]
        if "at" not in kept:
            return None
        done, told, ended = (int(kept[name]) for name in ("done", "told", "ended"))
        return Reminded(done, BUCKETS, told, ended, float(kept["at"]))

    def _note(self, come: Reminded) -> Reminded:
        """Keep how far a run has come, for operators."""
        come = dataclasses.replace(come, at=self._now())
        told: dict[Any, Any] = {
            name: getattr(come, name) for name in ("done", "told", "ended", "at")
        }
        with guard():
            self._store.redis.hset(KEY, mapping=told)
        return come

    def _due(self, start: int, until: datetime.date) -> list[tuple[str, int]]:
        last = record.end_of(until)
        with guard():
            pipe = self._store.redis.pipeline(transaction=False)
            for number in range(start, min(start + CHUNK, BUCKETS)):
                pipe.zrangebyscore(f"{bucket(number).tag}:due", "-inf", last, withscores=True)
            found: list[Any] = pipe.execute()
        return [(member.decode(), int(score)) for rows in found for member, score in rows]

    def _remind(
        self, card: Card, last_day: datetime.date, through: datetime.date, today: datetime.date
    ) -> int:
        """One message at most: of the steps that came due since the last run, the nearest."""
        for step in STEPS:
            due = last_day - datetime.timedelta(days=step)
            if min(through, today - datetime.timedelta(days=1)) < due <= today:
                left = (last_day - today).days
                values = {"day": last_day.isoformat(), "days": left}
                key = "life.expires_today" if left == 0 else "life.expires"
                once = f"remind:{card.credential_id}:{last_day:%Y%m%d}:{step}"
                self._tell(card.holder, key, values, once)
                return 1
        return 0

    def _end(self, card: Card, last_day: datetime.date) -> int:
        """Tell of an end, then write it down: a run that is cut short in between tells again."""
        if card.status is Status.REVOKED:
            return 0
        once = f"expired:{card.credential_id}:{last_day:%Y%m%d}"
        self._tell(card.holder, "life.expired", {"day": last_day.isoformat()}, once)
        try:
            self._cards.expire(card.credential_id, SYSTEM, "valid_until")
        except LifecycleError:
            return 0
        return 1

    def _now(self) -> float:
        with guard():
            seconds, rest = self._store.redis.time()
        return float(seconds + rest / 1e6)
