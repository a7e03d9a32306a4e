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
