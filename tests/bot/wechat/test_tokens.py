from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from werkzeug.wrappers import Response

from bot.channel import PlatformUnavailableError
from bot.wechat.channel import WeChatChannel
from bot.wechat.jssdk import JsSdk, sign
from credentials.sealing import Sealer
from handlers.turn import Say
from tests.bot.conftest import settings_for
from tests.bot.platform import FakePlatform

KEY = "{token:wxapp}:access"


def pass_pauses(database: redis.Redis) -> None:
    """Let the time run out after which the platform may be asked again."""
    database.delete(f"{KEY}:asked:until", f"{KEY}:forced:until", f"{KEY}:failed:until")


def say(channel: WeChatChannel, words: str = "hello") -> None:
    channel.send("oA", Say(words))


def test_one_token_serves_many_calls(wechat: FakePlatform, channel: WeChatChannel) -> None:
    for _ in range(3):
        say(channel)
    [asked] = wechat.asked("stable_token")
    assert asked.body == {
        "grant_type": "client_credential",
        "appid": "wxapp",
        "secret": "a secret & more",
        "force_refresh": False,
    }
    sends = wechat.asked("message/custom/send")
    assert [call.query["access_token"] for call in sends] == ["T1"] * 3


def test_processes_share_one_token_and_one_renewer(
    wechat: FakePlatform, database: redis.Redis, sealer: Sealer
) -> None:
    channels = [WeChatChannel(settings_for(wechat.base), database, sealer) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(say, channels))
    for channel in channels:
        channel.close()
    assert len(wechat.asked("stable_token")) == 1
    assert len(wechat.sent()) == 8


def test_the_token_is_sealed_and_ends(
    wechat: FakePlatform, channel: WeChatChannel, database: redis.Redis
) -> None:
    wechat.token_number = 10**12  # longer than what sealed bytes may hold by chance
    say(channel)
    kept = database.get(KEY)
    assert isinstance(kept, bytes)
    assert f"T{wechat.token_number}".encode() not in kept
    assert 7100 < int(database.ttl(KEY)) <= 7200


def test_it_is_renewed_ahead_of_its_end(
    wechat: FakePlatform, channel: WeChatChannel, database: redis.Redis
) -> None:
    say(channel)
    database.expire(KEY, 590)
    say(channel)
    say(channel)
    used = [call.query["access_token"] for call in wechat.asked("message/custom/send")]
    assert used == ["T1", "T2", "T2"]


def test_while_one_renews_the_others_go_on(
    wechat: FakePlatform, channel: WeChatChannel, database: redis.Redis
) -> None:
    say(channel)
    database.expire(KEY, 590)
    database.set(f"{KEY}:lock", b"another process", px=60_000)
    say(channel)
    assert len(wechat.asked("stable_token")) == 1
    assert len(wechat.sent()) == 2


def test_a_renewal_that_fails_ahead_of_the_end_harms_nobody(
    wechat: FakePlatform, channel: WeChatChannel, database: redis.Redis
) -> None:
    say(channel)
    database.expire(KEY, 590)
    wechat.next("stable_token", -1)
    say(channel)
    database.persist(f"{KEY}:failed:until")  # however long the next one takes
    say(channel)
    assert len(wechat.asked("stable_token")) == 2
    assert len(wechat.sent()) == 3


@pytest.mark.parametrize(
    "answer",
    [
        Response("<h1>Not Found</h1>", 404),
        Response("ok", 200),
        {"errcode": 40066, "errmsg": "invalid url"},
        {"errcode": 48001, "errmsg": "api unauthorized"},
    ],
)
def test_without_stable_token_the_plain_one_is_asked(
    wechat: FakePlatform, channel: WeChatChannel, answer: Response | dict[str, object]
) -> None:
    wechat.next("stable_token", answer)
    say(channel)
    [asked] = wechat.asked("token")
    assert asked.query["grant_type"] == "client_credential"
    assert asked.query["secret"] == "a secret & more"
    assert len(wechat.sent()) == 1


@pytest.mark.parametrize("code", [40001, 40014, 42001])
def test_a_refused_token_is_forced_once_and_the_call_repeated(
    wechat: FakePlatform, channel: WeChatChannel, code: int
) -> None:
    """Row 9: 40001."""
    wechat.keeps_token = True
    wechat.next("message/custom/send", code)
    say(channel)
    forced = [call.body["force_refresh"] for call in wechat.asked("stable_token")]
    used = [call.query["access_token"] for call in wechat.asked("message/custom/send")]
    assert (forced, used) == ([False, False, True], ["T1", "T2"])


def test_a_token_that_another_system_replaced_is_asked_for_without_force(
    wechat: FakePlatform, channel: WeChatChannel
) -> None:
    """Forcing would end the other system's token, and so on for ever."""
    wechat.keeps_token = True
    say(channel)
    wechat.token_number += 1
    wechat.next("message/custom/send", 40001)
    say(channel)
    forced = [call.body["force_refresh"] for call in wechat.asked("stable_token")]
    used = [call.query["access_token"] for call in wechat.asked("message/custom/send")]
    assert (forced, used) == ([False, False], ["T1", "T1", "T2"])


def test_a_token_that_another_process_renewed_is_used_unforced(
    wechat: FakePlatform, channel: WeChatChannel, database: redis.Redis, sealer: Sealer
) -> None:
    say(channel)

    def renewed_elsewhere(call: object) -> dict[str, object]:
        sealed = sealer.seal_json(KEY, {"token": "ELSEWHERE", "life": 7200})
        database.set(KEY, sealed, px=7_200_000)
        del wechat.rules["message/custom/send"]
        return {"errcode": 40001, "errmsg": "invalid credential"}

    wechat.rules["message/custom/send"] = renewed_elsewhere
    say(channel)
    assert len(wechat.asked("stable_token")) == 1
    assert wechat.calls[-1].query["access_token"] == "ELSEWHERE"


def begun_waits(database: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each wait that is begun from now on before a token is forced again."""
    begun: list[float] = []
    pipeline = database.pipeline

    def watched(**options: bool) -> Any:
        made: Any = pipeline(**options)
        put = made.set

        def noted(key: str, value: bytes, *, px: int) -> Any:
            if key == f"{KEY}:forced:until":
                begun.append(px / 1000)
            return put(key, value, px=px)

        monkeypatch.setattr(made, "set", noted)
        return made

    monkeypatch.setattr(database, "pipeline", watched)
    return begun


def test_a_lasting_refusal_asks_a_bounded_number_of_times(
    wechat: FakePlatform,
    channel: WeChatChannel,
    database: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wechat.keeps_token = True
    wechat.rules["message/custom/send"] = lambda _call: {"errcode": 40001, "errmsg": "no"}
    waits = begun_waits(database, monkeypatch)

    def is_refused() -> None:
        with pytest.raises(PlatformUnavailableError):
            say(channel)

    is_refused()
    for name in ("asked", "forced"):
        database.persist(f"{KEY}:{name}:until")  # however long the next ones take
    for _ in range(19):
        is_refused()
    assert len(wechat.asked("stable_token")) == 3
    assert len(wechat.asked("message/custom/send")) == 21
    for _ in range(11):
        pass_pauses(database)
        is_refused()
    assert len(waits) == 12
    assert waits[:2] == [5, 10]
    assert max(waits) <= 7200


@pytest.mark.parametrize("code", [-1, 40013, 40125, 40164, 45009])
def test_no_token_is_unavailable_and_not_asked_for_at_once_again(
    wechat: FakePlatform, channel: WeChatChannel, database: redis.Redis, code: int
) -> None:
    wechat.next("stable_token", code)
    for _ in range(5):
        with pytest.raises(PlatformUnavailableError):
            say(channel)
        database.persist(f"{KEY}:failed:until")  # however long the next ones take
    assert len(wechat.asked("stable_token")) == 1
    assert not wechat.asked("token")
    pass_pauses(database)
    say(channel)
    assert len(wechat.sent()) == 1


def test_an_answer_without_a_token_is_none(wechat: FakePlatform, channel: WeChatChannel) -> None:
    wechat.next("stable_token", {"expires_in": 7200})
    with pytest.raises(PlatformUnavailableError):
        say(channel)


def test_a_token_under_lost_keys_is_asked_for_anew(
    wechat: FakePlatform, channel: WeChatChannel, database: redis.Redis
) -> None:
    database.set(KEY, b"\x01 not sealed by anyone here, but long enough", px=7_000_000)
    say(channel)
    assert len(wechat.sent()) == 1


class TestJsSdk:
    def test_signature_of_the_documentation(self) -> None:
        # The example of the platform's JS-SDK documentation, appendix 1.
        ticket = (
            "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
        )
        signature = sign(
            ticket, "Wm3WZYTPz0wzccnW", "1414587457", "http://mp.weixin.qq.com?params=value"
        )
        assert signature == "0f9de62fce790f9a083d5c99e95740ceb90c27ed"

    def test_the_ticket_is_shared_and_the_fragment_left_out(
        self, wechat: FakePlatform, channel: WeChatChannel, database: redis.Redis, sealer: Sealer
    ) -> None:
        sdk = JsSdk(channel.api, database, sealer, "wxapp")
        first = sdk.config("https://card.example/card?a=1#top")
        sdk.config("https://card.example/card")
        assert len(wechat.asked("ticket/getticket")) == 1
        assert first["appId"] == "wxapp"
        assert first["signature"] == sign(
            "TICKET", first["nonceStr"], first["timestamp"], "https://card.example/card?a=1"
        )
        json.dumps(first)
