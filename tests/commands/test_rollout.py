"""`rollout`: where cards are issued, changed while the product runs."""

import json

import pytest

from tests.commands.shell import Shell


def test_the_rollout_is_set_and_shown(shell: Shell) -> None:
    assert json.loads(shell.runs("rollout", "show")) == {"rollout": "everyone"}
    assert json.loads(shell.runs("rollout", "set", "440115,31")) == {"rollout": ["31", "440115"]}
    assert shell.services.rollout.covers("440115")
    assert not shell.services.rollout.covers("440300")
    assert json.loads(shell.runs("rollout", "set", "44", "440115")) == {"rollout": ["44"]}
    shell.runs("rollout", "set", "everyone")
    assert shell.services.rollout.covers("110105")


@pytest.mark.parametrize("words", [(), ("",), ("44*",), ("4401150",), ("everyone", "44"), (",",)])
def test_a_bad_rollout_changes_nothing(shell: Shell, words: tuple[str, ...]) -> None:
    shell.runs("rollout", "set", "440115")
    assert "440115" in shell.is_refused("rollout", "set", *words)
    assert shell.services.rollout.current() == ("440115",)
