"""From a light card to an upgraded one: three bindings, each fresh, each this person's."""

from __future__ import annotations

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from credentials.attestation import UpgradeError
from credentials.errors import CredentialError, RefusalError, UnavailableError
from credentials.limits import Limits
from credentials.model import Holder, Level
from credentials.store import upgrade_key
from credentials.terminals import TerminalError, sign
from credentials.upgrade import Upgrades
from tests.credentials.issuer import HOLDER, Issuer, Phone, person
from tests.credentials.kiosk import Kiosk

FACE = {"distance": "0.31", "liveness": "challenge"}


@pytest.fixture
def kiosk(issuer: Issuer) -> Kiosk:
    return Kiosk.accredited(issuer.upgrades, issuer.terminals)


def code(phone: Phone) -> str:
    return phone.issuer.upgrades.binding_code(phone.holder).digits


def level(phone: Phone) -> Level:
    card = phone.issuer.cards.get(phone.credential_id)
    assert card is not None
    return card.level


def bound(phone: Phone) -> set[str]:
    upgrade = phone.issuer.upgrades.look(phone.holder)
    return set(upgrade.bound) if upgrade else set()


def presses(phone: Phone, challenge: str, *, signed: bool = True) -> Level:
    result = json.dumps({"raw": challenge, "fid": "1", "counter": 7})
    return phone.issuer.upgrades.fingerprint(phone.holder, result, lambda: signed)


def fails(act: object) -> str:
    assert callable(act)
    with pytest.raises(CredentialError) as caught:
        act()
    return caught.value.code


# --- the two ways ------------------------------------------------------------------------------


def test_chip_and_finger_at_the_terminal_then_the_face(phone: Phone, kiosk: Kiosk) -> None:
    assert kiosk.reads(code(phone), person()) is Level.LIGHT
    assert bound(phone) == {"chip", "fingerprint"}
    assert phone.issuer.upgrades.face(phone.holder, FACE) is Level.UPGRADED
    assert level(phone) is Level.UPGRADED
    assert phone.history()[:5] == ["upgraded", "bound", "bound", "bound", "upgrade_begun"]
    assert phone.issuer.upgrades.look(phone.holder) is None
    assert phone.issuer.findings() == []


def test_the_terminals_answer_stands_though_the_holder_cannot_be_told(
    issuer: Issuer, phone: Phone
) -> None:
    def out(*_: object) -> None:
        raise UnavailableError(what="jobs", why="full")

    upgrades = Upgrades(
        issuer.store, issuer.sealer, issuer.index, issuer.terminals, Limits(issuer.database),
        tell=out,
    )  # fmt: skip
    kiosk = Kiosk.accredited(upgrades, issuer.terminals)
    assert fails(lambda: kiosk.reads(code(phone), person(2))) == "not_this_person"
    assert kiosk.reads(code(phone), person()) is Level.LIGHT
    assert bound(phone) == {"chip", "fingerprint"}


def test_face_first_then_the_chip_then_the_finger_on_the_phone(phone: Phone, kiosk: Kiosk) -> None:
    upgrades = phone.issuer.upgrades
    upgrades.open(phone.holder)
    assert upgrades.face(phone.holder, FACE) is Level.LIGHT
    assert kiosk.reads(code(phone), person(), "not_asked") is Level.LIGHT
    assert bound(phone) == {"face", "chip"}
    assert presses(phone, upgrades.challenge(phone.holder)) is Level.UPGRADED
    assert level(phone) is Level.UPGRADED


def test_the_audit_has_the_evidence_and_no_value(phone: Phone, kiosk: Kiosk) -> None:
    kiosk.reads(code(phone), person())
    phone.issuer.upgrades.face(phone.holder, FACE)
    uses = phone.issuer.cards.history(phone.credential_id, 20)
    evidence = {use.detail["what"]: use.detail for use in uses if use.kind == "bound"}
    assert set(evidence) == {"chip", "fingerprint", "face"}
    assert evidence["chip"]["by"] == f"terminal:{kiosk.terminal_id}"
    assert evidence["face"]["distance"] == "0.31"
    said = str(uses)
    for value in (person().name, person().id_number, "00A1B2C3D4E5F607"):
        assert value not in said


@pytest.mark.parametrize("missing", ["chip", "fingerprint", "face"])
def test_two_bindings_are_not_enough(phone: Phone, kiosk: Kiosk, missing: str) -> None:
    upgrades = phone.issuer.upgrades
    upgrades.open(phone.holder)
    if missing != "chip":
        kiosk.reads(code(phone), person(), "not_asked")
    if missing != "fingerprint":
        presses(phone, upgrades.challenge(phone.holder))
    if missing != "face":
        upgrades.face(phone.holder, FACE)
    assert level(phone) is Level.LIGHT


def test_the_same_binding_again_and_again_is_one(phone: Phone, kiosk: Kiosk) -> None:
    for _ in range(4):
        kiosk.reads(code(phone), person())
    assert level(phone) is Level.LIGHT


def test_an_old_binding_does_not_count(phone: Phone, kiosk: Kiosk) -> None:
    kiosk.reads(code(phone), person())
    key = upgrade_key(phone.credential_id)
    phone.issuer.database.hincrby(key, "chip", -1_801_000_000)
    assert phone.issuer.upgrades.face(phone.holder, FACE) is Level.LIGHT
    assert bound(phone) == {"fingerprint", "face"}


def test_a_session_that_is_over_takes_its_bindings_along(phone: Phone, kiosk: Kiosk) -> None:
    kiosk.reads(code(phone), person())
    phone.issuer.database.delete(upgrade_key(phone.credential_id))
    assert fails(lambda: phone.issuer.upgrades.face(phone.holder, FACE)) == "no_upgrade"
    phone.issuer.upgrades.open(phone.holder)
    assert phone.issuer.upgrades.face(phone.holder, FACE) is Level.LIGHT


# --- the chip ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        {"name": "张三峰"},
        {"id_number": person(2).id_number},
        {"name": "张三峰", "id_number": person(2).id_number},
        {"fingerprint": "not_matched"},
    ],
)
def test_another_persons_card_binds_nothing(
    phone: Phone, kiosk: Kiosk, other: dict[str, str]
) -> None:
    said = kiosk.attestation(kiosk.claims(code(phone)), person()) | other
    assert fails(lambda: kiosk.attests(said)) == "not_this_person"
    assert bound(phone) == set()
    assert phone.history()[0] == "binding_refused"
    assert phone.issuer.findings() == []


@pytest.mark.parametrize(
    "dates",
    [{"valid_until": "2020-01-01"}, {"valid_from": "2999-01-01"}],
)
def test_a_card_outside_its_dates(phone: Phone, kiosk: Kiosk, dates: dict[str, str]) -> None:
    said = kiosk.attestation(kiosk.claims(code(phone)), person()) | dates
    assert fails(lambda: kiosk.attests(said)) == "physical_card_ended"
    assert bound(phone) == set()


@pytest.mark.parametrize(
    "other",
    [
        {"valid_until": "2031-02-30"}, {"valid_until": "soon"}, {"name": ""}, {"name": 7},
        {"id_number": "44"}, {"card_serial": "x"}, {"portrait_sha256": "00"}, {"version": 2},
        {"fingerprint": "maybe"}, {"type": "terminal-session"}, {"session": "0"}, {"more": "1"},
        {"time": "now"}, {"time": True},
    ],
)  # fmt: skip
def test_an_attestation_of_another_form(
    phone: Phone, kiosk: Kiosk, other: dict[str, object]
) -> None:
    said = kiosk.attestation(kiosk.claims(code(phone)), person()) | other
    assert fails(lambda: kiosk.attests(said)) == "bad_attestation"
    assert bound(phone) == set()


@pytest.mark.parametrize("seconds", [-130, 130, -86_400])
def test_an_attestation_from_another_time(
    phone: Phone, kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    nonce, now = kiosk.claims(code(phone)), int(time.time())
    monkeypatch.setattr(kiosk.upgrades, "_now", lambda _: float(now))  # time stands still
    said = kiosk.attestation(nonce, person(), time=now + seconds)
    assert fails(lambda: kiosk.attests(said)) == "attestation_stale"


def test_a_nonce_works_once(phone: Phone, kiosk: Kiosk) -> None:
    said = kiosk.attestation(kiosk.claims(code(phone)), person())
    kiosk.attests(said)
    assert fails(lambda: kiosk.attests(said)) == "unknown_session"


def test_a_nonce_is_used_up_by_a_refusal_too(phone: Phone, kiosk: Kiosk) -> None:
    nonce = kiosk.claims(code(phone))
    assert fails(lambda: kiosk.attests(kiosk.attestation(nonce, person(2)))) == "not_this_person"
    assert fails(lambda: kiosk.attests(kiosk.attestation(nonce, person()))) == "unknown_session"


def test_of_many_attestations_at_once_one_counts(phone: Phone, kiosk: Kiosk) -> None:
    said = kiosk.attestation(kiosk.claims(code(phone)), person())

    def attest(_: int) -> str:
        try:
            return kiosk.attests(said)
        except CredentialError as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attest, range(16)))
    assert outcomes.count("light") == 1
    assert outcomes.count("unknown_session") == 15


def test_a_nonce_is_good_for_its_terminal_alone(issuer: Issuer, phone: Phone, kiosk: Kiosk) -> None:
    other = Kiosk.accredited(issuer.upgrades, issuer.terminals, "Kiosk 2")
    nonce = kiosk.claims(code(phone))
    assert fails(lambda: other.attests(other.attestation(nonce, person()))) == "unknown_session"
    assert bound(phone) == set()


def test_a_nonce_that_is_late(phone: Phone, kiosk: Kiosk) -> None:
    nonce = kiosk.claims(code(phone))
    phone.issuer.database.hincrby(upgrade_key(phone.credential_id), "te", -301_000_000)
    assert fails(lambda: kiosk.attests(kiosk.attestation(nonce, person()))) == "unknown_session"


# --- the binding code --------------------------------------------------------------------------


def test_a_binding_code_works_once(phone: Phone, kiosk: Kiosk) -> None:
    digits = code(phone)
    kiosk.claims(digits)
    assert fails(lambda: kiosk.claims(digits)) == "unknown_binding_code"


def test_a_newer_binding_code_ends_the_older_and_what_it_began(phone: Phone, kiosk: Kiosk) -> None:
    older = code(phone)
    nonce = kiosk.claims(code(phone))
    assert fails(lambda: kiosk.claims(older)) == "unknown_binding_code"
    code(phone)
    assert fails(lambda: kiosk.attests(kiosk.attestation(nonce, person()))) == "unknown_session"


@pytest.mark.parametrize("digits", ["", "1234567", "abcdefgh", "00000000", "１２３４５６７８"])
def test_no_binding_code(kiosk: Kiosk, digits: str) -> None:
    assert fails(lambda: kiosk.claims(digits)) == "unknown_binding_code"


def test_guessing_binding_codes_is_stopped(phone: Phone, kiosk: Kiosk) -> None:
    outcomes = [fails(lambda: kiosk.claims("00000000")) for _ in range(12)]
    assert outcomes[:10] == ["unknown_binding_code"] * 10
    assert outcomes[10:] == ["too_many_requests"] * 2
    assert fails(lambda: kiosk.claims(code(phone))) == "too_many_requests"


def test_right_codes_are_not_counted(phone: Phone, kiosk: Kiosk) -> None:
    for _ in range(15):
        kiosk.claims(code(phone))


# --- the terminal ------------------------------------------------------------------------------


def test_a_disabled_terminal_is_not_believed(issuer: Issuer, phone: Phone, kiosk: Kiosk) -> None:
    nonce = kiosk.claims(code(phone))
    issuer.terminals.disable(kiosk.terminal_id)
    assert fails(lambda: kiosk.claims(code(phone))) == "unauthenticated"
    assert fails(lambda: kiosk.attests(kiosk.attestation(nonce, person()))) == "unauthenticated"
    issuer.terminals.disable(kiosk.terminal_id, disabled=False)
    kiosk.claims(code(phone))


def test_an_unknown_terminal(phone: Phone, kiosk: Kiosk) -> None:
    for terminal_id in ("t000000000000", "", "x" * 5000, "{b0001}:c:1"):
        said = kiosk.session_request(code(phone), terminal=terminal_id)
        assert (
            fails(lambda said=said: kiosk.upgrades.claim(said, sign(kiosk.key, said)))
            == "unauthenticated"
        )


def test_what_was_signed_is_what_counts(issuer: Issuer, phone: Phone, kiosk: Kiosk) -> None:
    said = kiosk.attestation(kiosk.claims(code(phone)), person())
    right = sign(kiosk.key, said)
    other_key = Kiosk.accredited(issuer.upgrades, issuer.terminals).key
    attest = issuer.upgrades.attest
    altered = base64.b64encode(
        bytes([base64.b64decode(right)[0] ^ 1, *base64.b64decode(right)[1:]])
    )
    for signature in ("", "?", "AAAA", right[:-4], altered.decode(), sign(other_key, said)):
        assert fails(lambda s=signature: attest(said, s)) == "bad_signature"
    for field in said:
        changed = {**said, field: "x"} if field != "terminal" else {**said, "name": "y"}
        assert fails(lambda c=changed: attest(c, right)) == "bad_signature"
    assert bound(phone) == set()
    assert kiosk.attests(said) is Level.LIGHT


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\x00b"])
def test_a_terminal_needs_a_name(issuer: Issuer, name: str) -> None:
    with pytest.raises(TerminalError) as caught:
        issuer.terminals.add(name)
    assert caught.value.code == "bad_terminal_name"


def test_the_private_key_is_kept_nowhere(issuer: Issuer, kiosk: Kiosk) -> None:
    place = f"{{terminal:{kiosk.terminal_id}}}"
    kept = issuer.database.hgetall(place)
    assert kiosk.key.encode() not in kept.values()
    assert [known.terminal_id for known in issuer.terminals.all()] == [kiosk.terminal_id]
    with pytest.raises(TerminalError):
        issuer.terminals.disable("t000000000000")


# --- the phone's fingerprint -------------------------------------------------------------------


def test_a_challenge_works_once(phone: Phone) -> None:
    challenge = phone.issuer.upgrades.challenge(phone.holder)
    presses(phone, challenge)
    assert fails(lambda: presses(phone, challenge)) == "bad_challenge"


def test_only_the_newest_challenge_counts(phone: Phone) -> None:
    older = phone.issuer.upgrades.challenge(phone.holder)
    phone.issuer.upgrades.challenge(phone.holder)
    assert fails(lambda: presses(phone, older)) == "bad_challenge"
    assert bound(phone) == set()


def test_a_challenge_that_is_late(phone: Phone) -> None:
    challenge = phone.issuer.upgrades.challenge(phone.holder)
    phone.issuer.database.hincrby(upgrade_key(phone.credential_id), "fe", -121_000_000)
    assert fails(lambda: presses(phone, challenge)) == "bad_challenge"


def test_a_result_that_the_platform_does_not_confirm(phone: Phone) -> None:
    challenge = phone.issuer.upgrades.challenge(phone.holder)
    assert fails(lambda: presses(phone, challenge, signed=False)) == "fingerprint_refused"
    assert bound(phone) == set()
    assert phone.history()[0] == "binding_refused"


@pytest.mark.parametrize("result", ["", "x", "[]", "{}", '{"raw": 1}', '{"raw": ""}', "null"])
def test_a_result_that_is_none(phone: Phone, result: str) -> None:
    phone.issuer.upgrades.challenge(phone.holder)
    upgrades = phone.issuer.upgrades
    assert fails(lambda: upgrades.fingerprint(phone.holder, result, lambda: True)) == (
        "bad_challenge"
    )


def test_anothers_challenge(issuer: Issuer, phone: Phone) -> None:
    other = issuer.phone(2)
    issuer.upgrades.challenge(phone.holder)
    assert fails(lambda: presses(phone, issuer.upgrades.challenge(other.holder))) == (
        "bad_challenge"
    )


# --- the card ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "status"), [("freeze", "frozen"), ("revoke", "revoked")])
def test_a_card_stopped_meanwhile(phone: Phone, kiosk: Kiosk, change: str, status: str) -> None:
    upgrades = phone.issuer.upgrades
    kiosk.reads(code(phone), person())
    nonce = kiosk.claims(code(phone))
    getattr(phone.issuer.cards, change)(phone.credential_id, HOLDER)
    for act in (
        lambda: upgrades.face(phone.holder, FACE),
        lambda: upgrades.open(phone.holder),
        lambda: upgrades.binding_code(phone.holder),
        lambda: kiosk.attests(kiosk.attestation(nonce, person())),
    ):
        with pytest.raises(RefusalError) as caught:
            act()
        assert caught.value.code == status
    assert level(phone) is Level.LIGHT


def test_an_upgraded_card_needs_no_upgrade(phone: Phone) -> None:
    phone.upgrade(pin="")
    for act in (
        lambda: phone.issuer.upgrades.open(phone.holder),
        lambda: phone.issuer.upgrades.challenge(phone.holder),
        lambda: phone.issuer.upgrades.face(phone.holder, FACE),
    ):
        with pytest.raises(UpgradeError) as caught:
            act()
        assert caught.value.code == "already_upgraded"


def test_nobody_upgrades_without_a_card(issuer: Issuer) -> None:
    nobody = Holder("wechat", "oNobody")
    assert issuer.upgrades.look(nobody) is None
    assert fails(lambda: issuer.upgrades.open(nobody)) == "no_card"
    assert fails(lambda: issuer.upgrades.binding_code(nobody)) == "no_card"
    assert fails(lambda: issuer.upgrades.face(nobody, FACE)) == "no_card"


def test_erasing_the_card_ends_the_upgrade(phone: Phone, kiosk: Kiosk) -> None:
    nonce = kiosk.claims(code(phone))
    phone.issuer.cards.erase(phone.holder, HOLDER)
    assert fails(lambda: kiosk.attests(kiosk.attestation(nonce, person()))) == "unknown_session"
