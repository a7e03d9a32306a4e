"""`terminal`: the key is shown once, and a disabled terminal stays known."""

from __future__ import annotations

import base64
import json

import pytest

from credentials.errors import RefusalError
from credentials.terminals import sign
from tests.commands.shell import Shell


def added(shell: Shell) -> dict[str, str]:
    told: dict[str, str] = json.loads(shell.runs("terminal", "add", "--name", "南沙政务大厅 1"))
    return told


def test_the_key_is_shown_once(shell: Shell) -> None:
    told = added(shell)
    assert set(told) == {"terminal_id", "private_key"}
    assert len(base64.b64decode(told["private_key"])) == 32
    listed = shell.runs("terminal", "list")
    assert told["private_key"] not in listed
    assert json.loads(listed)["name"] == "南沙政务大厅 1"
    said = {"type": "x", "terminal": told["terminal_id"]}
    signature = sign(told["private_key"], said)
    known = shell.services.terminals.authenticate(told["terminal_id"], said, signature)
    assert known.terminal_id == told["terminal_id"]
    assert "terminal_added" in [use.kind for use in shell.services.audit.recent(5)]


def test_a_disabled_terminal_is_not_believed_until_it_is_undone(shell: Shell) -> None:
    told = added(shell)
    said = {"type": "x"}
    signature = sign(told["private_key"], said)
    shell.runs("terminal", "disable", told["terminal_id"])
    assert json.loads(shell.runs("terminal", "list"))["disabled"] is True
    with pytest.raises(RefusalError):
        shell.services.terminals.authenticate(told["terminal_id"], said, signature)
    shell.runs("terminal", "disable", "--undo", told["terminal_id"])
    shell.services.terminals.authenticate(told["terminal_id"], said, signature)


@pytest.mark.parametrize("name", ["", "  ", "x" * 61])
def test_a_terminal_needs_a_name(shell: Shell, name: str) -> None:
    assert "1 to 60" in shell.is_refused("terminal", "add", "--name", name, status=1)


def test_an_unknown_terminal_cannot_be_disabled(shell: Shell) -> None:
    for terminal_id in ("t000000000000", "x", "{b0001}:log"):
        assert "no such terminal" in shell.is_refused("terminal", "disable", terminal_id, status=1)
    shell.is_refused("terminal", "disable")
