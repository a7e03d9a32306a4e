"""`remind`, `registry`, `audit` and `rollout waiting` at the command line."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from commands.audit import audit
from commands.registry import registry
from commands.remind import remind
from credentials.model import Consent, Holder
from credentials.store import due_key, record_key
from credentials.waiting import LONGEST_SECONDS
from tests.commands.shell import APP, Shell
from tests.credentials.issuer import person

HOLDER = Holder("wechat", "oAnna")
for command in (audit, registry, remind):
    APP.add_command(command)


@pytest.fixture(autouse=True)
def var_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAR_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def card(shell: Shell) -> str:
    who = person()
    shell.services.authority.add(who)  # type: ignore[attr-defined] # the embedded one
    consents = [Consent("data", "1", 1.0), Consent("face", "1", 1.0)]
    return shell.services.cards.issue(HOLDER, who, consents, evidence={}).credential_id


def test_nobody_is_due(shell: Shell, card: str) -> None:
    assert json.loads(shell.runs("remind")) == {"reminded": 0, "ended": 0, "forgotten": 0}


def test_who_has_waited_a_year_is_forgotten(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, now = shell.services.waiting, time.time()
    with monkeypatch.context() as then:
        then.setattr(waiting, "_now", lambda: int(now) - LONGEST_SECONDS)
        waiting.add(HOLDER, "310101")
        waiting.add(HOLDER, "420100")
        then.setattr(waiting, "_now", lambda: int(now) - LONGEST_SECONDS + 86_400)
        waiting.add(Holder("wechat", "oBob"), "310101")
    assert json.loads(shell.runs("remind"))["forgotten"] == 2
    assert waiting.counts() == {"310101": 1}
    assert json.loads(shell.runs("remind"))["forgotten"] == 0


def test_a_person_who_died_loses_the_card(shell: Shell, card: str) -> None:
    assert json.loads(shell.runs("registry", "sync", "--rate", "1000")) == {"same": 1}
    told = json.loads(
        shell.runs("registry", "end", "--id-number", person().id_number, "--reason", "died")
    )
    assert person().id_number not in told["id_number"]
    said = shell.runs("registry", "sync", "--rate", "1000").splitlines()[-1]  # a log line before
    assert json.loads(said) == {"ended": 1}
    kept = shell.services.cards.get(card)
    assert kept is not None
    assert kept.status == "revoked"


@pytest.mark.parametrize("end", ["sync", "remind"])
def test_cards_that_do_not_open_are_named_and_hold_up_nobody(
    shell: Shell, card: str, end: str
) -> None:
    services = shell.services
    broken = {}
    for number in (2, 3):
        who = person(number)
        services.authority.add(who)  # type: ignore[attr-defined] # the embedded one
        consents = [Consent("data", "1", 1.0), Consent("face", "1", 1.0)]
        holder = Holder("wechat", f"oBroken{number}")
        issued = services.cards.issue(holder, who, consents, evidence={})
        broken[issued.credential_id] = record_key(issued.credential_id)
    for key in broken.values():
        services.redis.hset(key, "e", "torn")
    if end == "sync":
        said, complained = shell.ends_with(1, "registry", "sync", "--rate", "1000")
        assert json.loads(said) == {"same": 1, "unreadable": 2}
    else:
        for credential_id in (card, *broken):
            services.redis.hset(record_key(credential_id), "x", "1000")
            services.redis.zadd(due_key(credential_id), {credential_id: 1000})
        said, complained = shell.ends_with(1, "remind")
        assert json.loads(said.splitlines()[-1]) == {"reminded": 0, "ended": 1, "forgotten": 0}
    assert "2 cards cannot be read and were passed over" in complained
    assert all(credential_id in complained for credential_id in broken)
    assert card not in complained.rpartition("passed over")[2]


def test_a_person_whose_answer_cannot_be_used_is_named(shell: Shell, card: str) -> None:
    shell.services.authority.add(person(portrait=b"no picture"))  # type: ignore[attr-defined] # the embedded one
    said, complained = shell.ends_with(1, "registry", "sync", "--rate", "1000")
    assert json.loads(said) == {"unusable": 1}
    assert "the authority's answer about them is unusable" in complained
    assert card in complained


@pytest.mark.parametrize("words", [("--id-number", "1", "--reason", "died"), ("--reason", "died")])
def test_who_is_nobody_does_not_end(shell: Shell, words: tuple[str, ...]) -> None:
    shell.is_refused("registry", "end", *words)


def test_archive_verify_export_and_check(shell: Shell, card: str, var_dir: Path) -> None:
    assert "no file" in shell.runs("audit", "archive")
    assert "000001.jsonl" in shell.runs("audit", "archive", "--all")
    assert "1 archives among them" in shell.runs("audit", "verify")
    file = var_dir / "all.jsonl"
    assert "signed in all.jsonl.sig" in shell.runs("audit", "export", str(file))
    assert "as it was signed" in shell.runs("audit", "check", str(file))
    file.write_text(file.read_text("utf-8") + "{}\n", "utf-8")
    shell.is_refused("audit", "check", str(file), status=1)
    assert "public_key" in shell.runs("audit", "key")


def test_an_export_to_nowhere_is_refused_with_a_sentence(shell: Shell, var_dir: Path) -> None:
    file = var_dir / "nowhere" / "all.jsonl"
    refused = shell.is_refused("audit", "export", str(file), status=1)
    assert f"Error: {file}: No such file or directory" in refused
    assert not file.parent.exists()


@pytest.mark.parametrize("there", ["all.jsonl", "all.jsonl.sig"])
def test_no_file_is_replaced_by_an_export(shell: Shell, var_dir: Path, there: str) -> None:
    kept = var_dir / there
    kept.write_text("# Notes", "utf-8")
    refused = shell.is_refused("audit", "export", str(var_dir / "all.jsonl"), status=1)
    assert f"Error: {kept} is there; give another name" in refused
    assert kept.read_text("utf-8") == "# Notes"
    assert [path.name for path in var_dir.iterdir()] == [there]


def test_a_lost_archive_is_told(shell: Shell, card: str, var_dir: Path) -> None:
    shell.runs("audit", "archive", "--all")
    (var_dir / "audit" / "000001.jsonl").unlink()
    assert "is removed" in shell.is_refused("audit", "verify", status=1)
    assert "each in its place" in shell.runs("audit", "verify", "--live-only")


@pytest.mark.parametrize("prefix", ["zz", "44*", "4401150", "44,31", "四四"])
def test_who_waits_where_no_division_is(shell: Shell, prefix: str) -> None:
    assert "1 to 6 digits" in shell.is_refused("rollout", "waiting", prefix)


def test_who_waits_is_counted(shell: Shell) -> None:
    shell.services.waiting.add(HOLDER, "310101")
    assert json.loads(shell.runs("rollout", "waiting")) == {"310101": 1}
    assert json.loads(shell.runs("rollout", "waiting", "44")) == {}
    shell.runs("rollout", "set", "31")
    assert json.loads(shell.runs("rollout", "waiting")) == {}
