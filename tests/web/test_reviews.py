"""The console's reviews: who may see faces, who decides, and where it takes two."""

from __future__ import annotations

import pytest

from credentials.model import Holder
from credentials.reviews import Case, Facts, ReviewKind, ReviewState
from tests.web.office import Office, Person

FACTS = Facts(Holder("wechat", "oApplicant"), "张三丰", "110105194912310000", images=("portrait",))
REASON = "ears and mole agree"


@pytest.fixture
def case(office: Office) -> str:
    made = Case(ReviewKind.DUPLICATE, FACTS, {"distance": "0.312"}, {"portrait": b"\xff\xd8"}, True)
    return office.services.reviews.open("m1", made)


@pytest.fixture
def anna(office: Office) -> Person:
    return office.operator("reviewer", "anna").sign_in()


@pytest.fixture
def bela(office: Office) -> Person:
    return office.operator("admin", "bela").sign_in()


@pytest.fixture
def vera(office: Office) -> Person:
    return office.operator("viewer", "vera").sign_in()


def decide(person: Person, case: str, verdict: str, reason: str = REASON) -> int:
    at = f"/console/reviews/{case}"
    answer = person.fill(f"{at}/decide", at="/console/reviews", verdict=verdict, reason=reason)
    return answer.status_code


def test_nobody_waits(anna: Person) -> None:
    assert "No case waits" in anna.see("/console/reviews").text


def test_a_viewer_sees_that_cases_wait_and_no_face(office: Office, vera: Person, case: str) -> None:
    told = vera.see("/console/reviews").text
    assert "Face is on another card" in told
    assert case not in told
    for path in ("", "/images/portrait"):
        answer = vera.see(f"/console/reviews/{case}{path}")
        assert answer.status_code == 403
        assert "张三丰" not in answer.text
    assert decide(vera, case, "approve") == 403
    assert office.audited().count("action_refused") == 3
    assert office.services.reviews.waiting()[0].first == ""


def test_a_reviewer_sees_faces_and_the_audit_knows(office: Office, anna: Person, case: str) -> None:
    told = anna.see(f"/console/reviews/{case}").text
    assert "张三丰" in told
    image = anna.see(f"/console/reviews/{case}/images/portrait")
    assert (image.data, image.headers["Cache-Control"]) == (b"\xff\xd8", "no-store")
    assert "review_seen" in office.audited()


def test_the_audit_knows_who_asks_for_a_part_of_the_page(
    office: Office, anna: Person, bela: Person, case: str
) -> None:
    """As an open page does, every two seconds: noted once for each reviewer."""
    for person in (anna, anna, bela):
        answer = person.see(f"/console/reviews/{case}", **{"X-Fragment": "1"})
        assert "张三丰" in answer.text
    assert office.audited().count("review_seen") == 2


@pytest.mark.parametrize("path", ["nothing", "nothing/images/portrait"])
def test_what_is_not_there(anna: Person, path: str) -> None:
    assert anna.see(f"/console/reviews/{path}").status_code == 404


def test_another_picture_than_there_is(anna: Person, case: str) -> None:
    assert anna.see(f"/console/reviews/{case}/images/frame9").status_code == 404


@pytest.mark.parametrize("reason", ["", "ok", "x" * 300])
def test_a_decision_needs_a_reason(office: Office, anna: Person, case: str, reason: str) -> None:
    assert decide(anna, case, "approve", reason) == 422
    assert office.services.reviews.waiting()[0].first == ""


def test_a_reason_that_is_too_short_stays_in_the_form(anna: Person, case: str) -> None:
    at = f"/console/reviews/{case}"
    page = anna.fill(f"{at}/decide", at=at, verdict="reject", reason="no").text
    assert 'maxlength="200" value="no"' in page


def test_another_verdict_than_there_is(anna: Person, case: str) -> None:
    assert decide(anna, case, "maybe") == 400


def test_two_reviewers_approve(office: Office, anna: Person, bela: Person, case: str) -> None:
    assert decide(anna, case, "approve") == 303
    assert decide(anna, case, "approve") == 409
    assert "anna has approved" in bela.see(f"/console/reviews/{case}").text
    assert decide(bela, case, "approve") == 303
    (decided,) = office.services.reviews.decided()
    assert (decided.state, decided.first, decided.decided_by) == (
        ReviewState.APPROVED,
        "anna",
        "bela",
    )
    assert anna.see(f"/console/reviews/{case}/images/portrait").status_code == 404
    assert "张三丰" not in anna.see(f"/console/reviews/{case}").text


def test_one_rejects(office: Office, anna: Person, bela: Person, case: str) -> None:
    assert decide(anna, case, "reject") == 303
    assert decide(bela, case, "approve") == 409
    assert office.services.reviews.decided()[0].state is ReviewState.REJECTED


def test_what_nobody_waits_for_any_more(office: Office, anna: Person, case: str) -> None:
    told = anna.see(f"/console/reviews/{case}").text
    office.services.reviews.withdraw(case)
    assert decide(anna, case, "approve") == 409
    assert "No case waits" in anna.see("/console/reviews").text
    assert "withdrawn" in anna.see("/console/reviews").text
    assert "张三丰" in told
    assert "张三丰" not in anna.see(f"/console/reviews/{case}").text
    assert anna.see(f"/console/reviews/{case}/images/portrait").status_code == 404


def test_a_forged_form_decides_nothing(office: Office, anna: Person, case: str) -> None:
    answer = anna.browser.post(
        f"/console/reviews/{case}/decide", data={"verdict": "approve", "reason": REASON}
    )
    assert answer.status_code == 400
    assert office.services.reviews.waiting()[0].first == ""
