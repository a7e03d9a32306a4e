"""The console: what operators see and may do, by role, and what is written down of it."""

from __future__ import annotations

import dataclasses
import time

import pytest

from credentials.errors import LifecycleError
from credentials.model import Actor, Holder, Status
from tests.credentials.issuer import CONSENTS, id_number, person
from tests.web.office import Office, Person, Phone, Software, outcome

REASON = "holder called, phone lost"
EMPTY = {
    "/console": "Nobody is in the middle",
    "/console/verifications": "Once a verifier scans",
    "/console/verifiers": "verifier add",
}


@pytest.fixture
def viewer(office: Office) -> Person:
    return office.operator("viewer", "vera").sign_in()


@pytest.fixture
def admin(office: Office) -> Person:
    return office.operator("admin", "adam").sign_in()


def arrive(office: Office, openid: str, step: str, *, since: float) -> None:
    """Somebody's conversation comes to a step."""
    taken = office.conversations.take(Holder("wechat", openid))
    conversation = dataclasses.replace(taken.conversation, step=step, since=since, last=since)
    office.conversations.keep(taken, conversation)


class TestEmpty:
    def test_empty_pages_say_what_will_appear(self, viewer: Person) -> None:
        for path, sentence in EMPTY.items():
            assert sentence in viewer.see(path).text


class TestLive:
    def test_who_waits_longest_is_first(self, office: Office, viewer: Person) -> None:
        now = time.time()
        arrive(office, "oNew", "name", since=now)
        arrive(office, "oOld", "face", since=now - 900)
        page = viewer.see("/console").text
        assert "2 people are in the middle" in page
        assert page.index("/oOld") < page.index("/oNew")
        assert "Face photo" in page

    def test_a_step_shows_who_is_there(self, office: Office, viewer: Person) -> None:
        arrive(office, "oNew", "name", since=time.time())
        arrive(office, "oOld", "face", since=time.time())
        page = viewer.see("/console?step=face").text
        assert "/oOld" in page
        assert "/oNew" not in page

    def test_search_and_sort(self, office: Office, viewer: Person) -> None:
        arrive(office, "oZoe", "face", since=time.time())
        arrive(office, "oAmy", "name", since=time.time())
        assert "/oZoe" not in viewer.see("/console?q=amy").text
        page = viewer.see("/console?sort=holder").text
        assert page.index("/oAmy") < page.index("/oZoe")
        assert "No conversation matches" in viewer.see("/console?q=nobody").text

    def test_sorting_keeps_what_is_looked_for(self, office: Office, viewer: Person) -> None:
        arrive(office, "oAmy", "name", since=time.time() - 900)
        page = viewer.see("/console?sign=silent&step=name&q=amy").text
        assert 'href="/console?sort=holder&amp;step=name&amp;sign=silent&amp;q=amy"' in page

    def test_a_person_leads_to_the_card(self, phone: Phone, viewer: Person) -> None:
        page = viewer.see("/console/holders/wechat/oPhone1").text
        assert f"/console/cards/{phone.credential_id}" in page
        assert "No card yet" in viewer.see("/console/holders/wechat/oNobody").text

    def test_unchanged_it_is_answered_304(
        self, office: Office, viewer: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = time.time()  # it stands: with every quarter of a minute the page is another one
        monkeypatch.setattr("web.console.time.time", lambda: now)
        arrive(office, "oNew", "name", since=now)
        first = viewer.see("/console", **{"X-Fragment": "1"})
        assert "<html" not in first.text
        again = viewer.see(
            "/console", **{"X-Fragment": "1", "If-None-Match": first.headers["ETag"]}
        )
        assert (again.status_code, again.data) == (304, b"")
        arrive(office, "oNewer", "name", since=now)
        then = viewer.see("/console", **{"X-Fragment": "1", "If-None-Match": first.headers["ETag"]})
        assert "oNewer" in then.text

    @pytest.mark.parametrize("query", ["?step=%00", "?sort=%3Cb%3E", "?q=" + "x" * 5000, "?step=é"])
    def test_odd_filters_do_no_harm(self, viewer: Person, query: str) -> None:
        assert viewer.see(f"/console{query}").status_code == 200


class TestVerifications:
    def test_everybodys_are_listed_and_filtered(
        self, office: Office, phone: Phone, software: Software, viewer: Person
    ) -> None:
        software.scan(phone.show())
        software.scan(phone.show(), "hotel")
        office.software(name="Corner Café").scan(phone.show())
        page = viewer.see("/console/verifications").text
        assert "The last 3 verifications" in page
        assert "张" not in page
        for query, count in (
            ("state=awaiting_holder", 0),  # the café's newer scan took its place
            ("purpose=internet_cafe", 2),
            ("q=corner", 1),
            ("state=accepted&purpose=internet_cafe&q=sea", 1),
        ):
            listed = viewer.see(f"/console/verifications?{query}").text.count("<tr>") - 1
            assert max(listed, 0) in {count, count + (query.startswith("state=awaiting"))}

    def test_verifiers_and_their_purposes(self, software: Software, viewer: Person) -> None:
        page = viewer.see("/console/verifiers").text
        assert "Seaside Hotel" in page
        assert software.verifier.verifier_id in page
        assert software.key not in page
        assert "No verifier matches" in viewer.see("/console/verifiers?q=zzz").text

    def test_one_verifier_and_its_scans(
        self, office: Office, software: Software, phone: Phone, viewer: Person
    ) -> None:
        other = office.software(name="Corner Café")
        software.scan(phone.show(), "internet_cafe")
        page = viewer.see(f"/console/verifiers/{software.verifier.verifier_id}").text
        assert page.count(f"/console/cards/{phone.credential_id}") == 1
        assert software.key not in page
        assert "Block" not in page  # a viewer sees
        empty = viewer.see(f"/console/verifiers/{other.verifier.verifier_id}").text
        assert f"/console/cards/{phone.credential_id}" not in empty

    @pytest.mark.parametrize("verifier_id", ["x", "0" * 12, "%00", "é", "requests"])
    def test_no_such_verifier(self, viewer: Person, verifier_id: str) -> None:
        assert viewer.see(f"/console/verifiers/{verifier_id}").status_code == 404


@pytest.mark.parametrize("path", ["/console", "/console/verifiers", "/console/verifications"])
def test_an_open_page_hears_the_token_of_a_new_session(viewer: Person, path: str) -> None:
    viewer.see(path)
    first = viewer.see(path, **{"X-Fragment": "1"})
    tag = first.headers["ETag"]
    viewer.fill("/console/sign-out", at="/console")
    assert "X-CSRF-Token" not in viewer.see(path, **{"X-Fragment": "1"}).headers
    viewer.sign_in()
    viewer.see("/console")  # the new session's first page
    answer = viewer.see(path, **{"X-Fragment": "1", "If-None-Match": tag})
    assert "X-CSRF-Token" not in viewer.see(path).headers
    refused = viewer.fill("/console/sign-out", csrf_token=first.headers["X-CSRF-Token"])
    assert refused.status_code == 400
    assert "open for too long" in refused.text
    token = answer.headers["X-CSRF-Token"]
    assert viewer.fill("/console/sign-out", csrf_token=token).status_code == 303


class TestBlocking:
    def test_at_night_a_reviewer_stops_a_verifier_at_once(
        self, office: Office, software: Software, phone: Phone
    ) -> None:
        reviewer = office.operator("reviewer", "rita").sign_in()
        path = f"/console/verifiers/{software.verifier.verifier_id}"
        assert reviewer.fill(f"{path}/block", at=path, reason=REASON).status_code == 303
        assert outcome(software.scan(phone.show(), "hotel")) == (401, "unauthenticated")
        (entry, *_) = office.services.audit.recent(1)
        assert (entry.kind, entry.detail["reason"]) == ("verifier_blocked", REASON)

    def test_letting_it_in_again_is_an_admins(
        self, office: Office, software: Software, phone: Phone
    ) -> None:
        office.services.verifiers.block(software.verifier.verifier_id)
        path = f"/console/verifiers/{software.verifier.verifier_id}"
        reviewer = office.operator("reviewer", "rita").sign_in()
        assert reviewer.fill(f"{path}/unblock", at=path, reason=REASON).status_code == 403
        assert outcome(software.scan(phone.show(), "hotel")) == (401, "unauthenticated")
        admin = office.operator("admin", "ada").sign_in()
        assert admin.fill(f"{path}/unblock", at=path, reason=REASON).status_code == 303
        assert software.scan(phone.show(), "hotel").status_code == 200

    @pytest.mark.parametrize("reason", ["", " ", "ab", "x" * 201])
    def test_not_without_a_reason(self, office: Office, software: Software, reason: str) -> None:
        admin = office.operator("admin", "ada").sign_in()
        path = f"/console/verifiers/{software.verifier.verifier_id}"
        answer = admin.fill(f"{path}/block", at=path, reason=reason)
        assert answer.status_code == 422
        assert "Write why" in answer.text
        found = office.services.verifiers.get(software.verifier.verifier_id)
        assert found is not None
        assert not found.blocked

    def test_what_was_given_stays_in_the_form(self, office: Office, software: Software) -> None:
        admin = office.operator("admin", "ada").sign_in()
        path = f"/console/verifiers/{software.verifier.verifier_id}"
        page = admin.fill(f"{path}/block", at=path, reason="no").text
        assert 'maxlength="200" value="no"' in page
        assert f'data-here="{path}"' in page
        given = {"purpose": "ticketing", "ground": "by law", "until": "2030-02-31"}
        page = admin.fill(f"{path}/purposes/grant", at=path, **given).text
        assert '<option value="ticketing" selected>' in page
        assert 'name="ground" value="by law"' in page
        assert 'name="until" value="2030-02-31"' in page
        assert page.count('<details class="action" open>') == 1

    @pytest.mark.parametrize("action", ["explode", "purposes", "blocked"])
    def test_no_such_action(self, office: Office, software: Software, action: str) -> None:
        admin = office.operator("admin", "ada").sign_in()
        path = f"/console/verifiers/{software.verifier.verifier_id}"
        assert admin.fill(f"{path}/{action}", at=path, reason=REASON).status_code in {404, 405}


class TestCards:
    @pytest.mark.parametrize("what", ["id_number", "card", "openid"])
    def test_each_way_to_find_one(
        self, office: Office, phone: Phone, viewer: Person, what: str
    ) -> None:
        queries = {"id_number": id_number(1), "card": phone.credential_id, "openid": "oPhone1"}
        found = viewer.fill("/console/cards", q=f" {queries[what]} ")
        assert found.location == f"/console/cards/{phone.credential_id}"
        assert id_number(1) not in found.location
        (entry, *_) = office.services.audit.recent(1)
        assert (entry.kind, entry.detail["how"]) == ("card_looked_up", what)
        assert entry.detail["by"] == "operator:vera"

    def test_a_holder_of_the_other_channel(self, office: Office, viewer: Person) -> None:
        holder = Holder("alipay", "2088102122485786")
        card = office.services.cards.issue(
            holder, person(5), CONSENTS, evidence={"liveness": "unsafe-none"}
        )
        found = viewer.fill("/console/cards", q=holder.openid)
        assert found.location == f"/console/cards/{card.credential_id}"

    @pytest.mark.parametrize(
        "query",
        ["", "nobody", "0" * 16, id_number(9), "440115199003070010", "*", "\x00", "x" * 999],
    )
    @pytest.mark.usefixtures("phone")
    def test_what_is_not_found(self, viewer: Person, query: str) -> None:
        answer = viewer.fill("/console/cards", q=query)
        assert answer.status_code == 404
        assert "No card was found" in answer.text
        assert "\x00" in query or f'value="{query[:64]}" maxlength' in answer.text

    def test_it_shows_no_more_than_it_must(self, phone: Phone, viewer: Person) -> None:
        page = viewer.see(f"/console/cards/{phone.credential_id}").text
        assert "张**" in page
        assert "张三丰" not in page
        assert id_number(1) not in page

    @pytest.mark.parametrize("path", ["x", "0" * 16, "%00", "é"])
    def test_no_such_card(self, viewer: Person, path: str) -> None:
        assert viewer.see(f"/console/cards/{path}").status_code == 404

    def test_a_name_with_markup_is_text(self, office: Office, viewer: Person) -> None:
        phone = office.phone(3, "<b>张</b>")
        hotel = office.software(name="<script>alert(1)</script>")
        hotel.scan(phone.show())
        arrive(office, "<script>alert(2)</script>", "<i>", since=time.time())
        assert "alert(2)" in viewer.see("/console").text
        for path in (
            f"/console/cards/{phone.credential_id}",
            "/console/verifications",
            "/console/verifiers",
            "/console",
        ):
            page = viewer.see(path).text
            assert "<script>alert" not in page
            assert "<b>" not in page.replace("<b>1</b>", "").replace("<b>0</b>", "")


class TestActing:
    def test_freezing_and_unfreezing_for_a_reason(self, office: Office, phone: Phone) -> None:
        reviewer = office.operator("reviewer", "rita").sign_in()
        path = f"/console/cards/{phone.credential_id}"
        for action, status in (("freeze", Status.FROZEN), ("unfreeze", Status.ACTIVE)):
            assert reviewer.fill(f"{path}/{action}", at=path, reason=REASON).status_code == 303
            card = office.services.cards.get(phone.credential_id)
            assert card is not None
            assert card.status is status
        page = reviewer.see(path).text
        assert "Operator rita" in page
        assert REASON in page

    def test_a_freeze_of_the_holders_is_taken_over(self, office: Office, phone: Phone) -> None:
        cards = office.services.cards
        cards.freeze(phone.credential_id, Actor("holder"))
        reviewer = office.operator("reviewer", "rita").sign_in()
        path = f"/console/cards/{phone.credential_id}"
        assert "The holder froze this card" in reviewer.see(path).text
        assert reviewer.fill(f"{path}/freeze", at=path, reason=REASON).status_code == 303
        with pytest.raises(LifecycleError, match="frozen_by_issuer"):
            cards.unfreeze(phone.credential_id, Actor("holder"))
        assert f"{path}/freeze" not in reviewer.see(path).text
        assert reviewer.fill(f"{path}/unfreeze", at=path, reason=REASON).status_code == 303

    def test_an_admin_revokes(self, phone: Phone, admin: Person) -> None:
        path = f"/console/cards/{phone.credential_id}"
        assert admin.fill(f"{path}/revoke", at=path, reason=REASON).status_code == 303
        assert "There is nothing to do" in admin.see(path).text

    @pytest.mark.parametrize(
        ("role", "action"),
        [
            ("viewer", "freeze"),
            ("viewer", "unfreeze"),
            ("viewer", "revoke"),
            ("reviewer", "revoke"),
        ],
    )
    def test_what_is_beyond_a_role_is_refused_and_written_down(
        self, office: Office, phone: Phone, role: str, action: str
    ) -> None:
        operator = office.operator(role, "ole").sign_in()
        path = f"/console/cards/{phone.credential_id}"
        assert f"{path}/{action}" not in operator.see(path).text
        token = operator.csrf("/console/cards")
        answer = operator.fill(f"{path}/{action}", reason=REASON, csrf_token=token)
        assert answer.status_code == 403
        card = office.services.cards.get(phone.credential_id)
        assert card is not None
        assert card.status is Status.ACTIVE
        assert office.audited()[0] == "action_refused"

    def test_what_was_given_stays_in_the_form(self, phone: Phone, admin: Person) -> None:
        path = f"/console/cards/{phone.credential_id}"
        page = admin.fill(f"{path}/revoke", at=path, reason="no").text
        revoking = page.partition(f"{path}/revoke")[2]
        assert 'value="no"' in revoking
        assert page.count('<details class="action" open>') == page.count('value="no"') == 1
        assert f'data-here="{path}"' in page
        assert "data-here" not in admin.see(path).text

    @pytest.mark.parametrize("reason", ["", "  ", "ab", "x" * 201])
    def test_no_reason_no_act(
        self, office: Office, phone: Phone, admin: Person, reason: str
    ) -> None:
        path = f"/console/cards/{phone.credential_id}"
        answer = admin.fill(f"{path}/revoke", at=path, reason=reason)
        assert answer.status_code == 422
        assert "Please give a reason" in answer.text
        card = office.services.cards.get(phone.credential_id)
        assert card is not None
        assert card.status is Status.ACTIVE

    def test_a_status_that_has_moved_on(self, phone: Phone, admin: Person) -> None:
        path = f"/console/cards/{phone.credential_id}"
        admin.fill(f"{path}/revoke", at=path, reason=REASON)
        answer = admin.fill(f"{path}/unfreeze", at=path, reason=REASON)
        assert answer.status_code == 409
        assert "just changed" in answer.text

    def test_no_such_act(self, phone: Phone, admin: Person) -> None:
        path = f"/console/cards/{phone.credential_id}"
        for action in ("erase", "issue", "__class__"):
            assert admin.fill(f"{path}/{action}", at=path, reason=REASON).status_code == 404

    def test_a_forged_form_does_nothing(self, office: Office, phone: Phone, admin: Person) -> None:
        path = f"/console/cards/{phone.credential_id}/revoke"
        assert admin.browser.post(path, data={"reason": REASON}).status_code == 400
        assert admin.browser.get(path).status_code == 405
        card = office.services.cards.get(phone.credential_id)
        assert card is not None
        assert card.status is Status.ACTIVE

    def test_staff_of_a_desk_act_on_nothing_here(self, phone: Phone, desk: Person) -> None:
        answer = desk.see(f"/console/cards/{phone.credential_id}")
        assert answer.status_code == 303
        assert answer.location.startswith("/console/sign-in")
