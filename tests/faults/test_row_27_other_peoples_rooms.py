"""Row 27. Staff of hotel A reads hotel B; viewer acts as admin: 404/403 and logged."""

from __future__ import annotations

import uuid

from tests.faults.acts import Office
from tests.faults.browser import Browser
from tests.faults.conftest import Figure
from tests.product.actors import HotelSoftware, Product


def test_a_verifier_cannot_read_anothers_verification(
    shared_product: Product, shared_office: Office
) -> None:
    hotels = [
        HotelSoftware.registered(shared_product, f"房间{name}", "internet_cafe") for name in "甲乙"
    ]
    told = hotels[0].scan(shared_office.code(shared_office.card()), "internet_cafe").json()
    assert hotels[0].ask_again(told["verification_id"]).status_code == 200
    answer = hotels[1].ask_again(told["verification_id"])
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_verification")
    assert "attributes" not in answer.text


def test_staff_cannot_read_anothers_verification_at_the_desk(
    shared_product: Product, shared_office: Office
) -> None:
    services = shared_office.services
    first, _ = services.verifiers.add("旅馆甲", ["internet_cafe"])
    second, _ = services.verifiers.add("旅馆乙", ["internet_cafe"])
    names = {"row27a": first, "row27b": second}
    staff = {}
    for name, verifier in names.items():
        password = services.staff.add(name, verifier_id=verifier.verifier_id, desk="前台")
        staff[name] = Browser(shared_product, "desk").sign_in(name, password)
    code = shared_office.code(shared_office.card())
    scan = {"code": code, "purpose": "internet_cafe", "request_id": str(uuid.uuid4())}
    told = staff["row27a"].ask("POST", "verifications", scan)
    assert told.status_code == 200, told.text
    path = f"verifications/{told.json()['verification_id']}"
    assert staff["row27a"].ask("GET", path).status_code == 200
    assert staff["row27b"].ask("GET", path).status_code == 404


def test_a_viewer_cannot_act_as_an_admin_and_it_is_logged(
    shared_product: Product, shared_office: Office, figure: Figure
) -> None:
    services = shared_office.services
    card = shared_office.card()
    viewer = Browser(shared_product, "console").sign_in(
        "row27v", services.operators.add("row27v", role="viewer")
    )
    for action in ("freeze", "revoke"):
        answer = viewer.post(f"cards/{card.credential_id}/{action}", reason="试一试")
        assert answer.status_code == 403, (action, answer.status_code)
    unchanged = services.cards.get(card.credential_id)
    assert unchanged is not None
    assert unchanged.status == "active"
    kinds = [use for use in services.audit.recent(50) if use.kind == "action_refused"]
    logged = [use for use in kinds if use.detail.get("by") == "operator:row27v"]
    assert sorted(str(use.detail.get("action")) for use in logged) == ["freeze", "revoke"]
    # A desk's cookie opens nothing in the console.
    assert viewer.client.get(f"{shared_product.address}/desk").status_code in (302, 303)
    figure("refused acts that were logged", len(logged), "")
