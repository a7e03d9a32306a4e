"""What must outlive the death of a server: confirmed by a replica before it is promised.

Redis Cluster acknowledges a write before its replicas have it. For most of what is written here
that is bounded well enough (see benchmarks/results/cluster.md); not for what stops a card.

`WAIT` answers for the connection that it is sent over. So a small write goes over one connection
to the server that has the record now, with the `WAIT` behind it: replication is one stream, and
whoever has the later write has the earlier one. The status is read in that same write, so a
server that took over without the earlier write is found out.
"""

from __future__ import annotations

from typing import Any

import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import AskError, MovedError, TryAgainError

from credentials.connection import guard
from credentials.errors import UnavailableError

COPIES = 1
WAIT_MS = 500
TRIES = 4


def confirm(cluster: RedisCluster, script: str, key: str, status: str) -> None:
    """Return when a replica has the hash at `key` with this status (see confirm.lua).

    Raises:
        UnavailableError: when none says so in half a second, or the status is another one.
    """
    with guard():
        found, copies = _ask(cluster, script, key)
    if found != status.encode():
        raise UnavailableError(what="redis", why="lost")
    if copies < COPIES:
        raise UnavailableError(what="redis", why="not replicated")


def _ask(cluster: RedisCluster, script: str, key: str) -> tuple[bytes, int]:
    """The status and the number of replicas that have it, wherever the slot is moving to."""
    asked: ClusterNode | None = None
    for _ in range(TRIES):
        node = asked or cluster.get_node_from_key(key)  # type: ignore[no-untyped-call]
        if node is None:
            raise redis.ConnectionError("nobody serves this slot")
        answer = _send(cluster, node, script, key, asking=asked is not None)
        asked = None
        if isinstance(answer[0], AskError):
            asked = cluster.get_node(answer[0].host, answer[0].port)  # type: ignore[no-untyped-call]
        elif isinstance(answer[0], MovedError):
            cluster.nodes_manager.initialize()
        elif isinstance(answer[0], Exception) and not isinstance(answer[0], TryAgainError):
            raise answer[0]
        elif not isinstance(answer[0], Exception):
            return answer[0], int(answer[1])
    raise redis.ConnectionError("the slot is on the move")


def _send(
    cluster: RedisCluster, node: ClusterNode, script: str, key: str, *, asking: bool
) -> list[Any]:
    client = cluster.get_redis_connection(node)
    pipe = client.pipeline(transaction=False)
    if asking:
        pipe.execute_command("ASKING")  # type: ignore[no-untyped-call]
    pipe.eval(script, 1, key)
    pipe.execute_command("WAIT", COPIES, WAIT_MS)  # type: ignore[no-untyped-call]
    answers: list[Any] = pipe.execute(raise_on_error=False)
    return answers[1:] if asking else answers
