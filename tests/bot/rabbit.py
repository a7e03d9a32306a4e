"""A real RabbitMQ of the tests' own, on loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pika

from commands.player.product import free_port

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
START_SECONDS = 120


def installed() -> bool:
    return SERVER.exists() and shutil.which("erl") is not None


class Rabbit:
    """The server: started, killed, started again on what it kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ports: set[int] = set()
        while len(ports) < 3:
            ports.add(free_port())
        self.port, self._dist, self._epmd = ports
        self.process: subprocess.Popen[bytes] | None = None
        self._names: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    def start(self) -> None:
        settings = {
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"card{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd),
        }
        # Erlang's name server would be started as a daemon that outlives everybody: so it is ours.
        names = ["epmd", "-port", str(self._epmd), "-address", "127.0.0.1"]
        self._names = subprocess.Popen(names, stdin=subprocess.DEVNULL)
        with (self.folder / "out").open("ab") as out:
            self.process = subprocess.Popen(
                [str(SERVER)], env={**os.environ, **settings}, stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            assert time.monotonic() < deadline, (self.folder / "out").read_text()[-2000:]
            time.sleep(0.2)

    def answers(self) -> bool:
        where = pika.URLParameters(self.url)
        where.stack_timeout = where.socket_timeout = 2
        with contextlib.suppress(pika.exceptions.AMQPError, OSError):
            pika.BlockingConnection(where).close()
            return True
        return False

    def stop(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, 9)
            self.process.wait()
            self.process = None
        if self._names is not None:
            self._names.kill()
            self._names.wait()
            self._names = None


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Rabbit]:
    rabbit = Rabbit(folder)
    try:
        rabbit.start()
        yield rabbit
    finally:
        rabbit.stop()
