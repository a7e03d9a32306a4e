"""A product of the player's own: started for its games, thrown away after them."""

from __future__ import annotations

import collections
import contextlib
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import click

from commands.player.line import Account
from commands.run import DEMO_ACCOUNT, ROOT
from settings import Settings

HOST = "127.0.0.1"
_GIVEN: collections.deque[int] = collections.deque(maxlen=100)  # the ports given out of late
READY_SECONDS = 300.0  # a busy machine needs longer than the eight seconds of an idle one


@contextlib.contextmanager
def own_product(api_port: int) -> Iterator[str]:
    """`make run`'s processes, with the platform at a port of this process; the address.

    Settings of this process are changed with it, so that its services are opened beside it.
    """
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        port = free_port()
        ours = {
            "VAR_DIR": folder,
            "PORT": str(port),
            "WECHAT_API_BASE": f"http://{HOST}:{api_port}",
            "LIVENESS": "unsafe-none",
        }
        before = {name: os.environ.get(name) for name in ours}
        os.environ.update(ours)
        log = Path(folder) / "run.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "app.py", "run"], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT
            )
        try:
            _wait_for(f"http://{HOST}:{port}/healthz", process, log)
            yield f"http://{HOST}:{port}"
        finally:
            process.terminate()
            process.wait(180)
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def account() -> Account:
    """The account of the environment's settings; the demo's where nothing is set."""
    settings = Settings()
    return Account(
        settings.wechat_app_id or DEMO_ACCOUNT["wechat_app_id"],
        settings.wechat_token or DEMO_ACCOUNT["wechat_token"],
        settings.wechat_aes_key or DEMO_ACCOUNT["wechat_aes_key"],
    )


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on now.

    Below those that the system gives to connections and to whoever wants any port: seconds may
    pass until somebody listens on this one. Meanwhile no other is given out that is the same, or
    the next, which a run gives to its simulator: not here, nor by a process started beside this.
    """
    first = 20_000 + 2 * (os.getpid() % 8)
    while True:
        port = random.randrange(first, 32_000, 16)  # noqa: S311 - any will do
        if port in _GIVEN:
            continue
        with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            _GIVEN.append(port)
            return port


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise click.ClickException(f"the product did not start:\n{log.read_text()[-2000:]}")
