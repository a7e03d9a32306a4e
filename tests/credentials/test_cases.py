"""Cases: opened once for a cause, with the audit's entry; taken, noted, closed."""

from __future__ import annotations

import pytest

from credentials.cases import Case, CaseError, Cases, CaseStatus, Kind
from credentials.model import Actor
from tests.credentials.issuer import HOLDER, Issuer, Phone

WANG, LI = Actor("operator", "wang"), Actor("operator", "li")


@pytest.fixture
def cases(issuer: Issuer) -> Cases:
    return Cases(issuer.store, issuer.sealer)


@pytest.fixture
def case(cases: Cases, phone: Phone) -> Case:
    return cases.open(Kind.NOT_ME, phone.credential_id, HOLDER, verification_id="0a" * 10)


def test_a_case_says_what_it_is_about(cases: Cases, case: Case, phone: Phone) -> None:
    assert cases.get(case.case_id) == case
    assert (case.kind, case.status, case.owner) == (Kind.NOT_ME, CaseStatus.OPEN, "")
    assert (case.credential_id, case.verification_id) == (phone.credential_id, "0a" * 10)
    assert cases.waiting() == cases.recent() == [case]


def test_the_same_cause_is_one_case(issuer: Issuer, cases: Cases, case: Case) -> None:
    again = cases.open(Kind.NOT_ME, case.credential_id, HOLDER, verification_id="0a" * 10)
    assert again == case
    assert [use.kind for use in issuer.audit.recent(10)] == ["case_opened"]


@pytest.mark.parametrize("other", [("0b" * 10, Kind.NOT_ME), ("0a" * 10, Kind.DOUBLE_USE)])
def test_another_cause_is_another_case(cases: Cases, case: Case, other: tuple[str, Kind]) -> None:
    made = cases.open(other[1], case.credential_id, HOLDER, verification_id=other[0])
    assert made.case_id != case.case_id
    assert cases.counts()[CaseStatus.OPEN] == 2


def test_the_way_of_a_case(issuer: Issuer, cases: Cases, case: Case) -> None:
    assert cases.take(case.case_id, WANG).owner == "wang"
    cases.note(case.case_id, WANG, "  rang   the holder ")
    assert cases.take(case.case_id, LI).owner == "li"
    closed = cases.close(case.case_id, LI, "a mistake of the holder's")
    assert (closed.status, closed.owner) == (CaseStatus.CLOSED, "li")
    assert [(note.by, note.text) for note in cases.notes(case.case_id)] == [
        ("wang", "rang the holder"),
        ("li", "a mistake of the holder's"),
    ]
    assert cases.waiting() == []
    assert cases.recent() == [closed]
    assert cases.counts() == {
        CaseStatus.OPEN: 0,
        CaseStatus.TAKEN: 0,
        CaseStatus.CLOSED: 1,
    }
    told = [use.kind for use in issuer.audit.recent(10)]
    assert told == ["case_closed", "case_taken", "case_noted", "case_taken", "case_opened"]
    assert issuer.findings() == []


def test_a_closed_case_is_not_changed(cases: Cases, case: Case) -> None:
    cases.close(case.case_id, WANG, "done")
    with pytest.raises(CaseError, match="case_closed"):
        cases.take(case.case_id, LI)
    with pytest.raises(CaseError, match="case_closed"):
        cases.note(case.case_id, LI, "one more thing")
    with pytest.raises(CaseError, match="case_closed"):
        cases.close(case.case_id, LI, "again")
    again = cases.open(Kind.NOT_ME, case.credential_id, HOLDER, verification_id="0a" * 10)
    assert again.status is CaseStatus.CLOSED


@pytest.mark.parametrize("case_id", ["", "0" * 16, "../../x", "{audit}", "0" * 15 + "Z"])
def test_what_is_no_case(cases: Cases, case_id: str) -> None:
    with pytest.raises(CaseError, match="unknown_case"):
        cases.get(case_id)
    with pytest.raises(CaseError, match="unknown_case"):
        cases.take(case_id, WANG)


@pytest.mark.parametrize("text", ["", "   ", "x" * 1001])
def test_a_note_that_is_none(cases: Cases, case: Case, text: str) -> None:
    with pytest.raises(CaseError, match="bad_note"):
        cases.note(case.case_id, WANG, text)
    assert cases.notes(case.case_id) == []


def test_notes_are_sealed(issuer: Issuer, cases: Cases, case: Case) -> None:
    cases.note(case.case_id, WANG, "张三丰 says it was his brother")
    kept = issuer.database.lrange(f"{{audit}}:case:{case.case_id}:notes", 0, -1)
    assert "张三丰".encode() not in b"".join(kept)  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [0, -1])
def test_an_empty_list(cases: Cases, case: Case, limit: int) -> None:
    assert cases.waiting(limit) == cases.recent(limit) == []
