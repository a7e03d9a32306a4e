"""The API's endpoints, limits and errors; and wechatpy's own client against them."""

from __future__ import annotations

import base64
import io

import pytest
import zxingcpp
from PIL import Image
from wechatpy import WeChatClient, WeChatClientException, WeChatOAuth

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


# Codes


def test_a_poster_brings_a_follower(simulator: Running, clock: Clock, account: Account) -> None:
    body = {
        "expire_seconds": 600,
        "action_name": "QR_STR_SCENE",
        "action_info": {"scene": {"scene_str": "nansha"}},
    }
    made = simulator.post("/cgi-bin/qrcode/create", body).json()
    shown = simulator.http.get("/cgi-bin/showqrcode", params={"ticket": made["ticket"]})
    with Image.open(io.BytesIO(shown.content)) as picture:
        assert zxingcpp.read_barcodes(picture)[0].text == made["url"]
    phone = simulator.phone(following=False)
    assert phone.scan(made["url"]) == {"scene": "nansha"}
    phone.settle()
    assert account.received[-1]["EventKey"] == "qrscene_nansha"
    assert account.received[-1]["Ticket"] == made["ticket"]
    phone.scan(made["url"])
    phone.settle()
    assert (account.received[-1]["Event"], account.received[-1]["EventKey"]) == ("SCAN", "nansha")
    assert (
        simulator.get("/cgi-bin/user/info", openid=phone.openid).json()["qr_scene_str"] == "nansha"
    )
    clock.forward(600)
    assert "open" in phone.scan(made["url"])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action_name": "QR_STR_SCENE"},
        {"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": ""}}},
        {"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "x" * 65}}},
        {"action_name": "QR_SCENE", "action_info": {"scene": {"scene_id": 0}}},
        {
            "expire_seconds": 2592001,
            "action_name": "QR_STR_SCENE",
            "action_info": {"scene": {"scene_str": "x"}},
        },
    ],
)
def test_a_scene_that_is_refused(simulator: Running, body: dict[str, object]) -> None:
    assert code_of(simulator.post("/cgi-bin/qrcode/create", body).json()) == 40053


def test_mini_program_codes(simulator: Running) -> None:
    fine = simulator.post("/wxa/getwxacodeunlimit", {"scene": "desk=7", "page": "pages/card"})
    assert fine.headers["content-type"] == "image/jpeg"
    for scene in ("", "x" * 33, "南沙"):
        answer = simulator.post("/wxa/getwxacodeunlimit", {"scene": scene})
        assert code_of(answer.json()) == 40129


# Who somebody is


def authorize(simulator: Running, **more: str) -> dict[str, str]:
    return {
        "appid": APP_ID,
        "redirect_uri": "http://127.0.0.1:1/card?x=1",
        "response_type": "code",
        "scope": "snsapi_base",
        "state": "s1",
        **more,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("appid", "wx1"),
        ("redirect_uri", ""),
        ("redirect_uri", "javascript:alert(1)"),
        ("response_type", "token"),
        ("scope", "everything"),
        ("state", "s" * 129),
    ],
)
def test_an_authorize_address_that_is_refused(simulator: Running, name: str, value: str) -> None:
    query = authorize(simulator, **{name: value})
    assert simulator.http.get("/connect/oauth2/authorize", params=query).status_code == 400


def test_oauth_gives_a_code_that_works_once(simulator: Running, clock: Clock) -> None:
    phone = simulator.phone()

    def code() -> str:
        query = authorize(simulator, sim_openid=phone.openid)
        answer = simulator.http.get("/connect/oauth2/authorize", params=query)
        place = answer.headers["location"]
        assert place.startswith("http://127.0.0.1:1/card?x=1&code=")
        assert place.endswith("&state=s1")
        return place.partition("code=")[2].partition("&")[0]

    def spend(value: str, secret: str = SECRET) -> dict[str, object]:
        query = {
            "appid": APP_ID,
            "secret": secret,
            "code": value,
            "grant_type": "authorization_code",
        }
        found: dict[str, object] = simulator.http.get(
            "/sns/oauth2/access_token", params=query
        ).json()
        return found

    once = code()
    assert code_of(spend(once, "wrong")) == 40125
    assert spend(once)["openid"] == phone.openid
    assert code_of(spend(once)) == 40163
    assert code_of(spend("invented")) == 40029
    late = code()
    clock.forward(300)
    assert code_of(spend(late)) == 40029
    assert code_of(spend(phone.js_code())) == 40029


def test_outside_of_a_phone_the_page_offers_a_choice(simulator: Running) -> None:
    answer = simulator.http.get("/connect/oauth2/authorize", params=authorize(simulator))
    assert answer.status_code == 200
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_the_mini_program_s_session(simulator: Running) -> None:
    phone = simulator.phone()
    query = {"appid": APP_ID, "secret": SECRET, "grant_type": "authorization_code"}
    code = phone.js_code()
    answer = simulator.http.get("/sns/jscode2session", params={**query, "js_code": code}).json()
    assert answer["openid"] == phone.openid
    assert len(base64.b64decode(answer["session_key"])) == 16
    again = simulator.http.get("/sns/jscode2session", params={**query, "js_code": code})
    assert code_of(again.json()) == 40163


def test_a_fingerprint_s_signature(simulator: Running) -> None:
    phone, other = simulator.phone(), simulator.phone()
    signed = phone.touch_sensor("challenge-1")

    def check(**body: str) -> bool:
        answer = simulator.post("/cgi-bin/soter/verify_signature", {**signed, **body}).json()
        found: bool = answer["is_ok"]
        return found

    assert check(openid=phone.openid)
    assert not check(openid=other.openid)
    assert not check(openid=phone.openid, json_string=signed["json_string"] + " ")
    assert not check(openid=phone.openid, json_signature="junk")


def test_an_unfollowed_person_is_only_an_openid(simulator: Running) -> None:
    phone = simulator.phone(following=False)
    info = simulator.get("/cgi-bin/user/info", openid=phone.openid).json()
    assert info == {"subscribe": 0, "openid": phone.openid, "tagid_list": []}
    assert code_of(simulator.get("/cgi-bin/user/info", openid="nobody").json()) == 40003


# An independent client


def test_wechatpy_s_client_works_against_it(simulator: Running, account: Account) -> None:
    query = {"grant_type": "client_credential", "appid": APP_ID, "secret": SECRET}
    token = simulator.http.get("/cgi-bin/token", params=query).json()["access_token"]
    client = WeChatClient(APP_ID, SECRET, access_token=token, timeout=5, auto_retry=False)
    client.API_BASE_URL = f"{simulator.url}/cgi-bin/"
    phone = simulator.phone()
    client.menu.create({"button": [button()]})
    assert client.menu.get()["menu"]["button"][0]["name"] == "证件"
    uploaded = client.media.upload("image", ("photo.jpg", io.BytesIO(JPEG), "image/jpeg"))
    client.message.send_image(phone.openid, uploaded["media_id"])
    assert phone.wait_for_photo() == JPEG
    client.message.send_text(phone.openid, "来自另一个实现")
    phone.wait_for("来自另一个实现")
    client.message.send_articles(
        phone.openid, [{"title": "证件", "description": "d", "url": "http://x/", "image": ""}]
    )
    phone.wait_for("证件")
    with pytest.raises(WeChatClientException) as refused:
        client.message.send_text(phone.openid, "第四条")
    assert refused.value.errcode == 45047
    assert client.user.get(phone.openid)["subscribe"] == 1
    assert client.jsapi.get_ticket()["ticket"]


def test_wechatpy_s_oauth_works_against_it(simulator: Running) -> None:
    phone = simulator.phone()
    oauth = WeChatOAuth(APP_ID, SECRET, "http://127.0.0.1:1/card", state="s1")
    oauth.OAUTH_BASE_URL = f"{simulator.url}/connect/"
    oauth.API_BASE_URL = f"{simulator.url}/"
    address = oauth.authorize_url.partition("#")[0]
    answer = simulator.http.get(f"{address}&sim_openid={phone.openid}")
    code = answer.headers["location"].partition("code=")[2].partition("&")[0]
    assert oauth.fetch_access_token(code)["openid"] == phone.openid
