"""The supervisor: children are started again, and none survives it."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from commands.supervisor import Child, Supervisor

PATIENCE = 60.0  # an end, not a wait, on a machine that does more


def _wait_until(seen: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while time.monotonic() < deadline:
        if seen():
            return True
        pause.wait(0.02)
    return False


def _ended(pid: int) -> bool:
    """Whether a process runs no more.

    One whose parent was killed stays in the table of processes until the first process takes its
    status, and in a container that may be one that never does.
    """
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _child(folder: Path, program: str) -> Child:
    words = [sys.executable, "-c", program]
    return Child("child", words, {"FOLDER": str(folder)}, patience=PATIENCE)


NOTES_EACH_START = """
import os, pathlib, signal, sys
folder = pathlib.Path(os.environ["FOLDER"])
signal.signal(signal.SIGTERM, lambda *_: (folder.joinpath("finished").touch(), sys.exit(0)))
(folder / str(os.getpid())).touch()
while True: signal.pause()
"""
IGNORES_SIGTERM = """
import os, pathlib, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(os.environ["FOLDER"], str(os.getpid())).touch()
while True: signal.pause()
"""
ENDS_AT_ONCE = """
import os, pathlib
pathlib.Path(os.environ["FOLDER"], str(os.getpid())).touch()
"""


def _pids(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir() if path.name.isdigit()]


def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    supervisor = Supervisor(print)
    supervisor.add(_child(tmp_path, NOTES_EACH_START))
    assert _wait_until(lambda: len(_pids(tmp_path)) == 1)
    os.kill(_pids(tmp_path)[0], signal.SIGKILL)

    def second() -> bool:
        supervisor.watch_once()
        return len(_pids(tmp_path)) == 2

    assert _wait_until(second)
    supervisor.stop_all()
    assert not any(psutil.pid_exists(pid) for pid in _pids(tmp_path))


def test_a_child_may_finish_its_work(tmp_path: Path) -> None:
    supervisor = Supervisor(print)
    supervisor.add(_child(tmp_path, NOTES_EACH_START))
    assert _wait_until(lambda: len(_pids(tmp_path)) == 1)
    supervisor.stop_all()
    assert (tmp_path / "finished").exists()


def test_a_child_that_will_not_end_is_ended(tmp_path: Path) -> None:
    supervisor = Supervisor(print)
    child = _child(tmp_path, IGNORES_SIGTERM)
    child.patience = 0.3
    supervisor.add(child)
    assert _wait_until(lambda: len(_pids(tmp_path)) == 1)
    supervisor.stop_all()
    assert not psutil.pid_exists(_pids(tmp_path)[0])


def test_a_child_that_ends_at_once_is_not_started_in_a_frenzy(tmp_path: Path) -> None:
    supervisor = Supervisor(print)
    child = _child(tmp_path, ENDS_AT_ONCE)
    supervisor.add(child)
    starts = [child.started]

    def four() -> bool:
        ended = child.process is not None and child.process.poll() is not None
        supervisor.watch_once()
        if child.started != starts[-1]:
            starts.append(child.started)
        elif ended:
            assert len(starts) > 1, "the first time it is started again at once"
        return len(starts) == 4

    assert _wait_until(four)
    supervisor.stop_all()
    _, second, third = (later - one for one, later in itertools.pairwise(starts))
    assert second >= 1.0
    assert third >= 2.0


def test_a_program_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        Supervisor(print).add(Child("none", ["/no/such/program"], {}))


SUPERVISES = """
import os, sys
from commands.supervisor import Child, Supervisor
supervisor = Supervisor(print)
supervisor.listen()
supervisor.add(Child("child", [sys.executable, "-c", os.environ["PROGRAM"]], {}, patience=60))
supervisor.watch()
supervisor.stop_all()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_children_end_with_a_supervisor_that_is_killed_or_whose_terminal_is_closed(
    tmp_path: Path, number: signal.Signals
) -> None:
    own = subprocess.Popen(
        [sys.executable, "-c", SUPERVISES],
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | {"FOLDER": str(tmp_path), "PROGRAM": NOTES_EACH_START},
        stdout=subprocess.DEVNULL,
    )
    assert _wait_until(lambda: len(_pids(tmp_path)) == 1)
    own.send_signal(number)
    assert own.wait(2 * PATIENCE) == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    assert _wait_until(lambda: _ended(_pids(tmp_path)[0]))
    assert (tmp_path / "finished").exists()
