"""Comparing the guest with the portrait: asked, agreed to on the phone, and decided by staff."""

from __future__ import annotations

import io
import warnings
from importlib import resources

import pytest
from PIL import Image
from werkzeug.test import TestResponse

from credentials.cases import Kind
from credentials.comparisons import PICTURES
from credentials.errors import RefusalError
from credentials.model import Actor
from tests.web.office import Office, Person, Phone, Software, outcome
from web import desk_compare


def face(package: str, path: str, *, longest: int = 900) -> bytes:
    """A photo that comes with a test's library, as a webcam would send it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (resources.files(package) / path).open("rb") as file:
            picture = Image.open(file).convert("RGB")
    picture.thumbnail((longest, longest))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def hopper() -> bytes:
    return face("matplotlib", "mpl-data/sample_data/grace_hopper.jpg")


@pytest.fixture(scope="module")
def collins() -> bytes:
    return face("skimage", "data/astronaut.png")


@pytest.fixture
def phone(office: Office, hopper: bytes) -> Phone:
    """A guest whose portrait is a face."""
    return office.phone(3, portrait=hopper)


class Guest:
    """One guest at the desk, accepted, and what staff ask and do about them."""

    def __init__(self, desk: Person, phone: Phone) -> None:
        self.desk, self.phone = desk, phone
        self.scan = desk.scan(phone.show("hotel"), "hotel").get_json()["verification_id"]

    def ask(self) -> TestResponse:
        return self._send("POST", "comparison")

    def stands(self) -> dict[str, object]:
        told: dict[str, object] = self._send("GET", "comparison").get_json()
        return told

    def picture(self, picture: bytes) -> TestResponse:
        return self._send("POST", "comparison/picture", data=picture, content_type="image/jpeg")

    def decide(self, *, same: object) -> TestResponse:
        return self._send("POST", "decision", json={"same": same})

    def answer(self, *, agrees: bool) -> None:
        services = self.phone.services
        services.comparisons.answer(self.phone.holder, self.scan, agrees=agrees)

    def go_on(self) -> TestResponse:
        return self._send("DELETE", "comparison")

    def _send(self, method: str, what: str, **more: object) -> TestResponse:
        path = f"/desk/verifications/{self.scan}/{what}"
        return self.desk.ask(method, path, **more)  # type: ignore[arg-type]


@pytest.fixture
def guest(desk: Person, phone: Phone) -> Guest:
    return Guest(desk, phone)


def history(phone: Phone) -> list[str]:
    return [use.kind for use in phone.services.cards.history(phone.credential_id, 20)]


def test_the_guest_agrees_and_is_compared_once(office: Office, guest: Guest, hopper: bytes) -> None:
    asked = guest.ask().get_json()
    assert (asked["state"], asked["outcome"]) == ("asked", "")
    question = office.services.comparisons.question(guest.phone.credential_id)
    assert question is not None
    assert (question.verifier, question.desk, question.agreed) == ("Seaside Hotel", "前台 1", False)
    guest.answer(agrees=True)
    assert guest.stands()["state"] == "agreed"
    told = guest.picture(hopper).get_json()
    assert (told["state"], told["outcome"]) == ("compared", "like")
    assert "You decide" in told["told"]
    assert office.services.comparisons.question(guest.phone.credential_id) is None
    assert guest.decide(same=True).get_json() == {"same": True}
    kinds = ["guest_same", "face_compared", "face_agreed", "face_asked"]
    assert history(guest.phone)[:4] == kinds
    assert [list(office.services.audit.verify())[-1].finding] == [None]


def test_nothing_of_the_picture_is_kept(office: Office, guest: Guest, collins: bytes) -> None:
    guest.ask()
    guest.answer(agrees=True)
    before = set(office.services.redis.scan_iter())
    guest.picture(collins)
    new = set(office.services.redis.scan_iter()) - before
    assert {bytes(key).split(b":")[1] for key in new} <= {b"desk_compare"}
    key = next(bytes(key) for key in before if b":f:" in bytes(key))
    assert set(office.services.redis.hgetall(key)) == {b"st", b"ex", b"t", b"o"}


def test_another_face_is_said_to_be_another(guest: Guest, collins: bytes) -> None:
    guest.ask()
    guest.answer(agrees=True)
    told = guest.picture(collins).get_json()
    assert told["outcome"] == "unlike"
    assert "you decide" in told["told"]


def test_staff_decide_without_any_camera(office: Office, guest: Guest) -> None:
    assert guest.decide(same=True).status_code == 200
    assert office.services.cases.recent() == []
    assert guest.decide(same=False).status_code == 200
    [case] = office.services.cases.recent()
    assert (case.kind, case.credential_id) == (Kind.OTHER_PERSON, guest.phone.credential_id)
    assert case.verification_id == guest.scan
    assert history(guest.phone)[:2] == ["guest_other", "guest_same"]


def test_what_staff_decided_without_the_camera_ends_the_question(
    office: Office, guest: Guest, hopper: bytes
) -> None:
    guest.ask()
    guest.answer(agrees=True)
    guest.decide(same=True)
    assert office.services.comparisons.question(guest.phone.credential_id) is None
    assert guest.stands()["state"] == "over"
    assert guest.picture(hopper).get_json()["code"] == "not_agreed"
    assert guest.ask().get_json()["code"] == "already_answered"


class TestTheNextGuest:
    def test_the_question_ends(self, office: Office, guest: Guest) -> None:
        guest.ask()
        assert guest.go_on().get_json()["state"] == "over"
        assert office.services.comparisons.question(guest.phone.credential_id) is None
        with pytest.raises(RefusalError, match="too_late"):
            guest.answer(agrees=True)

    def test_the_guests_page_hears_of_it(self, office: Office, guest: Guest) -> None:
        guest.ask()
        before = office.services.cards.change(guest.phone.holder)
        guest.go_on()
        after = office.services.cards.change(guest.phone.holder)
        assert after > before  # or a page that asks with the counter is told of nothing new
        guest.go_on()
        assert office.services.cards.change(guest.phone.holder) == after

    def test_an_answer_stands(self, guest: Guest) -> None:
        guest.ask()
        guest.answer(agrees=False)
        assert guest.go_on().get_json()["state"] == "declined"

    def test_where_nobody_asked_nothing_changes(self, guest: Guest) -> None:
        assert guest.go_on().get_json()["state"] == ""
        assert guest.ask().get_json()["state"] == "asked"

    def test_another_desks_question_stands(
        self, office: Office, desk: Person, guest: Guest, phone: Phone
    ) -> None:
        guest.ask()
        again = Guest(desk, phone)
        again.ask()
        guest.go_on()
        question = office.services.comparisons.question(phone.credential_id)
        assert question is not None
        assert question.verification_id == again.scan

    def test_no_other_verifier_ends_it(self, office: Office, guest: Guest) -> None:
        guest.ask()
        other = office.services.verifiers.add("Lighthouse Inn", ["hotel"])[0]
        with pytest.raises(RefusalError, match="unknown_verification"):
            office.services.comparisons.end(other, guest.scan)
        assert guest.stands()["state"] == "asked"


class TestWithoutConsent:
    def test_no_picture_is_looked_at(
        self, guest: Guest, hopper: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def never(*_: object) -> None:
            pytest.fail("a face was measured without consent")

        monkeypatch.setattr(desk_compare, "compared", never)
        assert outcome(guest.picture(hopper)) == (409, "not_agreed")
        guest.ask()
        assert outcome(guest.picture(hopper)) == (409, "not_agreed")
        guest.answer(agrees=False)
        assert outcome(guest.picture(hopper)) == (409, "not_agreed")

    def test_who_declined_is_not_asked_again(self, office: Office, guest: Guest) -> None:
        guest.ask()
        guest.answer(agrees=False)
        stands = guest.stands()
        assert stands["state"] == "declined"
        assert "Decide by the photo" in str(stands["told"])
        assert outcome(guest.ask()) == (409, "already_answered")
        assert office.services.comparisons.question(guest.phone.credential_id) is None

    def test_what_was_agreed_to_can_be_taken_back(self, guest: Guest, hopper: bytes) -> None:
        guest.ask()
        guest.answer(agrees=True)
        guest.answer(agrees=False)
        assert outcome(guest.picture(hopper)) == (409, "not_agreed")

    def test_a_question_ends_and_so_does_a_consent(
        self, office: Office, guest: Guest, hopper: bytes
    ) -> None:
        guest.ask()
        key = next(office.services.redis.scan_iter("*:f:*"))
        office.services.redis.hincrby(key, "ex", -61_000_000)
        with pytest.raises(RefusalError, match="too_late"):
            guest.answer(agrees=True)
        assert guest.stands()["state"] == "over"
        office.services.redis.hset(key, "st", "agreed")
        assert outcome(guest.picture(hopper)) == (409, "not_agreed")

    def test_somebody_elses_phone_agrees_to_nothing(self, office: Office, guest: Guest) -> None:
        guest.ask()
        other = office.phone(4)
        with pytest.raises(RefusalError, match="unknown_verification"):
            office.services.comparisons.answer(other.holder, guest.scan, agrees=True)

    def test_a_card_frozen_meanwhile(self, office: Office, guest: Guest, hopper: bytes) -> None:
        guest.ask()
        guest.answer(agrees=True)
        office.services.cards.freeze(guest.phone.credential_id, Actor("holder"))
        assert outcome(guest.picture(hopper)) == (423, "frozen")


class TestPictures:
    def test_a_bad_one_says_why_and_another_may_be_taken(self, guest: Guest, hopper: bytes) -> None:
        guest.ask()
        guest.answer(agrees=True)
        empty = io.BytesIO()
        Image.effect_noise((640, 480), 40).convert("RGB").save(empty, "JPEG")
        told = guest.picture(empty.getvalue()).get_json()
        assert (told["state"], told["outcome"]) == ("agreed", "unclear")
        assert told["pictures_left"] == PICTURES - 1
        assert guest.picture(hopper).get_json()["outcome"] == "like"

    def test_are_three_at_most(self, guest: Guest) -> None:
        guest.ask()
        guest.answer(agrees=True)
        codes = [guest.picture(b"junk").status_code for _ in range(PICTURES + 1)]
        assert codes == [200] * PICTURES + [429]

    def test_are_small(self, guest: Guest) -> None:
        guest.ask()
        guest.answer(agrees=True)
        assert outcome(guest.picture(b"\xff" * 400_000)) == (400, "malformed")


class TestWhose:
    def test_another_hotels_guest_is_not_there(self, office: Office, guest: Guest) -> None:
        stranger = office.staff(office.software(name="B").verifier, "bert").sign_in()
        for method, what in (
            ("POST", "comparison"),
            ("GET", "comparison"),
            ("POST", "comparison/picture"),
        ):
            path = f"/desk/verifications/{guest.scan}/{what}"
            assert outcome(stranger.ask(method, path)) == (404, "unknown_verification")
        path = f"/desk/verifications/{guest.scan}/decision"
        answer = stranger.ask("POST", path, json={"same": False})
        assert outcome(answer) == (404, "unknown_verification")
        assert office.services.cases.recent() == []

    def test_a_purpose_that_tells_no_portrait(self, desk: Person, phone: Phone) -> None:
        courier = Guest.__new__(Guest)
        courier.desk, courier.phone = desk, phone
        answer = desk.scan(phone.show("courier"), "courier")
        courier.scan = answer.get_json()["verification_id"]
        assert outcome(courier.ask()) == (404, "unknown_verification")

    def test_a_scan_that_waits_or_was_denied(self, desk: Person, phone: Phone) -> None:
        waiting = Guest.__new__(Guest)
        waiting.desk, waiting.phone = desk, phone
        waiting.scan = desk.scan(phone.show(), "hotel").get_json()["verification_id"]
        assert outcome(waiting.ask()) == (404, "unknown_verification")
        phone.deny()
        assert outcome(waiting.decide(same=True)) == (404, "unknown_verification")

    @pytest.mark.parametrize("same", [1, "true", None])
    def test_a_decision_that_is_none(self, guest: Guest, same: object) -> None:
        assert outcome(guest.decide(same=same)) == (400, "malformed")

    def test_api_software_cannot_ask(self, guest: Guest, software: Software) -> None:
        path = f"/desk/verifications/{guest.scan}/comparison"
        answer = software.browser.post(path, headers=software.headers)
        assert answer.status_code in {303, 400, 401}
        assert guest.stands()["state"] == ""
