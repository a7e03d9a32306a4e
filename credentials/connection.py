"""The way to Redis: bounded in time, and with one word for all that can be wrong with it.

Redis that is down, slow, read-only, full, still loading or without its primary is one thing to
everybody above: `UnavailableError`, raised well within two seconds, and nothing was done. The
next call tries anew, so recovery needs no restart.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import cast

import redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import RedisClusterException
from redis.retry import Retry

from credentials.errors import UnavailableError

CONNECT_SECONDS = 0.7
ANSWER_SECONDS = 1.0
CLUSTER_SCHEME = "redis+cluster://"


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
    return redis.Redis.from_url(
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
