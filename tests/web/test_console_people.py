"""One person in the console: what is shown, what is hidden, and the helping hand."""

from __future__ import annotations

import dataclasses
import re
import time

import pytest

from bot.transcripts import BOT, PERSON, Entry
from credentials import names
from credentials.model import Holder
from tests.web.office import Office, Person, Phone

HOLDER = Holder("wechat", "oLost")
PAGE = "/console/holders/wechat/oLost"
NAME, NUMBER = "张三丰", "440115199003070015"


@pytest.fixture
def viewer(office: Office) -> Person:
    return office.operator("viewer", "vera").sign_in()


@pytest.fixture
def helper(office: Office) -> Person:
    return office.operator("reviewer", "rosa").sign_in()


@pytest.fixture
def lost(office: Office) -> Holder:
    """Somebody who failed three times at the ID number."""
    taken = office.conversations.take(HOLDER)
    now = time.time()
    office.conversations.keep(
        taken,
        dataclasses.replace(
            taken.conversation,
            step="id_number",
            since=now - 700,
            last=now - 650,
            attempts=3,
            language="zh_CN",
            version="1",
            given={"consents": [], "name": NAME, "id_number": NUMBER},
        ),
    )
    office.transcripts.add(
        HOLDER,
        [
            Entry(now - 700, PERSON, "text", NAME, "name"),
            Entry(now - 699, BOT, "text", "请输入身份证号码", "id_number"),
            Entry(now - 650, PERSON, "text", "<b>x</b>", "id_number"),
        ],
    )
    return HOLDER


def helper_of(office: Office) -> str:
    return office.conversations.look(HOLDER).helper


@pytest.mark.usefixtures("lost")
class TestSeeing:
    def test_the_talk_is_masked_and_markup_is_text(self, viewer: Person) -> None:
        page = viewer.see(PAGE).text
        assert names.mask(NAME) in page
        assert NAME not in page
        assert NUMBER not in page
        assert "&lt;b&gt;x&lt;/b&gt;" in page
        assert "<b>x</b>" not in page
        assert "/reveal/" not in page  # a viewer reveals nothing
        assert "Take over" not in page

    def test_the_list_marks_who_is_stuck_and_silent(self, viewer: Person) -> None:
        page = viewer.see("/console").text
        assert "Stuck" in page
        assert page.count("Silent for ten minutes") == 2  # the chip and the row
        assert "oLost" in viewer.see("/console?sign=stuck").text
        assert "oLost" not in viewer.see("/console?sign=human").text

    @pytest.mark.parametrize(
        "path",
        [
            "/console/holders/we%0d%0achat/oLost",
            "/console/holders/wechat/" + "x" * 99,
            f"{PAGE}/reveal/nothing",
            f"{PAGE}/reveal/../../x",
        ],
    )
    def test_what_is_not_there(self, helper: Person, path: str) -> None:
        assert helper.see(path).status_code == 404


@pytest.mark.usefixtures("lost")
class TestRevealing:
    @pytest.mark.parametrize(("what", "value"), [("name", NAME), ("id_number", NUMBER)])
    def test_a_field_for_a_reason(
        self, office: Office, helper: Person, what: str, value: str
    ) -> None:
        path = f"{PAGE}/reveal/{what}"
        assert value not in helper.see(path).text
        assert value in helper.fill(path, reason="caller reads it out").text
        (entry, *_) = office.services.audit.recent(1)
        assert (entry.kind, entry.detail["reason"]) == ("revealed", "caller reads it out")
        assert value not in str(entry)

    def test_a_line(self, helper: Person) -> None:
        found = re.search(
            r'href="(/console/holders/wechat/oLost/reveal/\d[^"]+)"', helper.see(PAGE).text
        )
        assert found
        assert NAME in helper.fill(found[1], reason="what did they type?").text

    @pytest.mark.parametrize("reason", ["", "  ", "ab", "x" * 201])
    def test_without_a_reason_nothing_is_shown(
        self, office: Office, helper: Person, reason: str
    ) -> None:
        answer = helper.fill(f"{PAGE}/reveal/name", reason=reason)
        assert (answer.status_code, NAME in answer.text) == (422, False)
        assert f'value="{reason}" autofocus' in answer.text
        assert "revealed" not in office.audited()

    def test_not_for_a_viewer(self, office: Office, viewer: Person) -> None:
        assert viewer.see(f"{PAGE}/reveal/name").status_code == 403
        assert office.audited()[0] == "action_refused"


@pytest.mark.usefixtures("lost")
class TestHelping:
    def test_take_over_write_hand_back(self, office: Office, helper: Person) -> None:
        assert helper.fill(f"{PAGE}/take_over", PAGE).status_code == 303
        assert helper_of(office) == "rosa"
        assert helper.fill(f"{PAGE}/send", PAGE, text="您好").status_code == 303
        assert "您好" in helper.see(PAGE).text
        assert office.outbox.delivery(HOLDER).waiting == 1
        assert helper.fill(f"{PAGE}/hand_back", PAGE).status_code == 303
        conversation = office.conversations.look(HOLDER)
        assert (conversation.helper, conversation.attempts, conversation.human) == ("", 0, 0)
        assert office.asked_again == [HOLDER]
        assert office.audited()[:3] == ["person_hand_back", "person_send", "person_take_over"]

    def test_two_operators_do_not_both_help(self, office: Office, helper: Person) -> None:
        helper.fill(f"{PAGE}/take_over", PAGE)
        other = office.operator("admin", "adam").sign_in()
        assert other.fill(f"{PAGE}/take_over", PAGE).status_code == 422
        assert other.fill(f"{PAGE}/send", PAGE, text="hello").status_code == 422
        assert helper_of(office) == "rosa"

    def test_writing_takes_taking_over_first(self, office: Office, helper: Person) -> None:
        answer = helper.fill(f"{PAGE}/send", PAGE, text="hello")
        assert answer.status_code == 422
        assert office.outbox.delivery(HOLDER).waiting == 0
        assert ">hello</textarea>" in answer.text
        assert "Take over and send" in answer.text
        again = helper.fill(f"{PAGE}/send", PAGE, text="hello", take_over="1")
        assert again.status_code == 303
        assert helper_of(office) == "rosa"
        assert office.outbox.delivery(HOLDER).waiting == 1
        assert office.audited()[:2] == ["person_send", "person_take_over"]

    def test_nobody_is_taken_from_another_by_writing(self, office: Office, helper: Person) -> None:
        helper.fill(f"{PAGE}/take_over", PAGE)
        other = office.operator("admin", "adam").sign_in()
        answer = other.fill(f"{PAGE}/send", PAGE, text="<b>hi", take_over="1")
        assert (answer.status_code, helper_of(office)) == (422, "rosa")
        assert ">&lt;b&gt;hi</textarea>" in answer.text
        assert office.outbox.delivery(HOLDER).waiting == 0

    @pytest.mark.parametrize("action", ["send", "note", "label", "move", "attempt"])
    def test_while_the_person_writes_nothing_is_lost(
        self, office: Office, helper: Person, action: str
    ) -> None:
        helper.fill(f"{PAGE}/take_over", PAGE)
        fields = {
            "send": {"text": "words of mine"},
            "note": {"text": "words of mine" * 60},
            "label": {"labels": "words of mine" * 3},
            "move": {"step": "name", "reason": "words of mine"},
            "attempt": {"reason": "words of mine"},
        }[action]
        taken = office.conversations.take(HOLDER)
        answer = helper.fill(f"{PAGE}/{action}", PAGE, **fields)
        office.conversations.leave(taken)
        assert answer.status_code == (422 if action in ("note", "label") else 409)
        assert answer.text.count("words of mine") >= 1

    def test_moved_back_with_a_reason(self, office: Office, helper: Person) -> None:
        assert helper.fill(f"{PAGE}/move", PAGE, step="name").status_code == 422
        answer = helper.fill(f"{PAGE}/move", PAGE, step="name", reason="typed another's name")
        assert answer.status_code == 303
        conversation = office.conversations.look(HOLDER)
        assert (conversation.step, conversation.given) == ("name", {"consents": []})
        ((before, after),) = office.withdrawn
        assert (before.step, after.step) == ("id_number", "name")

    @pytest.mark.parametrize(
        "step", ["face", "match_photo", "gesture", "move_offer", "", "nowhere"]
    )
    def test_never_moved_on(self, office: Office, helper: Person, step: str) -> None:
        answer = helper.fill(f"{PAGE}/move", PAGE, step=step, reason="let them pass")
        assert answer.status_code == 422
        assert office.conversations.look(HOLDER).step == "id_number"

    def test_another_attempt(self, office: Office, helper: Person) -> None:
        for _ in range(9):
            office.services.limits.attempt("face", HOLDER.tag, 3, 60, 600)
        assert not office.services.limits.look("face", HOLDER.tag, 3).allowed
        helper.fill(f"{PAGE}/attempt", PAGE, reason="the light was bad")
        assert office.services.limits.look("face", HOLDER.tag, 3).allowed
        assert office.conversations.look(HOLDER).attempts == 0

    def test_notes_labels_and_whose_task(self, office: Office, helper: Person) -> None:
        helper.fill(f"{PAGE}/note", PAGE, text="calls back at nine <i>")
        helper.fill(f"{PAGE}/label", PAGE, labels="vip, test")
        helper.fill(f"{PAGE}/assign", PAGE, operator="rosa")
        page = helper.see(PAGE).text
        for words in ("calls back at nine &lt;i&gt;", "vip", "rosa"):
            assert words in page
        assert office.conversations.look(HOLDER).test
        assert b"calls back" not in b"".join(_dump(office))

    @pytest.mark.parametrize(
        ("action", "fields"),
        [
            ("note", {"text": " "}),
            ("label", {"labels": "a,b,c,d,e,f,g,h,i"}),
            ("label", {"labels": "x" * 40}),
            ("send", {"text": ""}),
        ],
    )
    def test_what_is_not_accepted(
        self, helper: Person, action: str, fields: dict[str, str]
    ) -> None:
        helper.fill(f"{PAGE}/take_over", PAGE)
        assert helper.fill(f"{PAGE}/{action}", PAGE, **fields).status_code == 422

    @pytest.mark.parametrize("action", ["take_over", "send", "move", "attempt", "note", "assign"])
    def test_a_viewer_helps_nobody(self, office: Office, viewer: Person, action: str) -> None:
        answer = viewer.fill(f"{PAGE}/{action}", PAGE, text="x", reason="because")
        assert answer.status_code == 403
        assert office.audited()[0] == "action_refused"
        assert helper_of(office) == ""

    def test_without_the_token_nothing_happens(self, office: Office, helper: Person) -> None:
        assert helper.fill(f"{PAGE}/take_over", csrf_token="x").status_code == 400
        assert helper_of(office) == ""

    def test_an_unknown_action(self, helper: Person) -> None:
        assert helper.fill(f"{PAGE}/explode", PAGE).status_code == 404

    def test_a_person_with_a_card(self, phone: Phone, viewer: Person) -> None:
        page = viewer.see("/console/holders/wechat/oPhone1").text
        assert f"/console/cards/{phone.credential_id}" in page
        assert "张三丰" not in page


def _dump(office: Office) -> list[bytes]:
    keys = office.services.redis.scan_iter(match="*oLost*")
    return [office.services.redis.dump(key) or b"" for key in keys]
