"""The API's codes and people; and wechatpy's own client against the whole of it."""

from __future__ import annotations

import base64
import io

import pytest
import zxingcpp
from PIL import Image
from wechatpy import WeChatClient, WeChatClientException, WeChatOAuth

from tests.simulator.account import APP_ID, SECRET, Account
from tests.simulator.conftest import Clock, Running
from tests.simulator.test_api import JPEG, button, code_of
from web.camera import QR_ALONE

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
        (read,) = zxingcpp.read_barcodes(picture, formats=QR_ALONE)
        assert read.text == made["url"]
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
    client = WeChatClient(APP_ID, SECRET, access_token=token, timeout=30, auto_retry=False)
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
