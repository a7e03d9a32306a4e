"""The Python client against the real API, and its reading of webhooks."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType

import httpx
import pytest
import redis

from credentials.webhooks import sign
from tests.web.office import Office

FOLDER = Path(__file__).parents[2] / "clients/python/virtual_identity_card_client"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vic_client", FOLDER / "__init__.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["vic_client"] = module
    spec.loader.exec_module(module)
    return module


vic = load()


@pytest.fixture
def office(database: redis.Redis) -> Office:
    return Office(database)


def client(office: Office, key: str) -> vic.Client:  # type: ignore[name-defined]
    transport = httpx.WSGITransport(app=office.app)
    return vic.Client("http://card.test", key, language="en", transport=transport)


def test_a_guest_is_verified_and_a_used_code_refused(office: Office) -> None:
    key = office.software().key
    code = office.phone().show()
    with client(office, key) as api:
        answer = api.verify(code, "internet_cafe")
        assert answer.accepted
        assert answer.attributes["age_over_18"] is True
        with pytest.raises(vic.RefusedError) as refusal:
            api.verify(code, "internet_cafe")
    assert refusal.value.code == "already_used"


def test_waiting_for_the_guest(office: Office) -> None:
    phone = office.phone()
    with client(office, office.software().key) as api:
        answer = api.verify(phone.show(), "hotel")
        assert answer.waiting
        phone.approve()
        assert api.wait(answer).attributes["name"] == "张三丰"


def test_a_wrong_key(office: Office) -> None:
    with client(office, "vk_nobody") as api, pytest.raises(vic.RefusedError) as refusal:
        api.verify("x", "hotel")
    assert refusal.value.status == 401


def test_a_lost_answer_is_asked_for_again_with_the_same_id(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content)["request_id"])
        if len(seen) < 3:
            raise httpx.ConnectError("gone")
        told = {"verification_id": "0" * 20, "state": "denied", "level": "light", "more": 1}
        told |= {"purpose": "hotel", "attributes": {}, "verified_at": "2017-12-25T00:00:00Z"}
        return httpx.Response(200, json=told)

    monkeypatch.setattr(vic, "FIRST_PAUSE_S", 0.0)
    with vic.Client("http://x", "k", transport=httpx.MockTransport(answer)) as api:
        assert api.verify("c", "hotel").state == "denied"
    assert len(seen) == 3
    assert len(set(seen)) == 1


@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize("pause", ["", "0", "Fri, 31 Dec 2027 23:59:59 GMT"])
def test_what_a_proxy_answers_for_the_api_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, status: int, pause: str
) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content)["request_id"])
        headers = {"Retry-After": pause} if pause else {}
        return httpx.Response(status, text="<html>gateway</html>", headers=headers)

    monkeypatch.setattr(vic, "FIRST_PAUSE_S", 0.0)
    transport = httpx.MockTransport(answer)
    api = vic.Client("http://x", "k", transport=transport)
    with api, pytest.raises(vic.RefusedError) as refusal:
        api.verify("c", "hotel")
    assert (refusal.value.code, refusal.value.status) == ("unreadable", status)
    assert refusal.value.wait_s == (0.0 if pause == "0" else None)
    assert len(seen) == vic.ATTEMPTS
    assert len(set(seen)) == 1


def test_an_answer_that_is_no_object() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(403, json="no"))
    api = vic.Client("http://x", "k", transport=transport)
    with api, pytest.raises(vic.RefusedError) as refusal:
        api.look("0" * 20)
    assert refusal.value.code == "unreadable"


class TestWebhooks:
    BODY = b'{"type":"ping","data":{}}'

    def headers(self, body: bytes = BODY, at: int | None = None) -> dict[str, str]:
        stamp = int(time.time()) if at is None else at
        signature = f"v1,bm8= {sign(SECRET, 'msg_1', stamp, body)}"
        return {
            "Webhook-Id": "msg_1",
            "Webhook-Timestamp": str(stamp),
            "Webhook-Signature": signature,
        }

    def test_a_right_one(self) -> None:
        identity, event = vic.read_webhook(SECRET, self.headers(), self.BODY)
        assert (identity, event["type"]) == ("msg_1", "ping")

    def test_the_standards_own_example(self) -> None:
        body = b'{"test": 2432232314}'
        said = sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
        assert said == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    @pytest.mark.parametrize("change", ["body", "id", "old", "secret", "none"])
    def test_wrong_ones(self, change: str) -> None:
        headers, body, secret = self.headers(), self.BODY, SECRET
        if change == "body":
            body += b" "
        elif change == "id":
            headers["Webhook-Id"] = "msg_2"
        elif change == "old":
            headers = self.headers(at=int(time.time()) - 301)
        elif change == "secret":
            secret = "whsec_AAAA"
        else:
            headers = {}
        with pytest.raises(vic.WebhookError):
            vic.read_webhook(secret, headers, body)
