"""`backup` and `restore`, by destroying everything in between."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import structlog.testing
from click.testing import CliRunner

from bot.transcripts import Transcripts
from commands import embedded
from commands.audit import audit
from commands.backup import Stop, restore, stop_again, stops_in
from commands.backup import backup as command
from credentials import backup
from credentials.authority import HttpAuthority
from credentials.backup import BackupError
from credentials.connection import connect
from credentials.errors import UnavailableError
from credentials.model import Actor, State, Status
from credentials.services import Services, build
from credentials.store import card_key, portrait_key
from tests.commands.shell import APP, Shell
from tests.credentials.issuer import HOLDER, Issuer, person, ring
from tests.product.actors import COMMAND_SECONDS, ROOT, environment

for each in (audit, command, restore):
    APP.add_command(each)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr("credentials.connection.ANSWER_SECONDS", 60.0)
    house = House(tmp_path)
    yield house
    embedded.stop(house.server)


class House:
    """An issuer in a folder that can burn down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "var"
        self.file = folder / "kept" / "backup"
        self.file.parent.mkdir()
        self.open()

    def open(self) -> None:
        # On a busy disk `always` takes longer than anything waits.
        self.server = embedded.start(self.folder, appendfsync="no")
        self.issuer = Issuer(connect(embedded.url(self.folder)))

    def services(self) -> Services:
        return build(
            self.issuer.database, self.issuer.keyring,
            address="http://card", authority=HttpAuthority("http://127.0.0.1:1", "key"),
        )  # fmt: skip

    def burns_down(self) -> None:
        embedded.stop(self.server)
        shutil.rmtree(self.folder)
        self.open()

    def saves(self) -> None:
        list(backup.save(self.issuer.database, self.issuer.keyring, self.file))

    def restores(self, *, replace: bool = False) -> None:
        list(backup.load(self.issuer.database, self.issuer.keyring, self.file, replace=replace))


def test_after_everything_is_destroyed_everything_is_there(house: House) -> None:
    issuer = house.issuer
    one, two, three = (issuer.phone(number) for number in (1, 2, 3))
    desk = issuer.desk()
    used = one.show()
    desk.scan(used, "internet_cafe")
    issuer.cards.freeze(two.credential_id, HOLDER)
    issuer.cards.revoke(three.credential_id, HOLDER)
    history = one.history()
    house.saves()
    house.burns_down()
    assert house.issuer.credential_ids() == []
    house.restores()
    issuer = house.issuer
    assert issuer.findings() == []
    one.issuer = two.issuer = three.issuer = desk.issuer = issuer
    assert desk.refused(used, "internet_cafe") == "already_used"
    assert desk.scan(one.show(), "internet_cafe").state is State.ACCEPTED
    assert one.history()[1:] == history
    for phone, status in ((two, Status.FROZEN), (three, Status.REVOKED)):
        card = issuer.cards.get(phone.credential_id)
        assert card is not None
        assert card.status is status
    found = issuer.cards.find(person(1).id_number)
    assert found is not None
    assert found.credential_id == one.credential_id


def test_what_was_to_end_ends_when_it_was_to(house: House) -> None:
    house.issuer.database.set("short", "1", px=400)
    house.issuer.database.set("long", "1", ex=1000)
    house.saves()
    house.burns_down()
    house.restores()
    assert 0 < house.issuer.database.ttl("long") <= 1000
    assert house.issuer.database.pttl("short") <= 400


def test_nothing_of_a_person_stands_in_the_file(house: House) -> None:
    phone = house.issuer.phone(1)
    house.saves()
    data = house.file.read_bytes()
    # Long enough that chance does not write them into some ten thousand sealed bytes.
    for secret in (person(1).name, person(1).id_number, phone.credential_id, "oPhone1"):
        assert secret.encode() not in data
    assert house.file.stat().st_mode & 0o077 == 0


def test_a_redis_that_is_not_empty_is_left_alone(house: House) -> None:
    phone = house.issuer.phone(1)
    house.saves()
    house.issuer.cards.revoke(phone.credential_id, HOLDER)
    with pytest.raises(BackupError) as refused:
        house.restores()
    assert refused.value.code == "not_empty"
    assert house.issuer.cards.get(phone.credential_id).status is Status.REVOKED  # type: ignore[union-attr]


@pytest.mark.parametrize("at", [0, 14, 20, 40, 500, -1])
def test_a_changed_byte_is_found_before_anything_is_forgotten(house: House, at: int) -> None:
    phone = house.issuer.phone(1)
    house.saves()
    data = bytearray(house.file.read_bytes())
    data[at] ^= 1
    house.file.write_bytes(data)
    with pytest.raises((BackupError, UnavailableError)):
        house.restores(replace=True)
    assert house.issuer.cards.get(phone.credential_id) is not None


@pytest.mark.parametrize("cut", [1, 60, 1000])
def test_a_file_that_was_cut_off_is_refused(house: House, cut: int) -> None:
    house.issuer.phone(1)
    house.saves()
    house.file.write_bytes(house.file.read_bytes()[:-cut])
    with pytest.raises(BackupError):
        backup.check(house.issuer.keyring, house.file)


def test_what_was_added_to_a_file_is_refused(house: House) -> None:
    house.saves()
    house.file.write_bytes(house.file.read_bytes() + b"x")
    with pytest.raises(BackupError):
        backup.check(house.issuer.keyring, house.file)


def test_other_keys_do_not_open_it(house: House) -> None:
    house.saves()
    with pytest.raises(UnavailableError):
        backup.check(ring(2), house.file)


def test_a_backup_that_fails_leaves_the_one_before(house: House) -> None:
    house.issuer.phone(1)
    house.saves()
    before = house.file.read_bytes()
    embedded.stop(house.server)
    with pytest.raises(UnavailableError):
        house.saves()
    assert house.file.read_bytes() == before
    assert [each.name for each in house.file.parent.iterdir()] == ["backup"]
    house.open()


def test_a_large_backup_has_many_frames(house: House) -> None:
    for number in range(40):
        house.issuer.database.set(f"k{number}", bytes([number]) * 100_000)
    house.saves()
    house.burns_down()
    house.restores()
    assert house.issuer.database.get("k39") == bytes([39]) * 100_000
    assert house.issuer.database.dbsize() == 40


PATIENT = """
from app import main
from credentials import connection
connection.ANSWER_SECONDS = 60.0  # each answer waits for the disk, which may be busy
main()
"""


def type_(var_dir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PATIENT, *words],
        cwd=ROOT, env=environment(var_dir, 9030), capture_output=True, text=True, check=False,
        timeout=COMMAND_SECONDS,
    )  # fmt: skip


def test_the_commands_save_destroy_and_restore(tmp_path: Path) -> None:
    var, file = tmp_path / "var", tmp_path / "backup"
    verifier = type_(var, "verifier", "add", "--name", "Hotel", "--purpose", "hotel")
    assert verifier.returncode == 0, verifier.stderr
    saved = type_(var, "backup", str(file))
    assert saved.returncode == 0, saved.stderr
    assert "read back and whole" in saved.stdout
    shutil.rmtree(var / "redis")
    restored = type_(var, "restore", str(file))
    assert restored.returncode == 0, restored.stderr
    assert "put back" in restored.stdout
    assert "--stopped" in restored.stderr
    again = type_(var, "restore", str(file))
    assert again.returncode == 1
    assert "not empty" in again.stderr
    (var / "master-keys").unlink()
    without = type_(var, "restore", "--replace", str(file))
    assert without.returncode == 1
    assert "master keys" in without.stderr
    assert type_(var, "restore", str(tmp_path / "nowhere")).returncode == 2


@pytest.mark.parametrize("content", [b"", b"# Notes", b"CARD-BACKUP-2\n"])
def test_no_file_of_another_kind_is_replaced(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "README.md"
    file.write_bytes(content)
    refused = CliRunner().invoke(command, [str(file)])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "is no backup; give another name" in refused.stderr
    assert file.read_bytes() == content


def test_an_earlier_backup_may_be_replaced(house: House) -> None:
    house.saves()
    assert backup.is_backup(house.file)


@pytest.mark.parametrize(
    "content",
    [gzip.compress(b"event=card_stopped", mtime=0), b"\xff\xfe", b"event=served\n\x80\n"],
    ids=["packed", "UTF-16", "torn"],
)
def test_logs_that_do_not_read_are_refused_before_anything_is_put_back(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setenv("VAR_DIR", str(tmp_path))
    file, logs = tmp_path / "backup", tmp_path / "log.1.gz"
    shell.runs("backup", str(file))
    shell.services.redis.set("since", "1")
    logs.write_bytes(content)
    refused = shell.is_refused("restore", str(file), "--replace", "--stopped", str(logs), status=1)
    assert f"{logs} is no text; unpack it first. Nothing was changed" in refused
    assert shell.services.redis.get("since") == b"1"
    logs.write_text("event=served status=200\n")
    said = shell.runs("restore", str(file), "--replace", "--stopped", str(logs))
    assert "0 stops" in said
    assert not shell.services.redis.exists("since")


def test_what_was_archived_since_is_set_aside_and_the_audit_is_whole(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAR_DIR", str(tmp_path))
    file, folder = tmp_path / "backup", tmp_path / "audit"
    shell.runs("backup", str(file))
    assert "000001" in shell.runs("audit", "archive", "--all")  # what the backup has
    assert "000002" in shell.runs("audit", "archive", "--all")  # that it was archived
    shell.runs("restore", "--replace", str(file))
    (aside,) = folder.glob("aside-*")
    assert [path.name for path in sorted(aside.iterdir())] == ["000002.jsonl", "000002.jsonl.sig"]
    noted = shell.services.redis.xrevrange("{audit}:log", count=1)
    assert "archives_set_aside" in str(noted)
    assert aside.name in str(noted)
    for number in ("000002", "000003"):
        assert "each in its place" in shell.runs("audit", "verify")
        assert number in shell.runs("audit", "archive", "--all")
    assert "as it was signed" in shell.runs("audit", "check", str(aside / "000002.jsonl"))


def test_who_froze_a_card_is_in_the_log_and_put_back_from_it(house: House) -> None:
    issuer = house.issuer
    services = house.services()
    phones = [issuer.phone(number) for number in (1, 2, 3)]
    house.saves()
    with structlog.testing.capture_logs() as said:
        for phone, by in zip(phones, ("holder", "operator", "system"), strict=True):
            issuer.cards.freeze(phone.credential_id, Actor(by, "x"))
    written = structlog.processors.LogfmtRenderer(key_order=("event",))
    lines = [str(written(None, "", entry)) for entry in said]
    house.restores(replace=True)
    assert stop_again(services, stops_in(lines)) == 3
    kept = [issuer.cards.get(phone.credential_id) for phone in phones]
    assert [card.frozen_by for card in kept if card] == ["holder", "operator", "system"]
    assert issuer.findings() == []


def test_what_was_stopped_since_is_stopped_again(house: House) -> None:
    services = house.services()
    one, two = house.issuer.phone(1), house.issuer.phone(2)
    lines = [
        f"level=warning event=card_stopped credential_id={one.credential_id} status=revoked",
        f"level=warning event=card_stopped credential_id={two.credential_id} status=frozen",
        "level=warning event=card_stopped credential_id=ffffffffffffffff status=revoked",
        f"event=something credential_id={two.credential_id} status=revoked",
    ]
    stops = stops_in(lines)
    assert stop_again(services, stops) == 2
    assert stop_again(services, stops) == 0
    assert house.issuer.cards.get(one.credential_id).status is Status.REVOKED  # type: ignore[union-attr]
    assert house.issuer.cards.get(two.credential_id).status is Status.FROZEN  # type: ignore[union-attr]


def test_who_deleted_the_card_since_is_forgotten_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = io.StringIO()
    written = structlog.wrap_logger(
        structlog.PrintLogger(logs),
        processors=[structlog.processors.LogfmtRenderer(key_order=("event",))],
    )
    monkeypatch.setattr("credentials.store._log", written)
    one, two, three = (house.issuer.phone(number) for number in (1, 2, 3))
    services = house.services()
    services.waiting.add(one.holder, "440115")
    Transcripts(services.redis, services.sealer).note(one.holder, "wang", "Has no other phone.")
    services.templates.put(person(1).id_number, bytes(512))
    house.saves()
    house.issuer.cards.erase(one.holder, HOLDER)
    house.issuer.cards.revoke(two.credential_id, HOLDER)
    house.issuer.cards.erase(two.holder, HOLDER)  # it was over already
    house.issuer.cards.expire(three.credential_id, HOLDER)
    house.burns_down()
    house.restores()
    services, stops = house.services(), stops_in(logs.getvalue().splitlines())
    assert [stop.status for stop in stops] == ["erased", "revoked", "erased", "expired"]
    assert stop_again(services, stops) == 4
    for phone, status in ((one, Status.REVOKED), (two, Status.REVOKED), (three, Status.EXPIRED)):
        card = services.cards.get(phone.credential_id)
        assert card is not None
        assert (card.status, card.name_masked == "") == (status, phone is not three)
    assert services.redis.get(portrait_key(one.credential_id)) is None
    assert services.redis.get(portrait_key(three.credential_id)) is not None
    assert services.waiting.counts() == {"440115": 0}
    assert Transcripts(services.redis, services.sealer).notes(one.holder) == []
    assert list(services.templates.get([services.templates.id_of(person(1).id_number)])) == []
    assert house.issuer.findings() == []
    assert stop_again(services, stops) == 0


def test_what_was_deleted_while_the_backup_was_made_is_forgotten_though_no_account_leads_there(
    house: House,
) -> None:
    phone = house.issuer.phone(1)
    house.issuer.database.delete(card_key(phone.holder))
    services = house.services()
    assert stop_again(services, [Stop(phone.credential_id, "erased")]) == 1
    card = services.cards.get(phone.credential_id)
    assert card is not None
    assert (card.status, card.name_masked) == (Status.REVOKED, "")
    assert house.issuer.issue(person(1), "oAgain").name_masked


def test_no_other_card_is_erased_than_the_one_that_was(house: House) -> None:
    """Its account has another card since: that one stays."""
    phone = house.issuer.phone(1)
    house.issuer.cards.revoke(phone.credential_id, HOLDER)
    newer = house.issuer.issue(person(1), "oPhone1")
    services = house.services()
    assert stop_again(services, [Stop(phone.credential_id, "erased")]) == 1
    kept = services.cards.of(phone.holder)
    assert kept is not None
    assert (kept.credential_id, kept.status) == (newer.credential_id, Status.ACTIVE)
    found = services.cards.find(person(1).id_number)
    assert found is not None
    assert found.credential_id == newer.credential_id
