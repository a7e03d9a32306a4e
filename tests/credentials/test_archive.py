"""Archives: signed, chained, trimmed from Redis without a gap; whatever is touched is named."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from credentials import backup
from credentials.archive import ArchiveError, Archives, read, signature_path
from credentials.audit import Fault, Finding
from credentials.keyring import Keyring, make_file, rotate_file
from credentials.model import Actor
from credentials.store import ADMINISTRATION, place_of
from tests.credentials.issuer import Desk, Issuer, Phone, ring

SOON = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)
ADMIN = Actor("operator", "wang")


@pytest.fixture
def archives(issuer: Issuer, tmp_path: Path) -> Archives:
    return Archives(tmp_path / "audit", issuer.store, issuer.audit, issuer.keyring)


def written(archives: Archives, before: datetime.datetime = SOON) -> int:
    return [step.entries for step in archives.write(before)][-1]


def findings(issuer: Issuer, archives: Archives) -> list[Finding]:
    return [found for _, found in archives.verify() if found] + issuer.findings()


@pytest.fixture
def three_files(issuer: Issuer, archives: Archives, phone: Phone, desk: Desk) -> Archives:
    for _ in range(3):
        desk.scan(phone.show(), "internet_cafe")
        issuer.audit.note("signed_in", ADMIN)
        written(archives)
    desk.scan(phone.show(), "internet_cafe")
    return archives


def test_the_chain_goes_on_over_archives(
    issuer: Issuer, three_files: Archives, phone: Phone
) -> None:
    assert [path.name for path in three_files.files()] == [f"00000{n}.jsonl" for n in (1, 2, 3)]
    assert findings(issuer, three_files) == []
    log = place_of(phone.credential_id).log
    assert issuer.database.xlen(log) == 1
    assert issuer.database.xlen(ADMINISTRATION.log) == 0
    assert sum(count for count, _ in three_files.verify()) == 2 + 3 + 3


def test_what_is_young_stays(issuer: Issuer, archives: Archives, phone: Phone) -> None:
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    assert written(archives, yesterday) == 0
    assert archives.files() == []
    assert phone.history() == ["activated", "issued"]


def test_a_history_ends_where_the_live_log_does(
    three_files: Archives, phone: Phone, desk: Desk
) -> None:
    assert phone.history() == ["accepted"]
    desk.scan(phone.show(), "internet_cafe")
    phone.freeze()
    assert phone.history() == ["frozen", "accepted", "accepted"]


def test_nothing_to_archive_makes_no_file(three_files: Archives) -> None:
    written(three_files)
    assert written(three_files) == 0
    assert len(three_files.files()) == 4


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize("number", [0, 1, 2])
def test_an_altered_file(issuer: Issuer, three_files: Archives, number: int) -> None:
    path = three_files.files()[number]
    change(path, "Seaside Hotel", "Mountain Hotel")
    assert findings(issuer, three_files)[0] == Finding(f"archive {path.name}", 0, Fault.FORGED)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_missing_file(issuer: Issuer, three_files: Archives, number: int) -> None:
    three_files.files()[number].unlink()
    assert findings(issuer, three_files)


def test_all_files_missing(issuer: Issuer, three_files: Archives, phone: Phone) -> None:
    for path in three_files.files():
        path.unlink()
    named = {finding.place for finding in findings(issuer, three_files)}
    assert named == {"{audit}", place_of(phone.credential_id).tag}


def test_a_missing_signature(issuer: Issuer, three_files: Archives) -> None:
    signature_path(three_files.files()[1]).unlink()
    assert findings(issuer, three_files)[0].fault is Fault.FORGED


def test_files_in_another_order(issuer: Issuer, three_files: Archives) -> None:
    one = three_files.files()[0]
    for path in (one, signature_path(one)):
        other = path.with_name(path.name.replace("1", "2"))
        kept = path.read_bytes()
        path.write_bytes(other.read_bytes())
        other.write_bytes(kept)
    assert findings(issuer, three_files)[0].fault is Fault.FORGED


def test_a_signature_by_somebody_else(
    issuer: Issuer, three_files: Archives, tmp_path: Path, database: redis.Redis
) -> None:
    path = three_files.files()[-1]
    change(path, "Seaside Hotel", "Mountain Hotel")
    make_file(tmp_path / "their.keys")
    theirs = Archives(
        tmp_path, issuer.store, issuer.audit, Keyring.from_file(tmp_path / "their.keys")
    )
    theirs.sign(path)
    assert findings(issuer, three_files)[0].fault is Fault.FORGED


def test_the_mark_in_redis_set_back(issuer: Issuer, three_files: Archives, phone: Phone) -> None:
    """Somebody hides that there is an archive."""
    issuer.database.hdel(place_of(phone.credential_id).head, "an", "am")
    assert issuer.findings()


def test_the_mark_in_redis_moved_on(issuer: Issuer, three_files: Archives, phone: Phone) -> None:
    """Somebody removes a live entry and says that it is archived."""
    place = place_of(phone.credential_id)
    entries: Any = issuer.database.xrange(place.log)
    identifier, fields = entries[0]
    issuer.database.hset(place.head, mapping={"an": identifier.split(b"-")[0], "am": fields[b"m"]})
    issuer.database.delete(place.log)
    assert issuer.findings() == []  # the live part alone cannot tell
    assert Finding(place.tag, 6, Fault.REMOVED) in findings(issuer, three_files)


def test_a_broken_chain_is_not_put_under_a_signature(
    issuer: Issuer, archives: Archives, phone: Phone
) -> None:
    issuer.database.xdel(place_of(phone.credential_id).log, "1-0")
    with pytest.raises(ArchiveError, match="broken_chain"):
        written(archives)
    assert archives.files() == []
    assert issuer.findings()[0].fault is Fault.REMOVED


def test_a_run_that_was_killed_before_trimming(
    issuer: Issuer, archives: Archives, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Archives, "_trim", lambda *_: None)
    written(archives)
    monkeypatch.undo()
    log = place_of(phone.credential_id).log
    assert issuer.database.xlen(log) == 2
    assert findings(issuer, archives) == []
    assert len(list(archives.everything())) == 2
    assert written(archives) == 0
    assert issuer.database.xlen(log) == 0
    assert findings(issuer, archives) == []


def test_two_runs_at_once(archives: Archives, phone: Phone) -> None:
    first: Iterator[object] = archives.write(SOON)
    next(first)
    with pytest.raises(ArchiveError, match="busy_archive"):
        written(archives)
    list(first)


def test_an_export_beside_a_run(archives: Archives, phone: Phone) -> None:
    """What the run takes out of Redis meanwhile would be in neither place."""
    run: Iterator[object] = archives.write(SOON)
    next(run)
    with pytest.raises(ArchiveError, match="busy_archive"):
        list(archives.everything())
    list(run)
    export = archives.everything()
    first = next(export)
    with pytest.raises(ArchiveError, match="busy_archive"):
        written(archives)
    assert len([first, *export]) == 2


def test_no_value_stands_in_an_archive(three_files: Archives, phone: Phone) -> None:
    text = "".join(path.read_text("utf-8") for path in three_files.files())
    assert "Seaside Hotel" in text
    for value in ("张三丰", "440115199003070", "进港大道", phone.holder.openid):
        assert value not in text


def test_an_export_is_all_of_it_and_signed(three_files: Archives, tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    file.write_bytes(b"".join(three_files.everything()))
    three_files.sign(file)
    three_files.check_file(file)
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert len(lines) == 9
    assert {line["place"] for line in lines} > {"{audit}"}
    change(file, "Seaside", "Mountain")
    with pytest.raises(ArchiveError):
        three_files.check_file(file)


@pytest.mark.parametrize(
    "content", ["", "{}", "nonsense", '{"format":"other"}', '{"format":"audit-archive-1"}\n{}']
)
def test_what_is_no_archive_does_not_read(tmp_path: Path, content: str) -> None:
    path = tmp_path / "000001.jsonl"
    path.write_text(content, "utf-8")
    with pytest.raises(ArchiveError):
        list(read(path))


def test_earlier_keys_can_go_once_all_is_archived(database: redis.Redis, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    make_file(keys)
    issuer = Issuer(database, Keyring.from_file(keys))
    archives = Archives(tmp_path / "audit", issuer.store, issuer.audit, issuer.keyring)
    issuer.phone()
    written(archives)
    issuer.phone(2)
    rotate_file(keys)
    issuer.keyring.refresh()
    written(archives)
    keys.write_text(keys.read_text("ascii").splitlines()[0] + "\n", "ascii")
    later = Issuer(database, Keyring.from_file(keys))
    kept = Archives(tmp_path / "audit", later.store, later.audit, later.keyring)
    assert findings(later, kept) == []
    change(kept.files()[0], "activated", "abandoned")
    assert findings(later, kept)[0].fault is Fault.FORGED


def kept(issuer: Issuer, file: Path) -> None:
    """Everything that is in Redis, in a file."""
    list(backup.save(issuer.database, issuer.keyring, file))


def put_back(issuer: Issuer, file: Path) -> None:
    list(backup.load(issuer.database, issuer.keyring, file, replace=True))


def server_time(issuer: Issuer) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(issuer.store.now("{audit}") / 1e6, datetime.UTC)


def test_what_was_archived_after_a_backup_that_has_it_is_taken_out_again(
    issuer: Issuer, archives: Archives, phone: Phone, desk: Desk, tmp_path: Path
) -> None:
    first = server_time(issuer)
    desk.scan(phone.show(), "internet_cafe")
    issuer.audit.note("signed_in", ADMIN)
    second = server_time(issuer)
    desk.scan(phone.show(), "internet_cafe")
    kept(issuer, tmp_path / "backup")
    assert written(archives, first) == 2
    assert written(archives, second) == 2
    put_back(issuer, tmp_path / "backup")
    assert archives.match_restored() is None
    assert len(archives.files()) == 2
    assert findings(issuer, archives) == []
    assert issuer.database.xlen(place_of(phone.credential_id).log) == 1
    assert written(archives) == 1
    assert findings(issuer, archives) == []


def test_what_a_backup_knows_nothing_of_is_set_aside(
    issuer: Issuer, archives: Archives, phone: Phone, desk: Desk, tmp_path: Path
) -> None:
    written(archives)
    desk.scan(phone.show(), "internet_cafe")
    kept(issuer, tmp_path / "backup")
    for _ in range(2):
        desk.scan(phone.show(), "internet_cafe")
        written(archives)
    was = [path.read_bytes() for path in archives.files()]
    put_back(issuer, tmp_path / "backup")
    desk.scan(phone.show(), "courier")  # another entry with the number of one in the archive
    aside = archives.match_restored()
    assert aside is not None
    assert [path.name for path in archives.files()] == ["000001.jsonl"]
    assert [(aside / f"00000{number}.jsonl").read_bytes() for number in (2, 3)] == was[1:]
    archives.check_file(aside / "000003.jsonl")
    assert findings(issuer, archives) == []
    assert written(archives) == 2
    assert findings(issuer, archives) == []
    assert archives.match_restored() is None


def test_a_second_restore_sets_aside_beside_the_first(
    issuer: Issuer, archives: Archives, phone: Phone, tmp_path: Path
) -> None:
    kept(issuer, tmp_path / "backup")
    folders = set()
    for _ in range(2):
        phone.issuer.audit.note("signed_in", ADMIN)
        written(archives)
        put_back(issuer, tmp_path / "backup")
        folders.add(archives.match_restored())
    assert len(folders) == 2
    assert all(folder and (folder / "000001.jsonl").exists() for folder in folders)


def test_archives_that_are_older_than_the_backup_stay(
    issuer: Issuer, three_files: Archives, tmp_path: Path
) -> None:
    kept(issuer, tmp_path / "backup")
    put_back(issuer, tmp_path / "backup")
    assert three_files.match_restored() is None
    assert len(three_files.files()) == 3
    assert findings(issuer, three_files) == []


@pytest.mark.parametrize("known", [True, False], ids=["in the backup", "since the backup"])
def test_for_a_file_that_was_altered_nothing_is_taken_out_or_set_aside(
    issuer: Issuer, archives: Archives, phone: Phone, tmp_path: Path, known: bool
) -> None:
    kept(issuer, tmp_path / "backup")
    if not known:
        phone.freeze()
    written(archives)
    put_back(issuer, tmp_path / "backup")
    change(archives.files()[0], "issued", "ended")
    with pytest.raises(ArchiveError):
        archives.match_restored()
    assert phone.history() == ["activated", "issued"]
    assert findings(issuer, archives)[0].fault is Fault.FORGED


def test_a_file_under_a_key_that_is_not_here_is_set_aside(
    issuer: Issuer, archives: Archives, phone: Phone, tmp_path: Path
) -> None:
    """Rotated since the backup, and put back with the keys of then."""
    kept(issuer, tmp_path / "backup")
    rotated = Archives(archives.folder, issuer.store, issuer.audit, ring(2, 1))
    written(rotated)
    put_back(issuer, tmp_path / "backup")
    assert archives.match_restored()
    assert phone.history() == ["activated", "issued"]
    assert findings(issuer, archives) == []
