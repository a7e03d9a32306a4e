"""`run` and `serve`: the whole product as processes, in its demo or its production profile."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from commands import embedded
from commands.context import Opener
from commands.demo import BANK_USER, PASSWORD_FILE, USER, fill, terminal_of
from commands.life import account as account_of_life
from commands.supervisor import Child, Supervisor
from credentials.keyring import make_file
from settings import Settings

DEMO_SECRET = "DEMO_SECRET"  # noqa: S105 - the variable's name
ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 60.0
# The demo's official account. Nobody outside this machine can reach it, so the values may be known.
DEMO_ACCOUNT = {
    "wechat_app_id": "wx00000000000demo1",
    "wechat_app_secret": "demo-secret-of-the-simulated-account",
    "wechat_token": "demotoken",
    "wechat_aes_key": "ZGVtb2RlbW9kZW1vZGVtb2RlbW9kZW1vZGVtb2RlbW8",
}


@click.command("run")
@click.pass_obj
def run(opener: Opener) -> None:
    """Start the whole product in its demo profile: web, worker, Redis, simulator."""
    _start(Settings(profile="demo"), opener)


@click.command("serve")
def serve() -> None:
    """Start the product in its production profile; refuses while a setting is missing or unsafe."""
    settings = Settings(profile="production")
    problems = settings.problems()
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise click.ClickException(
            f"not started, because real people's identities would not be safe:\n{lines}\n"
            "Set these in the environment or in .env; README explains each."
        )
    _start(settings)


def _start(settings: Settings, demo: Opener | None = None) -> None:
    """Start every process and look after them; `demo` opens the services to fill the demo with."""
    began = time.monotonic()
    supervisor = Supervisor(click.echo)
    with _alone(settings), _redis(settings, supervisor) as redis_url:
        try:
            environment = _environment(settings, redis_url)
            if demo:
                if not settings.master_keys:
                    make_master_keys(settings)
                fill(demo, settings)
                environment |= _demo(settings, supervisor, environment)
            _product(settings, supervisor, environment)
            if _wait_until_ready(settings, supervisor):
                _greet(settings, time.monotonic() - began, demo=demo is not None)
            supervisor.watch()
        finally:
            supervisor.stop_all()
    click.echo("stopped.")


@contextlib.contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold VAR_DIR for this run: two on one folder would write over each other's data."""
    folder, other = settings.var_dir, settings.port + 10
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / "run.lock").open("w")
    except OSError as error:
        raise click.ClickException(
            f"VAR_DIR is {folder}, and that cannot be written: {error.strerror}; "
            "set VAR_DIR to a folder that can"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise click.ClickException(
                f"another run already uses {folder}; stop it, or give this one a port and a folder "
                f"of its own: PORT={other} VAR_DIR={folder}-{other} make run"
            ) from error
        _check_address(settings.host, settings.port)
        yield


@contextlib.contextmanager
def _redis(settings: Settings, supervisor: Supervisor) -> Iterator[str]:
    """The address of the Redis to use; an embedded one is kept alive for this block."""
    supervisor.listen()
    if settings.redis_url:
        yield settings.redis_url
        return
    try:
        server = _embedded(settings, lambda: supervisor.stopping)
    except embedded.EmbeddedRedisError as error:
        raise click.ClickException(str(error)) from error
    done = threading.Event()

    def revive() -> None:
        nonlocal server
        while not done.wait(0.2):
            if server.poll() is not None and not supervisor.stopping:
                click.echo("the embedded Redis ended; starting it again")
                with contextlib.suppress(embedded.EmbeddedRedisError):
                    server = _embedded(settings, done.is_set)

    keeper = threading.Thread(target=revive, name="redis-keeper", daemon=True)
    keeper.start()
    try:
        yield embedded.url(settings.var_dir)
    finally:
        done.set()
        keeper.join()
        embedded.stop(server)


def _embedded(settings: Settings, given_up: Callable[[], bool]) -> subprocess.Popen[bytes]:
    """Start the embedded Redis of this run, behind a command that has one to itself."""

    @functools.cache
    def say() -> None:
        click.echo(f"waiting for a command that is under way in {settings.var_dir} …")

    def over() -> bool:
        say()
        return given_up()

    with embedded.turn(settings.var_dir, given_up=over):
        return embedded.start(settings.var_dir, leashed=True)


def _environment(settings: Settings, redis_url: str) -> dict[str, str]:
    """What every process of this run is told."""
    figures = settings.var_dir.resolve() / "metrics"
    shutil.rmtree(figures, ignore_errors=True)
    figures.mkdir(parents=True, mode=0o700)
    return {
        "PROFILE": settings.profile,
        "REDIS_URL": redis_url,
        "VAR_DIR": str(settings.var_dir.resolve()),
        "PROMETHEUS_MULTIPROC_DIR": str(figures),
        "PYTHONUNBUFFERED": "1",
    }


def _demo(
    settings: Settings, supervisor: Supervisor, environment: dict[str, str]
) -> dict[str, str]:
    """Start the simulator, unless another platform was named; return what the demo adds."""
    account = {
        name: value if name not in settings.model_fields_set else getattr(settings, name)
        for name, value in DEMO_ACCOUNT.items()
    }
    added = {name.upper(): str(value) for name, value in account.items()}
    if settings.wechat_api_base:
        return added
    port = _free_port(settings.host, settings.port + 1)
    secret = secrets.token_urlsafe(24)
    terminal_id, terminal_key = terminal_of(settings)
    added["WECHAT_API_BASE"] = f"http://{settings.host}:{port}"
    added[DEMO_SECRET] = secret
    here = f"http://{settings.host}:{settings.port}"
    life: dict[str, str] = {}
    if not settings.alipay_app_id:
        told, life = account_of_life(here, added["WECHAT_API_BASE"])
        added |= told
    place = _demo_account_path(settings)
    place.write_text(json.dumps(added | {"PUBLIC_URL": settings.address}))
    place.chmod(0o600)
    supervisor.add(
        Child(
            "simulator",
            [sys.executable, "-m", "simulator", "--host", settings.host, "--port", str(port)],
            environment
            | {
                **life,
                "SIM_WEBHOOK": f"{here}/wechat",
                "SIM_MODE": os.environ.get("SIM_MODE") or _mode(added),
                "SIM_APP_ID": added["WECHAT_APP_ID"],
                "SIM_SECRET": added["WECHAT_APP_SECRET"],
                "SIM_TOKEN": added["WECHAT_TOKEN"],
                "SIM_AES_KEY": added["WECHAT_AES_KEY"],
                "SIM_FOLDER": str(settings.var_dir.resolve() / "simulator"),
                "SIM_CITIZENS_URL": f"{here}/demo/citizens",
                "SIM_CITIZENS_KEY": secret,
                "SIM_PRODUCT": f"http://{settings.host}:{settings.port}",
                "SIM_TERMINAL_ID": terminal_id,
                "SIM_TERMINAL_KEY": terminal_key,
            },
            patience=5,
        )
    )
    return added


def demo_account(settings: Settings) -> dict[str, str]:
    """What the running demo told its processes of the account; nothing if there is none."""
    try:
        told = json.loads(_demo_account_path(settings).read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in told.items()}


def _demo_account_path(settings: Settings) -> Path:
    return settings.var_dir.resolve() / "demo-account.json"


def _mode(account: dict[str, str]) -> str:
    """How the simulator pushes: without an EncodingAESKey it cannot be sealed."""
    return "safe" if account["WECHAT_AES_KEY"] else "plain"


def master_keys_path(settings: Settings) -> Path:
    """Where the demo profile, and a machine without MASTER_KEYS, keeps its master keys."""
    return settings.var_dir.resolve() / "master-keys"


def make_master_keys(settings: Settings) -> None:
    """Make the demo's master keys, unless they are there."""
    make_file(master_keys_path(settings))


def serve_web(settings: Settings, target: str) -> None:
    """Serve the WSGI application that the factory `target` makes, until SIGTERM.

    One thread a worker, a worker a core, as measured (ARCHITECTURE). The demo alone has more
    threads: its simulator's page calls the product, which calls the simulator, and so on.
    """
    Granian(
        target,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        factory=True,
        workers=settings.web_workers or os.cpu_count() or 1,
        blocking_threads=4 if settings.profile == "demo" else 1,
        backpressure=256,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=10,
        log_level=LogLevels.warning,
    ).serve()


def _product(settings: Settings, supervisor: Supervisor, environment: dict[str, str]) -> None:
    program = [sys.executable, str(ROOT / "app.py")]
    supervisor.add(Child("web", [*program, "web"], environment))
    for number in range(settings.face_workers or max(1, (os.cpu_count() or 1) - 1)):
        supervisor.add(Child(f"worker {number + 1}", [*program, "worker"], environment))


def _wait_until_ready(settings: Settings, supervisor: Supervisor) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while not supervisor.stopping and time.monotonic() < deadline:
        supervisor.watch_once()
        try:
            with urllib.request.urlopen(
                f"http://{_reachable(settings.host)}:{settings.port}/healthz", timeout=2
            ) as answer:
                if answer.status == 200:
                    return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    if not supervisor.stopping:
        click.echo(f"not ready after {READY_SECONDS:.0f} s; the messages above say why", err=True)
    return False


def _greet(settings: Settings, seconds: float, *, demo: bool) -> None:
    address = settings.address
    click.echo(f"ready in {seconds:.1f} s")
    pages = [("card", "the holder's page, opened from the chat"), ("desk", "verifiers scan here")]
    pages += [("console", "operators watch and help here")]
    if demo:
        pages = [
            ("simulator", "a phone with the chat: begin here"),
            *pages,
            ("simulator/terminal", "a kiosk that reads ID cards, for the upgrade"),
        ]
    for page, what in pages:
        click.echo(f"  {address}/{page:<10} {what}")
    if demo:
        click.echo(
            f"Sign in at desk and console as `{USER}`, or at a bank's desk as `{BANK_USER}`, "
            "with the password "
            f"{(settings.var_dir / PASSWORD_FILE).read_text().strip()}"
        )
    click.echo("Ctrl-C stops everything and loses nothing.")


def _check_address(host: str, port: int) -> None:
    """Refuse an address that cannot be listened on, and say what would help."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.closing(socket.socket(family, kind)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        said = {
            errno.EADDRINUSE: f"something already listens on {host}:{port}; stop it, or choose "
            f"another port: PORT={port + 10} make run",
            errno.EACCES: f"port {port} needs more rights than this user has; choose one above "
            "1023, and put a web server before it",
        }
        named = f"HOST={host} is no address of this machine; 127.0.0.1 and 0.0.0.0 always are"
        raise click.ClickException(said.get(error.errno or 0, named)) from error


def _free_port(host: str, wanted: int) -> int:
    for port in (wanted, 0):
        with contextlib.closing(socket.socket()) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise click.ClickException(f"no free port on {host}")


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
