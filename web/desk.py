"""The verifier's page: a receptionist signs in once a shift and scans one guest after another.

The page asks these addresses; each answers in JSON, and a refusal is `problem+json` with what
staff should say and do next:

| address | does |
|---|---|
| `POST /desk/verifications` | verifies a code, however it was read |
| `GET /desk/verifications/<id>` | how a scan stands that waits for the guest |
| `POST /desk/frame` | reads the QR in a camera's picture, for browsers that cannot |
| `POST /desk/offline-uses` | what was seen without a network (`offline.py`) |
| `GET /desk/today` | the scans of this desk today, newest first; 304 while nothing changed |

`desk_compare.py` has what follows an accepted scan: is the guest the person of the portrait? The
pages behind it are in `shift.py` (the day's book), `team.py` (people, desks, purposes, what was
done) and `software.py` (keys, webhooks, a place to try the API).
"""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Annotated

import pydantic
import structlog
from flask import Blueprint, Response, g, make_response, render_template, request
from werkzeug.exceptions import Forbidden, HTTPException
from werkzeug.wrappers import Response as BaseResponse

from credentials.errors import CredentialError, RefusalError
from credentials.model import State, Verification, Verifier
from credentials.passkeys import Passkeys
from credentials.second_factor import SecondFactors
from web import (
    camera,
    desk_compare,
    desk_staff,
    desk_wechat,
    office,
    offline,
    openapi,
    pages,
    problems,
    shift,
    shown,
    sign_in,
    software,
    team,
)
from web.bodies import LONGEST_CODE
from web.second import Factors
from web.sessions import Sessions

if TYPE_CHECKING:
    from credentials.services import Services

LARGEST_BODY = 4 * 1024
SCANS_PER_MINUTE = 120
FRAMES_PER_MINUTE = 900
MINUTE_S = 60
PAUSE_S = 5
LONGEST_DESK = 40
DAY_ROWS = 100
BLOCKED = "blocked"
WORDED = frozenset((*openapi.VERIFY_REFUSALS, *openapi.LOOK_REFUSALS, BLOCKED)) - {
    "method_not_allowed",
    "scope_missing",
}
WORDED_STATUS = {400: "malformed", 413: "malformed", 403: BLOCKED}
log = structlog.get_logger("web.desk")

DeskName = Annotated[str, pydantic.StringConstraints(strip_whitespace=True, max_length=40)]


class Scan(pydantic.BaseModel):
    """What the page sends of one scan."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    code: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=LONGEST_CODE)]
    purpose: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=64)]
    request_id: uuid.UUID
    desk: DeskName = ""


def blueprint(
    services: Services,
    wechat: desk_wechat.Configure | None = None,
    *,
    demo: bool = False,
    second_required: bool = False,
) -> Blueprint:
    """The routes below `/desk`.

    Args:
        services: the card's services.
        wechat: signs pages for the scanner of WeChat's browser.
        demo: whether the simulator may show the desk.
        second_required: whether staff must have a second factor.
    """
    routes = Blueprint("desk", __name__, url_prefix="/desk")
    sessions = Sessions(
        "desk", services.staff, services.redis, services.keyring, services.desk_pins
    )
    factors = Factors(
        SecondFactors(services.redis, services.sealer, "staff"),
        Passkeys(services.redis, "staff", services.address),
        second_required,
    )
    sign_in.register(routes, sessions, services, factors)
    routes.add_app_template_filter(office.day, "day")
    routes.add_app_template_filter(shown.clock, "clock")
    _register_page(routes, services)
    _register_scans(routes, services)
    _register_frames(routes, services)
    _register_errors(routes, services)
    desk_compare.register(routes, services)
    desk_wechat.register(routes, services, wechat, demo=demo)
    shift.register(routes, services)
    team.register(routes, services, factors)
    software.register(routes, services)
    desk_staff.register(routes, services, sessions)
    offline.register(routes, services)
    return routes


def _register_page(routes: Blueprint, services: Services) -> None:
    @routes.get("", strict_slashes=False)
    def desk() -> str:
        """Show the page itself."""
        account = sign_in.current()
        verifier = _verifier(services)
        granted = [
            services.purposes[name] for name in verifier.purposes if name in services.purposes
        ]
        desks = services.organisations.desks(verifier.verifier_id)
        return render_template(
            "desk.html", account=account, verifier=verifier, purposes=granted, desks=desks
        )

    @routes.get("/today")
    def today() -> BaseResponse:
        """List what this desk scanned today, as far as staff may still see it."""
        verifier = _verifier(services)
        desk = sign_in.current().desk or request.args.get("desk", "")[:LONGEST_DESK]
        rows = shift.today(services, verifier, desk, DAY_ROWS)
        answer = _json({"rows": rows})
        answer.set_etag(hashlib.sha256(answer.get_data()).hexdigest()[:16])
        return answer.make_conditional(request)


def _register_scans(routes: Blueprint, services: Services) -> None:
    @routes.post("/verifications")
    def scan() -> Response:
        """Verify one code for this desk."""
        account = sign_in.current()
        verifier = _verifier(services)
        _limit(services, "desk_scan", SCANS_PER_MINUTE)
        request.max_content_length = LARGEST_BODY
        try:
            body = Scan.model_validate_json(request.get_data())
        except pydantic.ValidationError:
            raise RefusalError("malformed") from None
        desk = account.desk or body.desk
        g.scan = (verifier, desk, body.purpose, body.code)
        code = services.short_codes.take(
            body.code,
            verifier_id=verifier.verifier_id,
            # Staff without a desk of their own name it freely, and would never run out of tries.
            desk=account.desk or account.username,
            request_id=str(body.request_id),
        )
        g.scan = (verifier, desk, body.purpose, code)
        verification = services.verifications.verify(
            verifier, desk, code, body.purpose, str(body.request_id)
        )
        _book(services, verifier, verification, desk)
        return _json(shown.verification(verification, services.texts, pages.language()))

    @routes.get("/verifications/<verification_id>")
    def look(verification_id: str) -> Response:
        """Say how a scan stands."""
        verifier = _verifier(services)
        verification = services.verifications.look(verifier, verification_id)
        if verification.state is not State.AWAITING_HOLDER:
            _book(services, verifier, verification)
        return _json(shown.verification(verification, services.texts, pages.language()))


def _register_frames(routes: Blueprint, services: Services) -> None:
    @routes.post("/frame")
    def frame() -> Response:
        """Read the QR in one camera picture; the picture is forgotten at once."""
        _limit(services, "desk_frame", FRAMES_PER_MINUTE)
        request.max_content_length = camera.LARGEST_FRAME
        try:
            return _json({"code": camera.read_code(request.get_data())})
        except camera.FrameError:
            raise RefusalError("malformed") from None


def _register_errors(routes: Blueprint, services: Services) -> None:
    @routes.errorhandler(CredentialError)
    def refuse(error: CredentialError) -> Response:
        """Refuse with the reason, what to say to the guest, and what to do next."""
        if not pages.wants_json():
            return pages.error_page(pages.status_of(error))
        code = error.code if error.code in WORDED else "unavailable"
        log.info("scan_refused", code=code, staff=sign_in.name())
        body = shown.refusal(code, services.texts, pages.language())
        _miss(services, code, body)
        answer = _json(body)
        answer.status_code = Forbidden.code if code == BLOCKED else problems.status_of(code)
        answer.mimetype = "application/problem+json"
        return answer

    @routes.errorhandler(HTTPException)
    def unreadable(error: HTTPException) -> BaseResponse:
        """Answer with words a scan whose body or whose organisation let it come no further."""
        if pages.wants_json() and error.code in WORDED_STATUS:
            return refuse(RefusalError(WORDED_STATUS[error.code]))
        return pages.error_page(error.code or 500)


def _book(
    services: Services, verifier: Verifier, found: Verification, desk: str | None = None
) -> None:
    """Write a scan into the desk's book; a book that cannot be written stops nobody's check-in."""
    try:
        if desk is None or found.state is State.DENIED:
            shift.settle(services, verifier, found)
        else:
            services.shifts.write(verifier.verifier_id, desk, sign_in.name(), found)
    except CredentialError as error:
        log.warning("book_not_written", code=error.code, verification=found.verification_id)


def _miss(services: Services, code: str, body: shown.Json) -> None:
    """Note a refused scan, and say of a used code when that was, if it was at this desk."""
    scan: tuple[Verifier, str, str, str] | None = g.get("scan")
    if scan is None:
        return
    verifier, desk, purpose, shown_code = scan
    try:
        services.shifts.miss(verifier.verifier_id, desk, sign_in.name(), purpose, code)
        if code == "already_used":
            at = _used_here(services, verifier, desk, shown_code)
            here = services.texts.say(pages.language(), "office.used_here", time=at)
            body["reason"] = f"{body['reason']}{here}" if at else body["reason"]
    except CredentialError as error:
        log.warning("book_not_written", code=error.code)


def _used_here(services: Services, verifier: Verifier, desk: str, code: str) -> str:
    """When a code's card was last used, if that was at this desk; elsewhere is not ours to tell."""
    credential_id = services.codes.read(code).credential_id
    here = {
        scan.verification_id: scan.at
        for scan in services.verifications.recent(verifier.verifier_id, DAY_ROWS)
        if scan.desk == desk and scan.credential_id == credential_id
    }
    uses = services.cards.history(credential_id, limit=5)
    last = next((use.verification_id for use in uses if use.verification_id), "")
    return shown.clock(here[last]) if last in here else ""


def _verifier(services: Services) -> Verifier:
    """The organisation that the signed-in staff works for."""
    account = sign_in.current()
    verifier = services.verifiers.get(account.verifier_id)
    if verifier is None or verifier.blocked:
        log.warning("verifier_blocked", verifier=account.verifier_id, staff=account.username)
        raise Forbidden
    return verifier


def _limit(services: Services, scope: str, per_minute: int) -> None:
    account = sign_in.current()
    allowance = services.limits.attempt(scope, account.username, per_minute, MINUTE_S, PAUSE_S)
    if not allowance.allowed:
        raise RefusalError("too_many_requests", wait_s=allowance.wait_s)


def _json(body: object) -> Response:
    return make_response(json.dumps(body, ensure_ascii=False), {"Content-Type": "application/json"})
