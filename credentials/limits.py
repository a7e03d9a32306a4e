"""How often something may be tried: attempts in a window, then a pause.

Counted in one script by the clock of Redis, so attempts sent at the same moment to several
servers are each counted. Without Redis nothing may be tried.

| key | holds |
|---|---|
| `{limit:<scope>:<key>}` | hash: n attempts used, w end of the window, c end of the pause |
"""

from __future__ import annotations

import dataclasses
import math

import redis

from credentials.connection import guard
from credentials.hashes import script


@dataclasses.dataclass(frozen=True, slots=True)
class Allowance:
    """Whether this attempt may be made, and what comes after it.

    `left` is how many more may follow at once, `wait_s` how many seconds to wait first: 0 for
    an attempt that is allowed, also for the last one.
    """

    left: int
    wait_s: float

    @property
    def allowed(self) -> bool:
        """Whether the attempt that was asked about may be made."""
        return self.wait_s <= 0

    @property
    def wait_minutes(self) -> int:
        """The wait in minutes for a sentence, rounded up."""
        return math.ceil(self.wait_s / 60)


class Limits:
    """Counters of attempts. `key` goes into Redis as it is: never pass an ID number or a code.

    Every method raises UnavailableError when Redis cannot be asked, and nothing was counted.
    """

    def __init__(self, database: redis.Redis) -> None:
        self._database = database
        self._script = script(database, "limit")

    def attempt(
        self, scope: str, key: str, limit: int, window_s: float, cooldown_s: float
    ) -> Allowance:
        """Count one attempt and say whether it may be made.

        Args:
            scope: what is attempted: `face`, `sign_in:staff`.
            key: by whom.
            limit: attempts in a window; the last of them starts the pause.
            window_s: how long attempts are remembered, from the first one.
            cooldown_s: the pause after the last one; afterwards all attempts are there again.
        """
        times = (round(window_s * 1000), round(cooldown_s * 1000))
        return self._ask("count", _place(scope, key), limit, times)

    def look(self, scope: str, key: str, limit: int) -> Allowance:
        """What an attempt made now would find; counts nothing."""
        return self._ask("look", _place(scope, key), limit)

    def give_back(self, scope: str, key: str, limit: int) -> Allowance:
        """Take the last attempt back, and the pause that it started: it was nobody's fault."""
        return self._ask("give_back", _place(scope, key), limit)

    def forget(self, scope: str, key: str) -> None:
        """Forget all attempts: the last one succeeded."""
        with guard():
            self._database.delete(_place(scope, key))

    def _ask(self, todo: str, place: str, limit: int, times: tuple[int, int] = (1, 1)) -> Allowance:
        with guard():
            left, wait_ms = self._script(keys=[place], args=[todo, limit, *times])
        return Allowance(left=int(left), wait_s=int(wait_ms) / 1000)


def _place(scope: str, key: str) -> str:
    return f"{{limit:{scope}:{key}}}"
