"""Comparing the guest with the portrait: staff decide, and may ask for a camera's help.

`credentials/comparisons.py` has the rules. The picture that a camera takes is compared in the
request that brings it, one at a time, and is gone with it.

| address below `/desk/verifications/<id>` | does |
|---|---|
| `POST /comparison` | asks the guest, on their phone, whether their face may be compared |
| `GET /comparison` | how that stands |
| `DELETE /comparison` | asks no longer: staff go on to the next guest |
| `POST /comparison/picture` | compares one picture (JPEG), once the guest agreed |
| `POST /decision` | `{"same": true|false}`: what staff see with their own eyes |
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from flask import Blueprint, Response, jsonify, request

from credentials.cases import Kind
from credentials.comparisons import Outcome
from credentials.errors import RefusalError
from credentials.model import Actor
from faces import compare, encode, find, photo, selfie
from faces.errors import PhotoError
from web import camera, office, pages, sign_in

if TYPE_CHECKING:
    from credentials.services import Services

PICTURES_PER_MINUTE = 20
LARGEST_BODY = 1024
OWN_SENTENCES = frozenset({"not_agreed", "already_answered", "too_late", "unknown_verification"})
ADVICE = frozenset(
    {"no_face", "many_faces", "too_dark", "too_bright", "blurred", "too_small", "covered"}
)
View = Callable[..., Response]
log = structlog.get_logger("web.desk")


def register(routes: Blueprint, services: Services) -> None:
    """Add these addresses to the desk's."""
    guarded = _refusals(services)

    @routes.post("/verifications/<verification_id>/comparison")
    @guarded
    def ask_guest(verification_id: str) -> Response:
        """Ask the guest."""
        verifier = office.verifier_of(services)
        services.comparisons.ask(verifier, verification_id, sign_in.name())
        return _how_it_stands(services, verification_id)

    @routes.get("/verifications/<verification_id>/comparison")
    @guarded
    def look_at_comparison(verification_id: str) -> Response:
        """Say how it stands."""
        return _how_it_stands(services, verification_id)

    @routes.delete("/verifications/<verification_id>/comparison")
    @guarded
    def ask_no_longer(verification_id: str) -> Response:
        """Let the guest's page go on."""
        services.comparisons.end(office.verifier_of(services), verification_id)
        return _how_it_stands(services, verification_id)

    @routes.post("/verifications/<verification_id>/comparison/picture")
    @guarded
    def compare_picture(verification_id: str) -> Response:
        """Compare what the camera sees with the portrait; neither is kept."""
        verifier, staff = office.verifier_of(services), sign_in.name()
        allowance = services.limits.attempt("desk_compare", staff, PICTURES_PER_MINUTE, 60, 5)
        if not allowance.allowed:
            raise RefusalError("too_many_requests", wait_s=allowance.wait_s)
        request.max_content_length = camera.LARGEST_FRAME
        picture = request.get_data(cache=False)
        services.comparisons.take(verifier, verification_id)
        portrait = services.verifications.look(verifier, verification_id).attributes["portrait"]
        outcome, why = compared(picture, base64.b64decode(str(portrait)))
        services.comparisons.finish(verifier, verification_id, staff, outcome)
        log.info("face_compared", verification=verification_id, outcome=outcome.value)
        return _how_it_stands(services, verification_id, why)

    @routes.post("/verifications/<verification_id>/decision")
    @guarded
    def decide(verification_id: str) -> Response:
        """Write down what staff decided; who is somebody else becomes a case for operators."""
        verifier = office.verifier_of(services)
        request.max_content_length = LARGEST_BODY
        body = request.get_json()
        if not isinstance(body, dict) or not isinstance(body.get("same"), bool):
            raise RefusalError("malformed")
        staff = sign_in.name()
        services.comparisons.decide(verifier, verification_id, staff, same=body["same"])
        if not body["same"]:
            scan = services.verifications.about(verifier, verification_id)
            services.cases.open(
                Kind.OTHER_PERSON,
                scan.credential_id,
                Actor("staff", staff),
                verification_id=verification_id,
                detail=f"{verifier.name} · {scan.desk}",
            )
        return jsonify(same=body["same"])


def compared(picture: bytes, portrait: bytes) -> tuple[Outcome, str]:
    """What a picture of a guest and a portrait (JPEG files) say, and why if it is unclear."""
    try:
        seen = selfie.measure(picture).template
        known = photo.open_photo(portrait).pixels
        template = encode.encode(known, find.find_face(known))
    except PhotoError as error:
        return Outcome.UNCLEAR, error.code if error.code in ADVICE else "other"
    found = compare.compare(seen, template)
    if found.doubtful:
        return Outcome.UNCLEAR, "doubtful"
    return (Outcome.LIKE if found.match else Outcome.UNLIKE), ""


def _how_it_stands(services: Services, verification_id: str, why: str = "") -> Response:
    verifier = office.verifier_of(services)
    found = services.comparisons.look(verifier, verification_id)
    texts, language = services.texts, pages.language()
    sentence = f"desk.compare.{found.outcome or found.state}"
    told = texts.say(language, sentence) if sentence in texts else ""
    advice = texts.say(language, f"desk.compare.why.{why}") if why else ""
    return jsonify(
        state=found.state,
        outcome=found.outcome,
        left_s=round(found.left_s, 1),
        pictures_left=found.pictures_left,
        told=" ".join(filter(None, (told, advice))),
    )


def _refusals(services: Services) -> Callable[[View], View]:
    """Say in words of these pages why a step was refused; the rest the desk's pages say."""

    def guard(view: View) -> View:
        @functools.wraps(view)
        def checked(**arguments: str) -> Response:
            try:
                return view(**arguments)
            except RefusalError as error:
                if error.code not in OWN_SENTENCES:
                    raise
                told = services.texts.say(pages.language(), f"desk.compare.refused.{error.code}")
                return pages.problem(pages.status_of(error), error.code, told)

        return checked

    return guard
