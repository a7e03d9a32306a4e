"""What `bot.channel.Channel` promises, held over every channel against its simulated platform."""

from __future__ import annotations

import base64
import dataclasses
import io
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import redis
from PIL import Image
from werkzeug.serving import make_server

from bot.alipay.channel import AlipayChannel
from bot.channel import (
    Channel,
    MediaGoneError,
    NotDeliveredError,
    PlatformUnavailableError,
    UnreachableError,
)
from bot.wechat.channel import WeChatChannel
from credentials.sealing import Sealer
from handlers.turn import Choices, HandOver, Link, Picture, Reply, Say
from settings import Settings
from simulator.alipay.phone import LifePhone
from simulator.config import Config
from simulator.phone import Phone, text_of
from simulator.server import create_simulator
from tests.bot.alipay.account import keys

NOWHERE = "http://127.0.0.1:9"
AES_KEY = base64.b64encode(b"k" * 32).decode().rstrip("=")
AnyPhone = Phone | LifePhone


@dataclasses.dataclass
class Account:
    """A channel, a phone that follows its account, and the platform's address."""

    channel: Channel
    phone: AnyPhone
    base: str
    at: Callable[[str], Channel]

    def send(self, reply: Reply) -> None:
        self.channel.send(self.phone.openid, reply)


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """Both platforms in one simulator, on a free port; the account's server is out."""
    config = Config(
        f"{NOWHERE}/wechat",
        secret="secret",
        aes_key=AES_KEY,
        token="token",
        deliveries=1,
        alipay_app_id=keys()[1]["SIM_ALIPAY_APP_ID"],
        alipay_webhook=f"{NOWHERE}/alipay",
        alipay_private_key=keys()[1]["SIM_ALIPAY_PRIVATE_KEY"],
        alipay_app_public_key=keys()[1]["SIM_ALIPAY_APP_PUBLIC_KEY"],
    )
    app = create_simulator(config)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    app.extensions["platform"].close()


@pytest.fixture(params=["wechat", "alipay"])
def account(
    request: pytest.FixtureRequest, base: str, database: redis.Redis, sealer: Sealer
) -> Iterator[Account]:
    def wechat(at: str) -> WeChatChannel:
        told = {"wechat_app_id": Config.app_id, "wechat_app_secret": "secret"}
        return WeChatChannel(
            Settings.model_validate({**told, "wechat_api_base": at}), database, sealer
        )

    def alipay(at: str) -> AlipayChannel:
        told = {name.lower(): value for name, value in keys()[0].items()}
        return AlipayChannel(
            Settings.model_validate({**told, "alipay_gateway": f"{at}/gateway.do"})
        )

    make: Callable[[str], Any] = wechat if request.param == "wechat" else alipay
    made: list[Any] = []

    def at(address: str) -> Channel:
        made.append(make(address))
        channel: Channel = made[-1]
        return channel

    phone: AnyPhone = Phone(base) if request.param == "wechat" else LifePhone(base)
    phone.follow()
    yield Account(at(base), phone, base, at)
    phone.close()
    for channel in made:
        channel.close()


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (60, 60), "white").save(buffer, "PNG")
    return buffer.getvalue()


def test_a_text_arrives_to_the_letter(account: Account) -> None:
    words = "您好 <b>&amp;]]> 😀\n第二行"
    account.send(Say(words))
    assert words in text_of(account.phone.wait_for("第二行"))


def test_a_picture_arrives(account: Account) -> None:
    account.send(Picture(picture(), "in words"))
    arrived = Image.open(io.BytesIO(account.phone.wait_for_photo()))
    assert arrived.size == (60, 60)


def test_choices_arrive_with_their_answers(account: Account) -> None:
    account.send(Choices("Agree?", ("同意", "取消")))
    said = text_of(account.phone.wait_for("Agree?"))
    assert "同意" in said
    assert "取消" in said


def test_a_link_arrives_with_its_address(account: Account) -> None:
    account.send(Link("Your card", "Tap to open", "https://card.example/card?a=1&b=2"))
    assert "https://card.example/card?a=1&b=2" in text_of(account.phone.wait_for("Your card"))


def test_nothing_to_say_is_not_sent(account: Account) -> None:
    account.send(Say(" "))
    account.send(Say("after"))
    account.phone.wait_for("after")
    lines = account.phone.transcript().splitlines()
    assert [line.split()[0] for line in lines].count("account") == 1


def test_a_long_text_is_cut_and_not_refused(account: Account) -> None:
    account.send(Say("长" * 5000))
    assert text_of(account.phone.wait_for("长长")).endswith("…")


def test_human_service_waits_for_a_turn(account: Account) -> None:
    with pytest.raises(NotDeliveredError):
        account.send(HandOver())


def test_who_unfollowed_is_not_reached(account: Account) -> None:
    account.phone.unfollow()
    with pytest.raises((UnreachableError, NotDeliveredError)):
        account.send(Say("x"))


def test_nobody_is_unreachable(account: Account) -> None:
    with pytest.raises(UnreachableError):
        account.channel.send("nobody-at-all", Say("x"))


@pytest.mark.parametrize(
    "act",
    [
        lambda channel: channel.send("x", Say("x")),
        lambda channel: channel.fetch("m", limit=10),
        lambda channel: channel.who("code"),
    ],
)
def test_a_platform_that_is_out_is_unavailable(
    account: Account, act: Callable[[Channel], object]
) -> None:
    with pytest.raises(PlatformUnavailableError):
        act(account.at(NOWHERE))


def test_typing_never_fails(account: Account) -> None:
    account.channel.typing("nobody")
    account.at(NOWHERE).typing("nobody")


def test_without_a_template_no_notice_fits(account: Account) -> None:
    assert not account.channel.notify(account.phone.openid, Say("x"))


def test_a_file_that_is_not_there_is_gone(account: Account) -> None:
    with pytest.raises(MediaGoneError):
        account.channel.fetch("no-such-file", limit=1000)


def test_oauth_says_who_is_looking_once(account: Account) -> None:
    address = account.channel.sign_in_address(f"{NOWHERE}/card/back", "s" * 32)
    phone = account.phone
    name = "sim_openid" if isinstance(phone, Phone) else "sim_user"
    asked = f"{address.partition('#')[0]}&{name}={phone.openid}"
    back = urlsplit(httpx.get(asked).headers["location"])
    query = parse_qs(back.query)
    assert (back.path, query["state"]) == ("/card/back", ["s" * 32])
    code = (query.get("code") or query["auth_code"])[0]
    assert account.channel.who(code) == phone.openid
    with pytest.raises(UnreachableError):
        account.channel.who(code)


@pytest.mark.parametrize("code", ["", "made-up", "x" * 600])
def test_a_made_up_code_is_nobody(account: Account, code: str) -> None:
    with pytest.raises(UnreachableError):
        account.channel.who(code)
