"""A verification over HTTP, from the request's bytes to the answer's.

A request is taken in this order, and the first thing that is wrong answers:

1. The bearer key names the verifier, and was made for this (401, 403). A sandbox key is
   answered by `sandbox.py` from here on.
2. The verifier is within its rate (429).
3. The body is small, JSON, and has the right fields (400).
4. The verification itself, in `credentials.verification` (its refusals).

Where the process remembers the key (`credentials/door.py`), 3 and what of 4 needs no Redis are
looked at first, and one script then does 1, 2 and the rest of 4, or nothing. Whatever is wrong
before that script, or with what was remembered, sends the request through the door, in the order
above: so an answer is the same whether or not anything was remembered.

No input makes a 5xx. A 503 means that nothing was told: the connection to Redis may have been lost
before the script or after it. Sent again with its `request_id`, a request is answered as it was
decided; without one, a code that was used is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pydantic
import structlog
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException

from credentials.door import Admission, Pass, StalePassError
from credentials.errors import CredentialError, RefusalError, UnavailableError
from credentials.model import Verification
from credentials.short_codes import digits_of
from web import bodies, problems, sandbox
from web.front import Answer, Asked

if TYPE_CHECKING:
    from credentials.services import Services

PATH = "/api/v1/verifications"
LARGEST_BODY = 8 * 1024  # bytes; the largest true one is under 1 kB
LONGEST_KEY = 256
DESK = "API"
log = structlog.get_logger("web.api")


class MalformedError(RefusalError):
    """A body that does not say what it must; `errors` names each field."""

    code = "malformed"

    def __init__(self, errors: tuple[dict[str, str], ...] = ()) -> None:
        super().__init__()
        self.errors = errors


def create(services: Services, asked: Asked) -> Answer:
    """Verify one code."""
    visit = _Visit(services, asked)
    return visit.answer(visit.verify)


def show(services: Services, asked: Asked, verification_id: str) -> Answer:
    """Say how a verification of this verifier stands."""
    visit = _Visit(services, asked)
    return visit.answer(lambda: visit.look(verification_id))


class _Visit:
    """One request on its way, and who was found to make it."""

    __slots__ = ("_admission", "_asked", "_services")

    def __init__(self, services: Services, asked: Asked) -> None:
        self._services = services
        self._asked = asked
        self._admission: Admission | None = None

    def answer(self, found: Callable[[], Verification]) -> Answer:
        """What is found, or why not, with what is left of the rate."""
        try:
            answer = Answer(200, bodies.answer_of(found()), {"Content-Type": "application/json"})
        except CredentialError as error:
            answer = self._refused(error)
        except HTTPException:  # a body that is too large, or broken off
            answer = self._refused(MalformedError())
        except RedisError:  # nothing was done
            answer = self._refused(UnavailableError(what="redis"))
        if self._admission is not None:
            answer.headers["RateLimit-Policy"] = f'"verifier";q={self._admission.burst}'
            answer.headers["RateLimit"] = f'"verifier";r={self._admission.left}'
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def verify(self) -> Verification:
        """The verification, in one round trip where that can be."""
        key = self._key()
        shown = self._services.verifiers.remembered(key)
        found = self._at_once(shown) if shown else None
        return self._by_the_door(key) if found is None else found

    def look(self, verification_id: str) -> Verification:
        """A verification of before."""
        admission = self._admit(self._key(), "read")
        if admission.key.sandbox:
            return sandbox.look(admission.verifier, verification_id)
        return self._services.verifications.look(admission.verifier, verification_id)

    def _at_once(self, shown: Pass) -> Verification | None:
        """With a pass; None for what has to go through the door."""
        verifier = shown.verifier
        if shown.key.sandbox or "verify" not in shown.key.scopes:
            return None
        try:
            body = self._body()
            if body.purpose not in verifier.purposes or digits_of(body.code):
                return None
            return self._services.verifications.verify(
                verifier, DESK, body.code, body.purpose, _request_id(body), shown=shown
            )
        except (StalePassError, HTTPException):
            return None
        except UnavailableError:
            raise
        except CredentialError:
            if not shown.asked:
                return None
            raise
        finally:
            if shown.counted:
                self._admission = shown.admission

    def _by_the_door(self, key: str) -> Verification:
        admission = self._admit(key, "verify")
        verifier, body = admission.verifier, self._body()
        if admission.key.sandbox:
            return sandbox.verify(verifier, body.code, body.purpose)
        request_id = _request_id(body)
        code = self._services.short_codes.take(
            body.code, verifier_id=verifier.verifier_id, desk=DESK, request_id=request_id
        )
        return self._services.verifications.verify(verifier, DESK, code, body.purpose, request_id)

    def _key(self) -> str:
        """The bearer key, which nobody has looked at yet.

        Raises:
            RefusalError: unauthenticated.
        """
        scheme, _, key = self._asked.header("AUTHORIZATION").partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key or len(key) > LONGEST_KEY or not key.isascii():
            raise RefusalError("unauthenticated")
        return key

    def _admit(self, key: str, scope: str) -> Admission:
        """Steps 1 and 2: who asks with which key, and whether within its rate.

        Raises:
            RefusalError: unauthenticated, too_many_requests, or scope_missing.
        """
        self._admission = admission = self._services.verifiers.admit(key)
        if scope not in admission.key.scopes:
            raise RefusalError("scope_missing")
        return admission

    def _body(self) -> bodies.VerificationRequest:
        """Step 3: the body as a model.

        Raises:
            MalformedError: when it is not JSON, or lacks or adds a field.
            HTTPException: when it is too large.
        """
        if self._asked.mimetype != "application/json":
            raise MalformedError(({"pointer": "", "code": "content_type"},))
        if self._asked.header("CONTENT_ENCODING"):
            raise MalformedError(({"pointer": "", "code": "content_encoding"},))
        try:
            return bodies.VerificationRequest.model_validate_json(self._asked.body(LARGEST_BODY))
        except pydantic.ValidationError as error:
            raise MalformedError(tuple(_wrong_fields(error))) from None

    def _refused(self, error: CredentialError) -> Answer:
        verifier = self._admission.verifier.verifier_id if self._admission else ""
        log.info("api_refused", code=error.code, verifier=verifier, path=self._asked.path)
        wait = error.details.get("wait_s")
        return problems.answer(
            self._services.texts,
            self._asked,
            error.code,
            wait_s=float(wait) if wait is not None else None,
            errors=error.errors if isinstance(error, MalformedError) else (),
        )


def _wrong_fields(error: pydantic.ValidationError) -> Iterator[dict[str, str]]:
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        pointer = "".join(f"/{_escape(part)}" for part in one["loc"])
        yield {"pointer": pointer, "code": one["type"]}


def _request_id(body: bodies.VerificationRequest) -> str | None:
    return None if body.request_id is None else str(body.request_id)


def _escape(part: str | int) -> str:
    """One step of a JSON pointer; a name longer than any of ours is cut."""
    return str(part)[:64].replace("~", "~0").replace("/", "~1")
