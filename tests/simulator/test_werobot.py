"""An account served by werobot, the second independent implementation of the platform's protocol.

werobot's own web application is the webhook: it checks signatures, decrypts and parses what the
simulator pushes, and encrypts the replies that the simulator has to read.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.serving import make_server
from werobot import WeRoBot
from werobot.crypto.exceptions import AppIdValidationError, InvalidSignature

from simulator.config import Config
from simulator.phone import NotSeenError, Phone
from simulator.platform.push import Request, Writer
from tests.simulator.account import AES_KEY, APP_ID, SECRET, TOKEN
from tests.simulator.conftest import Clock, Running

FIELDS = {"ToUserName": "gh_1", "FromUserName": "oAnna", "CreateTime": 1514164271}


class Robot:
    """The account's server, and every message that it was given."""

    def __init__(self) -> None:
        self.received: list[Any] = []
        self.answer: Callable[[Any], object] = lambda message: f"收到：{message.content}"
        self.robot = WeRoBot(token=TOKEN, app_id=APP_ID, encoding_aes_key=AES_KEY)
        self.robot.config["SESSION_STORAGE"] = False
        self.robot.add_handler(self._hear, type="all")
        self._server = make_server("127.0.0.1", 0, self.robot.wsgi, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/wechat"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    def _hear(self, message: Any) -> object:
        self.received.append(message)
        return self.answer(message)

    def parse(self, request: Request) -> Any:
        """What werobot reads out of a push."""
        query = request.query
        assert self.robot.check_signature(query["timestamp"], query["nonce"], query["signature"])
        return self.robot.parse_message(
            request.body, query["timestamp"], query["nonce"], query.get("msg_signature")
        )

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def robot() -> Iterator[Robot]:
    started = Robot()
    yield started
    started.close()


@pytest.fixture
def phone(robot: Robot, clock: Clock) -> Iterator[Phone]:
    """A phone whose account is werobot."""
    config = Config(
        webhook=robot.url,
        app_id=APP_ID,
        secret=SECRET,
        token=TOKEN,
        aes_key=AES_KEY,
        deadline=20.0,
        pause=0.0,
    )
    running = Running(config, clock)
    with Phone(running.url) as phone:
        robot.answer = lambda _message: ""
        phone.follow()
        phone.settle()
        robot.answer = lambda message: f"收到：{message.content}"
        yield phone
    running.close()


@pytest.fixture
def writer() -> Writer:
    return Writer(Config(webhook="", app_id=APP_ID, token=TOKEN, aes_key=AES_KEY))


@pytest.mark.parametrize("words", ["你好", "]]>", "<b>&amp;</b>", "😀" * 50, "a b"])
def test_it_reads_our_texts(robot: Robot, writer: Writer, words: str) -> None:
    request = writer.write(
        {**FIELDS, "MsgType": "text", "Content": words, "MsgId": 6054768590064713728},
        "oAnna",
        1514164271,
    )
    message = robot.parse(request)
    assert (message.type, message.source, message.target) == ("text", "oAnna", "gh_1")
    assert message.content.strip() == words.strip()
    assert (message.message_id, message.time) == (6054768590064713728, 1514164271)


KINDS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "image": ({"PicUrl": "http://p", "MediaId": "m"}, {"img": "http://p"}),
    "voice": ({"MediaId": "m", "Format": "amr", "Recognition": "你好"}, {"recognition": "你好"}),
    "video": ({"MediaId": "m", "ThumbMediaId": "t"}, {"media_id": "m"}),
    "shortvideo": ({"MediaId": "m", "ThumbMediaId": "t"}, {"thumb_media_id": "t"}),
    "location": (
        {"Location_X": 22.8, "Location_Y": 113.5, "Scale": 20, "Label": "南沙"},
        {"label": "南沙", "location": (22.8, 113.5)},
    ),
    "link": ({"Title": "t", "Description": "d", "Url": "u"}, {"url": "u", "title": "t"}),
}
EVENTS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "subscribe": ({"EventKey": "qrscene_x", "Ticket": "T"}, {"key": "qrscene_x"}),
    "unsubscribe": ({"EventKey": ""}, {}),
    "SCAN": ({"EventKey": "x", "Ticket": "T"}, {"key": "x", "ticket": "T"}),
    "CLICK": ({"EventKey": "APPLY"}, {"key": "APPLY"}),
    "VIEW": ({"EventKey": "http://v"}, {"key": "http://v"}),
}


@pytest.mark.parametrize("mode", ["safe", "plain"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_reads_our_other_messages(robot: Robot, writer: Writer, mode: str, kind: str) -> None:
    writer.switch(mode, "xml")
    fields, attributes = KINDS[kind]
    message = robot.parse(
        writer.write({**FIELDS, "MsgType": kind, "MsgId": 1, **fields}, "oAnna", 1514164271)
    )
    assert message.type == kind
    assert {name: getattr(message, name) for name in attributes} == attributes


@pytest.mark.parametrize("mode", ["safe", "plain"])
@pytest.mark.parametrize("event", EVENTS)
def test_it_reads_our_events(robot: Robot, writer: Writer, mode: str, event: str) -> None:
    writer.switch(mode, "xml")
    fields, attributes = EVENTS[event]
    message = robot.parse(
        writer.write({**FIELDS, "MsgType": "event", "Event": event, **fields}, "oAnna", 1514164271)
    )
    assert message.type == f"{event.lower()}_event"
    assert {name: getattr(message, name) for name in attributes} == attributes


def test_it_refuses_what_is_forged(robot: Robot, writer: Writer) -> None:
    fields = {**FIELDS, "MsgType": "text", "Content": "x", "MsgId": 1}
    forged = writer.write(fields, "oAnna", 1514164271, forged=True)
    query = forged.query
    assert not robot.robot.check_signature(query["timestamp"], query["nonce"], query["signature"])
    with pytest.raises(InvalidSignature):
        robot.robot.parse_message(
            forged.body, query["timestamp"], query["nonce"], query["msg_signature"]
        )


def test_it_refuses_what_is_another_accounts(robot: Robot) -> None:
    other = Config(webhook="", app_id="wx0000000000000000", token=TOKEN, aes_key=AES_KEY)
    with pytest.raises(AppIdValidationError):
        robot.parse(Writer(other).write({**FIELDS, "MsgType": "text"}, "oAnna", 1514164271))


def test_a_talk_with_it(robot: Robot, phone: Phone) -> None:
    for words in ("你好", "<b> & c", "第二句"):
        phone.say(words)
        phone.wait_for(f"收到：{words}")
    assert [message.type for message in robot.received] == [
        "subscribe_event",
        "text",
        "text",
        "text",
    ]


def test_its_pictures_and_silence_are_read(robot: Robot, phone: Phone) -> None:
    robot.answer = lambda _message: ""
    phone.say("安静")
    phone.settle()
    with pytest.raises(NotSeenError):
        phone.wait_for_any(seconds=0.2)
    robot.answer = lambda _message: [["标题", "说明", "http://picture", "http://link"]]
    phone.say("图文")
    assert phone.wait_for("标题")["kind"] == "news"


def test_the_first_call_of_the_platform(robot: Robot, clock: Clock) -> None:
    config = Config(
        webhook=robot.url,
        app_id=APP_ID,
        secret=SECRET,
        token=TOKEN,
        aes_key=AES_KEY,
        deadline=20.0,
    )
    for token, good in ((TOKEN, True), ("another", False)):
        running = Running(dataclasses.replace(config, token=token), clock)
        assert (running.platform.courier.check_webhook() == "") is good
        running.close()


def test_its_reply_with_an_open_end_of_cdata_is_no_reply(robot: Robot, phone: Phone) -> None:
    # werobot 1.13 writes `]]>` into its CDATA as it is, which is no XML any more.
    phone.say("]]>")
    phone.wait_for("该公众号暂时无法提供服务")
    assert robot.received[-1].content == "]]>"
