"""`verifier`, `staff`, `operator`: the commands that make them, as somebody types them."""

import json

import pytest
import redis
from click.testing import CliRunner

from tests.commands.shell import APP, Shell, build


def test_a_verifier_is_one_json_object(shell: Shell) -> None:
    words = ("verifier", "add", "--name", "南沙酒店", "--purpose", "hotel", "--purpose", "courier")
    said = json.loads(shell.runs(*words))
    assert set(said) == {"verifier_id", "api_key"}
    known = shell.services.verifiers.authenticate(said["api_key"])
    assert known.verifier_id == said["verifier_id"]
    assert known.purposes == ("courier", "hotel")
    assert "api_key" not in shell.runs("verifier", "list")


def test_a_bad_purpose_lists_the_good_ones(shell: Shell) -> None:
    said = shell.is_refused("verifier", "add", "--name", "Hotel", "--purpose", "spying")
    assert "internet_cafe" in said
    assert "business_registration" in said
    assert "purpose" in shell.is_refused("verifier", "add", "--name", "Hotel")
    blank = ("verifier", "add", "--name", " ", "--purpose", "hotel")
    assert "1 to 60" in shell.is_refused(*blank, status=1)


def test_a_verifier_is_granted_blocked_and_given_another_key(shell: Shell) -> None:
    added = shell.runs("verifier", "add", "--name", "Hotel", "--purpose", "hotel")
    first = json.loads(added)["api_key"]
    shell.runs("verifier", "grant", "Hotel", "--purpose", "courier")
    assert shell.services.verifiers.authenticate(first).purposes == ("courier",)
    second = json.loads(shell.runs("verifier", "new-key", "Hotel", "--drop-others"))["api_key"]
    shell.runs("verifier", "block", "Hotel")
    assert json.loads(shell.runs("verifier", "list"))["blocked"]
    shell.runs("verifier", "block", "Hotel", "--undo")
    assert shell.services.verifiers.authenticate(second).name == "Hotel"
    assert "no such verifier" in shell.is_refused("verifier", "block", "Inn", status=1)


def test_staff_belong_to_a_verifier_by_id_or_name(shell: Shell) -> None:
    added = shell.runs("verifier", "add", "--name", "Grand Hotel", "--purpose", "hotel")
    verifier_id = json.loads(added)["verifier_id"]
    for who, username in ((verifier_id, "li.na"), ("Grand Hotel", "wu.di")):
        words = ("staff", "add", "--verifier", who, "--username", username, "--desk", "Desk 1")
        password = shell.runs(*words).removesuffix("\n")
        account = shell.services.staff.sign_in(username, password)
        assert (account.verifier_id, account.desk) == (verifier_id, "Desk 1")
        assert account.must_change_password


def test_staff_that_cannot_be_added(shell: Shell) -> None:
    words = ("staff", "add", "--verifier", "Hotel", "--username", "ann")
    assert "no such verifier" in shell.is_refused(*words, status=1)
    shell.runs("verifier", "add", "--name", "Hotel", "--purpose", "hotel")
    shell.runs(*words)
    assert "taken" in shell.is_refused(*words, status=1)
    odd = ("staff", "add", "--verifier", "Hotel", "--username", "a b")
    assert "2 to 64" in shell.is_refused(*odd, status=1)
    shell.runs("verifier", "add", "--name", "Hotel", "--purpose", "hotel")
    assert "ids: " in shell.is_refused(*words, status=1)


def test_an_operator_has_a_role(shell: Shell) -> None:
    words = ("operator", "add", "--username", "root", "--role")
    password = shell.runs(*words, "admin").strip()
    assert shell.services.operators.sign_in("root", password).role == "admin"
    assert "viewer" in shell.is_refused(*words, "god")


def test_an_account_is_reset_and_disabled(shell: Shell) -> None:
    shell.runs("operator", "add", "--username", "ann", "--role", "viewer")
    password = shell.runs("operator", "reset-password", "ann").strip()
    assert shell.services.operators.sign_in("ann", password).must_change_password
    assert json.loads(shell.runs("operator", "disable", "ann"))["disabled"]
    assert json.loads(shell.runs("operator", "list"))["disabled"]
    assert not json.loads(shell.runs("operator", "disable", "ann", "--undo"))["disabled"]
    assert shell.runs("staff", "list") == ""
    assert "no such account" in shell.is_refused("staff", "reset-password", "ann", status=1)


def test_what_was_done_is_in_the_audit(shell: Shell) -> None:
    shell.runs("verifier", "add", "--name", "Hotel", "--purpose", "hotel")
    shell.runs("staff", "add", "--verifier", "Hotel", "--username", "ann")
    shell.runs("rollout", "set", "44")
    kinds = [entry.kind for entry in shell.services.audit.recent(10)]
    assert kinds == ["rollout_set", "staff_added", "verifier_added"]


def test_without_redis_a_command_says_so() -> None:
    lost = Shell(build(redis.Redis(port=1, socket_connect_timeout=0.2)))
    said = lost.is_refused("verifier", "add", "--name", "A", "--purpose", "hotel", status=1)
    assert "nothing was done" in said
    lost.is_refused("rollout", "show", status=1)
    lost.is_refused("staff", "list", status=1)


@pytest.mark.parametrize(
    "words", [("person", "add"), ("verifier", "add"), ("staff", "add"), ("operator", "add")]
)
def test_help_needs_nothing(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(APP, [*words, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.stdout
