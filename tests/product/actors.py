"""The whole product as processes, and the people who meet it: `Product`, `Desk`."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import redis
import zxingcpp
from PIL import Image

from commands import embedded
from commands.player.product import free_port
from credentials.connection import connect
from credentials.services import Services
from parts import services_of
from settings import Settings
from web.camera import QR_ALONE

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 400
COMMAND_SECONDS = 300
"""Ends, not waits: a machine that is busy with other things takes many times as long."""
HERE: dict[str, Any] = {"timeout": 60, "trust_env": False, "verify": False}
"""How this machine is asked: reading the authorities' certificates costs 20 times an answer."""


@dataclasses.dataclass
class Product:
    """A running `app.py run`, on a port and in a folder of its own."""

    var_dir: Path
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, *words: str) -> str:
        """What `python app.py …` prints, given beside the running product."""
        done = subprocess.run(
            [sys.executable, "app.py", *words],
            cwd=ROOT,
            env=environment(self.var_dir, self.port),
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextlib.contextmanager
    def services(self, **settings: object) -> Iterator[tuple[Services, redis.Redis]]:
        """The services over the running product's Redis and keys, in this process."""
        known: dict[str, object] = {
            "profile": "demo",
            "var_dir": self.var_dir,
            "port": self.port,
            "redis_url": embedded.url(self.var_dir),
        }
        chosen = Settings(**{**known, **settings})  # type: ignore[arg-type]
        with contextlib.closing(connect(chosen.redis_url)) as database:
            yield services_of(chosen, database), database

    def spare_the_disk(self) -> None:
        """Have its Redis answer before the disk has it: a busy one would hold up the answers."""
        with contextlib.closing(redis.Redis.from_url(embedded.url(self.var_dir))) as client:
            client.config_set("appendfsync", "no")

    def children(self) -> dict[str, int]:
        """The process ids of the run's children, by what they are."""
        found = {}
        for child in psutil.Process(self.process.pid).children():
            try:
                line = " ".join(child.cmdline())
            except psutil.NoSuchProcess:  # it ended just now
                continue
            for name in ("app.py web", "app.py worker", "simulator", "redis-server"):
                if name in line:
                    found[name.removeprefix("app.py ")] = child.pid
        return found

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to stop, and wait; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(COMMAND_SECONDS)


def environment(var_dir: Path, port: int, **more: str) -> dict[str, str]:
    """The environment of a run: this one's, without settings that would lead it astray.

    As many processes as on two cores, on any machine: with two workers a test that stops or kills
    the worker would leave one that does the job.
    """
    ours = {
        "VAR_DIR": str(var_dir),
        "PORT": str(port),
        "PYTHONWARNINGS": "ignore",
        "WEB_WORKERS": "2",
        "FACE_WORKERS": "1",
        **more,
    }
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WECHAT_", "REDIS_", "JOBS_", "MASTER_", "AUTHORITY_", "PUBLIC_"))
    }
    return kept | ours


@contextlib.contextmanager
def running(var_dir: Path, **settings: str) -> Iterator[Product]:
    """Start the product as `make run` does, and stop it as Ctrl-C does."""
    port = free_port()
    var_dir.mkdir(parents=True, exist_ok=True)
    log = var_dir / "run.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "app.py", "run"],
            cwd=ROOT,
            env=environment(var_dir, port, **settings),
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    product = Product(var_dir, port, process, log)
    try:
        assert wait_until(lambda: _answers(product), START_SECONDS), log.read_text()[-3000:]
        yield product
    finally:
        if process.poll() is None:
            product.stop(signal.SIGINT)


def _answers(product: Product) -> bool:
    try:
        return httpx.get(f"{product.address}/healthz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def wait_until(seen: Callable[[], bool], seconds: float) -> bool:
    """Ask again and again, without sleeping through anything, until it is so."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while time.monotonic() < deadline:
        if seen():
            return True
        pause.wait(0.05)
    return False


@dataclasses.dataclass
class HotelSoftware:
    """A verifier's own program, which knows the API and nothing else."""

    product: Product
    api_key: str

    @classmethod
    def registered(cls, product: Product, name: str, *purposes: str) -> HotelSoftware:
        """Registered beside the running product, without the seconds that a command takes."""
        with product.services() as (services, _):
            return cls(product, services.verifiers.add(name, list(purposes))[1])

    @classmethod
    def by_command(cls, product: Product, name: str, *purposes: str) -> HotelSoftware:
        """Registered as an operator does."""
        words = [word for purpose in purposes for word in ("--purpose", purpose)]
        told = json.loads(product.command("verifier", "add", "--name", name, *words))
        return cls(product, told["api_key"])

    def scan(self, code: str, purpose: str, **more: str) -> httpx.Response:
        return httpx.post(
            f"{self.product.address}/api/v1/verifications",
            json={"code": code, "purpose": purpose, **more},
            headers={"Authorization": f"Bearer {self.api_key}"},
            **HERE,
        )

    def ask_again(self, verification_id: str) -> httpx.Response:
        return httpx.get(
            f"{self.product.address}/api/v1/verifications/{verification_id}",
            headers={"Authorization": f"Bearer {self.api_key}"},
            **HERE,
        )


def code_in(picture: bytes) -> str:
    """What the QR in a picture says."""
    # A row of a random code may look like a bar code of another kind.
    found = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)), formats=QR_ALONE)
    assert len(found) == 1
    return found[0].text
