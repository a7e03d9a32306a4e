"""`wechat setup`, `poster` and `check` against a simulated platform."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner, Result
from flask import Flask
from werkzeug.serving import make_server

from bot.wechat import diagnosis, webhook, wire
from bot.wechat.diagnosis import Finding
from commands.wechat import wechat
from credentials.services import Services
from settings import Settings
from simulator.config import Config
from simulator.platform.core import Platform
from simulator.platform.errors import ApiError
from simulator.server import create_simulator
from tests.commands.shell import build

AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"


@contextlib.contextmanager
def listening(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclasses.dataclass
class Engineer:
    """Somebody who sets an account up, with the platform they set it up at."""

    services: Services
    platform: Platform
    folder: Path

    def types(self, *words: str, answer: str = "") -> Result:
        @contextlib.contextmanager
        def opener() -> Iterator[Services]:
            yield self.services

        result = CliRunner().invoke(wechat, words, obj=opener, input=answer)
        assert not isinstance(result.exception, Exception), result.exception
        return result

    def sets_up(self, *words: str, answer: str = "") -> Result:
        return self.types("setup", "--folder", str(self.folder), *words, answer=answer)

    def findings(self) -> dict[str, tuple[bool | None, str]]:
        lines = self.types("check", "--json").stdout.splitlines()
        # The stand-in for the product runs in this process, and its log is printed in between.
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return {each["name"]: (each["good"], each["advice"]) for each in found}


@pytest.fixture
def engineer(
    database: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engineer]:
    config = Config(
        "http://127.0.0.1:9/wechat", secret="secret", token="token", aes_key=AES_KEY, deliveries=1
    )
    told = {
        "WECHAT_APP_ID": config.app_id,
        "WECHAT_APP_SECRET": "secret",
        "WECHAT_TOKEN": "token",
        "WECHAT_AES_KEY": AES_KEY,
        "VAR_DIR": str(tmp_path),
    }
    simulator, product = create_simulator(config), Flask("product")
    settings = Settings.model_validate({name.lower(): value for name, value in told.items()})
    product.register_blueprint(webhook.blueprint(lambda _turn: None, settings, database))
    for place, name in ((diagnosis, "PATIENCE"), (wire, "WAIT_SECONDS"), (wire, "WHOLE_SECONDS")):
        monkeypatch.setattr(place, name, 60.0)  # an end, not a wait, on a machine that does more
    with listening(simulator) as platform, listening(product) as address:
        more = {"WECHAT_API_BASE": platform, "PUBLIC_URL": address, "PROFILE": "demo"}
        for name, value in (told | more).items():
            monkeypatch.setenv(name, value)
        found: Platform = simulator.extensions["platform"]
        yield Engineer(build(database), found, tmp_path / "posters")
        found.close()


class TestSetup:
    def test_shows_first_what_it_changes(self, engineer: Engineer) -> None:
        seen = engineer.sets_up(answer="n\n")
        assert seen.exit_code == 1
        assert "+我的证件 [CARD]" in seen.stdout
        assert "+++ menu for en, as set up" in seen.stdout
        with pytest.raises(ApiError, match="46003"):
            engineer.platform.menus.get()

    def test_a_second_run_changes_nothing(self, engineer: Engineer) -> None:
        assert engineer.sets_up("--yes", "--scene", "district.440115").exit_code == 0
        before = engineer.platform.menus.get()
        scenes = len(engineer.platform.scenes.all())
        again = engineer.sets_up("--scene", "district.440115")
        assert "already" in again.stdout
        assert engineer.platform.menus.get() == before
        assert len(engineer.platform.scenes.all()) == scenes == 1

    def test_another_menu_is_shown_as_a_difference(self, engineer: Engineer) -> None:
        engineer.sets_up("--yes")
        engineer.platform.menus.create(
            {"button": [{"type": "view", "name": "Old", "url": "https://old.example"}]}
        )
        seen = engineer.sets_up("--yes")
        assert "-Old [https://old.example]" in seen.stdout
        assert "already" in engineer.sets_up().stdout

    def test_a_poster_for_each_district_and_terminal(self, engineer: Engineer) -> None:
        engineer.services.rollout.set(("440115", "4403"))
        terminal, _ = engineer.services.terminals.add("Lobby")
        engineer.sets_up("--yes")
        assert {path.name for path in engineer.folder.iterdir()} == {
            "district.440115.png",
            "district.4403.png",
            f"terminal.{terminal.terminal_id}.png",
        }

    @pytest.mark.parametrize("scene", ["", "a b", "x" * 65, "../../etc/passwd", "地区"])
    def test_a_scene_that_is_none_makes_no_file(self, engineer: Engineer, scene: str) -> None:
        assert engineer.sets_up("--yes", "--scene", scene).exit_code != 0
        assert not list(engineer.folder.parent.rglob("*.png"))

    def test_a_folder_that_cannot_be_written_is_said_before_anything_is_done(
        self, engineer: Engineer
    ) -> None:
        engineer.folder.parent.mkdir(exist_ok=True)
        engineer.folder.write_text("a file")
        said = engineer.sets_up("--yes", "--scene", "district.440115")
        assert said.exit_code == 1
        assert "give another with --folder" in said.output
        with pytest.raises(ApiError):
            engineer.platform.menus.get()

    def test_a_platform_that_refuses_ends_it(
        self, engineer: Engineer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WECHAT_APP_SECRET", "another")
        refused = engineer.sets_up("--yes")
        assert refused.exit_code == 1
        assert "wechat check" in refused.stderr

    def test_without_an_account_it_says_so(
        self, engineer: Engineer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WECHAT_APP_ID", "")
        assert "WECHAT_APP_ID is not set" in engineer.sets_up("--yes").stderr


class TestCheck:
    def test_all_is_well(self, engineer: Engineer) -> None:
        engineer.sets_up("--yes")
        seen = engineer.types("check")
        assert seen.exit_code == 0, seen.stdout
        assert "nothing to mend" in seen.stdout

    def test_a_menu_that_is_not_shown(self, engineer: Engineer) -> None:
        assert engineer.types("check").exit_code == 1
        assert engineer.findings()["menu"] == (False, "Run: python app.py wechat setup")

    @pytest.mark.parametrize(
        ("name", "value", "finding", "advice"),
        [
            ("WECHAT_APP_SECRET", "another", "token", "WECHAT_APP_SECRET"),
            ("WECHAT_APP_ID", "wx404", "token", "WECHAT_APP_ID"),
            ("WECHAT_API_BASE", "http://127.0.0.1:9", "token", "network"),
            ("WECHAT_AES_KEY", "", "mode", "安全模式"),
            ("WECHAT_TOKEN", "another", "webhook", "WECHAT_TOKEN"),
            ("PUBLIC_URL", "http://127.0.0.1:9", "webhook", "proxy"),
        ],
    )
    def test_a_setting_that_is_wrong(  # noqa: PLR0917 - a row of the table
        self,
        engineer: Engineer,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        value: str,
        finding: str,
        advice: str,
    ) -> None:
        monkeypatch.setenv(name, value)
        good, said = engineer.findings()[finding]
        assert good is False
        assert advice in said

    def test_an_address_without_https_in_production(
        self, engineer: Engineer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PROFILE", "production")
        assert engineer.findings()["address"][0] is False

    @pytest.mark.parametrize(
        ("code", "advice"), [(40164, "IP whitelist"), (45009, "used up"), (48001, "permission")]
    )
    def test_what_the_platform_answers_is_said_plainly(
        self, engineer: Engineer, code: int, advice: str
    ) -> None:
        engineer.platform.faults.switch_on("api_error", target="/cgi-bin/stable_token", code=code)
        good, said = engineer.findings()["token"]
        assert (good, advice in said) == (False, True)

    @pytest.mark.parametrize(("off", "good"), [(0.0, True), (59.0, True), (61.0, False)])
    def test_a_clock_that_is_off(self, off: float, good: bool) -> None:
        finding: Finding = diagnosis._drift("clock", off)
        assert finding.good is good

    def test_the_address_that_the_platform_sees_is_told(self) -> None:
        finding = diagnosis._refused("token", 40164, "40164: invalid ip 203.0.113.7, not in list")
        assert "203.0.113.7" in finding.advice

    def test_no_secret_is_ever_printed(self, engineer: Engineer) -> None:
        seen = engineer.types("check")
        assert "secret" not in seen.stdout.replace("WECHAT_APP_SECRET", "")


def test_a_poster_prints_its_address(engineer: Engineer) -> None:
    address = engineer.types("poster", "district.440115").stdout.strip()
    assert engineer.platform.scenes.find(address) is not None
