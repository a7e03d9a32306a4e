"""Cases in the console: in words for every kind, taken, noted and closed by who may."""

from __future__ import annotations

import pytest
import redis

from credentials.cases import Case, CaseStatus, Kind
from credentials.model import Actor
from tests.web.office import Person, Phone
from tests.web.whole import WholeOffice

SYSTEM = Actor("system", "patterns")
WORDS = {
    "en": {
        Kind.NOT_ME: "Reported “not me”",
        Kind.DOUBLE_USE: "Used at two places at once",
        Kind.TWO_CITIES: "Used in two cities",
        Kind.BUSY_DESK: "A desk scans unusually often",
        Kind.MANY_DENIALS: "Denied again and again",
        Kind.OTHER_PERSON: "A desk saw somebody else than the portrait",
    },
    "zh-CN": {
        Kind.NOT_ME: "用户报告“不是我”",
        Kind.DOUBLE_USE: "同时在两地使用",
        Kind.TWO_CITIES: "短时间内在两座城市使用",
        Kind.BUSY_DESK: "窗口扫码异常频繁",
        Kind.MANY_DENIALS: "多次被用户拒绝",
        Kind.OTHER_PERSON: "前台认为持证人不是本人",
    },
}


@pytest.fixture
def office(database: redis.Redis) -> WholeOffice:
    return WholeOffice(database)


@pytest.fixture
def viewer(office: WholeOffice) -> Person:
    return office.operator("viewer", "vera").sign_in()


@pytest.fixture
def rosa(office: WholeOffice) -> Person:
    return office.operator("reviewer", "rosa").sign_in()


@pytest.fixture
def case(office: WholeOffice, phone: Phone) -> Case:
    return office.services.cases.open(
        Kind.NOT_ME, phone.credential_id, SYSTEM, verification_id="0a" * 10, detail="前台 1"
    )


def at(case: Case) -> str:
    return f"/console/cases/{case.case_id}"


def test_it_says_that_there_is_none(viewer: Person) -> None:
    assert "No case waits" in viewer.see("/console/cases").text


@pytest.mark.parametrize("language", WORDS)
def test_every_kind_has_its_words(office: WholeOffice, viewer: Person, language: str) -> None:
    assert WORDS[language].keys() == set(Kind)
    viewer.language = language
    for kind, words in WORDS[language].items():
        case = office.services.cases.open(kind, "", SYSTEM, verification_id="0b" * 10)
        assert words in viewer.see("/console/cases").text
        assert words in viewer.see(at(case)).text


def test_from_open_to_closed(office: WholeOffice, rosa: Person, case: Case) -> None:
    assert f"/console/cards/{case.credential_id}" in rosa.see(at(case)).text
    assert rosa.fill(f"{at(case)}/take", at=at(case)).status_code == 303
    rosa.fill(f"{at(case)}/note", at=at(case), text="rang the <b>holder</b>")
    page = rosa.see(at(case)).text
    assert "rang the &lt;b&gt;holder" in page
    rosa.fill(f"{at(case)}/close", at=at(case), text="a mistake")
    page = rosa.see(at(case)).text
    assert "a mistake" in page
    assert "Make it mine" not in page
    found = office.services.cases.get(case.case_id)
    assert (found.status, found.owner) == (CaseStatus.CLOSED, "rosa")
    assert office.audited()[:3] == ["case_closed", "case_noted", "case_taken"]
    assert case.case_id not in rosa.see("/console/cases").text
    assert case.case_id in rosa.see("/console/cases?show=all").text


@pytest.mark.parametrize("credential", ["", "0" * 16, "<b>x</b>", "../../team"])
def test_a_case_about_no_card_leads_to_none(
    office: WholeOffice, viewer: Person, credential: str
) -> None:
    case = office.services.cases.open(Kind.BUSY_DESK, credential, SYSTEM, detail="<i>海</i>")
    page = viewer.see(at(case))
    assert page.status_code == 200
    assert 'href="/console/cards/' not in page.text.replace('href="/console/cards"', "")
    assert 'href="/console/holders/' not in page.text
    for each in (page.text, viewer.see("/console/cases").text):
        assert "<i>海" not in each
        assert "<b>x" not in each
    if not credential:
        assert '<span class="mono">—</span>' in page.text


def test_a_card_that_was_erased_is_no_error(
    office: WholeOffice, viewer: Person, phone: Phone, case: Case
) -> None:
    office.services.cards.erase(phone.holder, Actor("holder", phone.holder.openid))
    page = viewer.see(at(case))
    assert page.status_code == 200
    assert "张三丰" not in page.text


@pytest.mark.parametrize("action", ["take", "note", "close"])
def test_a_viewer_only_sees(office: WholeOffice, viewer: Person, case: Case, action: str) -> None:
    assert f"/{action}" not in viewer.see(at(case)).text
    token = viewer.csrf("/console/cards")
    answer = viewer.fill(f"{at(case)}/{action}", text="hello", csrf_token=token)
    assert answer.status_code == 403
    assert office.services.cases.get(case.case_id) == case
    assert office.services.cases.notes(case.case_id) == []
    assert office.audited()[0] == "action_refused"


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "x" * 1001])
@pytest.mark.parametrize("action", ["note", "close"])
def test_a_note_that_is_none(
    office: WholeOffice, rosa: Person, case: Case, action: str, text: str
) -> None:
    answer = rosa.fill(f"{at(case)}/{action}", at=at(case), text=text)
    assert answer.status_code == 422
    assert "1 to 1000 characters" in answer.text
    assert office.services.cases.get(case.case_id) == case


@pytest.mark.parametrize("action", ["note", "close"])
def test_what_was_written_is_not_lost(
    office: WholeOffice, rosa: Person, case: Case, action: str
) -> None:
    long = "rang the holder " * 63
    page = rosa.fill(f"{at(case)}/{action}", at=at(case), text=long).text
    assert f'id="{action}" name="text" rows="2" maxlength="1000" required>{long}<' in page
    assert page.count('<details class="action" open>') == 1
    assert f'data-here="{at(case)}"' in page
    office.services.cases.close(case.case_id, SYSTEM, "a colleague was quicker")
    token = rosa.csrf("/console")
    page = rosa.fill(f"{at(case)}/{action}", text="<b>it was me</b>", csrf_token=token).text
    assert "this was not kept" in page
    assert "readonly>&lt;b&gt;it was me" in page


@pytest.mark.parametrize("action", ["take", "note", "close"])
def test_a_closed_case_stays_closed(
    office: WholeOffice, rosa: Person, case: Case, action: str
) -> None:
    closed = office.services.cases.close(case.case_id, Actor("operator", "li"), "done")
    token = rosa.csrf("/console/cards")
    answer = rosa.fill(f"{at(case)}/{action}", text="again", csrf_token=token)
    assert answer.status_code == 422
    assert "The case is closed" in answer.text
    assert office.services.cases.get(case.case_id) == closed


@pytest.mark.parametrize("case_id", ["x", "0" * 16, "0" * 17, "%00", "é"])
def test_no_such_case(rosa: Person, case_id: str) -> None:
    assert rosa.see(f"/console/cases/{case_id}").status_code == 404
    token = rosa.csrf("/console/cards")
    answer = rosa.fill(f"/console/cases/{case_id}/take", csrf_token=token)
    assert answer.status_code == 404


@pytest.mark.parametrize("action", ["erase", "__class__", "TAKE"])
def test_no_such_act(rosa: Person, case: Case, action: str) -> None:
    assert rosa.fill(f"{at(case)}/{action}", at=at(case)).status_code == 404


def test_a_forged_form_does_nothing(office: WholeOffice, rosa: Person, case: Case) -> None:
    assert rosa.browser.post(f"{at(case)}/take").status_code == 400
    assert rosa.browser.get(f"{at(case)}/take").status_code == 405
    assert office.services.cases.get(case.case_id) == case


def test_nobody_who_is_not_an_operator(office: WholeOffice, case: Case) -> None:
    for path in ("/console/cases", at(case)):
        answer = office.app.test_client().get(path)
        assert answer.status_code == 303
        assert answer.location.startswith("/console/sign-in")
