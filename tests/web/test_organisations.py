"""From "I run a hotel" to the first verified guest; and what an organisation's people may do."""

from __future__ import annotations

import datetime
import re
import time
from typing import Any, cast

import pytest

from credentials import organisations
from credentials.errors import CredentialError
from credentials.organisations import RequestStatus
from tests.web.office import PASSWORD, Office, Person, Phone, Software, outcome
from web import team

ASKED = {
    "name": "Lighthouse Inn",
    "division": "440115",
    "contact": "Ms Lin, 020 8888 0000",
    "desk": "Front desk 1",
    "username": "lin",
    "password": PASSWORD,
    "purpose": "hotel",
    "ground_hotel": "《旅馆业治安管理办法》第六条",
}


def visitor(office: Office) -> Person:
    return Person(office.app.test_client(), "desk", "lin", PASSWORD, office.services.staff)


def ask(office: Office, **changed: str) -> str:
    """Ask, and give the request's id."""
    answer = visitor(office).fill("/desk/join", **{**ASKED, **changed})
    assert answer.status_code == 303, answer.text
    return str(answer.location).rsplit("/", 1)[1]


def approve(office: Office, request_id: str, username: str = "laochen", **fields: str) -> None:
    admin = office.operator("admin", username).sign_in()
    answer = admin.fill(
        f"/console/verifiers/requests/{request_id}/approve",
        at="/console/verifiers",
        **{"purpose": "hotel", "until_hotel": "2999-12-31", **fields},
    )
    assert answer.status_code == 303, answer.text


def manager(office: Office) -> Person:
    approve(office, ask(office))
    return visitor(office).sign_in()


def secret_in(page: str) -> str:
    found = re.search(r'<code id="secret">([^<]+)</code>', page)
    assert found, page
    return found[1]


def test_from_i_run_a_hotel_to_the_first_guest(office: Office, phone: Phone) -> None:
    request_id = ask(office)
    guest = visitor(office)
    assert "being looked at" in guest.see(f"/desk/join/{request_id}").text
    assert guest.try_to_sign_in(PASSWORD).status_code == 401
    approve(office, request_id)
    assert "Approved" in guest.see(f"/desk/join/{request_id}").text
    guest.sign_in()
    waiting = guest.scan(phone.show(), "hotel", desk="Front desk 1")
    assert outcome(waiting) == (200, "awaiting_holder")
    assert [receipt.verifier for receipt in office.receipts] == ["Lighthouse Inn"]
    phone.approve()
    path = f"/desk/verifications/{waiting.get_json()['verification_id']}"
    assert outcome(guest.ask("GET", path)) == (200, "accepted")
    assert "张三丰" in guest.see("/desk/shift").text


class TestAsking:
    @pytest.mark.parametrize(
        "changed",
        [
            {"name": ""},
            {"name": "x" * 61},
            {"division": "999999"},
            {"division": "44011"},
            {"contact": " "},
            {"purpose": "world_domination"},
            {"ground_hotel": ""},
            {"desk": "d" * 41},
            {"username": "a b"},
            {"password": "short"},
            {"password": "password"},
        ],
    )
    def test_what_is_missing_is_said_and_nothing_is_kept(
        self, office: Office, changed: dict[str, str]
    ) -> None:
        answer = visitor(office).fill("/desk/join", **{**ASKED, **changed})
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
        assert office.services.organisations.waiting() == []

    def test_what_was_entered_is_still_there_and_the_field_is_named(self, office: Office) -> None:
        person = visitor(office)
        page = person.fill("/desk/join", **{**ASKED, "ground_hotel": "x" * 121}).text
        assert "Legal ground · Hotel check-in" in page
        for field in ("name", "division", "contact", "desk", "username"):
            assert f'value="{ASKED[field]}"' in page
        assert PASSWORD not in page
        person.language = "zh-CN"
        assert "：所在地区划代码" in person.fill("/desk/join", **{**ASKED, "division": "1"}).text

    def test_a_purpose_that_was_taken_back_stays_so(self, office: Office) -> None:
        nothing = {name: value for name, value in ASKED.items() if name != "purpose"}
        page = visitor(office).fill("/desk/join", **nothing)
        assert page.status_code == 422
        assert 'value="hotel" checked' not in page.text
        assert 'value="hotel" checked' in visitor(office).see("/desk/join").text

    def test_a_name_that_somebody_has(self, office: Office, software: Software) -> None:
        office.staff(software.verifier, "lin")
        assert visitor(office).fill("/desk/join", **ASKED).status_code == 422

    def test_a_form_from_elsewhere(self, office: Office) -> None:
        assert visitor(office).fill("/desk/join", csrf_token="x", **ASKED).status_code == 422
        assert office.services.organisations.waiting() == []

    @pytest.mark.parametrize("request_id", ["0" * 32, "x", "../sign-in"])
    def test_somebody_elses_request(self, office: Office, request_id: str) -> None:
        assert visitor(office).see(f"/desk/join/{request_id}").status_code in {404, 308}

    def test_one_address_cannot_flood_the_operators(self, office: Office) -> None:
        codes = [
            visitor(office).fill("/desk/join", **{**ASKED, "username": f"lin{n}"}).status_code
            for n in range(12)
        ]
        assert codes.count(303) == 10

    def test_one_address_cannot_find_out_who_has_which_name(
        self, office: Office, software: Software
    ) -> None:
        office.staff(software.verifier, "lin")
        for _ in range(10):
            assert visitor(office).fill("/desk/join", **ASKED).status_code == 422
        for username in ("lin", "nobody"):
            answer = visitor(office).fill("/desk/join", **{**ASKED, "username": username})
            assert "Too often" in answer.text
        assert office.services.organisations.waiting() == []

    def test_requests_that_ended_unanswered_keep_nobody_out(self, office: Office) -> None:
        ended = time.time() - organisations.ASKED_S - 1
        old = {f"{n:032x}": ended for n in range(organisations.MOST_WAITING)}
        office.services.redis.zadd("{org}:waiting", old)
        ask(office)
        assert len(office.services.organisations.waiting()) == 1

    def test_a_request_is_kept_whole_or_not_at_all(self, office: Office) -> None:
        database: Any = office.services.redis
        database.execute_command("ACL SETUSER", "default", "-expire")  # a Redis that fails half-way
        try:
            with pytest.raises(CredentialError):
                office.services.organisations.ask(
                    name="A", division="440115", contact="Ms Lin, 020 8888 0000", desk="1",
                    grounds={"hotel": "law"}, username="lin", password=PASSWORD,
                )  # fmt: skip
        finally:
            database.execute_command("ACL SETUSER", "default", "+@all")
        assert database.keys("{org}:r:*") == []

    def test_neither_contact_nor_password_is_kept_in_plain(self, office: Office) -> None:
        ask(office)
        keys = cast("list[bytes]", office.services.redis.keys("{org}:r:*"))
        kept = b"".join(office.services.redis.dump(key) or b"" for key in keys)
        assert b"020 8888" not in kept
        assert PASSWORD.encode() not in kept


class TestDeciding:
    @pytest.mark.parametrize("role", ["viewer", "reviewer"])
    def test_is_the_administrators(self, office: Office, role: str) -> None:
        request_id = ask(office)
        person = office.operator(role).sign_in()
        token = person.csrf("/console")
        for act in ("approve", "refuse"):
            path = f"/console/verifiers/requests/{request_id}/{act}"
            answer = person.fill(path, csrf_token=token, purpose="hotel", why="because")
            assert answer.status_code == 403
        assert "action_refused" in office.audited()
        found = office.services.organisations.request(request_id)
        assert found.status is RequestStatus.WAITING

    def test_a_refusal_says_why(self, office: Office) -> None:
        request_id = ask(office)
        admin = office.operator("admin").sign_in()
        path = f"/console/verifiers/requests/{request_id}/refuse"
        assert admin.fill(path, at="/console/verifiers", why="Not a hotel").status_code == 303
        assert "Not a hotel" in visitor(office).see(f"/desk/join/{request_id}").text
        assert visitor(office).try_to_sign_in(PASSWORD).status_code == 401

    def test_is_done_once(self, office: Office) -> None:
        request_id = ask(office)
        approve(office, request_id)
        admin = office.operator("admin", "second").sign_in()
        path = f"/console/verifiers/requests/{request_id}/approve"
        answer = admin.fill(path, at="/console/verifiers", purpose="hotel")
        assert answer.status_code == 422
        assert len(office.services.verifiers.all()) == 1

    def cut_short(self, office: Office) -> str:
        """A request as Redis has it where its approval's last step did not come through."""
        request_id = ask(office)
        database, key = office.services.redis, f"{{org}}:r:{request_id}"
        waiting = cast("dict[bytes, bytes]", database.hgetall(key))
        approve(office, request_id)
        database.hset(key, mapping={b"s": waiting[b"s"], b"h": waiting[b"h"]})
        database.zadd("{org}:waiting", {request_id: 1})
        database.delete(f"{{org}}:lock:{request_id}")
        return request_id

    def test_what_was_cut_short_and_is_then_refused_lets_nobody_in(self, office: Office) -> None:
        request_id = self.cut_short(office)
        admin = office.operator("admin", "second").sign_in()
        path = f"/console/verifiers/requests/{request_id}/refuse"
        assert admin.fill(path, at="/console/verifiers", why="Not a hotel").status_code == 303
        asker = visitor(office)
        asker.try_to_sign_in(PASSWORD)
        assert asker.see("/desk").status_code == 403
        assert [one.blocked for one in office.services.verifiers.all()] == [True]

    def test_what_was_cut_short_is_approved_to_its_end(self, office: Office) -> None:
        request_id = self.cut_short(office)
        approve(office, request_id, "second")
        found = office.services.organisations.request(request_id)
        assert found.status is RequestStatus.APPROVED
        assert [one.verifier_id for one in office.services.verifiers.all()] == [found.verifier_id]
        assert visitor(office).sign_in().see("/desk/team").status_code == 200

    def test_what_was_mended_at_once_is_not_called_decided(self, office: Office) -> None:
        request_id = ask(office)
        admin = office.operator("admin").sign_in()
        path, at = f"/console/verifiers/requests/{request_id}/approve", "/console/verifiers"
        assert "Choose at least one purpose" in admin.fill(path, at=at).text
        assert admin.fill(path, at=at, purpose="hotel").status_code == 303

    def test_a_purpose_that_was_not_asked_for_is_not_granted(self, office: Office) -> None:
        request_id = ask(office)
        admin = office.operator("admin").sign_in()
        path = f"/console/verifiers/requests/{request_id}/approve"
        answer = admin.fill(path, at="/console/verifiers", purpose="banking")
        assert answer.status_code == 422
        assert office.services.verifiers.all() == []

    def test_a_grant_ends(self, office: Office, phone: Phone) -> None:
        yesterday = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=2)
        approve(office, ask(office), until_hotel=yesterday.isoformat())
        person = visitor(office).sign_in()
        answer = person.scan(phone.show(), "hotel", desk="Front desk 1")
        assert outcome(answer) == (403, "purpose_not_granted")

    @pytest.mark.parametrize("day", ["31.12.2026", "2026-02-30", "tomorrow", "2026"])
    def test_a_day_that_does_not_read_is_no_grant_for_ever(
        self, office: Office, software: Software, day: str
    ) -> None:
        request_id = ask(office)
        admin = office.operator("admin").sign_in()
        at = "/console/verifiers"
        base = f"{at}/{software.verifier.verifier_id}/purposes"
        answers = (
            admin.fill(
                f"{at}/requests/{request_id}/approve", at=at, purpose="hotel", until_hotel=day
            ),
            admin.fill(f"{base}/grant", at=at, purpose="ticketing", ground="law", until=day),
        )
        for answer in answers:
            assert answer.status_code == 422
            assert day in answer.text
        assert [one.verifier_id for one in office.services.verifiers.all()] == [
            software.verifier.verifier_id
        ]
        found = office.services.verifiers.get(software.verifier.verifier_id)
        assert found is not None
        assert "ticketing" not in found.purposes

    def test_what_was_given_stays_in_the_form(self, office: Office) -> None:
        request_id = ask(office)
        admin = office.operator("admin").sign_in()
        at, base = "/console/verifiers", f"/console/verifiers/requests/{request_id}"
        page = admin.fill(f"{base}/approve", at=at, until_hotel="2030-12-31").text  # none ticked
        assert 'name="purpose" value="hotel" >' in page
        assert 'name="until_hotel" value="2030-12-31"' in page
        assert page.count("data-kept") == 1
        assert f'data-here="{at}"' in page
        why = "Not a hotel. " * 10
        page = admin.fill(f"{base}/refuse", at=at, why=why).text
        assert f'name="why" value="{why}"' in page
        assert 'name="purpose" value="hotel" checked>' in page
        assert page.count("data-kept") == 1

    def test_purposes_come_and_go_one_by_one(self, office: Office, software: Software) -> None:
        admin = office.operator("admin").sign_in()
        base = f"/console/verifiers/{software.verifier.verifier_id}/purposes"
        at = "/console/verifiers"
        granted = admin.fill(f"{base}/grant", at=at, purpose="ticketing", ground="law", until="")
        assert granted.status_code == 303
        assert admin.fill(f"{base}/withdraw", at=at, purpose="hotel").status_code == 303
        found = office.services.verifiers.get(software.verifier.verifier_id)
        assert found is not None
        assert set(found.purposes) == {"internet_cafe", "courier", "ticketing"}


class TestTeam:
    def test_who_leaves_is_cut_off_at_once(self, office: Office) -> None:
        boss = manager(office)
        page = boss.fill("/desk/team/people", at="/desk/team", username="wang", role="staff")
        wang = Person(
            office.app.test_client(), "desk", "wang", secret_in(page.text), office.services.staff
        ).sign_in()
        assert wang.see("/desk").status_code == 200
        boss.fill("/desk/team/people/wang/disable", at="/desk/team")
        assert wang.see("/desk").status_code == 303
        assert "person cut off" in boss.see("/desk/team").text

    @pytest.mark.parametrize(
        "path", ["team/people", "team/people/lin/disable", "team/desks", "software/keys"]
    )
    def test_staff_change_nothing(self, office: Office, desk: Person, path: str) -> None:
        answer = desk.fill(f"/desk/{path}", csrf_token=desk.csrf("/desk"), username="x", name="x")
        assert answer.status_code == 403
        assert "action_refused" in office.audited()

    def test_a_manager_reaches_nobody_elses_people(self, office: Office, desk: Person) -> None:
        boss = manager(office)
        for act in ("disable", "reset", "role", "desk", "enable"):
            answer = boss.fill(f"/desk/team/people/{desk.username}/{act}", at="/desk/team")
            assert answer.status_code == 404
        assert desk.see("/desk").status_code == 200
        assert "action_refused" in office.audited()

    @pytest.mark.parametrize("act", ["disable", "role", "reset", "second"])
    @pytest.mark.parametrize("name", ["lin", "LIN"])
    def test_a_manager_does_not_do_this_to_themselves(
        self, office: Office, act: str, name: str
    ) -> None:
        boss = manager(office)
        answer = boss.fill(f"/desk/team/people/{name}/{act}", at="/desk/team", role="staff")
        assert answer.status_code == 422
        assert "cannot change your own account" in answer.text
        assert boss.see("/desk").status_code == 200
        account = office.services.staff.get("lin")
        assert account is not None
        assert (account.role, account.must_change_password) == ("manager", False)

    def test_what_a_manager_entered_stays_where_it_is_refused(self, office: Office) -> None:
        boss = manager(office)
        page = boss.fill(
            "/desk/team/people",
            at="/desk/team",
            username="lin",
            desk="Front desk 1",
            role="manager",
        )
        assert page.status_code == 422
        assert 'value="lin"' in page.text
        assert "<option selected>Front desk 1<" in page.text
        assert '<option value="manager" selected>' in page.text
        page = boss.fill("/desk/team/desks", at="/desk/team", desk="Bar " * 20)
        assert f'value="{"Bar " * 20}"' in page.text
        assert "cannot be kept: Name of this desk" in page.text

    def test_how_many_there_can_be_is_said(
        self, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        boss = manager(office)
        monkeypatch.setattr(organisations, "MOST_DESKS", 1)
        monkeypatch.setattr(team, "MOST_PEOPLE", 1)
        page = boss.fill("/desk/team/desks", at="/desk/team", desk="Bar")
        assert (page.status_code, "There can be 1 desks" in page.text) == (422, True)
        page = boss.fill("/desk/team/people", at="/desk/team", username="wang", role="staff")
        assert (page.status_code, "There can be 1 people" in page.text) == (422, True)
        page = boss.fill("/desk/team/people", at="/desk/team", username="wang", role="king")
        assert (page.status_code, "There is no such role" in page.text) == (422, True)

    def test_desks(self, office: Office) -> None:
        boss = manager(office)
        boss.fill("/desk/team/desks", at="/desk/team", desk="Bar")
        assert "Bar" in boss.see("/desk/team").text
        assert boss.fill("/desk/team/desks", at="/desk/team", desk="").status_code == 422
        boss.fill("/desk/team/desks/drop", at="/desk/team", desk="Bar")
        verifier_id = office.services.verifiers.all()[0].verifier_id
        assert office.services.organisations.desks(verifier_id) == ["Front desk 1"]


class TestKeys:
    def make(self, boss: Person, kind: str = "live", scope: str = "verify") -> str:
        page = boss.fill(
            "/desk/software/keys", at="/desk/software", name="PMS", kind=kind, scope=scope
        )
        return secret_in(page.text)

    def test_a_key_is_shown_once_and_works(self, office: Office, phone: Phone) -> None:
        boss = manager(office)
        key = self.make(boss)
        assert key not in boss.see("/desk/software").text
        verifier = office.services.verifiers.all()[0]
        program = Software(office.app.test_client(), verifier, key)
        assert outcome(program.scan(phone.show(), "hotel")) == (200, "awaiting_holder")
        assert office.services.api_keys.all(verifier.verifier_id)[0].used > 0

    def test_a_key_does_what_it_was_made_for(self, office: Office) -> None:
        boss = manager(office)
        verifier = office.services.verifiers.all()[0]
        program = Software(office.app.test_client(), verifier, self.make(boss, scope="read"))
        assert outcome(program.scan("A" * 52, "hotel")) == (403, "scope_missing")
        assert program.look("0" * 20).status_code == 404

    def test_a_key_is_replaced_without_a_gap_and_then_ends(self, office: Office) -> None:
        boss = manager(office)
        old = self.make(boss)
        verifier = office.services.verifiers.all()[0]
        key_id = office.services.api_keys.all(verifier.verifier_id)[0].key_id
        path = f"/desk/software/keys/{key_id}/rotate"
        new = secret_in(boss.fill(path, at="/desk/software", overlap="1d").text)
        for key in (old, new):
            program = Software(office.app.test_client(), verifier, key)
            assert outcome(program.scan("x", "hotel")) == (400, "malformed")
        boss.fill(f"/desk/software/keys/{key_id}/drop", at="/desk/software")
        assert Software(office.app.test_client(), verifier, old).scan("x").status_code == 401
        assert (
            Software(office.app.test_client(), verifier, new).scan("x", "hotel").status_code == 400
        )

    @pytest.mark.parametrize("fields", [{"name": ""}, {"name": "x" * 41}, {"scope": "everything"}])
    def test_keys_that_are_not_made(self, office: Office, fields: dict[str, str]) -> None:
        boss = manager(office)
        sent = {"name": "PMS", "kind": "live", "scope": "verify", **fields}
        assert boss.fill("/desk/software/keys", at="/desk/software", **sent).status_code == 422

    def test_what_was_entered_stays_where_it_is_refused(self, office: Office) -> None:
        boss, at = manager(office), "/desk/software"
        page = boss.fill(f"{at}/keys", at=at, name="n" * 41, kind="live", scope="read").text
        assert f'value="{"n" * 41}"' in page
        assert '<option value="live" selected>' in page
        assert 'value="read" checked' in page
        assert 'value="verify" checked' not in page
        url = "http://pms.example.com/hook"
        assert f'value="{url}"' in boss.fill(f"{at}/webhooks", at=at, url=url).text

    def test_of_an_organisation_that_is_blocked_nothing_is_made(self, office: Office) -> None:
        boss = manager(office)
        token = boss.csrf("/desk/software")
        [verifier] = office.services.verifiers.all()
        endpoint = office.services.webhooks.add(verifier.verifier_id, "https://pms.example.com/")
        office.services.verifiers.block(verifier.verifier_id)
        for path in ("keys", f"webhooks/{endpoint.endpoint_id}/ping"):
            answer = boss.fill(
                f"/desk/software/{path}", csrf_token=token, name="PMS", kind="live", scope="verify"
            )
            assert answer.status_code == 403
        assert office.services.api_keys.all(verifier.verifier_id) == []
        assert office.services.webhooks.deliveries(verifier.verifier_id) == []

    def test_what_is_left_of_a_delivery_closes_no_page(self, office: Office) -> None:
        boss = manager(office)
        [verifier] = office.services.verifiers.all()
        webhooks = office.services.webhooks
        endpoint = webhooks.add(verifier.verifier_id, "https://pms.example.com/")
        delivery = webhooks.ping(verifier.verifier_id, endpoint.endpoint_id)
        key = f"{{v:{verifier.verifier_id}}}:w:{delivery}"
        office.services.redis.delete(key)  # its three days end while an attempt is under way
        office.services.redis.hset(key, mapping={"s": "failed", "c": "too_slow", "l": 0})
        assert boss.see("/desk/software").status_code == 200
        path = f"/desk/software/deliveries/{delivery}/replay"
        assert "This delivery is gone" in boss.fill(path, at="/desk/software").text

    def test_the_sandbox_knows_no_real_card(self, office: Office, phone: Phone) -> None:
        boss = manager(office)
        verifier = office.services.verifiers.all()[0]
        program = Software(office.app.test_client(), verifier, self.make(boss, "sandbox"))
        assert outcome(program.scan(phone.show(), "hotel")) == (404, "unknown_code")
        answer = program.scan("SANDBOX-ACCEPTED", "hotel")
        assert outcome(answer) == (200, "accepted")
        assert answer.get_json()["attributes"]["id_number"].startswith("990000")
        assert outcome(program.scan("sandbox-frozen", "hotel")) == (423, "frozen")
        assert outcome(program.scan("SANDBOX-ACCEPTED", "banking")) == (403, "purpose_not_granted")
        assert office.receipts == []

    def test_a_real_key_knows_no_sandbox(self, software: Software) -> None:
        assert outcome(software.scan("SANDBOX-ACCEPTED")) == (400, "malformed")


@pytest.mark.parametrize("page", ["shift", "paper", "team", "software", "try"])
def test_every_page_opens(office: Office, page: str) -> None:
    boss = manager(office)
    for language in ("en", "zh-CN"):
        boss.language = language
        assert boss.see(f"/desk/{page}").status_code == 200
