"""Pushes: signed, sealed, in order, three times within the deadline; and what is shown."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path

import pytest
from flask import Response

from simulator.config import Config
from simulator.phone import Phone
from simulator.platform.chat import NOTICE
from tests.simulator.account import Account, text_reply
from tests.simulator.conftest import Clock, Running


def test_a_conversation(simulator: Running, account: Account) -> None:
    account.answer = lambda message: (
        "欢迎" if message["MsgType"] == "event" else f"收到：{message['Content']}"
    )
    phone = simulator.phone()
    phone.wait_for("欢迎")
    phone.say("申请 ]]> <b>")
    phone.wait_for("收到：申请 ]]> <b>")
    assert [each["MsgType"] for each in account.received] == ["event", "text"]
    assert account.received[0]["Event"] == "subscribe"
    assert "MsgId" not in account.received[0]
    assert account.received[1]["FromUserName"] == phone.openid


@pytest.mark.parametrize("mode", ["safe", "compat", "plain"])
def test_every_mode_is_understood_by_wechatpy(
    simulator: Running, account: Account, mode: str
) -> None:
    assert simulator.http.post("/simulator/api/pushes", json={"mode": mode}).status_code == 200
    phone = simulator.phone()
    phone.say("帮助")
    phone.wait_for("收到：帮助")
    assert not account.refused


def test_json_pushes(simulator: Running, account: Account) -> None:
    simulator.http.post("/simulator/api/pushes", json={"mode": "plain", "format": "json"})
    account.answer = lambda message: Response(
        json.dumps(
            {
                "ToUserName": message["FromUserName"],
                "FromUserName": message["ToUserName"],
                "CreateTime": 1,
                "MsgType": "text",
                "Content": "JSON 收到",
            }
        )
    )
    phone = simulator.phone()
    phone.say("帮助")
    phone.settle()  # the welcome has the same words: waiting for them is no waiting for the answer
    assert [each["MsgType"] for each in account.received] == ["event", "text"]
    assert isinstance(account.received[1]["MsgId"], int)
    phone.look()
    assert phone.transcript().count("JSON 收到") == 2


@pytest.mark.parametrize("body", [{"mode": "open"}, {"format": "yaml"}])
def test_an_unknown_mode_is_refused(simulator: Running, body: dict[str, str]) -> None:
    assert simulator.http.post("/simulator/api/pushes", json=body).status_code == 422


def test_every_kind_arrives(simulator: Running, account: Account) -> None:
    phone = simulator.phone()
    phone.send_photo(b"\xff\xd8\xff photo")
    phone.send_voice("我要申请")
    phone.send_video(b"\x00\x00\x00\x18ftypmp42")
    phone.send_video(b"\x00\x00\x00\x18ftypmp42", short=True)
    phone.send_location(22.8, 113.5, "南沙")
    phone.send_link("标题", "https://example.com/")
    phone.click("CARD")
    phone.settle()
    kinds = [each.get("Event", each["MsgType"]) for each in account.received[1:]]
    expected = ["image", "voice", "video", "shortvideo", "location", "link", "CLICK"]
    assert kinds == expected
    assert account.received[1]["PicUrl"].startswith(simulator.url)
    assert account.received[2]["Recognition"] == "我要申请"
    assert account.received[-1]["EventKey"] == "CARD"


def test_three_tries_of_one_message_then_the_notice(simulator: Running, account: Account) -> None:
    phone = simulator.phone()
    account.answer = lambda _: Response("", status=500)
    phone.say("申请")
    phone.wait_for(NOTICE)
    phone.settle()
    tries = account.received[1:]
    assert len(tries) == 3
    assert len({each["MsgId"] for each in tries}) == 1
    assert len(set(account.nonces[1:])) == 3


def test_a_slow_webhook_is_hung_up_on_and_asked_again(
    config: Config, account: Account, clock: Clock
) -> None:
    running = Running(dataclasses.replace(config, deadline=5.0), clock)
    phone = running.phone()
    release = threading.Event()

    def slow_once(message: dict[str, str]) -> str:
        if len(account.received) == 2:
            release.wait(30)
            return "太迟了"
        return "第二次"

    account.answer = slow_once
    phone.say("申请")
    phone.wait_for("第二次")
    release.set()
    phone.settle()
    assert "太迟了" not in phone.transcript()
    assert account.received[1]["MsgId"] == account.received[2]["MsgId"]
    running.close()


@pytest.mark.parametrize(
    "body", ["<xml></xml>", "{}", "hello", "<xml><Encrypt>AAAA</Encrypt></xml>"]
)
def test_an_answer_that_is_no_reply_shows_the_notice_at_once(
    simulator: Running, account: Account, body: str
) -> None:
    phone = simulator.phone()
    account.answer = lambda _: Response(body)
    phone.say("申请")
    phone.wait_for(NOTICE)
    assert len(account.received) == 2


def test_a_plain_reply_is_refused_in_safe_mode(simulator: Running, account: Account) -> None:
    phone = simulator.phone()
    account.answer = lambda message: Response(text_reply(message, "明文"))
    phone.say("申请")
    phone.wait_for(NOTICE)
    assert "明文" not in phone.transcript()


def test_an_unreachable_webhook_shows_the_notice(
    config: Config, account: Account, clock: Clock
) -> None:
    running = Running(dataclasses.replace(config, webhook="http://127.0.0.1:9/wechat"), clock)
    phone = running.phone()
    phone.say("申请")
    phone.wait_for(NOTICE)
    running.close()


def test_unfollowing_shows_no_notice_and_silences_the_account(
    simulator: Running, account: Account
) -> None:
    phone = simulator.phone()
    account.answer = lambda _: Response("", status=500)
    phone.unfollow()
    phone.settle()
    phone.look()
    assert NOTICE not in phone.transcript()
    assert account.received[-1]["Event"] == "unsubscribe"
    assert simulator.send(phone) == 45015


def test_the_webhook_s_echostr(simulator: Running, account: Account) -> None:
    assert simulator.http.post("/simulator/api/webhook/check").json()["good"] is True


def test_messages_of_a_phone_stay_in_order_and_phones_do_not_wait_for_each_other(
    simulator: Running, account: Account
) -> None:
    first, second = simulator.phone(), simulator.phone()
    release = threading.Event()
    held: list[bool] = []

    def answer(message: dict[str, str]) -> str:
        if message["FromUserName"] == first.openid and message["Content"] == "1":
            held.append(release.wait(30))
        return "好"

    account.answer = answer
    for number in ("1", "2", "3"):
        first.say(number)
    second.say("别等我")
    second.wait_for("好")
    release.set()
    first.settle()
    said = [
        m["Content"]
        for m in account.received
        if m["FromUserName"] == first.openid and "Content" in m
    ]
    assert said == ["1", "2", "3"]
    assert held == [True]  # the second was answered meanwhile


def test_a_restart_finds_chats_menu_token_and_media(
    config: Config, account: Account, clock: Clock, tmp_path: Path
) -> None:
    kept = dataclasses.replace(config, folder=tmp_path)
    running = Running(kept, clock)
    phone = running.phone()
    phone.send_photo(b"\xff\xd8\xff photo")
    phone.say("申请")
    phone.wait_for("收到：申请")
    token = running.token()
    media_id = account.received[1]["MediaId"]
    running.close()

    again = Running(kept, clock)
    assert again.token() == token
    back = Phone(again.url, openid=phone.openid)
    back.look()
    assert "收到：申请" in back.transcript()
    assert again.get("/cgi-bin/media/get", media_id=media_id).content == b"\xff\xd8\xff photo"
    back.say("还在吗")
    back.wait_for("收到：还在吗")
    again.close()
