"""The offline check: what a desk without a network may believe, and what it tells afterwards."""

from __future__ import annotations

import base64
import dataclasses
import json

import pytest

from credentials.cases import Cases, Kind
from credentials.errors import NoCardError
from credentials.model import Holder, Level
from credentials.offline import (
    EPOCH_SECONDS,
    LIFE_SECONDS,
    OLDEST_LIST_SECONDS,
    Offline,
    OfflineError,
    StatusList,
    Token,
    Told,
    check,
    opened,
)
from tests.credentials.issuer import HOLDER, Desk, Issuer, Phone, id_number, refusal, ring

CAFE = "internet_cafe"


@dataclasses.dataclass
class Away:
    """A desk whose network is gone, with what it kept."""

    kept: StatusList
    keys: dict[int, bytes]
    now: float

    def sees(self, text: str, purpose: str = CAFE, later: float = 0.0) -> Token:
        return check(text, self.kept, self.keys, purpose, self.now + later)

    def refuses(self, text: str, purpose: str = CAFE, later: float = 0.0) -> str:
        with pytest.raises(OfflineError) as caught:
            self.sees(text, purpose, later)
        return caught.value.code


@pytest.fixture
def offline(issuer: Issuer) -> Offline:
    return Offline(issuer.store, issuer.sealer, Cases(issuer.store, issuer.sealer))


def away(offline: Offline) -> Away:
    kept = offline.status()
    return Away(kept, offline.public_keys(), json.loads(kept.signed)["time"])


def altered(text: str, place: int) -> str:
    raw = bytearray(base64.b32decode(text + "="))
    raw[place] ^= 1
    return base64.b32encode(bytes(raw)).rstrip(b"=").decode()


def test_says_yes_or_no_and_nothing_else(offline: Offline, phone: Phone) -> None:
    text = offline.token(phone.holder, CAFE)
    seen = away(offline).sees(text)
    assert seen.answers == {"age_over_18": True}
    assert seen.level is Level.LIGHT
    raw = base64.b32decode(text + "=")
    assert bytes.fromhex(phone.credential_id) not in raw
    assert len(text) == 135


def test_a_child_is_told_as_one(offline: Offline, issuer: Issuer) -> None:
    child = issuer.phone(7, id_number=id_number(7, birth="20150307"))
    seen = away(offline).sees(offline.token(child.holder, CAFE))
    assert seen.answers == {"age_over_18": False}


@pytest.mark.parametrize("place", [1, 2, 5, 6, 7, 8, 16, 19, 20, 50, 83])
def test_tampered(offline: Offline, phone: Phone, place: int) -> None:
    text = altered(offline.token(phone.holder, CAFE), place)
    assert away(offline).refuses(text) in {"bad_signature", "malformed"}


@pytest.mark.parametrize("text", ["", "A", "A" * 52, "A" * 135, "1" * 135, "é" * 135, "A" * 136])
def test_no_token(offline: Offline, text: str) -> None:
    assert away(offline).refuses(text) in {"malformed", "bad_signature"}


def test_one_token_has_one_spelling(offline: Offline, phone: Phone) -> None:
    text = offline.token(phone.holder, CAFE)
    other = {text[:-1] + last for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"} - {text}
    assert {away(offline).refuses(each) for each in other} <= {"malformed", "bad_signature"}


@pytest.mark.parametrize("later", [LIFE_SECONDS + 2, 3600, -60])
def test_expired_or_from_the_future(offline: Offline, phone: Phone, later: float) -> None:
    text = offline.token(phone.holder, CAFE)
    desk = away(offline)  # in the token's second or after it
    assert desk.refuses(text, later=later) in {"expired", "stale_list"}


def test_another_issuers_key(offline: Offline, phone: Phone, issuer: Issuer) -> None:
    text = offline.token(phone.holder, CAFE)
    forger = Issuer(issuer.database, ring(2))
    keys = Offline(forger.store, forger.sealer, Cases(forger.store, forger.sealer)).public_keys()
    with pytest.raises(OfflineError) as caught:
        opened(text, {1: keys[2]})
    assert caught.value.code == "bad_signature"
    with pytest.raises(OfflineError):
        opened(text, keys)


def test_a_forged_list(offline: Offline, phone: Phone) -> None:
    text = offline.token(phone.holder, CAFE)
    phone.freeze()
    desk = away(offline)
    said = {**json.loads(desk.kept.signed), "stopped": ""}
    desk.kept = dataclasses.replace(desk.kept, signed=json.dumps(said))
    assert desk.refuses(text) == "bad_signature"


@pytest.mark.parametrize("purpose", ["hotel", "banking", "espionage", ""])
def test_another_purpose(offline: Offline, phone: Phone, purpose: str) -> None:
    assert away(offline).refuses(offline.token(phone.holder, CAFE), purpose) == "other_purpose"
    with pytest.raises(OfflineError) as caught:
        offline.token(phone.holder, purpose)
    assert caught.value.code == "not_offered"


def test_a_card_stopped_before_the_list_was_made(offline: Offline, phone: Phone) -> None:
    text, before = offline.token(phone.holder, CAFE), away(offline)
    phone.freeze()
    assert away(offline).refuses(text) == "revoked"
    assert before.sees(text)  # the limit: an older list does not know
    phone.unfreeze()
    assert away(offline).sees(text)


def test_a_revoked_card_is_in_the_list_of_tomorrow_too(offline: Offline, phone: Phone) -> None:
    offline.token(phone.holder, CAFE)
    phone.issuer.cards.revoke(phone.credential_id, HOLDER)
    said = json.loads(offline.status().signed)
    handles, epoch = base64.b64decode(said["stopped"]), said["time"] // EPOCH_SECONDS
    for each in (epoch, epoch + 1):
        assert offline._handle(1, phone.credential_id, each) in handles


def test_a_list_of_yesterday_is_too_old(offline: Offline, phone: Phone) -> None:
    desk = away(offline)
    text = offline.token(phone.holder, CAFE)
    assert desk.refuses(text, later=OLDEST_LIST_SECONDS + 1) == "stale_list"
    assert desk.refuses(text, later=-3600) == "stale_list"  # the desk's clock is wrong


def test_a_stopped_card_gets_no_token(offline: Offline, phone: Phone) -> None:
    phone.freeze()
    assert refusal(lambda: offline.token(phone.holder, CAFE)) == "frozen"
    with pytest.raises(NoCardError):
        offline.token(Holder("wechat", "oNobody"), CAFE)
    phone.issuer.cards.erase(phone.holder, HOLDER)
    with pytest.raises(NoCardError):
        offline.token(phone.holder, CAFE)


def test_days_cannot_be_linked(offline: Offline, phone: Phone) -> None:
    handles = {offline._handle(1, phone.credential_id, epoch) for epoch in range(100)}
    assert len(handles) == 100


def test_a_use_is_told_once_and_stands_in_the_history(
    offline: Offline, phone: Phone, desk: Desk
) -> None:
    text = offline.token(phone.holder, CAFE)
    told = [offline.use(desk.verifier, "Desk 1", text, 1.0) for _ in range(3)]
    assert told == [Told.NEW, Told.AGAIN, Told.AGAIN]
    assert phone.history().count("offline_used") == 1
    (use,) = [
        use for use in phone.issuer.cards.history(phone.credential_id) if use.kind == "offline_used"
    ]
    assert (use.verifier, use.desk, use.purpose) == (desk.verifier.name, "Desk 1", CAFE)
    assert use.fields == ("age_over_18",)
    assert phone.issuer.findings() == []


def test_two_desks_with_one_token_are_a_case(offline: Offline, phone: Phone, desk: Desk) -> None:
    text = offline.token(phone.holder, CAFE)
    other = phone.issuer.desk(CAFE, name="Net Bar", number=2)
    assert offline.use(desk.verifier, "Desk 1", text, 1.0) is Told.NEW
    assert offline.use(other.verifier, "Desk 1", text, 1.0) is Told.DOUBLE
    assert offline.use(other.verifier, "Desk 1", text, 1.0) is Told.DOUBLE
    cases = Cases(phone.issuer.store, phone.issuer.sealer).waiting()
    assert [(case.kind, case.credential_id) for case in cases] == [
        (Kind.DOUBLE_USE, phone.credential_id)
    ]
    assert phone.history().count("offline_used") == 2


def test_nobody_tells_of_what_was_not_given(offline: Offline, phone: Phone, desk: Desk) -> None:
    text = offline.token(phone.holder, CAFE)
    hotel = phone.issuer.desk("hotel", number=3)
    assert offline.use(hotel.verifier, "Desk 1", text, 1.0) is Told.REFUSED
    assert offline.use(desk.verifier, "Desk 1", altered(text, 9), 1.0) is Told.REFUSED
    assert offline.use(desk.verifier, "Desk 1", "nonsense", 1.0) is Told.REFUSED
    assert "offline_used" not in phone.history()


def test_a_token_outlives_the_rotation_of_its_key(offline: Offline, phone: Phone) -> None:
    text = offline.token(phone.holder, CAFE)
    later = Issuer(phone.issuer.database, ring(2, 1))
    rotated = Offline(later.store, later.sealer, Cases(later.store, later.sealer))
    assert away(rotated).sees(text)
    phone.freeze()
    assert away(rotated).refuses(text) == "revoked"
