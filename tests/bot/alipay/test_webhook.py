from __future__ import annotations

import base64
import re
import time

import pytest
import redis
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.alipay import push, webhook
from bot.wechat.crypto import BadPushError
from credentials.connection import connect
from credentials.errors import UnavailableError
from handlers.turn import Kind, Turn
from tests.bot.alipay.account import CHECK, NOTIFY, USER, Platform, keys, settings_for, text, xml


class Talk:
    """Stands where the talk is."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.down = False

    def take(self, turn: Turn) -> None:
        if self.down:
            raise UnavailableError(what="redis")
        self.turns.append(turn)


@pytest.fixture
def talk() -> Talk:
    return Talk()


def platform_of(talk: Talk, database: redis.Redis, charset: str = "GBK") -> Platform:
    app = Flask(__name__)
    app.register_blueprint(webhook.blueprint(talk.take, settings_for(""), database))
    return Platform(app, charset)


@pytest.fixture
def platform(talk: Talk, database: redis.Redis) -> Platform:
    return platform_of(talk, database)


def opened(answer: bytes, charset: str = "GBK") -> str:
    """The signed part of an answer, once its signature was found right."""
    found = re.search(
        rb"<response>(.*)</response><sign>(.*)</sign><sign_type>RSA2</sign_type>", answer, re.DOTALL
    )
    assert found is not None
    key = load_der_public_key(base64.b64decode(keys()[1]["SIM_ALIPAY_APP_PUBLIC_KEY"]))
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(base64.b64decode(found[2]), found[1], padding.PKCS1v15(), hashes.SHA256())
    return found[1].decode(charset)


@pytest.mark.parametrize("charset", ["GBK", "UTF-8", "gbk", "utf-8", "GB2312"])
def test_a_text_is_heard_and_acknowledged(talk: Talk, database: redis.Redis, charset: str) -> None:
    answer = platform_of(talk, database, charset).push(text("申请"))
    assert answer.status_code == 200
    assert f"<ToUserId><![CDATA[{USER}]]></ToUserId>" in opened(answer.data, charset)
    assert "<![CDATA[ack]]>" in opened(answer.data, charset)
    (turn,) = talk.turns
    assert (turn.kind, turn.text) == (Kind.TEXT, "申请")
    assert (turn.holder.channel, turn.holder.openid) == ("alipay", USER)


@pytest.mark.parametrize(
    ("event", "fields", "heard"),
    [
        ("event", {"EventType": "follow"}, (Kind.FOLLOW, "")),
        (
            "event",
            {"EventType": "follow", "ActionParam": '{"scene":{"sceneId":"district.44"}}'},
            (Kind.FOLLOW, "district.44"),
        ),
        ("event", {"EventType": "unfollow"}, (Kind.UNFOLLOW, "")),
        ("event", {"EventType": "click", "ActionParam": "CARD"}, (Kind.CLICK, "CARD")),
        (
            "event",
            {"EventType": "enter", "ActionParam": '{"scene":{"sceneId":"terminal.T1"}}'},
            (Kind.SCAN, "terminal.T1"),
        ),
        ("sticker", {}, (Kind.OTHER, "")),
    ],
)
def test_every_kind_is_a_turn(
    platform: Platform, talk: Talk, event: str, fields: dict[str, str], heard: tuple[Kind, str]
) -> None:
    assert platform.push(xml(event, **fields)).status_code == 200
    assert [(turn.kind, turn.text) for turn in talk.turns] == [heard]


def test_a_photo_has_its_handle(platform: Platform, talk: Talk) -> None:
    platform.push(xml("image", Image="<MediaId>M1</MediaId><Format>jpeg</Format>"))
    assert (talk.turns[0].kind, talk.turns[0].media_id) == (Kind.IMAGE, "M1")


@pytest.mark.parametrize("event", ["enter", "somethingnew"])
def test_what_nobody_said_is_only_acknowledged(platform: Platform, talk: Talk, event: str) -> None:
    assert "ack" in opened(platform.push(xml("event", EventType=event)).data)
    assert talk.turns == []


def test_the_gateway_question_is_answered_with_the_key(platform: Platform) -> None:
    content = xml("event", EventType="verifygw")
    said = opened(platform.push(f'<?xml version="1.0" encoding="GBK"?>{content}', CHECK).data)
    assert said.startswith("<success>true</success>")
    assert keys()[1]["SIM_ALIPAY_APP_PUBLIC_KEY"] in said


def test_a_forged_gateway_question_is_refused_in_its_form(platform: Platform) -> None:
    answer = platform.push(xml("event", EventType="verifygw"), CHECK, sign="AAAA")
    assert opened(answer.data).startswith("<success>false</success>")


class TestForged:
    """Row 1: no side effect, whatever is wrong with the signature."""

    @pytest.mark.parametrize(
        "form",
        [
            {"sign": ""},
            {"sign": "AAAA"},
            {"sign": "not base64!"},
            {"sign_type": "RSA"},
            {"sign_type": ""},
            {"biz_content": text("another")},
            {"service": "alipay.other"},
            {"more": "1"},
        ],
    )
    def test_it_is_refused(self, platform: Platform, talk: Talk, form: dict[str, str]) -> None:
        assert platform.push(text("x"), NOTIFY, **form).status_code == 403
        assert talk.turns == []

    def test_of_another_account(self, platform: Platform, talk: Talk) -> None:
        assert platform.push(text("x", AppId="2021000000000002")).status_code == 403
        assert talk.turns == []

    def test_signed_with_our_own_key(self, platform: Platform, talk: Talk) -> None:
        from bot.alipay.signing import Signer  # noqa: PLC0415

        told = settings_for("")
        signer = Signer(told.alipay_private_key, told.alipay_public_key)
        form = {"service": NOTIFY, "sign_type": "RSA2", "charset": "GBK", "biz_content": text("x")}
        content = "&".join(f"{name}={value}" for name, value in sorted(form.items()))
        answer = platform.post({**form, "sign": signer.sign(content.encode("GBK"))})
        assert (answer.status_code, talk.turns) == (403, [])


class TestReplayed:
    """Row 2."""

    @pytest.mark.parametrize("off", [-301, -3600, 400])
    def test_an_old_push(self, platform: Platform, talk: Talk, off: int) -> None:
        content = text("x", CreateTime=str(int((time.time() + off) * 1000)))
        assert platform.push(content).status_code == 403
        assert talk.turns == []

    def test_more_often_than_the_platform_delivers(self, platform: Platform, talk: Talk) -> None:
        content = text("x")
        statuses = [platform.push(content).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 403]
        assert len({turn.key for turn in talk.turns}) == 1  # the talk hears it once

    def test_two_messages_have_two_keys(self, platform: Platform, talk: Talk) -> None:
        platform.push(text("x"))
        platform.push(text("x"))
        assert len({turn.key for turn in talk.turns}) == 2


class TestJunk:
    """Row 5: clean refusals, and nothing heard."""

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "not xml",
            "<XML>",
            "<XML></XML>",
            '{"FromAlipayUserId": "2088", "CreateTime": "1", "MsgType": "text"}',
            text("x", FromAlipayUserId="20{88}"),
            text("x", CreateTime="soon"),
            text("x", MsgType=""),
            "<!DOCTYPE a [<!ENTITY b 'c'>]><XML>&b;</XML>",
            "<a>" * 50 + "</a>" * 50,
        ],
    )
    def test_a_content_that_is_none(self, platform: Platform, talk: Talk, content: str) -> None:
        assert platform.push(content).status_code in (400, 403)
        assert talk.turns == []

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"", 403),
            (b"a=1&a=2", 400),
            (b"&".join(b"a%d=1" % number for number in range(40)), 400),
            (b"charset=EBCDIC&sign=1", 400),
            (b"charset=UTF-8&service=%ff%fe&sign=1", 400),
            (b"x" * (64 * 1024 + 1), 413),
        ],
    )
    def test_a_form_that_is_none(
        self, platform: Platform, talk: Talk, body: bytes, status: int
    ) -> None:
        assert platform.send(body).status_code == status
        assert talk.turns == []

    def test_control_characters_are_dropped(self, platform: Platform, talk: Talk) -> None:
        platform.push(text("申\x00\x08请"))
        assert talk.turns[0].text == "申请"

    @given(body=st.binary(max_size=400))
    @settings(max_examples=200, deadline=None)
    def test_any_bytes_are_a_form_or_refused(self, body: bytes) -> None:
        try:
            form = push.read_form(body)
            form["biz_content"]
        except BadPushError:
            return

    @given(content=st.text(max_size=400))
    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def test_any_text_is_a_push_or_refused(self, content: str) -> None:
        try:
            push.read(content)
        except BadPushError:
            return


def test_without_redis_nothing_is_taken(talk: Talk) -> None:
    answer = platform_of(talk, connect("redis://127.0.0.1:1")).push(text("x"))
    assert (answer.status_code, talk.turns) == (503, [])


def test_a_talk_that_is_out_is_asked_again(platform: Platform, talk: Talk) -> None:
    talk.down = True
    content = text("x")
    assert platform.push(content).status_code == 503
    talk.down = False
    assert platform.push(content).status_code == 200


def test_unknown_kinds_are_counted_as_one(talk: Talk, database: redis.Redis) -> None:
    hook = webhook.Webhook(talk.take, settings_for(""), database)
    app = Flask(__name__)
    app.add_url_rule("/alipay", "take", hook.take, methods=["POST"])
    platform = Platform(app)
    for kind in ("sticker", "dance", "text"):
        platform.push(xml(kind))
    assert (hook.pushes.so_far("unknown"), hook.pushes.so_far("text")) == (2, 1)
