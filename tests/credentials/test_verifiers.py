"""Verifiers and their API keys: shown once, kept as a hash, refused without a hint."""

import pytest
import redis

from credentials.errors import RefusalError, UnavailableError
from credentials.verifiers import VerifierError, Verifiers
from tests.credentials.dump import everything


@pytest.fixture
def verifiers(database: redis.Redis) -> Verifiers:
    return Verifiers(database)


def refusal(verifiers: Verifiers, api_key: str) -> str:
    with pytest.raises(RefusalError) as caught:
        verifiers.authenticate(api_key)
    return caught.value.code


def test_the_key_opens_the_door(verifiers: Verifiers) -> None:
    hotel, api_key = verifiers.add(" 南沙  Hotel ", ["hotel", "courier", "hotel"])
    assert hotel.name == "南沙 Hotel"
    assert hotel.purposes == ("courier", "hotel")
    assert api_key.startswith(f"vk_{hotel.verifier_id}_")
    assert verifiers.authenticate(api_key) == hotel
    assert verifiers.get(hotel.verifier_id) == hotel
    assert verifiers.all() == [hotel]


def test_redis_never_holds_the_key(verifiers: Verifiers, database: redis.Redis) -> None:
    _, api_key = verifiers.add("Hotel", ["hotel"])
    secret = api_key.split("_", 2)[2].encode()
    verifiers.authenticate(api_key)
    assert secret not in everything(database)


def test_a_wrong_key_is_refused_whatever_is_wrong_with_it(verifiers: Verifiers) -> None:
    hotel, api_key = verifiers.add("Hotel", ["hotel"])
    other, other_key = verifiers.add("Other", ["courier"])
    stolen = other_key.replace(other.verifier_id, hotel.verifier_id)
    last = "A" if api_key[-1] != "A" else "B"
    for wrong in (
        "",
        "vk_",
        "Bearer",
        api_key[:-1],
        api_key[:-1] + last,
        api_key + "A",
        api_key.upper(),
        api_key + "\n",
        stolen,
        "vk_0123456789ab_" + "A" * 43,
        "vk_*_" + "A" * 43,
        "密" * 40,
        "vk_" * 100_000,
    ):
        assert refusal(verifiers, wrong) == "unauthenticated"


def test_a_second_key_and_then_only_that(verifiers: Verifiers) -> None:
    hotel, first = verifiers.add("Hotel", ["hotel"])
    second = verifiers.new_key(hotel.verifier_id)
    assert verifiers.authenticate(first) == verifiers.authenticate(second)
    assert verifiers.drop_keys(hotel.verifier_id, keep=second) == 1
    assert refusal(verifiers, first) == "unauthenticated"
    assert verifiers.authenticate(second) == hotel
    assert verifiers.drop_keys(hotel.verifier_id) == 1
    assert refusal(verifiers, second) == "unauthenticated"


def test_a_blocked_verifier_is_refused_at_once(verifiers: Verifiers) -> None:
    hotel, api_key = verifiers.add("Hotel", ["hotel"])
    assert verifiers.block(hotel.verifier_id).blocked
    assert refusal(verifiers, api_key) == "unauthenticated"
    verifiers.block(hotel.verifier_id, blocked=False)
    assert verifiers.authenticate(api_key) == hotel


def test_a_purpose_taken_away_is_gone_at_the_next_request(verifiers: Verifiers) -> None:
    hotel, api_key = verifiers.add("Hotel", ["hotel", "courier"])
    verifiers.grant(hotel.verifier_id, ["courier"])
    assert verifiers.authenticate(api_key).purposes == ("courier",)


def test_too_many_requests_are_told_how_long_to_wait(database: redis.Redis) -> None:
    verifiers = Verifiers(database, rate_per_s=0.0001, burst=3)
    _, api_key = verifiers.add("Hotel", ["hotel"])
    assert [verifiers.admit(api_key).left for _ in range(3)] == [2, 1, 0]
    with pytest.raises(RefusalError) as caught:
        verifiers.authenticate(api_key)
    assert caught.value.code == "too_many_requests"
    assert 9_500 < float(caught.value.details["wait_s"]) <= 10_000


def test_wrong_keys_use_up_nobodys_rate(database: redis.Redis) -> None:
    verifiers = Verifiers(database, rate_per_s=0.01, burst=2)
    _, api_key = verifiers.add("Hotel", ["hotel"])
    for _ in range(20):
        assert refusal(verifiers, api_key + "A") == "unauthenticated"
    assert verifiers.admit(api_key).left == 1


def test_a_verifier_may_have_a_rate_of_its_own(database: redis.Redis) -> None:
    verifiers = Verifiers(database, burst=1)
    hotel, api_key = verifiers.add("Hotel", ["hotel"])
    verifiers.set_rate(hotel.verifier_id, 0.01)
    verifiers.authenticate(api_key)
    assert refusal(verifiers, api_key) == "too_many_requests"


def test_found_by_id_or_by_exactly_its_name(verifiers: Verifiers) -> None:
    hotel, _ = verifiers.add("Hotel", ["hotel"])
    assert verifiers.find(hotel.verifier_id) == hotel
    assert verifiers.find("Hotel") == hotel
    for unknown in ("Hot", "hotel", "", "*"):
        with pytest.raises(VerifierError, match="unknown_verifier"):
            verifiers.find(unknown)
    verifiers.add("Hotel", ["courier"])
    with pytest.raises(VerifierError, match="ambiguous_verifier") as caught:
        verifiers.find("Hotel")
    assert hotel.verifier_id in str(caught.value.details["ids"])


@pytest.mark.parametrize(
    ("name", "purposes", "code"),
    [
        ("Hotel", [], "no_purpose"),
        ("Hotel", ["hotel", "spying"], "unknown_purpose"),
        ("Hotel", ["Hotel"], "unknown_purpose"),
        ("", ["hotel"], "bad_verifier_name"),
        (" \n", ["hotel"], "bad_verifier_name"),
        ("a\x00b", ["hotel"], "bad_verifier_name"),
        ("x" * 61, ["hotel"], "bad_verifier_name"),
    ],
)
def test_what_cannot_be_registered(
    verifiers: Verifiers, name: str, purposes: list[str], code: str
) -> None:
    with pytest.raises(VerifierError) as caught:
        verifiers.add(name, purposes)
    assert caught.value.code == code
    assert verifiers.all() == []


def test_who_is_unknown_cannot_be_changed(verifiers: Verifiers, database: redis.Redis) -> None:
    with pytest.raises(VerifierError, match="unknown_verifier"):
        verifiers.block("0123456789ab")
    with pytest.raises(VerifierError, match="unknown_verifier"):
        verifiers.grant("0123456789ab", ["hotel"])
    with pytest.raises(VerifierError, match="unknown_verifier"):
        verifiers.set_rate("0123456789ab", 1)
    assert database.keys() == []


def test_without_redis_nobody_is_let_in(verifiers: Verifiers) -> None:
    _, api_key = verifiers.add("Hotel", ["hotel"])
    lost = Verifiers(redis.Redis(port=1, socket_connect_timeout=0.2))
    with pytest.raises(UnavailableError):
        lost.authenticate(api_key)
