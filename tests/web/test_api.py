"""The verifier API: the contract's answers and refusals, and no way to make it stumble."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import socket
import uuid
from collections.abc import Callable

import pytest
import redis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credentials.codes import Payload
from credentials.connection import connect
from credentials.model import Actor
from credentials.verifiers import Verifiers
from tests.credentials.issuer import ring
from tests.web.office import ADDRESS, Office, Phone, Software, outcome
from texts import Texts
from web import api, problems

REQUEST = "0b6f1a5e-3d53-4a8e-9a57-0c2a1e6f9d11"
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(), inside, max_size=4),
    max_leaves=8,
)


def test_a_cafe_is_told_that_the_guest_is_of_age(phone: Phone, software: Software) -> None:
    answer = software.scan(phone.show())
    told = answer.get_json()
    assert outcome(answer) == (200, "accepted")
    assert set(told) == {
        "verification_id", "state", "level", "purpose", "attributes", "verified_at",
    }  # fmt: skip
    assert set(told["attributes"]) == {"age_over_18", "name_masked", "portrait"}
    assert told["attributes"]["age_over_18"] is True
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", told["verified_at"])


def test_the_whole_address_is_as_good_as_the_code(phone: Phone, software: Software) -> None:
    assert outcome(software.scan(f"{ADDRESS}/v/{phone.show()}".upper())) == (200, "accepted")


def test_a_hotel_waits_for_the_guest(phone: Phone, software: Software) -> None:
    asked = software.scan(phone.show(), "hotel").get_json()
    assert asked["state"] == "awaiting_holder"
    assert asked["attributes"] == {}
    assert 10 <= asked["number"] <= 99
    assert asked["expires_at"] > asked["verified_at"]
    phone.approve()
    told = software.look(asked["verification_id"]).get_json()
    assert told["state"] == "accepted"
    assert "number" not in told
    assert set(told["attributes"]) >= {"name", "sex", "birth_date", "id_number", "portrait"}


def test_a_code_that_was_bound_to_the_purpose_is_answered_at_once(
    phone: Phone, software: Software
) -> None:
    assert outcome(software.scan(phone.show("hotel"), "hotel")) == (200, "accepted")


def test_a_guest_who_sees_the_wrong_hotel_denies_and_freezes(
    phone: Phone, software: Software
) -> None:
    asked = software.scan(phone.show(), "hotel").get_json()
    phone.deny(freeze=True)
    denied = software.look(asked["verification_id"]).get_json()
    assert (denied["state"], denied["attributes"]) == ("denied", {})


def test_a_retry_is_given_the_same_answer_and_one_receipt(
    office: Office, phone: Phone, software: Software
) -> None:
    code = phone.show()
    first, second = (software.scan(code, request_id=REQUEST).get_json() for _ in range(2))
    assert first == second
    assert len(office.receipts) == 1


class TestRefusals:
    def test_already_used(self, phone: Phone, software: Software) -> None:
        code = phone.show()
        software.scan(code)
        assert outcome(software.scan(code)) == (409, "already_used")

    def test_older_than_an_accepted_one(self, phone: Phone, software: Software) -> None:
        older, newer = phone.show(), phone.show()
        software.scan(newer)
        assert outcome(software.scan(older)) == (409, "already_used")

    def test_bad_signature(self, phone: Phone, software: Software) -> None:
        code = phone.show()
        forged = ("B" if code[0] == "A" else "A") + code[1:]
        assert outcome(software.scan(forged)) == (422, "bad_signature")

    def test_another_issuers_code(
        self, database: redis.Redis, phone: Phone, software: Software
    ) -> None:
        other = Office(database, keyring=ring(9))
        code = other.services.codes.rotating(_payload(phone), None).code
        assert outcome(software.scan(code)) == (422, "bad_signature")

    def test_expired(self, office: Office, phone: Phone, software: Software) -> None:
        code = office.services.codes.rotating(_payload(phone, seconds_ago=31), None).code
        assert outcome(software.scan(code)) == (410, "expired")

    def test_frozen(self, office: Office, phone: Phone, software: Software) -> None:
        code = phone.show()
        office.services.cards.freeze(phone.credential_id, Actor("holder"))
        assert outcome(software.scan(code)) == (423, "frozen")

    def test_revoked(self, office: Office, phone: Phone, software: Software) -> None:
        code = phone.show()
        office.services.cards.revoke(phone.credential_id, Actor("operator", "a"))
        assert outcome(software.scan(code)) == (423, "revoked")

    def test_unknown_code(self, office: Office, phone: Phone, software: Software) -> None:
        payload = _payload(phone)
        ghost = Payload("0" * 16, payload.issued, 0)
        code = office.services.codes.rotating(ghost, None).code
        assert outcome(software.scan(code)) == (404, "unknown_code")

    def test_level_insufficient(self, office: Office, phone: Phone) -> None:
        bank = office.software("banking", name="Bank")
        assert outcome(bank.scan(phone.show(), "banking")) == (403, "level_insufficient")

    @pytest.mark.parametrize("purpose", ["banking", "no_such_purpose", "hotel\x00", "*"])
    def test_a_purpose_that_was_not_granted_is_logged(
        self, office: Office, phone: Phone, software: Software, purpose: str
    ) -> None:
        assert outcome(software.scan(phone.show(), purpose)) == (403, "purpose_not_granted")
        assert "purpose_refused" in office.audited()

    def test_another_verifiers_verification(self, office: Office, phone: Phone) -> None:
        hotel_a, hotel_b = office.software(name="A"), office.software(name="B")
        asked = hotel_a.scan(phone.show(), "hotel").get_json()
        seen = hotel_b.look(asked["verification_id"])
        assert outcome(seen) == (404, "unknown_verification")

    @pytest.mark.parametrize("identifier", ["x", "0" * 20, "%00", "é", "0" * 5000])
    def test_no_such_verification(self, software: Software, identifier: str) -> None:
        assert outcome(software.look(identifier)) == (404, "unknown_verification")


class TestWhoAsks:
    @pytest.mark.parametrize(
        "header",
        [
            "", "Bearer", "Bearer ", "Bearer x", "Basic dXNlcjpwYXNz", "bearer vk_0_0", "Bearer é",
            f"Bearer vk_{'0' * 12}_{'a' * 43}", "Bearer " + "k" * 5000,
        ],
    )  # fmt: skip
    def test_a_missing_or_wrong_key(self, software: Software, header: str) -> None:
        answer = software.browser.post(
            "/api/v1/verifications", json={}, headers={"Authorization": header}
        )
        assert outcome(answer) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    def test_a_blocked_verifier(self, office: Office, phone: Phone, software: Software) -> None:
        office.services.verifiers.block(software.verifier.verifier_id)
        assert outcome(software.scan(phone.show())) == (401, "unauthenticated")

    def test_a_desks_cookie_opens_nothing_here(self, office: Office, software: Software) -> None:
        staff = office.staff(software.verifier).sign_in()
        answer = staff.browser.post("/api/v1/verifications", json={})
        assert outcome(answer) == (401, "unauthenticated")

    def test_what_is_left_is_said_and_too_many_wait(
        self, office: Office, software: Software
    ) -> None:
        few = Verifiers(office.services.redis, rate_per_s=0.001, burst=2)
        server = Flask("hasty")
        server.register_blueprint(
            api.blueprint(dataclasses.replace(office.services, verifiers=few))
        )
        client = Software(server.test_client(), software.verifier, software.key)
        first = client.scan("x")
        assert first.headers["RateLimit-Policy"] == '"verifier";q=2'
        assert first.headers["RateLimit"] == '"verifier";r=1'
        client.scan("x")
        refused = client.scan("x")
        assert outcome(refused) == (429, "too_many_requests")
        assert int(refused.headers["Retry-After"]) >= 1


class TestBodies:
    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, "/code"),
            ([], ""),
            ("code", ""),
            ({"code": "", "purpose": "hotel"}, "/code"),
            ({"code": "A" * 513, "purpose": "hotel"}, "/code"),
            ({"code": 5, "purpose": "hotel"}, "/code"),
            ({"code": None, "purpose": "hotel"}, "/code"),
            ({"code": "A", "purpose": ["hotel"]}, "/purpose"),
            ({"code": "A", "purpose": "hotel", "request_id": "1"}, "/request_id"),
            ({"code": "A", "purpose": "hotel", "request_id": 1}, "/request_id"),
            ({"code": "A", "purpose": "hotel", "requestId": REQUEST}, "/requestId"),
            ({"code": "A", "purpose": "hotel", "a/b~c": 1}, "/a~1b~0c"),
        ],
    )
    def test_a_wrong_field_is_pointed_at(
        self, software: Software, body: object, pointer: str
    ) -> None:
        answer = software.send(body)
        assert outcome(answer) == (400, "malformed")
        assert pointer in [error["pointer"] for error in answer.get_json()["errors"]]

    @pytest.mark.parametrize(
        ("data", "content_type"),
        [
            (b"", "application/json"),
            (b"{", "application/json"),
            (b"\xff\xfe", "application/json"),
            (b'{"code":"\\ud800","purpose":"hotel"}', "application/json"),
            (b"[" * 7000, "application/json"),
            (b'{"code":"A","purpose":"hotel"}', "text/plain"),
            (b'{"code":"A","purpose":"hotel"}', ""),
            (b"code=A&purpose=hotel", "application/x-www-form-urlencoded"),
            (b'{"code":"' + b"A" * 20_000 + b'"}', "application/json"),
        ],
    )
    def test_what_is_not_small_json(
        self, software: Software, data: bytes, content_type: str
    ) -> None:
        headers = software.headers | {"Content-Type": content_type}
        answer = software.browser.post("/api/v1/verifications", data=data, headers=headers)
        assert outcome(answer) == (400, "malformed")

    def test_a_compressed_body(self, software: Software) -> None:
        headers = software.headers | {"Content-Encoding": "gzip"}
        answer = software.browser.post("/api/v1/verifications", json={}, headers=headers)
        assert outcome(answer) == (400, "malformed")

    def test_a_code_that_is_not_ours(self, software: Software) -> None:
        assert outcome(software.scan("wxp://f2f0abc")) == (400, "malformed")

    @settings(
        max_examples=150,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(body=ANYTHING | st.fixed_dictionaries({"code": st.text(), "purpose": st.text()}))
    def test_nothing_makes_it_stumble(self, software: Software, body: object) -> None:
        answer = software.send(body)
        assert answer.status_code in {400, 403}
        assert answer.mimetype == "application/problem+json"


class TestProblems:
    def test_the_form_of_a_refusal(self, software: Software) -> None:
        answer = software.scan("x")
        problem = answer.get_json()
        assert answer.mimetype == "application/problem+json"
        assert set(problem) >= {"type", "title", "status", "code", "detail", "instance"}
        assert problem["status"] == answer.status_code
        assert answer.headers["Cache-Control"] == "no-store"

    def test_the_sentence_is_in_the_language_asked_for(self, software: Software) -> None:
        software.language = "zh-CN,zh;q=0.9"
        answer = software.scan("x")
        assert "请求" in answer.get_json()["detail"]
        assert answer.headers["Content-Language"] == "zh-CN"

    def test_every_code_has_its_sentences(self) -> None:
        texts = Texts()
        for code in problems.STATUSES:
            assert texts.say("en", f"api.title.{code}")
            assert texts.say("zh_CN", f"api.detail.{code}")

    @pytest.mark.parametrize("path", ["/api/", "/api/v2/x", "/api/v1/verifications/a/b"])
    def test_no_such_address(self, software: Software, path: str) -> None:
        assert outcome(software.browser.get(path)) == (404, "not_found")

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
    def test_no_such_method(self, software: Software, method: str) -> None:
        answer = software.browser.open("/api/v1/verifications", method=method)
        assert outcome(answer) == (405, "method_not_allowed")
        assert answer.headers["Allow"] == "POST"


class TestRedisOut:
    @pytest.fixture
    def waits(self, monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
        """How many seconds each use of a socket may last at most; None would be for ever."""
        noted: list[float | None] = []

        def noting(name: str) -> Callable[..., object]:
            use = getattr(socket.socket, name)

            def used(self: socket.socket, *given: object) -> object:
                noted.append(self.gettimeout())
                return use(self, *given)

            return used

        for name in ("connect", "recv", "recv_into"):
            monkeypatch.setattr(socket.socket, name, noting(name))
        return noted

    def test_down_is_said_within_two_seconds(
        self, software: Software, waits: list[float | None]
    ) -> None:
        office = Office(connect("unix:///nowhere/redis.sock"))
        client = Software(office.app.test_client(), software.verifier, software.key)
        waits.clear()
        answer = client.scan("x")
        assert outcome(answer) == (503, "unavailable")
        assert 0 < sum(each or math.inf for each in waits) < 2
        assert "nothing was recorded" in answer.get_json()["detail"]
        assert "Retry-After" in answer.headers

    def test_silent_is_said_within_two_seconds(
        self, software: Software, waits: list[float | None]
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            office = Office(connect(f"redis://127.0.0.1:{silent.getsockname()[1]}"))
            client = Software(office.app.test_client(), software.verifier, software.key)
            waits.clear()
            assert outcome(client.scan("x")) == (503, "unavailable")
            assert 1 < sum(each or math.inf for each in waits) < 2

    def test_full_refuses_and_recovers(
        self, office: Office, phone: Phone, software: Software
    ) -> None:
        database = office.services.redis
        code = phone.show()
        database.config_set("maxmemory", "1")
        try:
            assert outcome(software.scan(code)) == (503, "unavailable")
        finally:
            database.config_set("maxmemory", "0")
        assert outcome(software.scan(code)) == (200, "accepted")


class TestOpenApi:
    def test_it_describes_what_is_answered(self, phone: Phone, software: Software) -> None:
        answer = software.browser.get("/openapi.json")
        document = answer.get_json()
        assert document["openapi"] == "3.1.0"
        operation = document["paths"]["/api/v1/verifications"]["post"]
        assert set(operation["responses"]) == {
            "200", "400", "401", "403", "404", "405", "409", "410", "422", "423", "429", "503",
        }  # fmt: skip
        schema = document["components"]["schemas"]["VerificationAnswer"]["properties"]
        told = software.scan(phone.show(), "hotel").get_json()
        assert set(told) <= set(schema)

    def test_every_reference_leads_somewhere(self, software: Software) -> None:
        text = software.browser.get("/openapi.json").text
        document = json.loads(text)
        for name in re.findall(r'"\$ref": "#/components/schemas/(\w+)"', text):
            assert name in document["components"]["schemas"]

    def test_every_refusal_has_an_example(self, software: Software) -> None:
        text = software.browser.get("/openapi.json").text
        for code in set(problems.STATUSES) - {"not_found"}:
            assert f'"code": "{code}"' in text


def test_request_ids_of_two_verifiers_are_their_own(office: Office, phone: Phone) -> None:
    hotel_a, hotel_b = office.software(name="A"), office.software(name="B")
    request_id = str(uuid.uuid4())
    assert outcome(hotel_a.scan(phone.show(), request_id=request_id)) == (200, "accepted")
    code = phone.show()
    assert outcome(hotel_b.scan(code, request_id=request_id)) == (200, "accepted")
    assert outcome(hotel_a.scan(code)) == (409, "already_used")


def _payload(phone: Phone, seconds_ago: float = 0.0) -> Payload:
    seconds, micros = phone.services.redis.time()
    issued = int(seconds) * 1_000_000 + int(micros) - round(seconds_ago * 1e6)
    return Payload(phone.credential_id, issued, 0)
