"""What settings refuse, and what production refuses on top."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from pydantic import ValidationError

from settings import Settings, master_key_problems, wrong_settings

GOOD_KEY = base64.b64encode(bytes(range(32))).decode()
SAFE = {
    "PUBLIC_URL": "https://card.example",
    "REDIS_URL": "redis://cache:6379",
    "WECHAT_APP_ID": "wx1",
    "WECHAT_APP_SECRET": "s",
    "WECHAT_TOKEN": "t",
    "WECHAT_AES_KEY": base64.b64encode(bytes(32)).decode().rstrip("="),
    "AUTHORITY_URL": "https://registry.example",
    "AUTHORITY_KEY": "k",
    "MASTER_KEYS": f"1:{GOOD_KEY}",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment in which production may start."""
    monkeypatch.chdir(tmp_path)
    for name in ("WECHAT_API_BASE", "LIVENESS", "ROLLOUT", "HOST", "PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in SAFE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_safe_settings_have_no_problems(environment: pytest.MonkeyPatch) -> None:
    assert Settings().problems() == []


@pytest.mark.parametrize("name", sorted(SAFE))
def test_each_missing_setting_is_named(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(name, "")
    assert f"{name} is not set" in Settings().problems()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PUBLIC_URL", "http://card.example", "https://"),
        ("AUTHORITY_URL", "http://registry.example", "https://"),
        ("LIVENESS", "unsafe-none", "photo of a photo"),
        ("WECHAT_AES_KEY", "short", "43 characters"),
        ("MASTER_KEYS", "1:c2hvcnQ=", "32 random bytes"),
        ("MASTER_KEYS", GOOD_KEY, "version:base64"),
        ("MASTER_KEYS", f"1:{GOOD_KEY},1:{GOOD_KEY}", "twice"),
    ],
)
def test_each_unsafe_setting_is_named(
    environment: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    environment.setenv(name, value)
    assert [problem for problem in Settings().problems() if said in problem]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "http"),
        ("LIVENESS", "none"),
        ("ROLLOUT", "南沙"),
        ("ROLLOUT", "4401150"),
    ],
)
def test_nonsense_is_refused_at_once(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


def test_what_cannot_be_read_is_said_in_a_line_each(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PORT", "my-secret")
    environment.setenv("LIVENESS", "none")
    with pytest.raises(ValidationError) as error:
        Settings()
    said = wrong_settings(error.value)
    assert "PORT: " in said
    assert "LIVENESS: " in said
    assert "my-secret" not in said


def test_problems_never_repeat_a_key() -> None:
    assert "c2VjcmV0" not in " ".join(master_key_problems(("1:c2VjcmV0", "x:c2VjcmV0")))


def test_rollout_is_a_list_of_prefixes(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ROLLOUT", "440115, 44")
    assert Settings().rollout == ("440115", "44")


def test_address_is_made_of_host_and_port(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PUBLIC_URL", "")
    environment.setenv("PORT", "8123")
    assert Settings().address == "http://127.0.0.1:8123"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("REDIS_URL", "redis://:pass/word@redis:6379/0"),
        ("JOBS_URL", "amqp://card:secret#1@rabbit:5672/card"),
        ("AUTHORITY_URL", "https://registry.example:port"),
        ("PUBLIC_URL", "https://card.example:99999"),
    ],
)
def test_an_address_with_a_wrong_port_is_named_and_not_repeated(
    environment: pytest.MonkeyPatch, name: str, address: str
) -> None:
    """A password with a `/` of its own makes the rest of it a port, which no error may show."""
    environment.setenv(name, address)
    (said,) = [each for each in Settings().unusable() if "port" in each]
    assert said.startswith(name)
    assert "pass" not in said.removeprefix(name).replace("password", "")
    assert "secret" not in said


def test_addresses_in_order_are_no_problem(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("REDIS_URL", "unix:///run/card/redis.sock?db=0")
    environment.setenv("JOBS_URL", "amqps://card:a%2Fb@rabbit/card?ssl_options={'cafile':'/ca'}")
    assert Settings().unusable() == []
