"""`keys`: a new master key, and everything under it, or a word of what is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from commands.keys import keys
from commands.run import master_keys_path
from credentials.authority import HttpAuthority
from credentials.keyring import Keyring, make_file
from credentials.services import build
from settings import Settings
from tests.commands.shell import APP, Shell

APP.add_command(keys)


@pytest.fixture
def shell(database: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Somebody at the command line of a product whose master keys lie in VAR_DIR."""
    monkeypatch.setenv("VAR_DIR", str(tmp_path))
    path = master_keys_path(Settings())
    make_file(path)
    authority = HttpAuthority("http://127.0.0.1:1", "key")
    return Shell(
        build(database, Keyring.from_file(path), address="http://card", authority=authority)
    )


def kinds(shell: Shell) -> list[str]:
    """What the administration's audit says was done, newest first."""
    return [entry.kind for entry in shell.services.audit.recent(9)]


def test_a_new_key_and_everything_under_it(shell: Shell) -> None:
    hooks, hotel = shell.services.webhooks, "0" * 12
    hooks.add(hotel, "https://hotel.example/hook")
    assert "everything is under master key 2" in shell.runs("keys", "rotate", "--reseal")
    path = master_keys_path(Settings())
    newest = path.read_text().splitlines()[:1]
    later = build(
        shell.services.redis, Keyring.from_entries(newest),
        address="http://card", authority=shell.services.authority,
    )  # fmt: skip
    assert later.webhooks.endpoints(hotel) == hooks.endpoints(hotel)


def test_while_something_is_under_an_earlier_key_no_success_is_said(shell: Shell) -> None:
    database, sealer = shell.services.redis, shell.services.sealer
    database.hset("stray", "field", sealer.seal("another name", b"lost with the old key"))
    shell.runs("keys", "rotate")
    said = shell.is_refused("keys", "reseal", status=1)
    assert "not everything is under master key 2: what stray holds does not open" in said
    assert "keep the earlier keys" in said
    assert "resealed" not in kinds(shell)
    database.delete("stray")
    assert "everything is under master key 2" in shell.runs("keys", "reseal")
    assert kinds(shell)[0] == "resealed"
