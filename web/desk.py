"""The verifier's page: a receptionist signs in once a shift and scans one guest after another.

The page asks these addresses; each answers in JSON, and a refusal is `problem+json` with what
staff should say and do next:

| address | does |
|---|---|
| `POST /desk/verifications` | verifies a code, however it was read |
| `GET /desk/verifications/<id>` | how a scan stands that waits for the guest |
| `POST /desk/frame` | reads the QR in a camera's picture, for browsers that cannot |
| `GET /desk/today` | the scans of this desk today, newest first; 304 while nothing changed |
"""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Annotated

import pydantic
import structlog
from flask import Blueprint, Response, make_response, render_template, request
from werkzeug.exceptions import Forbidden, HTTPException
from werkzeug.wrappers import Response as BaseResponse

from credentials.errors import CredentialError, RefusalError
from credentials.model import Verifier
from web import camera, pages, problems, shown, sign_in
from web.bodies import LONGEST_CODE
from web.sessions import Sessions

if TYPE_CHECKING:
    from credentials.services import Services

LARGEST_BODY = 4 * 1024
SCANS_PER_MINUTE = 120
FRAMES_PER_MINUTE = 300
MINUTE_S = 60
PAUSE_S = 5
LONGEST_DESK = 40
DAY_ROWS = 100  # of the whole verifier, looked through for today's list
log = structlog.get_logger("web.desk")

DeskName = Annotated[str, pydantic.StringConstraints(strip_whitespace=True, max_length=40)]


class Scan(pydantic.BaseModel):
    """What the page sends of one scan."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    code: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=LONGEST_CODE)]
    purpose: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=64)]
    request_id: uuid.UUID
    desk: DeskName = ""


def blueprint(services: Services) -> Blueprint:
    """The routes below `/desk`."""
    routes = Blueprint("desk", __name__, url_prefix="/desk")
    sessions = Sessions("desk", services.staff, services.redis, services.keyring)
    sign_in.register(routes, sessions, services)
    _register_page(routes, services)
    _register_scans(routes, services)
    _register_frames(routes, services)
    _register_errors(routes, services)
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
        return render_template("desk.html", account=account, verifier=verifier, purposes=granted)

    @routes.get("/today")
    def today() -> BaseResponse:
        """List what this desk scanned today, as far as staff may still see it."""
        verifier = _verifier(services)
        desk = sign_in.current().desk or request.args.get("desk", "")[:LONGEST_DESK]
        recent = services.verifications.recent(verifier.verifier_id, DAY_ROWS)
        rows = shown.today(recent, desk, services.texts, pages.language())
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
        verification = services.verifications.verify(
            verifier, desk, body.code, body.purpose, str(body.request_id)
        )
        return _json(shown.verification(verification, services.texts, pages.language()))

    @routes.get("/verifications/<verification_id>")
    def look(verification_id: str) -> Response:
        """Say how a scan stands."""
        verification = services.verifications.look(_verifier(services), verification_id)
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
        code = error.code if error.code in problems.STATUSES else "unavailable"
        log.info("scan_refused", code=code, staff=sign_in.name())
        body = shown.refusal(code, services.texts, pages.language())
        answer = _json(body)
        answer.status_code = problems.status_of(code)
        answer.mimetype = "application/problem+json"
        return answer

    @routes.errorhandler(HTTPException)
    def unreadable(error: HTTPException) -> BaseResponse:
        """Answer a body that is too large, or broken off, as the scan that it was."""
        if pages.wants_json() and error.code in {400, 413}:
            return refuse(RefusalError("malformed"))
        return pages.error_page(error.code or 500)


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
