"""Texts in the console: seen by all, changed by admins, after a preview and for a reason."""

from __future__ import annotations

import pytest
import redis

from tests.web.office import Person
from tests.web.whole import WholeOffice

KEY = "chat.welcome"
COUNTED = "cases.finding"  # with {open} and {taken}
PAGE = f"/console/texts/{KEY}"


@pytest.fixture
def office(database: redis.Redis) -> WholeOffice:
    return WholeOffice(database)


@pytest.fixture
def admin(office: WholeOffice) -> Person:
    return office.operator("admin", "adam").sign_in()


def test_a_change_is_previewed_made_and_put_back(office: WholeOffice, admin: Person) -> None:
    own = office.texts.now("en", KEY)
    given = {"language": "en", "text": "Good day!", "reason": "friendlier"}
    answer = admin.fill(PAGE, **given, do="preview")
    assert 'id="preview">Good day!' in answer.text
    assert office.texts.now("en", KEY) == own
    assert admin.fill(PAGE, **given, do="change").status_code == 303
    assert office.texts.now("en", KEY) == "Good day!"
    page = admin.see(PAGE).text
    assert "friendlier" in page
    assert "Changed" in page
    assert KEY in admin.see("/console/texts").text.split("<tbody>")[1].split("</tr>")[0]
    admin.fill(PAGE, language="en", text="", reason="as it was", do="change")
    assert office.texts.now("en", KEY) == own
    assert [version.by for version in office.texts.history("en", KEY)] == ["adam", "adam"]
    assert office.audited()[:2] == ["text_changed", "text_changed"]


def test_searched_by_key_and_by_words(admin: Person) -> None:
    assert COUNTED in admin.see("/console/texts?q=cases.fin").text
    assert COUNTED in admin.see("/console/texts?q=without+an+OWNER&language=en").text
    assert "No sentence matches" in admin.see("/console/texts?q=qqqqqq").text


def test_a_preview_fills_the_placeholders(admin: Person) -> None:
    answer = admin.fill(
        f"/console/texts/{COUNTED}", language="en", text="{open}, {taken}", do="preview"
    )
    assert "◇open◇, ◇taken◇" in answer.text


@pytest.mark.parametrize("role", ["viewer", "reviewer"])
def test_who_may_not_change(office: WholeOffice, role: str) -> None:
    person = office.operator(role, "rosa").sign_in()
    assert "<textarea" not in person.see(PAGE).text
    for do in ("preview", "change"):
        answer = person.fill(
            PAGE,
            language="en",
            text="Mine",
            reason="because",
            do=do,
            csrf_token=person.csrf("/console/cards"),
        )
        assert answer.status_code == 403
        assert office.audited()[0] == "action_refused"
    assert office.texts.changed() == {}


@pytest.mark.parametrize("reason", ["", "  ", "ab", "x" * 201])
def test_no_reason_no_change(office: WholeOffice, admin: Person, reason: str) -> None:
    answer = admin.fill(PAGE, language="en", text="Good day!", reason=reason, do="change")
    assert answer.status_code == 422
    assert "Please give a reason" in answer.text
    assert "Good day!" in answer.text  # what was written is not lost
    assert office.texts.changed() == {}


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        (KEY, "x" * 601, "At most 600"),
        (KEY, "bell \a", "no control characters"),
        (KEY, "{name}", "placeholders"),
        (KEY, "{", "placeholders"),
        (COUNTED, "nothing", "{open}, {taken}"),
        (COUNTED, "{open}", "{open}, {taken}"),
        (COUNTED, "{open} {taken} {more}", "{open}, {taken}"),
        (COUNTED, "{open.__class__} {taken}", "placeholders"),
        (COUNTED, "{open:>999999999} {taken}", "placeholders"),
        (COUNTED, "{open!r} {taken}", "placeholders"),
    ],
)
@pytest.mark.parametrize("do", ["preview", "change"])
def test_what_would_break_a_sentence(  # noqa: PLR0917 - a row of the table
    office: WholeOffice, admin: Person, key: str, text: str, said: str, do: str
) -> None:
    answer = admin.fill(f"/console/texts/{key}", language="en", text=text, reason="because", do=do)
    assert answer.status_code == 422
    assert said in answer.text
    assert office.texts.changed() == {}


@pytest.mark.parametrize("given", [("preview", "Good day!"), ("change", "{"), ("preview", "{")])
def test_the_reason_stays_too(admin: Person, given: tuple[str, str]) -> None:
    do, text = given
    page = admin.fill(PAGE, language="en", text=text, reason="friendlier", do=do).text
    assert page.count('maxlength="200" value="friendlier"') == 1
    assert f">{text}</textarea>" in page


@pytest.mark.parametrize("language", ["", "fr", "../en", "<b>"])
def test_no_such_language(office: WholeOffice, admin: Person, language: str) -> None:
    answer = admin.fill(PAGE, language=language, text="Hello", reason="because", do="change")
    assert answer.status_code == 422
    assert "no such language" in answer.text
    assert office.texts.changed() == {}


@pytest.mark.parametrize("key", ["chat.nothing", "x", "%00", "é", "__class__"])
def test_no_such_sentence(admin: Person, key: str) -> None:
    assert admin.see(f"/console/texts/{key}").status_code == 404
    token = admin.csrf("/console/cards")
    answer = admin.fill(f"/console/texts/{key}", text="x", csrf_token=token)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "query", ["?q=%00", "?q=%3Cscript%3Ex", "?language=fr", "?q=" + "x" * 5000]
)
def test_odd_searches_do_no_harm(admin: Person, query: str) -> None:
    page = admin.see(f"/console/texts{query}")
    assert page.status_code == 200
    assert "<script>x" not in page.text


def test_markup_is_text(admin: Person) -> None:
    given = {"language": "en", "text": "<script>alert(1)</script>", "reason": "<b>why</b>"}
    assert "<script>alert" not in admin.fill(PAGE, **given, do="preview").text
    admin.fill(PAGE, **given, do="change")
    for path in (PAGE, "/console/texts"):
        page = admin.see(path).text
        assert "<script>alert" not in page
        assert "<b>why" not in page


def test_a_forged_form_changes_nothing(office: WholeOffice, admin: Person) -> None:
    fields = {"language": "en", "text": "Mine", "reason": "because", "do": "change"}
    assert admin.browser.post(PAGE, data=fields).status_code == 400
    assert office.texts.changed() == {}
