"""Redis that is down, silent or unable, and how soon that is known."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from commands import embedded
from credentials.connection import connect, guard
from credentials.errors import UnavailableError
from tests.credentials.issuer import Desk, Issuer

BOUND = 2.0  # seconds


@dataclasses.dataclass
class Waits:
    """What this thread may wait, in seconds: how long for its sockets, and between two tries."""

    ends: list[float] = dataclasses.field(default_factory=list)
    pauses: list[float] = dataclasses.field(default_factory=list)

    @property
    def longest(self) -> float:
        """All of it, where no end is met before its time."""
        return sum(self.ends) + sum(self.pauses)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    """Not how long it took, which says something of the machine, but the ends that were set."""
    found, here = Waits(), threading.get_ident()
    set_end = socket.socket.settimeout

    def settimeout(self: socket.socket, seconds: float | None) -> None:
        if threading.get_ident() == here:
            found.ends.append(math.inf if seconds is None else seconds)
        set_end(self, seconds)

    monkeypatch.setattr(socket.socket, "settimeout", settimeout)
    monkeypatch.setattr("redis.retry.sleep", found.pauses.append)
    return found


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}"


def answering(*replies: bytes) -> tuple[str, socket.socket]:
    """A server that gives every command the next of these replies, the last one for ever."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                while client.recv(65536):
                    client.sendall(replies[0])

    threading.Thread(target=serve, daemon=True).start()
    return f"redis://127.0.0.1:{server.getsockname()[1]}?protocol=2&lib_name=&lib_version=", server


def test_a_redis_that_is_there(patient: None, redis_url: str) -> None:
    with guard(), contextlib.closing(connect(redis_url)) as database:
        assert database.ping()


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "unix:///nowhere/redis.sock"])
def test_a_redis_that_is_down(url: str, waits: Waits) -> None:
    with pytest.raises(UnavailableError) as caught, guard():
        connect(url).get("x")
    assert 0 < waits.longest < BOUND
    assert caught.value.code == "unavailable"
    assert caught.value.__cause__ is not None


def test_a_cluster_that_is_down(waits: Waits) -> None:
    with pytest.raises(UnavailableError):
        connect("redis+cluster://127.0.0.1:1")
    assert 0 < waits.longest < BOUND


def test_a_redis_that_never_answers(silent: str, waits: Waits) -> None:
    with pytest.raises(UnavailableError), guard():
        connect(silent).get("x")
    assert 0 < waits.longest < BOUND


@pytest.mark.parametrize(
    "reply",
    [
        b"-READONLY You can't write against a read only replica.\r\n",
        b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-MASTERDOWN Link with MASTER is down\r\n",
        b"-MISCONF Redis is configured to save RDB snapshots\r\n",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    ],
)
def test_a_redis_that_answers_but_will_not_work(reply: bytes, waits: Waits) -> None:
    url, server = answering(reply)
    with server, contextlib.closing(connect(url)) as database:
        with pytest.raises(UnavailableError), guard():
            database.set("x", "y")
        assert len(waits.ends) <= 4  # two tries at most, each with two ends
        assert waits.pauses == []


def test_what_is_no_trouble_of_redis_is_left_alone() -> None:
    with pytest.raises(KeyError), guard():
        raise KeyError("a program's mistake")


def test_a_full_redis_refuses_and_recovers(issuer: Issuer, desk: Desk) -> None:
    phone = issuer.phone()
    code = phone.show()
    issuer.database.config_set("maxmemory", "1")
    try:
        with pytest.raises(UnavailableError):
            desk.scan(code, "internet_cafe")
        with pytest.raises(UnavailableError):
            phone.freeze()
    finally:
        issuer.database.config_set("maxmemory", "0")
    assert desk.scan(code, "internet_cafe").attributes
    assert issuer.findings() == []


def test_a_restarted_redis_needs_no_restart_of_ours(patient: None, tmp_path: Path) -> None:
    server = embedded.start(tmp_path)
    issuer = Issuer(connect(embedded.url(tmp_path)))
    phone, desk = issuer.phone(), issuer.desk()
    desk.scan(phone.show(), "internet_cafe")
    embedded.stop(server)
    with pytest.raises(UnavailableError):
        phone.show()
    server = embedded.start(tmp_path)
    try:
        assert desk.scan(phone.show(), "internet_cafe").attributes
        assert phone.history().count("accepted") == 2
    finally:
        issuer.database.close()
        embedded.stop(server)


def test_a_read_only_replica_is_not_written_past(patient: None, tmp_path: Path) -> None:
    server = embedded.start(tmp_path)
    try:
        issuer = Issuer(connect(embedded.url(tmp_path)))
        phone, desk = issuer.phone(), issuer.desk()
        code = phone.show()
        admin = redis.Redis.from_url(embedded.url(tmp_path))
        admin.replicaof("127.0.0.1", 1)
        with pytest.raises(UnavailableError):
            desk.scan(code, "internet_cafe")
        admin.replicaof("NO", "ONE")
        assert desk.scan(code, "internet_cafe").attributes
        admin.close()
        issuer.database.close()
    finally:
        embedded.stop(server)
