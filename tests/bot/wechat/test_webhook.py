from __future__ import annotations

import io
import json
import socket
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
from flask import Flask

from bot.wechat import webhook
from credentials.connection import ANSWER_SECONDS, CONNECT_SECONDS, connect
from credentials.errors import UnavailableError
from handlers.turn import Choices, HandOver, Kind, Link, Picture, Reply, Say, Turn
from settings import Settings
from tests.bot.platform import connections
from tests.bot.wechat import pushes
from tests.bot.wechat.pushes import OPENID, Platform, event, message, text


class Talk:
    """Stands where the talk is: remembers what it received and answers what it was told to."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.answer: Callable[[Turn], Reply | None] = lambda turn: Say(f"got {turn.text}")

    def receive(self, turn: Turn) -> Reply | None:
        self.turns.append(turn)
        return self.answer(turn)


@pytest.fixture
def talk() -> Talk:
    return Talk()


def platform(talk: Talk, database: redis.Redis, aes_key: str = pushes.AES_KEY) -> Platform:
    settings = Settings(
        wechat_token=pushes.TOKEN,
        wechat_app_id=pushes.APP_ID,
        wechat_aes_key=aes_key,
    )
    app = Flask(__name__)
    app.register_blueprint(webhook.blueprint(talk.receive, settings, database))
    return Platform(app.test_client(), safe=bool(aes_key))


@pytest.fixture
def safe(talk: Talk, database: redis.Redis) -> Platform:
    return platform(talk, database)


@pytest.fixture
def plain(talk: Talk, database: redis.Redis) -> Platform:
    return platform(talk, database, aes_key="")


def opened(body: bytes) -> dict[str, str]:
    outer = {element.tag: element.text or "" for element in ET.fromstring(body)}
    expected = pushes.sha1(pushes.TOKEN, outer["TimeStamp"], outer["Nonce"], outer["Encrypt"])
    assert outer["MsgSignature"] == expected
    inner = ET.fromstring(pushes.decrypt(outer["Encrypt"]))
    return {element.tag: element.text or "" for element in inner}


def test_unknown_kinds_are_counted_as_one(talk: Talk, database: redis.Redis) -> None:
    told = Settings(wechat_token=pushes.TOKEN, wechat_app_id=pushes.APP_ID)
    hook = webhook.Webhook(talk.receive, told, database)
    app = Flask(__name__)
    app.add_url_rule("/wechat", "take", hook.take, methods=["POST"])
    plain = Platform(app.test_client(), safe=False)
    for body in (message("dance"), message("sing"), event("party"), text("x"), event("VIEW")):
        assert plain.post(body).status_code == 200
    assert hook.pushes.so_far("unknown") == 3
    assert (hook.pushes.so_far("text"), hook.pushes.so_far("view")) == (1, 1)


def test_an_unknown_message_is_answered_and_an_unknown_event_is_not(
    plain: Platform, talk: Talk
) -> None:
    plain.post(message("dance"))
    plain.post(event("party"))
    plain.post(event("TEMPLATESENDJOBFINISH", MsgID="1", Status="failed:user block"))
    assert [turn.kind for turn in talk.turns] == [Kind.OTHER]


def test_echostr_is_answered(safe: Platform) -> None:
    answer = safe.web.get(safe.address() + "&echostr=5837397301622104650")
    assert (answer.status_code, answer.text) == (200, "5837397301622104650")
    assert answer.content_type.startswith("text/plain")


@pytest.mark.parametrize("query", ["", "?echostr=1", "?signature=&timestamp=&nonce=&echostr=1"])
def test_echostr_of_a_stranger_is_refused(safe: Platform, query: str) -> None:
    assert safe.web.get("/wechat" + query).status_code == 403


def test_safe_mode_text_is_answered_encrypted(safe: Platform, talk: Talk) -> None:
    answer = safe.post(text("申请"))
    assert talk.turns[0].text == "申请"
    said = opened(answer.data)
    assert (said["Content"], said["ToUserName"]) == ("got 申请", OPENID)
    assert said["FromUserName"] == pushes.ACCOUNT


def test_plain_mode_text_is_answered_plain(plain: Platform) -> None:
    answer = ET.fromstring(plain.post(text("申请")).data)
    assert answer.findtext("Content") == "got 申请"


def test_nothing_to_say_is_success_unencrypted(safe: Platform, talk: Talk) -> None:
    talk.answer = lambda _turn: None
    assert safe.post(text("x")).data == b"success"


def test_json_push_is_answered_in_json(safe: Platform, talk: Talk) -> None:
    inner = {
        "ToUserName": "gh_card",
        "FromUserName": OPENID,
        "CreateTime": int(time.time()),
        "MsgType": "text",
        "Content": "card",
        "MsgId": 77,
    }
    encrypted = pushes.encrypt(json.dumps(inner).encode())
    answer = safe.send(json.dumps({"Encrypt": encrypted}).encode(), encrypted)
    said = json.loads(pushes.decrypt(answer.get_json()["Encrypt"]))
    assert (said["Content"], talk.turns[0].key) == ("got card", "77")


def test_compatibility_mode_trusts_the_encrypted_part_only(safe: Platform, talk: Talk) -> None:
    encrypted = pushes.encrypt(text("true words"))
    safe.post_encrypted(encrypted, FromUserName="oSomebodyElse", Content="forged", MsgType="text")
    assert [(turn.text, turn.holder.openid) for turn in talk.turns] == [("true words", OPENID)]


class TestForged:
    """Row 1: 403 and nothing done."""

    @pytest.mark.parametrize("name", ["signature", "msg_signature", "timestamp", "nonce"])
    @pytest.mark.parametrize("value", ["", "0" * 40, "名"])
    def test_a_wrong_or_missing_part(
        self, safe: Platform, talk: Talk, database: redis.Redis, name: str, value: str
    ) -> None:
        body = pushes.encrypt(text("x"))
        address = safe.address(body)
        start = address.index(f"{name}=") + len(name) + 1
        end = (address + "&").index("&", start)
        forged = address[:start] + value + address[end:]
        answer = safe.web.post(forged, data=pushes.xml(Encrypt=body))
        assert answer.status_code == 403
        assert not talk.turns
        assert database.keys("*") == []

    def test_a_plain_push_where_a_key_is_set(self, safe: Platform, talk: Talk) -> None:
        assert safe.send(text("x")).status_code == 403
        assert not talk.turns

    def test_without_a_token_nobody_is_believed(self, talk: Talk, database: redis.Redis) -> None:
        app = Flask(__name__)
        settings = Settings(wechat_token="", wechat_aes_key="")
        app.register_blueprint(webhook.blueprint(talk.receive, settings, database))
        signature = pushes.sha1("", "1", "2")
        answer = app.test_client().post(
            f"/wechat?signature={signature}&timestamp=1&nonce=2", data=text("x")
        )
        assert answer.status_code == 403


class TestReplayed:
    """Row 2: refused and nothing done."""

    @pytest.mark.parametrize("seconds", [-301, -86400, 301])
    def test_an_old_or_future_timestamp(
        self, safe: Platform, talk: Talk, database: redis.Redis, seconds: int
    ) -> None:
        def post(now: int) -> int:
            talk.turns.clear()
            safe.timestamp = now + seconds
            return safe.post(text("x")).status_code

        assert pushes.in_one_second(database, post) == 403
        assert not talk.turns

    @pytest.mark.parametrize("seconds", [-300, 0, 300])
    def test_five_minutes_off_is_in_time(
        self, safe: Platform, database: redis.Redis, seconds: int
    ) -> None:
        def post(now: int) -> int:
            safe.timestamp = now + seconds
            return safe.post(text("x")).status_code

        assert pushes.in_one_second(database, post) == 200

    @pytest.mark.parametrize("timestamp", ["x", "-1", "1e9", "١٢٣", "9" * 30])
    def test_a_timestamp_that_is_none(self, plain: Platform, talk: Talk, timestamp: str) -> None:
        signature = pushes.sha1(pushes.TOKEN, timestamp, "n")
        answer = plain.web.post(
            "/wechat",
            query_string={"signature": signature, "timestamp": timestamp, "nonce": "n"},
            data=text("x"),
        )
        assert answer.status_code == 403
        assert not talk.turns

    def test_a_recorded_signature_around_other_words(self, plain: Platform, talk: Talk) -> None:
        plain.nonce, plain.timestamp = "4711", int(time.time())
        assert plain.post(text("card")).status_code == 200
        assert plain.post(text("delete")).status_code == 403
        assert [turn.text for turn in talk.turns] == ["card"]

    def test_a_recorded_signature_for_another_person(self, plain: Platform, talk: Talk) -> None:
        plain.nonce, plain.timestamp = "4711", int(time.time())
        assert plain.post(text("card")).status_code == 200
        forged = message(openid="oVictim", Content="delete", MsgId=5)
        assert plain.post(forged).status_code == 403
        assert len(talk.turns) == 1

    def test_a_persons_nonce_again_at_another_time(self, safe: Platform) -> None:
        safe.nonce, safe.timestamp = "4711", int(time.time())
        assert safe.post(text("card")).status_code == 200
        safe.timestamp -= 1
        assert safe.post(text("delete")).status_code == 403

    def test_two_people_may_meet_in_a_nonce(self, safe: Platform) -> None:
        safe.nonce, safe.timestamp = "4711", int(time.time())
        assert safe.post(text("card")).status_code == 200
        safe.timestamp -= 1
        other = message(openid="oPhone-2", Content="card", MsgId=5)
        assert safe.post(other).status_code == 200

    def test_a_redelivery_may_be_signed_anew(self, safe: Platform) -> None:
        safe.nonce, safe.timestamp = "4711", int(time.time())
        same = text("card")
        assert safe.post(same).status_code == 200
        safe.timestamp -= 1
        assert safe.post(same).status_code == 200

    def test_a_fourth_delivery(self, safe: Platform) -> None:
        safe.nonce, safe.timestamp = "4711", int(time.time())
        same = text("card")
        answers = [safe.post(same).status_code for _ in range(4)]
        assert answers == [200, 200, 200, 403]


def test_three_deliveries_at_once_are_one_turn_thrice(safe: Platform, talk: Talk) -> None:
    """Row 3, this module's part: all are answered, and all carry the key that tells."""
    body = pushes.encrypt(text("card", 99))
    address = safe.address(body)
    app = safe.web.application

    def post(_: int) -> int:
        data = pushes.xml(Encrypt=body)
        return app.test_client().post(address, data=data).status_code

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(post, range(3))) == [200, 200, 200]
    assert {turn.key for turn in talk.turns} == {"99"}


def test_a_redelivery_with_a_new_nonce_has_the_same_key(safe: Platform, talk: Talk) -> None:
    """Row 4: an event without MsgId is known by who, when, which event and which key."""
    click = event("CLICK", EventKey="CARD")
    safe.post(click)
    safe.post(click)
    safe.post(event("CLICK", EventKey="FREEZE"))
    first, second, third = (turn.key for turn in talk.turns)
    assert first == second != third


class TestJunk:
    """Row 5: 400 and nothing done, whatever a correct signature stands on."""

    @pytest.mark.parametrize(
        "encrypted", ["", "%", "AAAA", "A" * 44, "名", "A" * 43 + "=" * 9, "=" * 40]
    )
    def test_ciphertext(self, safe: Platform, talk: Talk, encrypted: str) -> None:
        answer = safe.post_encrypted(encrypted)
        assert answer.status_code == (400 if encrypted else 403)
        assert not talk.turns

    def test_another_accounts_message(self, safe: Platform, talk: Talk) -> None:
        assert safe.post_encrypted(pushes.encrypt(text("x"), "wxother")).status_code == 400
        assert not talk.turns

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<xml>",
            b"<xml></xml>",
            b"\xff\xfe",
            b"{}",
            b"{",
            b"[]",
            b'{"a":' * 9000,
            b'{"a":' + b"[" * 30000 + b"]" * 30000 + b"}",
            b"<a>" * 20000,
            b"<a>" * 9000 + b"</a>" * 9000,
            b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><xml>&b;</xml>',
            b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><xml/>',
            pushes.xml(FromUserName="o", CreateTime="1", MsgType=""),
            pushes.xml(FromUserName="", CreateTime="1", MsgType="text"),
            pushes.xml(FromUserName="o}{x", CreateTime="1", MsgType="text"),
            pushes.xml(FromUserName="o", CreateTime="now", MsgType="text"),
            pushes.xml(FromUserName="o", CreateTime="9" * 5000, MsgType="text"),
            b"<xml><FromUserName>a</FromUserName><FromUserName>b</FromUserName></xml>",
        ],
        ids=lambda body: body[:24].decode(errors="replace"),
    )
    def test_message(self, plain: Platform, talk: Talk, body: bytes) -> None:
        def post() -> None:
            assert plain.post(body).status_code == 400

        assert pushes.cost_s(post) < 0.05
        assert not talk.turns

    def test_a_body_too_large(self, plain: Platform, talk: Talk) -> None:
        assert plain.post(b"<" * (64 * 1024 + 1)).status_code == 413
        assert not talk.turns

    def test_a_huge_body_is_not_even_read(self, plain: Platform, talk: Talk) -> None:
        body = io.BytesIO(b"<" * 1000)
        announced = {"CONTENT_LENGTH": "20000000"}
        answer = plain.web.post(plain.address(), input_stream=body, environ_overrides=announced)
        assert (answer.status_code, body.tell()) == (413, 0)
        assert not talk.turns

    def test_control_characters_are_dropped(self, plain: Platform, talk: Talk) -> None:
        assert plain.post(text("card\x00\x08\x1b\x7f\ufffe")).status_code == 200
        assert talk.turns[0].text == "card"


def test_markup_comes_back_as_text(safe: Platform) -> None:
    """Row 6."""
    words = "a]]><MsgType>image</MsgType><![CDATA[<b>&amp;]]]]>"
    escaped = words.replace("]]>", "]]]]><![CDATA[>")
    said = opened(safe.post(text(escaped)).data)
    assert (said["Content"], said["MsgType"]) == (f"got {words}", "text")


AGREE_OR_CANCEL = """Agree?

<a href="weixin://bizmsgmenu?msgmenucontent=agree%201&msgmenuid=1">agree 1</a>
<a href="weixin://bizmsgmenu?msgmenucontent=cancel&msgmenuid=2">cancel</a>"""


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Say(""), None),
        (Say("好" * 2000), "好" * 681 + "…"),
        (Picture(b"png", instead="see your card"), "see your card"),
        (Picture(b"png"), None),
        (Choices("Agree?", ("agree 1", "cancel")), AGREE_OR_CANCEL),
    ],
)
def test_replies_as_text(safe: Platform, talk: Talk, reply: Reply, expected: str | None) -> None:
    talk.answer = lambda _turn: reply
    answer = safe.post(text("x")).data
    assert (answer if expected is None else opened(answer)["Content"]) == (expected or b"success")


def test_a_link_is_an_article(plain: Platform, talk: Talk) -> None:
    talk.answer = lambda _turn: Link("Your card", "Tap <to> open", "https://card.example/card?a&b")
    article = ET.fromstring(plain.post(text("x")).data).find("Articles/item")
    assert article is not None
    assert article.findtext("Description") == "Tap <to> open"
    assert article.findtext("Url") == "https://card.example/card?a&b"


def test_human_service_takes_messages_but_not_events(plain: Platform, talk: Talk) -> None:
    talk.answer = lambda _turn: HandOver()
    answer = ET.fromstring(plain.post(text("human")).data)
    assert answer.findtext("MsgType") == "transfer_customer_service"
    assert plain.post(event("CLICK", EventKey="HUMAN")).data == b"success"


@pytest.mark.parametrize("name", ["VIEW", "TEMPLATESENDJOBFINISH", "LOCATION", "brand_new"])
def test_what_nobody_said_is_not_answered(safe: Platform, talk: Talk, name: str) -> None:
    assert safe.post(event(name, EventKey="x")).data == b"success"
    assert not talk.turns


def test_an_unknown_kind_is_a_turn(safe: Platform, talk: Talk) -> None:
    assert safe.post(message("hologram", MsgId=3)).status_code == 200
    assert talk.turns[0].kind is Kind.OTHER


class TestWithoutRedis:
    """Row 29, the webhook's part: nothing is taken that could not be checked."""

    @pytest.mark.parametrize("safe_mode", [True, False])
    def test_down(self, talk: Talk, tmp_path: Path, safe_mode: bool) -> None:
        nowhere = connect(f"unix://{tmp_path}/none")
        wechat = platform(talk, nowhere, pushes.AES_KEY if safe_mode else "")
        answer = wechat.post(text("x"))
        assert answer.status_code == 503
        assert "try again" in answer.text
        assert not talk.turns

    def test_the_talk_cannot_work(self, safe: Platform, talk: Talk) -> None:
        def fail(_turn: Turn) -> Reply | None:
            raise UnavailableError(what="redis")

        talk.answer = fail
        assert safe.post(text("x")).status_code == 503

    def test_silent(self, talk: Talk) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            silent = connect(f"redis://127.0.0.1:{port}")
            assert platform(talk, silent).post(text("x")).status_code == 503
            assert connections(server) == 1  # one wait, and no other try
        assert CONNECT_SECONDS + ANSWER_SECONDS < 2


def test_webhook_does_not_wait_for_other_people(safe: Platform, talk: Talk) -> None:
    """Two pushes are taken at once; a slow talk with one person delays nobody else."""
    both = threading.Barrier(2, timeout=60)

    def meet(_turn: Turn) -> None:
        both.wait()

    talk.answer = meet
    app = safe.web.application
    with ThreadPoolExecutor(2) as pool:
        posts = [
            pool.submit(Platform(app.test_client()).post, message(openid=f"o{n}", MsgId=n))
            for n in (1, 2)
        ]
        assert [post.result().status_code for post in posts] == [200, 200]
