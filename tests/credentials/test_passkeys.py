"""Passkeys: what a device proves, and everything else, which opens nothing."""

from __future__ import annotations

import base64
import json

import pytest
import redis

from credentials.errors import SignInError
from credentials.passkeys import MOST, Passkeys
from tests.credentials.authenticator import Authenticator

ORIGIN, HOST = "https://card.example", "card.example"


@pytest.fixture
def passkeys(database: redis.Redis) -> Passkeys:
    return Passkeys(database, "staff", ORIGIN)


@pytest.fixture
def device(passkeys: Passkeys) -> Authenticator:
    """xiaoli's device, with a passkey."""
    made = Authenticator(ORIGIN, HOST)
    passkeys.add("xiaoli", made.make(passkeys.offer("xiaoli")), "tablet")
    return made


def refused(passkeys: Passkeys, answer: str) -> bool:
    with pytest.raises(SignInError) as error:
        passkeys.check(answer)
    return error.value.code == "passkey_refused"


def test_a_passkey_signs_in_again_and_again(passkeys: Passkeys, device: Authenticator) -> None:
    for _ in range(3):
        assert passkeys.check(device.open(passkeys.ask())) == "xiaoli"
    assert [each.name for each in passkeys.of("Xiaoli")] == ["tablet"]


def test_the_same_answer_again(passkeys: Passkeys, device: Authenticator) -> None:
    answer = device.open(passkeys.ask())
    passkeys.check(answer)
    assert refused(passkeys, answer)


def test_an_older_count_is_a_copy(passkeys: Passkeys, device: Authenticator) -> None:
    device.count = 9
    passkeys.check(device.open(passkeys.ask()))
    device.count = 3
    assert refused(passkeys, device.open(passkeys.ask()))


@pytest.mark.parametrize(
    "other",
    [
        {"origin": "https://card.example.evil"},
        {"origin": "http://card.example"},
        {"type": "webauthn.create"},
        {"challenge": base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")},
        {"challenge": ""},
        {"challenge": "*"},
        {"challenge": 7},
    ],
)
def test_another_place_or_question(
    passkeys: Passkeys, device: Authenticator, other: dict[str, object]
) -> None:
    assert refused(passkeys, device.open(passkeys.ask(), **other))


def test_a_question_about_adding_is_none_about_signing_in(
    passkeys: Passkeys, device: Authenticator
) -> None:
    assert refused(passkeys, device.open(passkeys.offer("xiaoli")))


def test_another_device_with_the_same_name(passkeys: Passkeys, device: Authenticator) -> None:
    thief = Authenticator(ORIGIN, HOST)
    thief.identifier = device.identifier
    assert refused(passkeys, thief.open(passkeys.ask()))


def test_a_device_that_nobody_added(passkeys: Passkeys) -> None:
    assert refused(passkeys, Authenticator(ORIGIN, HOST).open(passkeys.ask()))


def test_a_device_that_asks_its_owner_nothing(passkeys: Passkeys) -> None:
    careless = Authenticator(ORIGIN, HOST, verifies=False)
    with pytest.raises(SignInError):
        passkeys.add("xiaoli", careless.make(passkeys.offer("xiaoli")), "x")
    assert not passkeys.enrolled("xiaoli")


def test_an_offer_is_its_own_accounts(passkeys: Passkeys) -> None:
    offer = passkeys.offer("xiaowang")
    with pytest.raises(SignInError):
        passkeys.add("xiaoli", Authenticator(ORIGIN, HOST).make(offer), "x")
    assert not passkeys.enrolled("xiaoli")
    assert not passkeys.enrolled("xiaowang")


def test_nobody_takes_anothers_identifier(passkeys: Passkeys, device: Authenticator) -> None:
    thief = Authenticator(ORIGIN, HOST)
    thief.identifier = device.identifier
    with pytest.raises(SignInError):
        passkeys.add("mallory", thief.make(passkeys.offer("mallory")), "x")
    assert passkeys.check(device.open(passkeys.ask())) == "xiaoli"


def test_one_that_was_removed(passkeys: Passkeys, device: Authenticator) -> None:
    waiting = device.open(passkeys.ask())
    passkeys.remove("xiaoli")
    assert refused(passkeys, waiting)
    assert not passkeys.enrolled("xiaoli")


def test_one_of_two_is_removed(passkeys: Passkeys, device: Authenticator) -> None:
    second = Authenticator(ORIGIN, HOST)
    kept = passkeys.add("xiaoli", second.make(passkeys.offer("xiaoli")), "phone")
    passkeys.remove("xiaoli", kept.identifier)
    assert refused(passkeys, second.open(passkeys.ask()))
    assert passkeys.check(device.open(passkeys.ask())) == "xiaoli"


def test_more_than_anybody_needs(passkeys: Passkeys) -> None:
    for _ in range(MOST):
        passkeys.add("xiaoli", Authenticator(ORIGIN, HOST).make(passkeys.offer("xiaoli")), "x")
    with pytest.raises(SignInError) as error:
        passkeys.add("xiaoli", Authenticator(ORIGIN, HOST).make(passkeys.offer("xiaoli")), "x")
    assert error.value.code == "passkey_many"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "{}",
        "[]",
        "null",
        "x" * 20_000,
        "[" * 16_000,
        '{"id": "\\ud800", "response": {}}',
        '{"id": "a", "response": {"clientDataJSON": "!!!"}}',
        '{"id": "a", "response": {"clientDataJSON": "W10"}}',
        json.dumps({"id": "a", "response": {"clientDataJSON": "W1tb" * 3000}}),
    ],
)
def test_junk(passkeys: Passkeys, answer: str) -> None:
    assert refused(passkeys, answer)


@pytest.mark.parametrize("identifier", ["\ud800", "", "a b", "x" * 1500, 7, None, []])
def test_a_true_challenge_and_a_junk_identifier(
    passkeys: Passkeys, device: Authenticator, identifier: object
) -> None:
    answer = json.loads(device.open(passkeys.ask()))
    assert refused(passkeys, json.dumps({**answer, "id": identifier}))


@pytest.mark.parametrize("part", ["authenticatorData", "signature"])
def test_a_part_that_is_missing_or_junk(
    passkeys: Passkeys, device: Authenticator, part: str
) -> None:
    for junk in ("", "AAAA", None):
        answer = json.loads(device.open(passkeys.ask()))
        answer["response"][part] = junk
        assert refused(passkeys, json.dumps(answer))


@pytest.mark.parametrize(
    ("address", "possible"),
    [
        ("https://card.example", True),
        ("http://localhost:8000", True),
        ("http://127.0.0.1:8000", False),
        ("https://10.0.0.1", False),
        ("https://[::1]", False),
        ("http://card.example", False),
    ],
)
def test_where_browsers_make_passkeys(
    database: redis.Redis, address: str, *, possible: bool
) -> None:
    assert Passkeys(database, "staff", address).possible is possible
