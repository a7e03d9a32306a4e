"""The access token that every API call carries: one for all processes, renewed by one of them.

It is kept sealed in Redis for as long as the platform said. Near its end one process renews it
while the others go on with the old one. A token that the platform refuses (40001, 40014,
42001) is asked for again: where another system of the account ended it, the platform has a new
one for both. Only if it gives the refused one is it renewed by force, which ends the others'. How
often either may happen is bounded: the platform allows 2000 plain and 20 forced tokens a day,
and a lasting error must not use them up.

`/cgi-bin/stable_token` gives every asker the same token, so that another system of the same
account does not end ours; where the platform has no such call, `/cgi-bin/token` is asked.

| key | holds |
|---|---|
| `{token:<appid>}:<name>` | sealed JSON: token, life (seconds it had when it was new) |
| `{token:<appid>}:lock` | who renews now |
| `{token:<appid>}:asked:n`, `:until` | tokens asked for lately after a refusal; the same |
| `{token:<appid>}:forced:n`, `:until` | forced renewals lately; none before `until` ends |
| `{token:<appid>}:failed:n`, `:until` | renewals that failed lately; none before `until` ends |
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import redis
import structlog

from bot.channel import ChannelError, PlatformUnavailableError
from bot.wechat.wire import ApiError, NoSuchCallError, Wire
from credentials.connection import guard
from credentials.errors import UnavailableError
from credentials.sealing import SealBrokenError, Sealer

AHEAD_SECONDS = 600.0  # a token is renewed this long before its end, or in its last fifth
LOCK_SECONDS = 40.0  # longer than two exchanges with the platform can take
WAIT_SECONDS = 8.0  # how long to wait for another process to renew
FIRST_ASKED_PAUSE = 5.0
FIRST_FORCED_PAUSE = 5.0
MOST_FORCED_PAUSE = 7200.0
FIRST_FAILED_PAUSE = 1.0
MOST_FAILED_PAUSE = 300.0

# What stable_token says of an account or a moment; any other code means it does not know the call.
_OF_THE_ACCOUNT = {-1, 40002, 40013, 40125, 40164, 41002, 41004, 43002, 45009, 45011, 50004, 50007}

log = structlog.get_logger(__name__)


class Pause:
    """A wait that doubles with each `note`, kept in Redis for all processes.

    The count is forgotten five minutes after a wait ended without another note.
    """

    def __init__(self, database: redis.Redis, key: str, first: float, most: float) -> None:
        self._redis = database
        self._count = f"{key}:n"
        self._until = f"{key}:until"
        self._first = first
        self._most = most

    def over(self) -> bool:
        """Whether one may try now."""
        return not self._redis.exists(self._until)

    def note(self) -> None:
        """Begin a wait, twice as long as the one before."""
        count = int(self._redis.incr(self._count))
        seconds = min(self._first * math.ldexp(1.0, min(count - 1, 30)), self._most)
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(self._until, b"", px=int(seconds * 1000))
        pipeline.pexpire(self._count, int((2 * seconds + 300) * 1000))
        pipeline.execute()

    def end(self) -> None:
        """Forget the waits."""
        self._redis.delete(self._count, self._until)


class Shared:
    """A secret of the platform with an end (a token, a ticket), shared through Redis.

    `fetch(force)` asks the platform for one and says how many seconds it lives.
    """

    def __init__(
        self,
        database: redis.Redis,
        sealer: Sealer,
        tag: str,
        name: str,
        fetch: Callable[[bool], tuple[str, float]],
    ) -> None:
        self._redis = database
        self._sealer = sealer
        self._key = f"{tag}:{name}"
        self._lock_key = f"{self._key}:lock"
        self._fetch = fetch
        self._asked = Pause(database, f"{self._key}:asked", FIRST_ASKED_PAUSE, MOST_FORCED_PAUSE)
        self._forced = Pause(database, f"{self._key}:forced", FIRST_FORCED_PAUSE, MOST_FORCED_PAUSE)
        self._failed = Pause(database, f"{self._key}:failed", FIRST_FAILED_PAUSE, MOST_FAILED_PAUSE)

    def current(self) -> str:
        """The token to use now.

        Raises:
            PlatformUnavailableError: when there is none and the platform gives none.
            UnavailableError: when Redis does not answer.
        """
        with guard():
            token, left, life = self._read()
            if token and left > min(AHEAD_SECONDS, life / 5):
                return token
            if token:
                return self._renew_ahead(token)
            with self._lock(WAIT_SECONDS) as ours:
                token, _, _ = self._read()
                if token:
                    return token
                if not ours:
                    raise PlatformUnavailableError("another process is still asking for a token")
                return self._ask(force=False)

    def after_refusal(self, refused: str) -> str:
        """A token other than the one that the platform refused.

        Raises:
            PlatformUnavailableError: when the platform gives none, or was forced too lately.
            UnavailableError: when Redis does not answer.
        """
        with guard(), self._lock(WAIT_SECONDS) as ours:
            token, _, _ = self._read()
            if token and token != refused:
                return token
            if ours and self._asked.over():
                self._asked.note()
                token = self._ask(force=False)
                if token != refused:
                    return token
            if not (ours and self._forced.over()):
                raise PlatformUnavailableError("the token is refused and was renewed just now")
            self._forced.note()
            return self._ask(force=True)

    def _renew_ahead(self, token: str) -> str:
        with self._lock(0) as ours:
            if not ours or not self._failed.over():
                return token
            try:
                return self._ask(force=False)
            except PlatformUnavailableError:
                return token  # it still works for a while

    def _ask(self, *, force: bool) -> str:
        if not self._failed.over():
            raise PlatformUnavailableError("the platform refused a token just now")
        try:
            token, life = self._fetch(force)
        except ChannelError as error:
            self._failed.note()
            log.error("no token", key=self._key, reason=str(error))  # noqa: TRY400 - told, not traced
            raise PlatformUnavailableError(str(error), error.code) from None
        self._failed.end()
        sealed = self._sealer.seal_json(self._key, {"token": token, "life": life})
        self._redis.set(self._key, sealed, px=max(1, int(life * 1000)))
        return token

    def _read(self) -> tuple[str, float, float]:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.get(self._key)
        pipeline.pttl(self._key)
        sealed, left = pipeline.execute()
        if not isinstance(sealed, bytes) or left <= 0:
            return "", 0.0, 0.0
        try:
            kept: dict[str, Any] = self._sealer.unseal_json(self._key, sealed)
        except SealBrokenError:
            return "", 0.0, 0.0
        return str(kept["token"]), left / 1000, float(kept["life"])

    @contextlib.contextmanager
    def _lock(self, wait: float) -> Iterator[bool]:
        lock = self._redis.lock(
            self._lock_key, timeout=LOCK_SECONDS, sleep=0.05, blocking_timeout=wait
        )
        ours = lock.acquire(blocking=wait > 0)
        try:
            yield ours
        finally:
            if ours:
                with contextlib.suppress(redis.exceptions.LockError, UnavailableError):
                    lock.release()


def access_tokens(
    wire: Wire, database: redis.Redis, sealer: Sealer, app_id: str, secret: str
) -> Shared:
    """The account's access token."""

    def fetch(force: bool) -> tuple[str, float]:  # noqa: FBT001 - the shape Shared asks for
        given = {"grant_type": "client_credential", "appid": app_id, "secret": secret}
        try:
            answer = wire.post("/cgi-bin/stable_token", {}, given | {"force_refresh": force})
        except NoSuchCallError:
            answer = wire.get("/cgi-bin/token", given)
        except ApiError as error:
            if error.code in _OF_THE_ACCOUNT:
                raise
            answer = wire.get("/cgi-bin/token", given)
        return read_secret(answer, "access_token")

    return Shared(database, sealer, f"{{token:{app_id}}}", "access", fetch)


def seconds_left(database: redis.Redis, app_id: str) -> float | None:
    """How long the account's access token still lives; None when there is none."""
    with guard():
        left = int(database.pttl(f"{{token:{app_id}}}:access"))
    return left / 1000 if left > 0 else None


def read_secret(answer: dict[str, Any], field: str) -> tuple[str, float]:
    """A token or ticket and the seconds it lives, out of the platform's answer.

    Raises:
        PlatformUnavailableError: when the answer holds neither.
    """
    try:
        value, life = str(answer[field]), float(answer.get("expires_in", 7200))
    except (KeyError, TypeError, ValueError):
        raise PlatformUnavailableError(f"the platform's answer has no {field}") from None
    return value, max(life, 1.0)
