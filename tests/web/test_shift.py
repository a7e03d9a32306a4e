"""The desk's book, digits in the place of a QR, guests without a phone, and unusual patterns."""

from __future__ import annotations

import contextlib
import datetime
import re
import time
from typing import Any

import pytest

from credentials import shifts
from credentials.cases import Kind
from credentials.errors import CredentialError
from credentials.model import Decided, State
from credentials.patterns import BUSY, DENIALS, WINDOW_S, Patterns
from credentials.short_codes import digits_of
from credentials.store import Store, verification_key
from tests.web.office import Office, Person, Phone, Software, outcome

PAPER = {"purpose": "hotel", "document": "passport", "name": "Anna Müller", "number": "c01x00t47"}


def digits(office: Office, phone: Phone) -> str:
    return office.services.short_codes.give(office.services.cards.mint(phone.holder))


class TestDigits:
    def test_stand_for_the_code_once(self, office: Office, phone: Phone, desk: Person) -> None:
        short = digits(office, phone)
        assert outcome(desk.scan(f"{short[:4]} {short[4:]}")) == (200, "accepted")
        assert outcome(desk.scan(short)) == (404, "unknown_code")

    def test_a_lost_answer_is_asked_for_again(
        self, office: Office, phone: Phone, desk: Person
    ) -> None:
        short, request_id = digits(office, phone), "0b6f1a5e-3d53-4a8e-9a57-0c2a1e6f9d11"
        first, second = (desk.scan(short, request_id=request_id).get_json() for _ in range(2))
        assert first == second

    def test_end_with_their_code(self, office: Office, phone: Phone, desk: Person) -> None:
        short = digits(office, phone)
        assert 0 < int(office.services.redis.pttl(f"{{short}}:c:{short}")) <= 30_000
        office.services.redis.delete(f"{{short}}:c:{short}")
        assert outcome(desk.scan(short)) == (404, "unknown_code")

    def test_cannot_be_guessed_at_a_desk(self, office: Office, phone: Phone, desk: Person) -> None:
        short = digits(office, phone)
        wrong = [f"{n:08}" for n in range(6) if f"{n:08}" != short]
        codes = [outcome(desk.scan(guess))[1] for guess in wrong]
        assert codes[:5] == ["unknown_code"] * 5
        assert outcome(desk.scan(short)) == (429, "too_many_requests")

    def test_naming_the_desk_anew_gives_no_more_tries(
        self, office: Office, software: Software
    ) -> None:
        roaming = office.staff(software.verifier, "roaming", desk="").sign_in()
        codes = [outcome(roaming.scan(f"{n:08}", desk=f"Bar {n}"))[1] for n in range(7)]
        assert codes[-1] == "too_many_requests"

    def test_work_for_software_too(self, office: Office, phone: Phone, software: Software) -> None:
        assert outcome(software.scan(digits(office, phone))) == (200, "accepted")

    @pytest.mark.parametrize("text", ["1234567", "123456789", "1234567a", "", "一二三四五六七八"])
    def test_what_is_no_short_code(self, text: str) -> None:
        assert digits_of(text) == ""

    def test_full_width_digits(self) -> None:
        assert digits_of("１２３４-５６７８") == "12345678"


class TestBook:
    def test_holds_who_was_accepted_and_no_portrait(
        self, office: Office, phone: Phone, desk: Person
    ) -> None:
        desk.scan(phone.show())
        page = desk.see("/desk/shift").text
        assert "张**" in page
        keys = [bytes(key) for key in office.services.redis.scan_iter("{v:*}:e:*")]
        kept = b"".join(office.services.redis.dump(key) or b"" for key in keys)
        assert "张**".encode() not in kept  # three bytes alone may be in what is sealed
        [key] = keys
        days = int(office.services.redis.ttl(key)) / 86400
        assert 59 < days <= 60

    def test_a_guest_who_approves_after_the_desk_looked_away(
        self, phone: Phone, desk: Person
    ) -> None:
        desk.scan(phone.show(), "hotel")
        phone.approve()
        assert "张三丰" in desk.see("/desk/shift").text

    def test_a_guest_who_did_not_answer_denied_nothing(
        self, office: Office, phone: Phone, desk: Person
    ) -> None:
        scanned = desk.scan(phone.show(), "hotel").get_json()["verification_id"]
        office.services.redis.hset(verification_key(scanned), "ex", 1)  # its time is over
        for _ in range(2):
            assert outcome(desk.ask("GET", f"/desk/verifications/{scanned}")) == (200, "denied")
            [row] = desk.ask("GET", "/desk/today").get_json()["rows"]
            assert (row["state"], row["word"]) == ("no_answer", "No answer")
        assert "No answer" in desk.see(f"/desk/shift/{scanned}").text
        desk.scan(phone.show(), "hotel")
        phone.deny()
        states = [row["state"] for row in desk.ask("GET", "/desk/today").get_json()["rows"]]
        assert states == ["denied", "no_answer"]

    def test_refused_scans_of_a_desk_that_nobody_passed_yet(
        self, office: Office, software: Software
    ) -> None:
        roaming = office.staff(software.verifier, "roaming", desk="").sign_in()
        roaming.scan("no code", desk="Bar")
        assert "This is not a card" in roaming.see("/desk/shift").text

    def test_forgets_its_index_too(self, office: Office, phone: Phone, desk: Person) -> None:
        desk.scan(phone.show())
        [book] = [bytes(key) for key in office.services.redis.scan_iter("{v:*}:book:*")]
        office.services.redis.zadd(book, {"0" * 20: (time.time() - shifts.KEPT_S - 1) * 1000})
        desk.scan(phone.show())
        ids = office.services.redis.zrange(book, 0, -1)
        assert len(ids) == 2
        assert b"0" * 20 not in ids

    def test_a_note_ends_with_its_entry(self, office: Office, phone: Phone, desk: Person) -> None:
        found = desk.scan(phone.show()).get_json()["verification_id"]
        verifier_id = office.services.verifiers.all()[0].verifier_id
        key = f"{{v:{verifier_id}}}:e:{found}"
        office.services.redis.persist(key)  # as if it had ended between the two steps of a note
        office.services.shifts.note(verifier_id, found, "room 12")
        assert 59 < int(office.services.redis.ttl(key)) / 86400 <= 60

    def test_refused_scans_with_their_reason(self, phone: Phone, desk: Person) -> None:
        code = phone.show()
        desk.scan(code)
        again = desk.scan(code).get_json()
        assert "at this desk at" in again["reason"]
        page = desk.see("/desk/shift").text
        assert "already" in page.lower()

    def test_used_elsewhere_is_not_told(
        self, office: Office, phone: Phone, desk: Person, software: Software
    ) -> None:
        code = phone.show()
        other = office.staff(software.verifier, "other", desk="Bar").sign_in()
        other.scan(code)
        assert "at this desk" not in desk.scan(code).get_json()["reason"]

    def test_notes_search_and_export(self, office: Office, phone: Phone, desk: Person) -> None:
        found = desk.scan(phone.show()).get_json()["verification_id"]
        desk.fill(f"/desk/shift/{found}/note", at=f"/desk/shift/{found}", note="=1+1 room 12")
        assert "room 12" in desk.see("/desk/shift?q=ROOM").text
        assert "room 12" not in desk.see("/desk/shift?q=room13").text
        file = desk.see("/desk/shift.csv")
        assert file.mimetype == "text/csv"
        assert "'=1+1 room 12" in file.text
        acts = office.services.organisations.acts(office.services.verifiers.all()[0].verifier_id)
        assert [act.kind for act in acts] == ["exported"]

    def test_a_note_that_is_too_long(self, phone: Phone, desk: Person) -> None:
        found = desk.scan(phone.show()).get_json()["verification_id"]
        path = f"/desk/shift/{found}"
        desk.fill(f"{path}/note", at=path, note="the one before")
        for note in ("x" * 301, "family 👨\u200d👩"):
            page = desk.fill(f"{path}/note", at=path, note=note)
            assert page.status_code == 422
            assert f'value="{note}"' in page.text  # to be made shorter, not to be written anew
            assert "This entry is erased on" in page.text

    def test_another_hotels_book_is_not_there(
        self, office: Office, phone: Phone, desk: Person
    ) -> None:
        found = desk.scan(phone.show()).get_json()["verification_id"]
        stranger = office.staff(office.software(name="B").verifier, "bao").sign_in()
        assert stranger.see(f"/desk/shift/{found}").status_code == 404
        assert "张" not in stranger.see("/desk/shift").text
        token = stranger.csrf("/desk")
        answer = stranger.fill(f"/desk/shift/{found}/note", csrf_token=token, note="x")
        assert answer.status_code == 404

    def test_another_desks_book_is_the_managers(
        self, office: Office, phone: Phone, desk: Person, software: Software
    ) -> None:
        found = desk.scan(phone.show()).get_json()["verification_id"]
        bar = office.staff(software.verifier, "barkeeper", desk="Bar").sign_in()
        assert bar.see(f"/desk/shift/{found}").status_code == 404
        assert "张" not in bar.see("/desk/shift?desk=前台 1").text


class TestPaper:
    def test_completes_the_list(self, office: Office, desk: Person) -> None:
        assert desk.fill("/desk/paper", **PAPER).status_code == 303
        page = desk.see("/desk/shift").text
        assert "Anna Müller" in page
        assert "C01X00T47" in page
        assert len(desk.ask("GET", "/desk/today").get_json()["rows"]) == 1
        keys = [bytes(key) for key in office.services.redis.scan_iter("{v:*}:e:*")]
        assert b"Anna" not in (office.services.redis.dump(keys[0]) or b"")

    @pytest.mark.parametrize(
        "change",
        [{"name": ""}, {"number": "x" * 81}, {"document": "library_card"}, {"purpose": "banking"}],
    )
    def test_what_is_not_written(self, desk: Person, change: dict[str, str]) -> None:
        page = desk.fill("/desk/paper", **{**PAPER, **change})
        assert page.status_code == 422
        for name in {"name", "number"} - set(change):
            assert f'value="{PAPER[name]}"' in page.text
        assert desk.ask("GET", "/desk/today").get_json()["rows"] == []

    def test_sent_twice_is_one_guest_and_another_guest_is_another(
        self, office: Office, desk: Person
    ) -> None:
        found = re.search(r'name="form" value="([0-9a-f]{20})"', desk.see("/desk/paper").text)
        assert found
        form = found[1]
        first = desk.fill("/desk/paper", **PAPER, form=form)
        [book] = [bytes(key) for key in office.services.redis.scan_iter("{v:*}:book:*")]
        office.services.redis.delete(book)  # as if the second step had not come through
        assert desk.fill("/desk/paper", **PAPER, form=form).location == first.location
        assert len(desk.ask("GET", "/desk/today").get_json()["rows"]) == 1
        other = desk.fill("/desk/paper", **{**PAPER, "name": "Jo Doe"}, form=form)  # by going back
        assert other.location != first.location
        page = desk.see("/desk/shift").text
        assert ("Anna Müller" in page, "Jo Doe" in page) == (True, True)

    def test_a_form_takes_no_scans_place(self, phone: Phone, desk: Person) -> None:
        scanned = desk.scan(phone.show()).get_json()["verification_id"]
        answer = desk.fill("/desk/paper", **PAPER, form=scanned)
        assert not str(answer.location).endswith(scanned)
        assert "张**" in desk.see(f"/desk/shift/{scanned}").text

    def test_staff_without_a_desk_say_at_which(self, office: Office, software: Software) -> None:
        roaming = office.staff(software.verifier, "roaming", desk="").sign_in()
        page = roaming.fill("/desk/paper", **PAPER, desk="  ")
        assert (page.status_code, "Name of this desk" in page.text) == (422, True)
        assert roaming.fill("/desk/paper", **PAPER, desk="Bar").status_code == 303

    def test_the_field_is_named_as_the_form_calls_it(self, desk: Person) -> None:
        desk.language = "zh-CN"
        page = desk.fill("/desk/paper", **{**PAPER, "number": " "}).text
        assert "：证件号码" in page
        assert "document_number" not in page


class TestPatterns:
    def watch(self, office: Office, count: int, **changed: object) -> list[Kind]:
        services = office.services
        patterns = Patterns(Store(services.redis), services.cases, services.verifiers)
        for number in range(count):
            known: dict[str, object] = {
                "verification_id": f"{number:020x}",
                "credential_id": "0" * 16,
                "verifier_id": "v",
                "desk": "d",
                "purpose": "hotel",
                "state": State.AWAITING_HOLDER,
            }
            for _ in range(2):  # a job done twice counts once
                patterns.watch(Decided(**{**known, **changed}))  # type: ignore[arg-type]
        return [case.kind for case in services.cases.recent()]

    def test_a_desk_that_scans_hundreds(self, office: Office) -> None:
        assert self.watch(office, BUSY - 1) == []
        assert self.watch(office, BUSY + 5) == [Kind.BUSY_DESK]

    def test_a_count_that_is_cut_short_ends_all_the_same(self, office: Office) -> None:
        database: Any = office.services.redis
        database.execute_command("ACL SETUSER", "default", "-expire")  # a Redis that fails half-way
        try:
            with contextlib.suppress(CredentialError):
                self.watch(office, 1)
        finally:
            database.execute_command("ACL SETUSER", "default", "+@all")
        counts = [bytes(key) for key in database.scan_iter("{often:*")]
        assert counts
        assert all(0 < int(database.ttl(key)) <= WINDOW_S for key in counts)

    def test_many_denials(self, office: Office) -> None:
        assert self.watch(office, DENIALS + 3, state=State.DENIED) == [Kind.MANY_DENIALS]

    def test_one_card_in_two_cities(self, office: Office) -> None:
        far, near = (office.software(name=name).verifier.verifier_id for name in "AB")
        office.services.verifiers.settle(far, "110101")
        office.services.verifiers.settle(near, "440115")
        accepted = State.ACCEPTED
        assert self.watch(office, 1, verifier_id=near, state=accepted) == []
        kinds = self.watch(office, 1, verifier_id=far, state=accepted, verification_id="f" * 20)
        assert kinds == [Kind.TWO_CITIES]


def test_the_past_is_the_managers(office: Office, desk: Person) -> None:
    yesterday = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=1)
    assert yesterday.isoformat() not in desk.see(f"/desk/shift?day={yesterday}").text
