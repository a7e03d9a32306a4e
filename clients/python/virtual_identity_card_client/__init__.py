"""A client of the verification API: verify a code, wait for the guest, check a webhook.

with Client("https://card.example.gov.cn", "vk_…") as client:
    answer = client.verify(scanned, "hotel")
    answer = client.wait(answer)
    if answer.accepted:
        print(answer.attributes["name"])
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import hmac
import json
import random
import time
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import httpx

__all__ = ["Answer", "Client", "LostError", "RefusedError", "WebhookError", "read_webhook"]
ATTEMPTS = 4
FIRST_PAUSE_S = 0.3
LONGEST_PAUSE_S = 5.0
POLL_S = 1.0
TOLERANCE_S = 300
LOST = frozenset({502, 503, 504})
"""What the API, or a proxy in front of it, answers where the request may be sent again."""


class RefusedError(Exception):
    """The API refused; decide by `code`, show `detail` to people."""

    def __init__(self, code: str, detail: str, status: int, wait_s: float | None = None) -> None:
        self.code, self.detail, self.status, self.wait_s = code, detail, status, wait_s
        super().__init__(f"{code}: {detail}")


class LostError(Exception):
    """No answer came, however often it was asked; nothing is known."""


class WebhookError(Exception):
    """A webhook that is not ours, was altered, or is too old."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """A verification as it stands; `attributes` is empty unless it was accepted."""

    verification_id: str
    state: str
    level: str
    purpose: str
    attributes: Mapping[str, Any]
    verified_at: str
    number: int | None = None
    expires_at: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether the guest is who the attributes say."""
        return self.state == "accepted"

    @property
    def waiting(self) -> bool:
        """Whether the guest is being asked on their phone, under `number`."""
        return self.state == "awaiting_holder"


class Client:
    """One verifier's way to the API; safe to share between threads.

    Args:
        address: where the issuer's server is, such as `https://card.example.gov.cn`.
        api_key: a live key, or a sandbox key for made-up holders.
        timeout_s: how long one request may take.
        language: what `detail` of a refusal is in.
        transport: another way to send, for tests.
    """

    def __init__(
        self,
        address: str,
        api_key: str,
        *,
        timeout_s: float = 5.0,
        language: str = "zh-CN",
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=address.rstrip("/"),
            timeout=timeout_s,
            transport=transport,
            headers={"Authorization": f"Bearer {api_key}", "Accept-Language": language},
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def verify(self, code: str, purpose: str, request_id: str | None = None) -> Answer:
        """Verify what a scanner read. A lost answer is asked for again, and never counts twice.

        Raises:
            RefusedError: with the API's stable code.
            LostError: when no answer came.
        """
        body = {"code": code, "purpose": purpose, "request_id": request_id or str(uuid.uuid4())}
        return self._ask("POST", "/api/v1/verifications", body)

    def look(self, verification_id: str) -> Answer:
        """How a verification stands; attributes are given for ten minutes. Raises as `verify`."""
        return self._ask("GET", f"/api/v1/verifications/{verification_id}")

    def wait(self, answer: Answer, timeout_s: float = 75.0) -> Answer:
        """The answer once the guest decided, or as it stands when the time is over."""
        ends = time.monotonic() + timeout_s
        while answer.waiting and time.monotonic() < ends:
            time.sleep(POLL_S)
            answer = self.look(answer.verification_id)
        return answer

    def _ask(self, method: str, path: str, body: object = None) -> Answer:
        pause = FIRST_PAUSE_S
        for left in range(ATTEMPTS - 1, -1, -1):
            try:
                answer = self._http.request(method, path, json=body)
            except httpx.TransportError as error:
                if not left:
                    raise LostError(type(error).__name__) from error
            else:
                if answer.status_code not in LOST or not left:
                    return _read(answer)
                asked = _wait(answer)
                pause = min(pause if asked is None else asked, LONGEST_PAUSE_S)
            time.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311
            pause = min(pause * 2, LONGEST_PAUSE_S)
        raise LostError


def read_webhook(
    secret: str, headers: Mapping[str, str], body: bytes, *, now: float | None = None
) -> tuple[str, dict[str, Any]]:
    """The id and the content of a webhook (Standard Webhooks); keep the id to notice repeats.

    Args:
        secret: begins with `whsec_`.
        headers: of the request.
        body: as it came, not parsed and written anew.
        now: seconds since 1970, if not the time at hand.

    Raises:
        WebhookError: when the signature does not hold, or it is older than five minutes.
    """
    given = {name.lower(): value for name, value in headers.items()}
    identity, stamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    try:
        age = abs((time.time() if now is None else now) - int(stamp))
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (ValueError, binascii.Error):
        raise WebhookError("unreadable") from None
    if age > TOLERANCE_S:
        raise WebhookError("too old")
    said = f"{identity}.{stamp}.".encode() + body
    right = "v1," + base64.b64encode(hmac.digest(key, said, hashlib.sha256)).decode()
    shown = given.get("webhook-signature", "").split(" ")
    if not any(hmac.compare_digest(right.encode(), one.encode()) for one in shown):
        raise WebhookError("bad signature")
    content = json.loads(body)
    if not isinstance(content, dict):
        raise WebhookError("unreadable")
    return identity, content


def _read(answer: httpx.Response) -> Answer:
    try:
        told = answer.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        status = answer.status_code
        raise RefusedError("unreadable", answer.reason_phrase, status, _wait(answer))
    if answer.status_code != httpx.codes.OK:
        raise RefusedError(
            told.get("code", "unreadable"),
            told.get("detail", ""),
            answer.status_code,
            _wait(answer),
        )
    known = {field.name for field in dataclasses.fields(Answer)}
    return Answer(**{name: value for name, value in told.items() if name in known})


def _wait(answer: httpx.Response) -> float | None:
    """The seconds of Retry-After; None where there are none: a proxy may give a day and a time."""
    said = answer.headers.get("Retry-After", "").strip()
    return float(said) if said.isascii() and said.isdigit() else None
