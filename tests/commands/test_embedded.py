"""The embedded Redis: never two servers on one file, and nothing told that is not on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from commands import embedded


def client_of(folder: Path) -> redis.Redis:
    """A client that waits for an answer however long the server's disk takes."""
    return redis.Redis.from_url(embedded.url(folder))


def test_one_that_a_killed_run_left_behind_is_stopped_first(tmp_path: Path) -> None:
    left = embedded.start(tmp_path)
    client_of(tmp_path).set("kept", "yes")
    server = embedded.start(tmp_path)
    try:
        assert left.wait(60) == 0
        assert client_of(tmp_path).get("kept") == b"yes"
    finally:
        embedded.stop(server)


def test_an_answer_waits_for_the_disk(tmp_path: Path) -> None:
    """With `everysec` a killed server loses what it answered while a sync took long (row 30)."""
    server = embedded.start(tmp_path)
    try:
        told = client_of(tmp_path).config_get("append*")
        assert (told["appendonly"], told["appendfsync"]) == ("yes", "always")
    finally:
        embedded.stop(server)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    with pytest.raises(embedded.EmbeddedRedisError, match="cannot be written"):
        embedded.start(tmp_path / "var")


def test_a_command_with_a_server_of_its_own_shares_it_with_none(tmp_path: Path) -> None:
    """It ends with its command: another's would stop in the middle, or a second write its file."""
    with (
        embedded.borrowed(tmp_path),
        pytest.raises(embedded.EmbeddedRedisError, match="another command"),
        embedded.turn(tmp_path, given_up=lambda: True),
    ):
        pytest.fail("both have the turn")
    assert not embedded.is_up(tmp_path)


def test_a_command_waits_for_no_other_where_the_product_runs(tmp_path: Path) -> None:
    server = embedded.start(tmp_path)
    try:
        with embedded.borrowed(tmp_path) as one, embedded.borrowed(tmp_path) as other:
            assert one == other == embedded.url(tmp_path)
        assert embedded.is_up(tmp_path)
    finally:
        embedded.stop(server)
