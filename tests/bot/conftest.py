"""What the tests of the channel ask for: a platform over HTTP, a channel to it, a sealer."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator

import pytest
import redis

from bot.wechat.channel import WeChatChannel
from credentials.keyring import Keyring
from credentials.sealing import Sealer
from settings import Settings
from tests.bot.platform import FakePlatform, running


@pytest.fixture(scope="session")
def sealer() -> Sealer:
    return Sealer(Keyring.from_entries((f"1:{base64.b64encode(os.urandom(32)).decode()}",)))


@pytest.fixture
def wechat() -> Iterator[FakePlatform]:
    with running() as platform:
        yield platform


def settings_for(base: str) -> Settings:
    return Settings(
        wechat_api_base=base, wechat_app_id="wxapp", wechat_app_secret="a secret & more"
    )


@pytest.fixture
def channel(wechat: FakePlatform, database: redis.Redis, sealer: Sealer) -> Iterator[WeChatChannel]:
    made = WeChatChannel(settings_for(wechat.base), database, sealer)
    yield made
    made.close()
