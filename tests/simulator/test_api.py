"""The API's endpoints, limits and errors; and wechatpy's own client against them."""

from __future__ import annotations

import pytest

from tests.simulator.account import APP_ID, SECRET, Account
from tests.simulator.conftest import Clock, Running

JPEG = b"\xff\xd8\xff a photo"


def code_of(answer: object) -> int:
    assert isinstance(answer, dict)
    found: int = answer.get("errcode", 0)
    return found


# Tokens


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, 40002),
        ({"grant_type": "client_credential"}, 41002),
        ({"grant_type": "client_credential", "appid": APP_ID}, 41004),
        ({"grant_type": "client_credential", "appid": "wx1", "secret": SECRET}, 40013),
        ({"grant_type": "client_credential", "appid": APP_ID, "secret": "no"}, 40125),
    ],
)
def test_a_token_is_not_given_for_less(
    simulator: Running, query: dict[str, str], code: int
) -> None:
    assert code_of(simulator.http.get("/cgi-bin/token", params=query).json()) == code


def test_the_stable_token_is_one_for_all_who_ask(simulator: Running, clock: Clock) -> None:
    first = simulator.token()
    assert simulator.token() == first
    clock.forward(7200 - 299)
    assert simulator.token() != first


def test_a_forced_refresh_ends_the_former_token(simulator: Running) -> None:
    former = simulator.token()
    assert simulator.token(force=True) != former
    answer = simulator.http.get("/cgi-bin/menu/get", params={"access_token": former})
    assert code_of(answer.json()) == 40001


def test_a_plain_token_goes_on_five_minutes_after_the_next(
    simulator: Running, clock: Clock
) -> None:
    query = {"grant_type": "client_credential", "appid": APP_ID, "secret": SECRET}
    former, stable = simulator.http.get("/cgi-bin/token", params=query).json(), simulator.token()
    simulator.http.get("/cgi-bin/token", params=query)
    ask = {"access_token": former["access_token"], "type": "jsapi"}
    clock.forward(299)
    assert code_of(simulator.http.get("/cgi-bin/ticket/getticket", params=ask).json()) == 0
    clock.forward(2)
    assert code_of(simulator.http.get("/cgi-bin/ticket/getticket", params=ask).json()) == 42001
    assert simulator.token() == stable


def test_the_day_s_plain_tokens_are_counted(simulator: Running) -> None:
    for _ in range(2000):
        simulator.platform.tokens.plain()
    query = {"grant_type": "client_credential", "appid": APP_ID, "secret": SECRET}
    assert code_of(simulator.http.get("/cgi-bin/token", params=query).json()) == 45009


@pytest.mark.parametrize(("token", "code"), [("", 41001), ("short", 40014), ("x" * 136, 40001)])
def test_a_call_needs_a_token(simulator: Running, token: str, code: int) -> None:
    answer = simulator.http.get("/cgi-bin/menu/get", params={"access_token": token})
    assert code_of(answer.json()) == code


# Customer messages


def test_five_messages_after_a_message_within_48_hours(simulator: Running, clock: Clock) -> None:
    phone = simulator.phone()
    clock.forward(61)  # the three of the follow are over
    assert simulator.send(phone) == 45015
    phone.say("你好")
    assert [simulator.send(phone) for _ in range(6)] == [0, 0, 0, 0, 0, 45047]
    phone.say("再来")
    clock.forward(48 * 3600 - 1)
    assert simulator.send(phone) == 0
    clock.forward(1)
    assert simulator.send(phone) == 45015


def test_three_messages_within_a_minute_after_a_click(simulator: Running, clock: Clock) -> None:
    phone = simulator.phone()
    clock.forward(61)
    phone.click("CARD")
    assert [simulator.send(phone) for _ in range(4)] == [0, 0, 0, 45047]
    clock.forward(60)
    assert simulator.send(phone) == 45015


def test_an_unknown_openid(simulator: Running) -> None:
    body = {"touser": "nobody", "msgtype": "text", "text": {"content": "x"}}
    assert code_of(simulator.post("/cgi-bin/message/custom/send", body).json()) == 40003


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"msgtype": "text", "text": {"content": ""}}, 44004),
        ({"msgtype": "text", "text": {"content": "证" * 683}}, 45002),
        ({"msgtype": "text"}, 40035),
        ({"msgtype": "hologram", "hologram": {}}, 40008),
        ({"msgtype": "image", "image": {}}, 41006),
        ({"msgtype": "image", "image": {"media_id": "gone"}}, 40007),
        ({"msgtype": "news", "news": {"articles": [{}, {}]}}, 45008),
        ({"msgtype": "news", "news": {"articles": []}}, 40035),
        ({"msgtype": "msgmenu", "msgmenu": {"list": []}}, 40035),
        ({"msgtype": "msgmenu", "msgmenu": {"list": [{"content": "x"}]}}, 40035),
    ],
)
def test_what_cannot_be_sent(simulator: Running, body: dict[str, object], code: int) -> None:
    phone = simulator.phone()
    answer = simulator.post("/cgi-bin/message/custom/send", {"touser": phone.openid, **body})
    assert code_of(answer.json()) == code
    assert simulator.send(phone) == 0  # and it cost nothing


@pytest.mark.parametrize(
    ("body", "code"), [(b"", 44002), (b"{", 47001), (b"[]", 47001), (b"\xff", 40033)]
)
def test_a_body_that_is_no_object(simulator: Running, body: bytes, code: int) -> None:
    query = {"access_token": simulator.token()}
    answer = simulator.http.post("/cgi-bin/message/custom/send", params=query, content=body)
    assert code_of(answer.json()) == code


def test_quick_answers_come_back_with_their_number(simulator: Running, account: Account) -> None:
    phone = simulator.phone()
    menu = {
        "head_content": "同意吗？",
        "list": [{"id": "7", "content": "同意"}],
        "tail_content": "",
    }
    body = {"touser": phone.openid, "msgtype": "msgmenu", "msgmenu": menu}
    assert code_of(simulator.post("/cgi-bin/message/custom/send", body).json()) == 0
    phone.wait_for("同意吗？")
    phone.answer("同意")
    phone.wait_for("收到：同意")
    assert account.received[-1]["bizmsgmenuid"] == "7"


def test_typing(simulator: Running, clock: Clock) -> None:
    phone = simulator.phone()

    def typing(command: str) -> int:
        body = {"touser": phone.openid, "command": command}
        return code_of(simulator.post("/cgi-bin/message/custom/typing", body).json())

    assert typing("Typing") == 45080
    phone.say("你好")
    assert typing("Sleeping") == 45072
    assert typing("Typing") == 0
    phone.settle()
    assert typing("CancelTyping") == 0
    assert typing("Typing") == 0
    assert typing("Typing") == 45081
    clock.forward(31)
    assert typing("Typing") == 45080


def test_a_template_message_needs_no_window(
    simulator: Running, clock: Clock, account: Account
) -> None:
    phone = simulator.phone()
    clock.forward(100 * 3600)
    body = {
        "touser": phone.openid,
        "template_id": "T1",
        "data": {"place": {"value": "南沙湾酒店"}},
    }
    answer = simulator.post("/cgi-bin/message/template/send", body).json()
    assert code_of(answer) == 0
    phone.wait_for("南沙湾酒店")
    phone.settle()
    assert account.received[-1]["Event"] == "TEMPLATESENDJOBFINISH"
    assert account.received[-1]["MsgID"] == str(answer["msgid"])
    phone.unfollow()
    assert code_of(simulator.post("/cgi-bin/message/template/send", body).json()) == 43004


def test_a_subscription_message_is_sent_once_for_each_consent(simulator: Running) -> None:
    phone = simulator.phone()
    body = {"touser": phone.openid, "template_id": "S1", "data": {"thing1": {"value": "到期"}}}

    def send() -> int:
        return code_of(simulator.post("/cgi-bin/message/subscribe/bizsend", body).json())

    assert send() == 43101
    phone.subscribe("S1", accept=False)
    assert send() == 43101
    phone.subscribe("S1")
    assert [send(), send()] == [0, 43101]


# Media


@pytest.mark.parametrize(
    ("kind", "data", "code"),
    [
        ("image", b"", 41005),
        ("image", b"no picture", 40005),
        ("image", JPEG + bytes(10 * 1024 * 1024), 40009),
        ("voice", b"#!AMR\n" + bytes(2 * 1024 * 1024), 40010),
        ("video", bytes(10 * 1024 * 1024 + 1), 40011),
        ("thumb", JPEG + bytes(64 * 1024), 40012),
        ("smell", JPEG, 40004),
    ],
)
def test_media_that_are_not_taken(simulator: Running, kind: str, data: bytes, code: int) -> None:
    query = {"access_token": simulator.token(), "type": kind}
    files = {"media": ("file", data)}
    answer = simulator.http.post("/cgi-bin/media/upload", params=query, files=files)
    assert code_of(answer.json()) == code


def test_media_are_kept_three_days(simulator: Running, clock: Clock, account: Account) -> None:
    phone = simulator.phone()
    phone.send_photo(JPEG)
    phone.settle()
    media_id = account.received[-1]["MediaId"]
    answer = simulator.get("/cgi-bin/media/get", media_id=media_id)
    assert (answer.content, answer.headers["content-type"]) == (JPEG, "image/jpeg")
    clock.forward(3 * 24 * 3600)
    gone = simulator.get("/cgi-bin/media/get", media_id=media_id)
    assert gone.headers["content-type"].startswith("text/plain")
    assert code_of(gone.json()) == 40007


@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
def test_a_file_that_is_no_photo_arrives_as_it_was_sent(
    simulator: Running, account: Account, kind: str
) -> None:
    phone = simulator.phone()
    where = f"/simulator/api/phones/{phone.openid}/media/image"
    simulator.http.post(where, files={"file": ("notes", b"no photo", kind)})
    phone.settle()
    answer = simulator.get("/cgi-bin/media/get", media_id=account.received[-1]["MediaId"])
    assert (answer.status_code, answer.content) == (200, b"no photo")


def test_a_video_is_an_address(simulator: Running, account: Account) -> None:
    phone = simulator.phone()
    phone.send_video(b"\x00\x00\x00\x18ftypmp42")
    phone.settle()
    answer = simulator.get("/cgi-bin/media/get", media_id=account.received[-1]["MediaId"])
    assert simulator.http.get(answer.json()["video_url"]).content == b"\x00\x00\x00\x18ftypmp42"


# Menus


def button(name: str = "证件", **more: object) -> dict[str, object]:
    return {"type": "click", "name": name, "key": "CARD", **more}


@pytest.mark.parametrize(
    ("buttons", "code"),
    [
        ([], 40016),
        ([button()] * 4, 40016),
        ([button("一二三四五六")], 40018),
        ([button(type="dance")], 40017),
        ([button(key="k" * 129)], 40019),
        ([{"type": "view", "name": "页", "url": "ftp://x"}], 40020),
        ([{"name": "组", "sub_button": [button()] * 6}], 40023),
        ([{"name": "组", "sub_button": [button(key="")]}], 40026),
        ([{"name": "组", "sub_button": [button("字" * 21)]}], 40025),
    ],
)
def test_a_menu_that_is_refused(simulator: Running, buttons: object, code: int) -> None:
    answer = simulator.post("/cgi-bin/menu/create", {"button": buttons})
    assert code_of(answer.json()) == code


def test_menus_by_language(simulator: Running) -> None:
    english = {"button": [button("Card")], "matchrule": {"language": "en"}}
    assert code_of(simulator.post("/cgi-bin/menu/addconditional", english).json()) == 65303
    assert code_of(simulator.get("/cgi-bin/menu/get").json()) == 46003
    simulator.post("/cgi-bin/menu/create", {"button": [button()]})
    assert "menuid" in simulator.post("/cgi-bin/menu/addconditional", english).json()
    assert simulator.phone(language="en").menu()[0]["name"] == "Card"
    chinese = simulator.phone()
    assert chinese.menu()[0]["name"] == "证件"
    matched = simulator.post("/cgi-bin/menu/trymatch", {"user_id": chinese.openid}).json()
    assert matched["button"][0]["name"] == "证件"
    simulator.get("/cgi-bin/menu/delete")
    assert chinese.menu() == []
