"""Scripts of `simulate`: what is read and refused, and a talk played against a real simulator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from commands.simulate import ScriptError, read, simulate
from simulator.config import Config
from tests.product.actors import wait_until
from tests.simulator.account import AES_KEY, APP_ID, SECRET, TOKEN, Account
from tests.simulator.conftest import Clock, Running

EXAMPLE = Path(__file__).parents[2] / "docs/examples/enrolment.toml"


@pytest.fixture
def account() -> Iterator[Account]:
    server = Account()
    yield server
    server.close()


@pytest.fixture
def simulator(account: Account) -> Iterator[Running]:
    config = Config(
        webhook=account.url,
        app_id=APP_ID,
        secret=SECRET,
        token=TOKEN,
        aes_key=AES_KEY,
        deadline=20.0,  # an end: no push is to be delivered again because the machine is slow
    )
    running = Running(config, Clock())
    yield running
    running.close()


def play(simulator: Running | str, path: Path, text: str) -> Result:
    script = path / "script.toml"
    script.write_text(text, "utf-8")
    url = simulator if isinstance(simulator, str) else simulator.url
    return CliRunner().invoke(simulate, [str(script), "--url", url])


def test_pushes_are_written_afterwards_as_they_were_before(
    account: Account, tmp_path: Path
) -> None:
    """An account without an EncodingAESKey has no safe mode to go back to."""
    running = Running(Config(webhook=account.url, token=TOKEN, mode="plain"), Clock())
    try:
        done = play(running, tmp_path, '[[step]]\npushes = { format = "json" }\n')
        assert done.exit_code == 0, done.output
        told = httpx.get(f"{running.url}/simulator/api/state").json()["account"]
        assert (told["mode"], told["format"]) == ("plain", "xml")
    finally:
        running.close()


def test_the_example_makes_sense() -> None:
    script = read(EXAMPLE)
    assert set(script.phones) == {"anna", "ben"}
    assert len(script.lines) > 15


def test_a_talk_is_played_and_printed(simulator: Running, tmp_path: Path) -> None:
    done = play(
        simulator,
        tmp_path,
        'title = "Hello"\n[[step]]\nfollow = true\n[[step]]\nexpect = "收到"\n'
        '[[step]]\nfault = {kind = "push_duplicate", times = 1}\n[[step]]\nsay = "你好"\n'
        '[[step]]\nexpect = "收到：你好"\n[[step]]\nfaults = "off"\n'
        "[[step]]\nexpect_nothing = 0.1\n",
    )
    assert done.exit_code == 0, done.output
    assert "phone → 你好" in done.output
    assert "phone ← 收到：你好" in done.output
    assert "all as expected" in done.output


def test_what_does_not_come_ends_with_status_1(simulator: Running, tmp_path: Path) -> None:
    text = '[[step]]\nfollow = true\n[[step]]\nexpect = "从不"\nseconds = 0.2\n'
    done = play(simulator, tmp_path, text)
    assert done.exit_code == 1
    assert "step 2 failed: '从不' did not come" in done.output


def test_another_answer_than_expected_ends_with_status_1(
    simulator: Running, account: Account, tmp_path: Path
) -> None:
    text = '[[step]]\nfollow = true\n[[step]]\nsay = "你好"\n[[step]]\nexpect = "另一句"\n'
    done = play(simulator, tmp_path, text + "seconds = 0.2\n")
    assert done.exit_code == 1
    assert wait_until(
        lambda: [each.get("Content") for each in account.received][-1:] == ["你好"], 20
    )


def test_faults_are_switched_off_at_the_end(simulator: Running, tmp_path: Path) -> None:
    play(simulator, tmp_path, '[[step]]\nfault = {kind = "push_drop"}\n[[step]]\nfollow = true\n')
    assert simulator.platform.faults.all() == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no [[step]]"),
        ("[[step", "script.toml"),
        ("[[step]]\n", "step 1 has nothing"),
        ('[[step]]\nsing = "la"\n', "step 1 has sing"),
        ('[[step]]\nsay = "a"\nexpect = "b"\n', "step 1 has say, expect"),
        ("[[step]]\nsay = 3\n", "write a text"),
        ('[[step]]\nwait = "long"\n', "wait so many seconds"),
        ('[[step]]\nwho = "nobody"\nsay = "a"\n', "nobody is called"),
        ('[[step]]\nexpect = "a"\nseconds = -1\n', "above 0"),
        ('[[step]]\nfault = {kind = "earthquake"}\n', "kinds of faults"),
        ('[[step]]\nfault = "api_error"\n', "switch a fault on"),
        ("phones = 3\n[[step]]\nfollow = true\n", "[phones]"),
        ("[phones]\nanna = 5\n[[step]]\nfollow = true\n", "[phones]"),
        ('[phones]\nanna = "en"\n[[step]]\nfollow = true\n', "[phones]"),
        ("[phones]\nanna = {}\nben = [1]\n[[step]]\nfollow = true\n", "[phones]"),
        ("[[phones]]\nname = 3\n[[step]]\nfollow = true\n", "[phones]"),
        ("step = 3\n", "no [[step]]"),
    ],
)
def test_a_script_that_makes_no_sense(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "script.toml"
    path.write_text(text)
    with pytest.raises(ScriptError) as caught:
        read(path)
    assert why in str(caught.value.message)


def test_a_missing_file_is_named(simulator: Running, tmp_path: Path) -> None:
    done = play(simulator, tmp_path, '[[step]]\nfollow = true\n[[step]]\nphoto = "me.jpg"\n')
    assert done.exit_code == 2
    assert "me.jpg" in done.output


def test_where_nothing_answers(tmp_path: Path) -> None:
    done = play("http://127.0.0.1:9", tmp_path, "[[step]]\nfollow = true\n")
    assert done.exit_code == 2
    assert "make run" in done.output
