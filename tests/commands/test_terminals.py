"""`terminal`: the key is shown once, and a disabled terminal stays known."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

from credentials.errors import RefusalError
from credentials.model import Holder
from credentials.terminals import sign
from settings import Settings
from tests.commands.shell import Shell
from tests.credentials.issuer import CONSENTS, person
from web import api, pages
from web import terminal as terminal_api


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


class Played:
    """A terminal at the command line, before a product that listens, and a holder at it."""

    def __init__(self, shell: Shell, url: str, folder: Path) -> None:
        self.shell, self.url = shell, url
        self.key, self.portrait = folder / "terminal.json", folder / "portrait.jpg"
        self.added = added(shell)
        self.key.write_text(json.dumps(self.added))
        self.portrait.write_bytes(b"what the chip holds")
        self.holder = Holder("wechat", "oAnna")
        shell.services.cards.issue(self.holder, person(), CONSENTS, evidence={})

    def code(self) -> str:
        return self.shell.services.upgrades.binding_code(self.holder).digits

    def words(self, code: str, *more: str) -> tuple[str, ...]:
        who = person()
        card = ("--name", who.name, "--id-number", who.id_number, "--portrait", str(self.portrait))
        return ("terminal", "read", code, "--key", str(self.key), *card, "--url", self.url, *more)

    def refused(self, words: tuple[str, ...]) -> str:
        """What is said to whoever reads in vain; the product here writes its log beside it."""
        result = self.shell._type(*words)
        assert result.exit_code == 1, result.output
        assert '"level"' not in result.stdout
        assert "Traceback" not in result.stderr
        return result.stderr

    @property
    def bound(self) -> int:
        """How many bindings the holder's history tells of."""
        card = self.shell.services.cards.of(self.holder)
        assert card is not None
        uses = self.shell.services.cards.history(card.credential_id, 20)
        return [use.kind for use in uses].count("bound")


@pytest.fixture
def played(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    monkeypatch.setattr("simulator.terminal.TIMEOUT", 60.0)  # an end, on a machine that does more
    app = Flask("card")
    settings = Settings(_env_file=None, profile="production")  # type: ignore[call-arg]
    pages.install(app, shell.services, settings)
    app.register_blueprint(api.blueprint(shell.services))
    app.register_blueprint(terminal_api.blueprint(shell.services))
    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Played(shell, f"http://127.0.0.1:{server.port}", tmp_path)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_terminal_is_played(played: Played) -> None:
    told = json.loads(played.shell.runs(*played.words(played.code())))
    assert told == {"level": "light", "missing": ["face"]}
    assert played.bound == 2


def test_without_a_finger_the_chip_alone_is_bound(played: Played) -> None:
    told = json.loads(played.shell.runs(*played.words(played.code(), "--finger", "none")))
    assert set(told["missing"]) == {"fingerprint", "face"}


def test_a_played_terminal_is_refused_with_the_products_sentence(played: Played) -> None:
    code = played.code()
    said = played.refused(played.words("00000000"))
    assert "code" in said
    said = played.refused(played.words(code, "--finger", "other"))
    assert said.startswith("Error: ")
    assert played.bound == 0


def test_another_card_binds_nothing(played: Played) -> None:
    words = played.words(played.code(), "--name", "李四")
    assert played.refused(words).startswith("Error: ")
    assert played.bound == 0


def test_a_disabled_terminal_reads_nothing(played: Played) -> None:
    played.shell.runs("terminal", "disable", played.added["terminal_id"])
    assert "Error: " in played.refused(played.words(played.code()))
    assert played.bound == 0


def test_a_product_that_is_not_there_is_said(played: Played) -> None:
    words = played.words(played.code(), "--url", "http://127.0.0.1:1")
    assert "does not answer" in played.refused(words)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"terminal_id": "t", "private_key": "AA"}'])
def test_a_file_that_is_no_key_is_named(played: Played, content: str) -> None:
    played.key.write_text(content)
    said = played.shell.is_refused(*played.words(played.code()))
    assert f"{played.key} is not what `terminal add` printed" in said
