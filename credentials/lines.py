"""Connections for scripts: one packed command out, one answer back, and nothing around it.

redis-py packs each argument by itself and keeps statistics of every command; for the two dozen
arguments of a script that is as much work as everything else that a verification does in Python
(benchmarks/results/profile.md). Here hiredis packs a command in one go, and the connection, which
is redis-py's own with its TLS, its password and its time limits, goes back onto a stack.
"""

from __future__ import annotations

import os
from typing import Any

import hiredis
import redis
from redis.cluster import RedisCluster
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    RedisClusterException,
    TryAgainError,
)

SCRIPTS = frozenset({"EVAL", "EVALSHA"})
TRIES = 2  # a connection that broke while it was idle is made once more


class Lines:
    """The connections of one client to one server; safe to share between threads."""

    def __init__(self, database: redis.Redis) -> None:
        self._pool = database.connection_pool
        self._idle: list[Any] = []
        self._process = os.getpid()

    def ask(self, command: tuple[Any, ...]) -> Any:
        """What the server answers to one command of texts, bytes and numbers.

        Raises:
            redis.RedisError: what it answers instead of an answer, or when there is none.
        """
        packed = hiredis.pack_command(command)
        if self._process != os.getpid():  # a fork must not talk over its parent's connections
            self._idle, self._process = [], os.getpid()
        try:
            line = self._idle.pop()
        except IndexError:
            line = self._pool.connection_class(**self._pool.connection_kwargs)
        try:
            answer = _answer(line, packed)
        except redis.ResponseError:
            self._idle.append(line)
            raise
        self._idle.append(line)
        return answer

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().disconnect()


class ClusterLines:
    """The lines to a cluster's nodes: what concerns one slot goes straight to the node that has it.

    Where that node does not do it (the slot moved, it is down, it is silent) the command is
    redis-py's, which learns from the answer how the cluster is now.
    """

    def __init__(self, cluster: RedisCluster) -> None:
        self._cluster: Any = cluster
        self._lines: dict[str, Lines] = {}
        self._silent: set[str] = set()

    def ask(self, command: tuple[Any, ...]) -> Any:
        """What the cluster answers to one script, or to one command that begins with its key.

        Raises:
            redis.RedisError: what it answers instead of an answer, or when there is none.
            RedisClusterException: when no node is known to have the slot.
        """
        key = command[3] if command[0] in SCRIPTS else command[1]
        try:
            node = self._cluster.nodes_manager.get_node_from_slot(key_slot(key.encode()))
            if node.name not in self._silent:
                return self._to(node).ask(command)
        except redis.TimeoutError:
            self._silent.add(node.name)  # from the next command on, until it has answered again
            raise
        except (
            AskError, TryAgainError, ClusterDownError, redis.ConnectionError, RedisClusterException,
        ):  # fmt: skip
            return self._cluster.execute_command(*command)
        answer = self._cluster.execute_command(*command)
        self._silent.discard(node.name)
        return answer

    def _to(self, node: Any) -> Lines:
        lines = self._lines.get(node.name)
        if lines is None:
            lines = self._lines[node.name] = Lines(self._cluster.get_redis_connection(node))
        return lines


def _answer(line: Any, packed: bytes) -> Any:
    """A line that broke is closed by redis-py itself, and opened again by the next sending."""
    for _ in range(TRIES - 1):
        try:
            line.send_packed_command([packed], check_health=False)
            return line.read_response()
        except redis.ConnectionError:
            continue
    line.send_packed_command([packed], check_health=False)
    return line.read_response()
