"""The desk: what a receptionist sees of one guest after another, and of nobody else's."""

from __future__ import annotations

import datetime
import io
import json
import re
import socket
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from credentials.connection import connect
from credentials.model import Actor
from tests.credentials.issuer import id_number
from tests.web.office import ADDRESS, Office, Person, Phone, Software, labels, outcome
from texts import Texts
from web import camera, pages
from web import desk as desk_pages

LARGEST_PAGE = 200 * 1024


def frame(code: str, *, side: int = 640, kind: str = "JPEG") -> bytes:
    """A camera's picture with a QR in it."""
    drawn = zxingcpp.create_barcode(code, zxingcpp.BarcodeFormat.QRCode).to_image(scale=8)
    picture = Image.new("L", (side * 4 // 3, side), 190)
    picture.paste(Image.fromarray(drawn).resize((side // 2, side // 2)), (90, 70))
    buffer = io.BytesIO()
    picture.save(buffer, kind, quality=75)
    return buffer.getvalue()


def test_a_guest_is_verified(phone: Phone, desk: Person) -> None:
    answer = desk.scan(phone.show())
    shown = answer.get_json()
    assert outcome(answer) == (200, "accepted")
    assert labels(answer) == ["Over 18", "Name, masked"]
    assert [field["value"] for field in shown["fields"]] == ["yes", "张**"]
    assert shown["portrait"].startswith("/9j/")
    assert shown["purpose_label"] == Texts().say("en", "purpose.internet_cafe")


def test_a_guest_who_is_not_of_age_stands_out(office: Office, desk: Person) -> None:
    birth = f"{datetime.datetime.now(datetime.UTC).year - 11}0307"
    child = office.phone(7, id_number=id_number(7, birth))
    field = desk.scan(child.show()).get_json()["fields"][0]
    assert (field["value"], field["warn"]) == ("no", True)


def test_a_hotel_guest_approves_and_the_desk_sees_it(phone: Phone, desk: Person) -> None:
    waiting = desk.scan(phone.show(), "hotel").get_json()
    assert waiting["state"] == "awaiting_holder"
    assert waiting["fields"] == []
    assert 50 <= waiting["wait_s"] <= 60
    path = f"/desk/verifications/{waiting['verification_id']}"
    assert outcome(desk.ask("GET", path)) == (200, "awaiting_holder")
    phone.approve()
    told = desk.ask("GET", path)
    assert outcome(told) == (200, "accepted")
    assert labels(told) == ["Name", "Sex", "Birth date", "ID number", "Valid until"]


def test_a_denial_says_what_to_say_and_do(phone: Phone, desk: Person) -> None:
    waiting = desk.scan(phone.show(), "hotel").get_json()
    phone.deny()
    denied = desk.ask("GET", f"/desk/verifications/{waiting['verification_id']}").get_json()
    assert denied["state"] == "denied"
    assert set(denied["refusal"]) == {"code", "reason", "say", "do"}


def test_the_holder_reads_the_desks_own_name(office: Office, phone: Phone, desk: Person) -> None:
    desk.scan(phone.show(), desk="Bank of Elsewhere")
    assert [receipt.decided.desk for receipt in office.receipts] == ["前台 1"]


def test_staff_without_a_desk_name_it_on_the_page(
    office: Office, phone: Phone, software: Software
) -> None:
    staff = office.staff(software.verifier, "roaming", desk="").sign_in()
    assert 'id="desk-field"' in staff.see("/desk").text
    staff.scan(phone.show(), desk="Bar")
    assert [receipt.decided.desk for receipt in office.receipts] == ["Bar"]
    assert len(staff.ask("GET", "/desk/today?desk=Bar").get_json()["rows"]) == 1


def test_a_lost_answer_is_asked_for_again(office: Office, phone: Phone, desk: Person) -> None:
    code, request_id = phone.show(), "0b6f1a5e-3d53-4a8e-9a57-0c2a1e6f9d11"
    answers = [desk.scan(code, request_id=request_id).get_json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(office.receipts) == 1


class TestRefusals:
    def test_a_code_that_was_used(self, phone: Phone, desk: Person) -> None:
        code = phone.show()
        desk.scan(code)
        answer = desk.scan(code)
        assert outcome(answer) == (409, "already_used")
        assert answer.mimetype == "application/problem+json"
        assert answer.get_json()["do"].startswith("A new code comes")

    def test_a_frozen_card(self, office: Office, phone: Phone, desk: Person) -> None:
        code = phone.show()
        office.services.cards.freeze(phone.credential_id, Actor("holder"))
        assert outcome(desk.scan(code)) == (423, "frozen")

    @pytest.mark.parametrize("code", ["x", "wxp://f2f0", "A" * 512, "<script>", "你好"])
    def test_a_code_of_something_else(self, desk: Person, code: str) -> None:
        assert outcome(desk.scan(code)) == (400, "malformed")

    def test_a_purpose_that_was_not_granted_is_logged(
        self, office: Office, phone: Phone, desk: Person
    ) -> None:
        assert outcome(desk.scan(phone.show(), "banking")) == (403, "purpose_not_granted")
        assert "purpose_refused" in office.audited()

    @pytest.mark.parametrize(
        "change",
        [{"code": ""}, {"code": "A" * 513}, {"request_id": "1"}, {"desk": "d" * 41}, {"more": 1}],
    )
    def test_a_body_that_the_page_never_sends(
        self, phone: Phone, desk: Person, change: dict[str, object]
    ) -> None:
        body = {"code": phone.show(), "purpose": "hotel", "request_id": "1" * 32, **change}
        assert outcome(desk.ask("POST", "/desk/verifications", json=body)) == (400, "malformed")

    def test_every_refusal_has_its_words(self) -> None:
        texts = Texts()
        for code in {*desk_pages.WORDED, "denied", "no_answer"} - {"unauthenticated"}:
            for part in ("reason", "say", "do"):
                assert texts.say("zh_CN", f"desk.refused.{code}.{part}")


class TestOtherPeoplesGuests:
    def test_staff_of_one_hotel_see_nothing_of_another(self, office: Office, phone: Phone) -> None:
        hotel_a, hotel_b = office.software(name="A"), office.software(name="B")
        staff_a = office.staff(hotel_a.verifier, "anna").sign_in()
        staff_b = office.staff(hotel_b.verifier, "bert").sign_in()
        scanned = staff_a.scan(phone.show("hotel"), "hotel").get_json()
        path = f"/desk/verifications/{scanned['verification_id']}"
        assert outcome(staff_b.ask("GET", path)) == (404, "unknown_verification")
        assert staff_b.ask("GET", "/desk/today").get_json()["rows"] == []
        assert len(staff_a.ask("GET", "/desk/today").get_json()["rows"]) == 1

    def test_the_list_is_of_this_desk(self, office: Office, phone: Phone, desk: Person) -> None:
        verifier = office.services.verifiers.all()[0]
        other = office.staff(verifier, "other", desk="前台 2").sign_in()
        other.scan(phone.show())
        assert desk.ask("GET", "/desk/today").get_json()["rows"] == []

    def test_a_blocked_hotel_is_out(self, office: Office, software: Software, desk: Person) -> None:
        token = desk.csrf("/desk")
        office.services.verifiers.block(software.verifier.verifier_id)
        assert desk.see("/desk").status_code == 403
        answer = desk.browser.get(
            "/desk/today", headers={"Accept": "application/json", "X-CSRF-Token": token}
        )
        assert answer.status_code == 403
        body = {"code": "x", "purpose": "hotel", "request_id": "1" * 32}
        answer = desk.browser.post(
            "/desk/verifications",
            json=body,
            headers={"Accept": "application/json", "X-CSRF-Token": token, "Accept-Language": "en"},
        )
        assert outcome(answer) == (403, "blocked")
        assert "does not help" in answer.get_json()["do"]

    def test_a_stranger_scans_nothing(self, office: Office, phone: Phone) -> None:
        stranger = office.app.test_client()
        body = {"code": phone.show(), "purpose": "hotel", "request_id": "1" * 32}
        answer = stranger.post(
            "/desk/verifications", json=body, headers={"Accept": "application/json"}
        )
        assert outcome(answer) == (400, "csrf")
        assert stranger.post("/desk/frame", data=b"").status_code == 400

    def test_a_forged_request_scans_nothing(self, phone: Phone, desk: Person) -> None:
        body = {"code": phone.show(), "purpose": "internet_cafe", "request_id": "1" * 32}
        answer = desk.browser.post(
            "/desk/verifications", json=body, headers={"Accept": "application/json"}
        )
        assert outcome(answer) == (400, "csrf")
        assert outcome(desk.scan(body["code"])) == (200, "accepted")


class TestToday:
    def test_it_names_purpose_and_outcome_but_nobody(self, phone: Phone, desk: Person) -> None:
        desk.scan(phone.show())
        desk.scan(phone.show(), "hotel")
        answer = desk.ask("GET", "/desk/today")
        assert [row["word"] for row in answer.get_json()["rows"]] == ["Waiting", "Verified"]
        assert "张" not in answer.text

    def test_unchanged_it_is_not_sent_again(self, phone: Phone, desk: Person) -> None:
        tag = desk.ask("GET", "/desk/today").headers["ETag"]
        same = desk.ask("GET", "/desk/today", headers={"If-None-Match": tag})
        assert (same.status_code, same.data) == (304, b"")
        desk.scan(phone.show())
        changed = desk.ask("GET", "/desk/today", headers={"If-None-Match": tag})
        assert changed.status_code == 200


class TestCamera:
    def test_the_server_reads_what_the_browser_cannot(self, phone: Phone, desk: Person) -> None:
        address = f"{ADDRESS}/V/{phone.show()}".upper()
        read = desk.ask("POST", "/desk/frame", data=frame(address), content_type="image/jpeg")
        assert read.get_json() == {"code": address}
        assert outcome(desk.scan(read.get_json()["code"])) == (200, "accepted")

    def test_a_picture_without_a_code(self, desk: Person) -> None:
        buffer = io.BytesIO()
        Image.effect_noise((640, 480), 40).save(buffer, "JPEG")
        read = desk.ask("POST", "/desk/frame", data=buffer.getvalue(), content_type="image/jpeg")
        assert read.get_json() == {"code": None}

    @pytest.mark.parametrize(
        "data",
        [b"", b"GIF89a", b"\xff\xd8\xff", frame("A")[:500], frame("A", kind="PNG")],
        ids=["nothing", "gif", "head", "broken off", "png"],
    )
    def test_what_is_no_whole_jpeg(self, data: bytes) -> None:
        with pytest.raises(camera.FrameError, match="not_an_image"):
            camera.read_code(data)

    def test_a_picture_larger_than_a_camera_makes(self) -> None:
        buffer = io.BytesIO()
        Image.new("L", (4000, 3000)).save(buffer, "JPEG", quality=1)
        with pytest.raises(camera.FrameError, match="too_many_pixels"):
            camera.read_code(buffer.getvalue())

    def test_a_file_larger_than_allowed(self, desk: Person) -> None:
        with pytest.raises(camera.FrameError, match="too_large"):
            camera.read_code(b"\xff" * (camera.LARGEST_FRAME + 1))
        large = desk.ask("POST", "/desk/frame", data=b"\xff" * 400_000, content_type="image/jpeg")
        assert outcome(large) == (400, "malformed")

    def test_frames_are_limited(self, office: Office, desk: Person) -> None:
        for _ in range(desk_pages.FRAMES_PER_MINUTE):
            office.services.limits.attempt(
                "desk_frame", "xiaoli", desk_pages.FRAMES_PER_MINUTE, 3600, 3600
            )
        answer = desk.ask("POST", "/desk/frame", data=frame("A"), content_type="image/jpeg")
        assert outcome(answer) == (429, "too_many_requests")


class TestPage:
    def test_it_offers_what_was_granted_and_nothing_else(self, desk: Person) -> None:
        page = desk.see("/desk").text
        assert all(f'value="{name}"' in page for name in ("internet_cafe", "courier", "hotel"))
        assert 'value="banking"' not in page

    def test_a_hotels_name_with_markup_is_text(self, office: Office) -> None:
        hotel = office.software(name="<img src=x onerror=alert(1)>")
        page = office.staff(hotel.verifier, "mark").sign_in().see("/desk").text
        assert "<img src=x" not in page
        assert "&lt;img src=x" in page

    def test_nothing_on_it_is_inline(self, desk: Person) -> None:
        page = desk.see("/desk").text
        assert "<style" not in page
        assert " style=" not in page
        assert " on" + "click=" not in page
        assert page.count("<script") == page.count('<script type="module" src=')

    def test_all_of_it_is_under_200_kb(self, desk: Person) -> None:
        page = desk.see("/desk")
        names = set(re.findall(r"/static/([\w.-]+)", page.text)) | {"desk-worker.js"}
        read: dict[str, bytes] = {}
        while names - read.keys():
            for name in names - read.keys():
                read[name] = (Path(pages.STATIC) / name).read_bytes()
                names |= set(re.findall(r'from "\./([\w.-]+)"', read[name].decode()))
        assert {"base.css", "desk.js", "desk-camera.js", "desk-compare.js"} < names
        assert sum(map(len, read.values())) + len(page.data) < LARGEST_PAGE

    def test_it_speaks_chinese(self, desk: Person) -> None:
        desk.language = "zh-CN"
        assert "请客人出示证件二维码" in desk.see("/desk").text


def test_redis_that_hangs_is_a_refusal_with_words(office: Office, phone: Phone) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        blind = Office(connect(f"redis://127.0.0.1:{silent.getsockname()[1]}"))
        answer = blind.app.test_client().get("/desk/sign-in")
        assert answer.status_code == 200
        token = answer.text.split('name="csrf_token" value="')[1].split('"')[0]
        client = blind.app.test_client()
        client.set_cookie("desk", answer.headers["Set-Cookie"].split(";")[0][5:], path="/desk")
        fields = {"username": "x", "password": "y", "csrf_token": token}
        assert client.post("/desk/sign-in", data=fields).status_code == 503


class TestInstalled:
    def test_the_worker_keeps_the_shell_and_no_answers(self, office: Office) -> None:
        browser = office.app.test_client()
        manifest = browser.get("/desk/manifest.webmanifest").get_json(force=True)
        assert manifest["start_url"] == "/desk"
        script = browser.get("/desk/sw.js")
        assert script.mimetype == "text/javascript"
        shell = json.loads(script.text.split("= ", 1)[1].split(";\n", 1)[0])
        assert all(path.startswith("/static/") for path in shell["kept"][:-1])
        assert shell["kept"][-1] == "/desk/offline"
        for path in shell["kept"]:
            with browser.get(path) as kept:
                assert kept.status_code == 200

    def test_the_page_without_a_network_knows_nobody(self, desk: Person) -> None:
        assert desk.username not in desk.see("/desk/offline").text
