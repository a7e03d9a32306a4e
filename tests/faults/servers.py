"""Servers of the rows' own: a Redis that can be stopped at will, a cluster, a web process."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import redis

from commands.player.product import free_port
from tests.product.actors import ROOT, Product, wait_until

END_SECONDS = 120
"""Ends, not waits, on a machine that does more."""


class RedisServer:
    """Debian's redis-server, append-only, on a port of its own.

    It waits for no disk: what was written outlives a killed process anyway, and one that waits for
    a busy disk is as good as down.
    """

    def __init__(self, folder: Path, *more: str, port: int = 0) -> None:
        self.port = port or free_port()
        self._folder = folder
        self._more = more
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, with what it kept, and return when it answers."""
        self._process = subprocess.Popen(
            [
                "redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
                "--dir", str(self._folder), "--appendonly", "yes", "--appendfsync", "no",
                "--save", "",
                "--logfile", str(self._folder / "log"), *self._more,
            ],
        )  # fmt: skip
        assert wait_until(self.answers, END_SECONDS), (self._folder / "log").read_text()

    def answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=END_SECONDS)

    def tell(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, and wait until it has."""
        self._process.send_signal(number)
        self._process.wait(END_SECONDS)


@contextlib.contextmanager
def cluster(folder: Path, primaries: int = 3) -> Iterator[list[RedisServer]]:
    """A Redis Cluster on loopback: so many primaries, each with one replica."""
    servers = [
        RedisServer(
            folder / str(place),
            *("--cluster-enabled", "yes", "--cluster-node-timeout", "5000"),  # slow is not dead
            *("--cluster-replica-validity-factor", "0"),
            port=_bus_port(),
        )
        for place in range(2 * primaries)
    ]
    try:
        addresses = [f"127.0.0.1:{server.port}" for server in servers]
        subprocess.run(
            [
                "redis-cli",
                "--cluster",
                "create",
                *addresses,
                "--cluster-replicas",
                "1",
                "--cluster-yes",
            ],
            check=True,
            capture_output=True,
            timeout=END_SECONDS,
        )
        assert wait_until(lambda: all(_is_whole(server) for server in servers), END_SECONDS)
        yield servers
    finally:
        for server in servers:
            server.stop(signal.SIGKILL)


def _bus_port() -> int:
    """A free port whose cluster bus, 10000 higher, is free as well."""
    while True:
        port = free_port() - 10_000
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for wanted in (port, port + 10_000):
                probe = stack.enter_context(socket.socket())
                probe.bind(("127.0.0.1", wanted))
            return port


def _is_whole(server: RedisServer) -> bool:
    with server.client() as client:
        info = client.execute_command("CLUSTER INFO")
        role = client.info("replication")
        linked = role["role"] == "master" or role["master_link_status"] == "up"
        ready = role["role"] == "slave" or role["connected_slaves"] >= 1
    return info["cluster_state"] == "ok" and bool(linked) and bool(ready)


@contextlib.contextmanager
def web_beside(product: Product, folder: Path, **more: str) -> Iterator[Product]:
    """Another web process of a running product, on its own port, with other variables."""
    known = psutil.Process(product.children()["web"]).environ()
    port = free_port()
    log = folder / "web.log"
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "app.py", "web"],
            cwd=ROOT,
            env={**known, "PORT": str(port), "PUBLIC_URL": address, "WEB_WORKERS": "1", **more},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        assert wait_until(lambda: _serves(address), END_SECONDS), log.read_text()
        yield Product(product.var_dir, port, product.process, log)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _serves(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz", timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
