"""The way to Redis: bounded in time, and with one word for all that can be wrong with it.

Redis that is down, slow, read-only, full, still loading or without its primary is one thing to
everybody above: `UnavailableError`, raised well within two seconds, and nothing was done. The
next call tries anew, so recovery needs no restart.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import cast

import redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry

from credentials.errors import UnavailableError

CONNECT_SECONDS = 0.7
ANSWER_SECONDS = 1.0
CLUSTER_SCHEME = "redis+cluster://"

# A server that answers, but will not work. Inside a script the word stands within a longer
# sentence, so it is looked for anywhere.
_UNABLE = re.compile(
    r"\b(READONLY|OOM|LOADING|MASTERDOWN|MISCONF|NOREPLICAS|CLUSTERDOWN|TRYAGAIN|BUSY|UNBLOCKED"
    r"|NOAUTH|WRONGPASS|NOPERM)\b|max number of clients"
)


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
    """Turn what Redis cannot do now into `UnavailableError`; a program's mistake stays one.

    Works as a block and as a decorator.
    """
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError, redis.exceptions.ClusterError) as error:
        raise UnavailableError(what="redis", why=type(error).__name__) from error
    except redis.RedisError as error:
        if _UNABLE.search(str(error)) or isinstance(error, redis.exceptions.ReadOnlyError):
            raise UnavailableError(what="redis", why=type(error).__name__) from error
        raise
    except OSError as error:
        raise UnavailableError(what="redis", why=type(error).__name__) from error
