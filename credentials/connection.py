"""The way to Redis: bounded in time, and with one word for all that can be wrong with it.

Redis that is down, slow, read-only, full, still loading or without its primary is one thing to
everybody above: `UnavailableError`, raised well within two seconds, and nothing was done. The
next call tries anew, so recovery needs no restart.

Every command takes the short way of `lines.py`. What redis-py does around one (statistics that
nobody reads, a retry of its own, its pool's locks) was a third of a chat turn
(benchmarks/results/profile-pages.md). Pipelines and subscriptions are redis-py's as they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.client import EMPTY_RESPONSE
from redis.cluster import RedisCluster
from redis.exceptions import RedisClusterException
from redis.retry import Retry

from credentials.errors import UnavailableError
from credentials.lines import Lines

CONNECT_SECONDS = 0.7
ANSWER_SECONDS = 1.0
CLUSTER_SCHEME = "redis+cluster://"


class Direct(redis.Redis):
    """A client of one server that sends each command over a line of its own; see `lines.py`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.lines = Lines(self)

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        """What the server answers, as redis-py reads that command's answers."""
        name = arguments[0]
        try:
            answer = self.lines.ask((*name.split(), *arguments[1:]))
        except redis.ResponseError:
            if EMPTY_RESPONSE in options:
                return options[EMPTY_RESPONSE]
            raise
        except TypeError as error:
            raise redis.DataError(str(error)) from error
        for own in (EMPTY_RESPONSE, "keys"):
            options.pop(own, None)
        read: Any = cast("dict[str, Any]", self.response_callbacks).get(name)
        return read(answer, **options) if read else answer

    def close(self) -> None:
        """Close every connection."""
        self.lines.close()
        super().close()


def connect(url: str) -> redis.Redis:
    """A client whose replies are bytes and whose every wait is bounded.

    A connection that broke while idle is made once more; a call that timed out is not repeated,
    so the worst case is one connecting and one waiting: 1.7 s.

    Args:
        url: `redis://`, `rediss://`, `unix://`, or `redis+cluster://` for a Redis Cluster.

    Raises:
        UnavailableError: when a cluster cannot be asked which nodes it has.
    """
    if url.startswith(CLUSTER_SCHEME):
        with guard():
            cluster = RedisCluster.from_url(
                "redis://" + url.removeprefix(CLUSTER_SCHEME),
                socket_connect_timeout=CONNECT_SECONDS,
                socket_timeout=ANSWER_SECONDS,
                retry=Retry(NoBackoff(), 1),
            )
        return cast("redis.Redis", cluster)
    return Direct.from_url(
        url,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )


@contextlib.contextmanager
def guard() -> Iterator[None]:
    """Turn whatever Redis answers instead of an answer into `UnavailableError`.

    Down, slow, READONLY, OOM, LOADING, MASTERDOWN, CLUSTERDOWN, or a value of an unexpected
    type: in each case nothing is known, so nothing may pass. The cause is chained and named in
    `details["why"]`. Works as a block and as a decorator.
    """
    try:
        yield
    except (redis.RedisError, RedisClusterException, OSError) as error:
        raise UnavailableError(what="redis", why=type(error).__name__) from error
