"""Starting: what cannot work is named in a sentence, before anything is started or written."""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner

from app import main


@pytest.fixture(autouse=True)
def logging_left_as_it_was() -> Iterator[None]:
    """The command line has all of a process log to its own end, which here is a test's."""
    yield
    structlog.reset_defaults()


def refused(*words: str, **settings: str) -> str:
    """What the command line says when it refuses; never a traceback."""
    told = CliRunner().invoke(main, words, env=settings)
    assert isinstance(told.exception, SystemExit), told.exception
    assert told.exit_code == 1, told.output
    return told.output


@pytest.mark.parametrize("command", [("run",), ("audit", "verify"), ("keys", "rotate")])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "ftp://127.0.0.1"),
        ("REDIS_URL", "127.0.0.1:6379"),
        ("REDIS_URL", "redis+cluster://127.0.0.1:7000"),
        ("JOBS_URL", "http://127.0.0.1"),
        ("MASTER_KEYS", "one:two"),
        ("MASTER_KEYS", "1:c2hvcnQ="),
        ("WECHAT_AES_KEY", "short"),
        ("WECHAT_API_BASE", "127.0.0.1:1"),
        ("PUBLIC_URL", "card.example"),
    ],
)
def test_settings_that_cannot_work_are_named(
    command: tuple[str, ...], name: str, value: str, tmp_path: Path
) -> None:
    said = refused(*command, VAR_DIR=str(tmp_path / "var"), **{name: value})
    assert name.removeprefix("REDIS_") in said
    assert not (tmp_path / "var").exists()


def test_serve_names_them_among_all_others() -> None:
    said = refused("serve", REDIS_URL="ftp://x", JOBS_URL="http://x", WECHAT_AES_KEY="short")
    for problem in (
        "WECHAT_APP_ID is not set",
        "REDIS_URL must begin",
        "JOBS_URL must begin",
        "WECHAT_AES_KEY must be",
    ):
        assert problem in said


@pytest.mark.parametrize("command", [("run",), ("audit", "verify")])
@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_var_dir_that_cannot_be_written(
    command: tuple[str, ...], below: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("somebody's")
    said = refused(*command, VAR_DIR=str(tmp_path / "file" / below))
    assert "that cannot be written" in said
    assert (tmp_path / "file").read_text() == "somebody's"


def test_a_folder_that_another_run_uses(tmp_path: Path) -> None:
    with (tmp_path / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = refused("run", VAR_DIR=str(tmp_path), PORT="9899")
    assert "another run already uses" in said
    assert f"PORT=9909 VAR_DIR={tmp_path}-9909" in said
    assert not (tmp_path / "redis").exists()


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        said = refused("run", VAR_DIR=str(tmp_path), PORT=str(other.getsockname()[1]))
    assert "already listens" in said


@pytest.mark.parametrize("host", ["192.0.2.1", "300.1.1.1", "no such host"])
def test_a_host_that_is_not_this_machine(host: str, tmp_path: Path) -> None:
    said = refused("run", VAR_DIR=str(tmp_path), HOST=host)
    assert f"HOST={host} is no address of this machine" in said
