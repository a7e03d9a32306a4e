from __future__ import annotations

import contextlib
import json
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy import parse_message

from bot.wechat import fields, push, replies
from bot.wechat.crypto import BadPushError
from credentials.model import Holder
from handlers.turn import Choices, Kind, Link, Reply, Say, Turn
from tests.bot.wechat import pushes


def turn_of(body: bytes) -> Turn:
    return push.read(body).turn


@pytest.mark.parametrize(
    ("body", "kind", "text", "media_id"),
    [
        (pushes.message(Content="申请", MsgId=1), Kind.TEXT, "申请", ""),
        (pushes.message("image", PicUrl="http://p", MediaId="M", MsgId=1), Kind.IMAGE, "", "M"),
        (
            pushes.message("voice", MediaId="M", Format="amr", Recognition="申请", MsgId=1),
            Kind.VOICE,
            "申请",
            "M",
        ),
        (pushes.message("video", MediaId="M", ThumbMediaId="T", MsgId=1), Kind.VIDEO, "", "M"),
        (pushes.message("shortvideo", MediaId="M", ThumbMediaId="T"), Kind.VIDEO, "", "M"),
        (
            pushes.message("location", Location_X="22.8", Location_Y="113.5", Label="南沙"),
            Kind.LOCATION,
            "南沙",
            "",
        ),
        (pushes.message("link", Title="t", Url="http://u"), Kind.LINK, "http://u", ""),
        (pushes.event("subscribe"), Kind.FOLLOW, "", ""),
        (pushes.event("subscribe", EventKey="qrscene_4401", Ticket="T"), Kind.FOLLOW, "4401", ""),
        (pushes.event("unsubscribe"), Kind.UNFOLLOW, "", ""),
        (pushes.event("SCAN", EventKey="terminal-1", Ticket="T"), Kind.SCAN, "terminal-1", ""),
        (pushes.event("CLICK", EventKey="CARD"), Kind.CLICK, "CARD", ""),
        (pushes.event("VIEW", EventKey="http://u"), Kind.OTHER, "", ""),
        (pushes.event("never_seen"), Kind.OTHER, "", ""),
        (pushes.message("never_seen"), Kind.OTHER, "", ""),
    ],
)  # fmt: skip
def test_each_kind(body: bytes, kind: Kind, text: str, media_id: str) -> None:
    turn = turn_of(body)
    assert (turn.kind, turn.text, turn.media_id) == (kind, text, media_id)
    assert turn.holder == Holder("wechat", pushes.OPENID)
    assert 1_700_000_000 < turn.at <= time.time()
    assert turn.key


def test_a_scanned_text_from_the_menu() -> None:
    body = (
        b"<xml><ToUserName>a</ToUserName><FromUserName>b</FromUserName>"
        b"<CreateTime>1</CreateTime><MsgType>event</MsgType><Event>scancode_waitmsg</Event>"
        b"<EventKey>K</EventKey><ScanCodeInfo><ScanType>qrcode</ScanType>"
        b"<ScanResult>HTTP://X</ScanResult></ScanCodeInfo></xml>"
    )
    turn = turn_of(body)
    assert (turn.kind, turn.text) == (Kind.SCAN, "HTTP://X")
    assert turn.extra == {"type": "scancode_waitmsg", "menu_key": "K", "scan_type": "qrcode"}


def test_lists_are_numbered() -> None:
    table = fields.parse(b"<xml><P><item><M>1</M></item><item><M>2</M></item></P></xml>")
    assert (table["P.item.M"], table["P.item.2.M"]) == ("1", "2")
    assert fields.parse(b'{"P": [{"M": 1}, {"M": 2}]}')["P.2.M"] == "2"


def test_xml_and_json_say_the_same() -> None:
    said: dict[str, str | int] = {"FromUserName": "b", "CreateTime": 1, "MsgType": "text"}
    said |= {"Content": "x", "MsgId": 2**63}
    as_json = turn_of(json.dumps(said).encode())
    assert as_json == turn_of(pushes.xml(**said))
    assert as_json.key == str(2**63)


class TestKey:
    def test_a_message_is_known_by_its_id(self) -> None:
        assert turn_of(pushes.message(Content="a", MsgId=7)).key == "7"

    def test_an_event_by_who_when_which_and_key(self) -> None:
        def key(who: str = "a", when: int = 1, which: str = "CLICK", what: str = "K") -> str:
            return turn_of(
                pushes.xml(
                    FromUserName=who, CreateTime=when, MsgType="event", Event=which, EventKey=what
                )
            ).key

        different = [key(), key(who="b"), key(when=2), key(which="SCAN"), key(what="L")]
        assert len(set(different)) == 5
        assert key() == key()

    def test_fields_cannot_flow_into_each_other(self) -> None:
        first = pushes.xml(
            FromUserName="a", CreateTime=1, MsgType="event", Event="X", EventKey="YZ"
        )
        second = pushes.xml(
            FromUserName="a", CreateTime=1, MsgType="event", Event="XY", EventKey="Z"
        )
        assert turn_of(first).key != turn_of(second).key

    @pytest.mark.parametrize("message_id", ["", "x", "-1", "1" * 21, "1}"])
    def test_a_message_id_that_is_none_is_not_used(self, message_id: str) -> None:
        key = turn_of(pushes.message(Content="a", MsgId=message_id)).key
        assert len(key) == 32
        assert key != turn_of(pushes.message(Content="b", MsgId=message_id)).key


@given(st.binary(max_size=2000))
def test_any_bytes_are_read_or_bad(body: bytes) -> None:
    """Row 5."""
    with contextlib.suppress(BadPushError):
        push.read(body)


@given(st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
))  # fmt: skip
def test_any_json_is_read_or_bad(value: object) -> None:
    common = {"FromUserName": "a", "CreateTime": 1, "MsgType": value}
    for document in (value, common, common | {"MsgType": "text", "Content": value}):
        with contextlib.suppress(BadPushError):
            turn = push.read(json.dumps(document).encode()).turn
            turn.text.encode()  # nothing that Redis or a page would choke on


@given(st.lists(st.sampled_from(
    ["<xml>", "</xml>", "<a>", "</a>", "<![CDATA[", "]]>", "&", "&#0;", "&lt;", "<!--", "x", "\x00"]
)))  # fmt: skip
def test_any_markup_is_read_or_bad(pieces: list[str]) -> None:
    with contextlib.suppress(BadPushError):
        push.read("".join(pieces).encode())


@given(st.text(st.characters(codec="utf-8"), max_size=300))
def test_what_a_person_writes_comes_back_as_it_was(words: str) -> None:
    """Row 6, with wechatpy's parser as the other side."""
    incoming = push.read(pushes.message(Content="x", MsgId=1))
    expected = fields.clean(words).replace("\r\n", "\n").replace("\r", "\n")  # XML 1.0, 2.11
    xml = replies.render(Say(words), incoming, 1)
    if not words.strip() or not expected.strip():
        return
    parsed = parse_message(xml)
    assert parsed.type == "text"
    assert (parsed.content or "").strip() == expected.strip()


@pytest.mark.parametrize(
    "reply", [Say("]]><a/>"), Link("]]>", "<b>", "http://x?a&b]]>"), Choices("]]>", ("]]>",))]
)
def test_an_answer_has_only_its_own_elements(reply: Reply) -> None:
    incoming = push.read(pushes.message(Content="x", MsgId=1))
    table = fields.parse(replies.render(reply, incoming, 1).encode())
    assert {name.partition(".")[0] for name in table} <= {
        *("ToUserName", "FromUserName", "CreateTime", "MsgType", "Content"),
        *("ArticleCount", "Articles"),
    }


@pytest.mark.parametrize(
    "body",
    [
        b"<a>" * 21000,
        b"<xml>" + b"<a>x</a>" * 8000 + b"</xml>",
        b'<!DOCTYPE x [<!ENTITY a "' + b"x" * 60000 + b'">]><xml>' + b"&a;" * 1000 + b"</xml>",
        b'{"a":' + b"[" * 32000,
        b'{"a":[' + b"1," * 30000 + b"1]}",
        b'{"a":' + b"9" * 60000 + b"}",
    ],
    ids=["deep", "wide", "entities", "deep JSON", "wide JSON", "long number"],
)
def test_bombs_go_off_harmlessly(body: bytes) -> None:
    """Row 5: under 50 ms, memory flat."""

    def read() -> None:
        with pytest.raises(BadPushError):
            push.read(body)

    assert pushes.cost_s(read) < 0.05
    tracemalloc.start()
    read()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [("abc", 3, "abc"), ("abcd", 4, "abcd"), ("abcde", 4, "a…"), ("好好好", 8, "好…"), ("", 5, "")],
)
def test_a_text_is_cut_at_a_character(text: str, most: int, expected: str) -> None:
    assert replies.fit(text, most) == expected
