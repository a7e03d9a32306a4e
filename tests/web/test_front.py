"""The front: asked with it and without it, the product answers the same, whatever is asked."""

from __future__ import annotations

import json
import re

import pytest
import redis
from werkzeug.test import TestResponse

from credentials.model import Actor
from credentials.verifiers import Verifiers
from tests.web.office import Office, Phone, Software
from web.front import Answer, Asked, Front, Route

PATH = "/api/v1/verifications"
JSON = "application/json"
GOOD = {"code": "A" * 52, "purpose": "internet_cafe"}
BODIES = {
    "a forged code": (GOOD, JSON),
    "no code at all": ({**GOOD, "code": "wxp://f2f0abc"}, JSON),
    "eight digits nobody was given": ({**GOOD, "code": "1234 5678"}, JSON),
    "a purpose not granted": ({**GOOD, "purpose": "banking"}, JSON),
    "no such purpose": ({**GOOD, "purpose": "spying"}, JSON),
    "nothing": (b"", JSON),
    "no JSON": (b"{", JSON),
    "a list": ([], JSON),
    "a field too many": ({**GOOD, "a/b~c": 1}, JSON),
    "a field too few": ({"code": "A"}, JSON),
    "not text": ({"code": 5, "purpose": None}, JSON),
    "no request id": ({**GOOD, "request_id": "1"}, JSON),
    "too much": ({**GOOD, "code": "A" * 20_000}, JSON),
    "of another kind": (GOOD, "text/plain"),
    "of no kind": (GOOD, ""),
    "of a kind with parameters": (GOOD, "Application/JSON; charset=utf-8"),
}
HEADERS: dict[str, dict[str, str]] = {
    "no key": {"Authorization": ""},
    "a wrong key": {"Authorization": f"Bearer vk_{'0' * 12}_{'a' * 43}"},
    "another scheme": {"Authorization": "Basic dXNlcjpwYXNz"},
    "compressed": {"Content-Encoding": "gzip"},
    "in Chinese": {"Accept-Language": "zh-CN,zh;q=0.9"},
}


@pytest.fixture
def plain(office: Office, database: redis.Redis) -> Office:
    """The same product without the front."""
    return Office(database, front=False)


def seen(answer: TestResponse) -> object:
    """All that a client can tell: status, body, headers; but not what differs each time."""
    headers = {name: value for name, value in answer.headers.items() if name != "RateLimit"}
    if cookie := headers.get("Set-Cookie"):  # Max-Age says the same, and not by the second
        assert "; Max-Age=" in cookie
        headers["Set-Cookie"] = re.sub(r"; Expires=[^;]+", "", cookie)
    body = answer.get_json() if answer.is_json and answer.data else answer.text
    if isinstance(body, dict):
        body.pop("verification_id", None)
        body.pop("verified_at", None)
    return answer.status, body, headers, "RateLimit" in answer.headers


def both(office: Office, plain: Office, **asked: object) -> list[object]:
    """What the front answers to a known key, and Flask."""
    return [
        seen(each.app.test_client().open(PATH, method="POST", **asked))  # type: ignore[arg-type]
        for each in (office, plain)
    ]


@pytest.mark.parametrize("known", [True, False], ids=["remembered", "new"])
def test_a_bad_body_is_refused_alike(
    office: Office, plain: Office, software: Software, *, known: bool
) -> None:
    for name, (sent, kind) in BODIES.items():
        if known:
            software.scan("x")
        else:
            office.services.verifiers.__init__(office.services.redis)  # type: ignore[misc]
        data = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        headers = software.headers | {"Content-Type": kind}
        first, second = both(office, plain, data=data, headers=headers)
        assert first == second, name


def test_a_bad_request_is_refused_alike(office: Office, plain: Office, software: Software) -> None:
    software.scan("x")
    for name, more in HEADERS.items():
        first, second = both(office, plain, json=GOOD, headers=software.headers | more)
        assert first == second, name


def test_every_outcome_of_a_scan_is_answered_alike(
    office: Office, plain: Office, software: Software, phone: Phone
) -> None:
    slow = Software(plain.app.test_client(), software.verifier, software.key)
    software.scan("x")
    used = phone.show()
    assert seen(software.scan(phone.show())) == seen(slow.scan(phone.show()))
    first, second = software.scan(phone.show(), "hotel"), slow.scan(phone.show(), "hotel")
    for answer in (first, second):
        told = answer.get_json()
        assert re.fullmatch(r"\d\d", str(told["number"]))
        assert set(told) == set(first.get_json())
    assert seen(software.scan(used)) == seen(slow.scan(used))
    phone.services.cards.freeze(phone.credential_id, Actor("operator", "laochen"))
    assert seen(software.scan(used)) == seen(slow.scan(used))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_other_methods_are_flasks(office: Office, plain: Office, method: str) -> None:
    answers = [each.app.test_client().open(PATH, method=method) for each in (office, plain)]
    assert seen(answers[0]) == seen(answers[1])
    assert office.counted == []


@pytest.mark.parametrize("path", [f"{PATH}/", f"{PATH}?lang=en", f"{PATH}/a", "/api/v1"])
def test_other_addresses_are_flasks(
    office: Office, plain: Office, software: Software, path: str
) -> None:
    answers = [
        each.app.test_client().post(path, json=GOOD, headers=software.headers)
        for each in (office, plain)
    ]
    assert seen(answers[0]) == seen(answers[1])
    assert office.counted == []


def test_what_it_answers_is_counted(office: Office, software: Software, phone: Phone) -> None:
    software.scan(phone.show())
    software.scan("x")
    assert [(rule, status) for rule, status, _ in office.counted] == [(PATH, 200), (PATH, 400)]


@pytest.mark.parametrize("what", ["block", "purpose", "keys", "block and a bad body"])
def test_a_change_by_another_server_holds_for_the_very_next_request(
    office: Office, software: Software, phone: Phone, what: str
) -> None:
    assert software.scan(phone.show()).status_code == 200
    code, there = phone.show(), Verifiers(office.services.redis)
    identifier = software.verifier.verifier_id
    if what == "purpose":
        there.grant(identifier, ["hotel"])
    elif what == "keys":
        there.drop_keys(identifier)
    else:
        there.block(identifier)
    wanted = "purpose_not_granted" if what == "purpose" else "unauthenticated"
    answer = software.send({}) if "body" in what else software.scan(code)
    assert answer.get_json()["code"] == wanted
    assert office.services.cards.history(phone.credential_id)[0].kind == "accepted"
    assert len(office.receipts) == 1


def test_a_function_that_fails_is_answered_and_not_explained(
    office: Office, plain: Office, software: Software, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (office, plain):
        each.app.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setattr("web.verifications.bodies.answer_of", lambda _: 1 / 0)
    answers: list[TestResponse] = []
    for each in (office, plain):
        phone = each.phone(len(answers) + 1)
        client = Software(each.app.test_client(), software.verifier, software.key)
        answers.append(client.scan(phone.show()))
    assert [answer.status_code for answer in answers] == [500, 500]
    assert answers[0].get_json() == answers[1].get_json()
    assert "division" not in answers[0].text


class TestRoutes:
    """A route with a part that varies, as pages have."""

    def made(self) -> Front:
        route = Route("GET", "/card/s/<tag>/code", _repeat)
        return Front(_flask, [route], headers={"X-Every": "1"}, count=_ignore, broken=_broken)

    @pytest.mark.parametrize(
        ("path", "answer"),
        [
            ("/card/s/abc/code", b"abc"),
            ("/card/s//code", b"flask"),
            ("/card/s/a/b/code", b"flask"),
            ("/card/s/abc/codes", b"flask"),
            ("/card/s/code", b"flask"),
            ("/card/s/leave/code", b"flask"),
        ],
    )
    def test_one_step_of_the_path_may_vary(self, path: str, answer: bytes) -> None:
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
        assert b"".join(self.made()(environ, lambda *_: lambda _: None)) == answer


def _repeat(_asked: Asked, part: str) -> Answer | None:
    return None if part == "leave" else Answer(200, part.encode(), {})


def _flask(_environ: object, _start: object) -> list[bytes]:
    return [b"flask"]


def _ignore(*_: object) -> None:
    """Nobody counts here."""


def _broken(_asked: Asked) -> Answer:
    raise AssertionError
