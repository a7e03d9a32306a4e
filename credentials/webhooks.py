"""Webhooks: a verifier's own software is told when a verification was decided.

Signed as Standard Webhooks 1.0 says: `webhook-id` is the same for every attempt of a delivery,
`webhook-timestamp` is the attempt's, and `webhook-signature` is `v1,` and the base64 of
HMAC-SHA256 over `id.timestamp.body`. The body names the verification and its state and nothing
of the guest; who receives it asks the API with its key, within ten minutes.

A delivery that is not answered with 2xx is tried six times in about an hour, with jitter, then
counts as failed; the organisation's page shows it and can send it again.

| key | holds |
|---|---|
| `{v:<verifier id>}:hooks` | hash: sealed JSON by endpoint: url, secret, t since |
| `{v:<verifier id>}:sent` | sorted set: ids of deliveries, by when (ms); the last 500 |
| `{v:<verifier id>}:w:<delivery>` | hash: h endpoint, y type, b body, t made (ms), s state, \
  n attempts, l an attempt is under way until (ms), c last answer; three days |
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib
import hmac
import json
import random
import secrets
import time
from collections.abc import Callable
from typing import Any

import redis
import structlog

from credentials.connection import guard
from credentials.errors import CredentialError
from credentials.hashes import read, script, write
from credentials.posting import Poster, PostError, check_url
from credentials.sealing import Sealer

JOB = "webhook"
MOST_ENDPOINTS = 5
PAUSES_S = (5.0, 30.0, 120.0, 600.0, 2400.0)
ATTEMPTS = len(PAUSES_S) + 1
ATTEMPT_MS = 15_000
KEPT_S = 3 * 24 * 3600
KEPT = 500
GONE = 410
_log = structlog.get_logger(__name__)


class WebhookError(CredentialError):
    """unknown_endpoint; unknown_delivery; too_many_endpoints; bad_url; internal_address."""

    code = "unknown_endpoint"


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a verifier wants to be told."""

    endpoint_id: str
    url: str
    secret: str
    since: float


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """One thing told to one endpoint: `state` is waiting, delivered or failed."""

    delivery_id: str
    endpoint_id: str
    kind: str
    body: str
    at: float
    state: str
    attempts: int
    answer: str


def later_never(_name: str, /, *, delay_s: float = 0.0, **_arguments: object) -> None:
    """What happens to jobs where there are none: nothing."""


def sign(secret: str, delivery_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    said = f"{delivery_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, said, hashlib.sha256)).decode()


class Webhooks:
    """The endpoints of all verifiers, and what is told to them.

    Args:
        database: Redis.
        sealer: seals addresses and secrets.
        enqueue: has the job `webhook` done, as `bot.jobs.Jobs.enqueue`.
        poster: sends.
    """

    def __init__(
        self,
        database: redis.Redis,
        sealer: Sealer,
        enqueue: Callable[..., object] = later_never,
        poster: Poster | None = None,
    ) -> None:
        self._redis = database
        self._sealer = sealer
        self._enqueue = enqueue
        self._poster = poster or Poster()
        self._attempt = script(database, "attempt")

    # Endpoints.

    def add(self, verifier_id: str, url: str) -> Endpoint:
        """One more endpoint; its secret begins with `whsec_`.

        Raises:
            WebhookError: bad_url, internal_address, too_many_endpoints.
        """
        try:
            check_url(url)
        except PostError as error:
            raise WebhookError(error.code) from None
        if len(self.endpoints(verifier_id)) >= MOST_ENDPOINTS:
            raise WebhookError("too_many_endpoints", limit=MOST_ENDPOINTS)
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        endpoint = Endpoint(secrets.token_hex(6), url, secret, time.time())
        key = _hooks(verifier_id)
        told = {"url": url, "secret": secret, "t": int(endpoint.since)}
        sealed = self._sealer.seal_json(f"{key}:{endpoint.endpoint_id}", told)
        write(self._redis, key, {endpoint.endpoint_id: sealed})
        return endpoint

    def drop(self, verifier_id: str, endpoint_id: str) -> None:
        """Tell an endpoint nothing more.

        Raises:
            WebhookError: unknown_endpoint.
        """
        with guard():
            if not self._redis.hdel(_hooks(verifier_id), endpoint_id):
                raise WebhookError

    def endpoints(self, verifier_id: str) -> list[Endpoint]:
        """The endpoints of a verifier, oldest first."""
        key = _hooks(verifier_id)
        found = []
        for name, sealed in read(self._redis, key).items():
            told = self._sealer.unseal_json(f"{key}:{name.decode()}", sealed)
            found.append(Endpoint(name.decode(), told["url"], told["secret"], float(told["t"])))
        return sorted(found, key=lambda endpoint: endpoint.since)

    # What is told.

    def announce(self, verifier_id: str, verification_id: str, state: str, purpose: str) -> None:
        """Tell every endpoint of a verifier how a verification stands; the same thing once."""
        for endpoint in self.endpoints(verifier_id):
            named = f"{verification_id}\0{state}\0{endpoint.endpoint_id}"
            delivery_id = "msg_" + hashlib.sha256(named.encode()).hexdigest()[:26]
            data = {"verification_id": verification_id, "state": state, "purpose": purpose}
            self._begin(verifier_id, endpoint, delivery_id, f"verification.{state}", data)

    def ping(self, verifier_id: str, endpoint_id: str) -> str:
        """Send a trial to one endpoint; the delivery's id.

        Raises:
            WebhookError: unknown_endpoint.
        """
        endpoint = self._endpoint(verifier_id, endpoint_id)
        delivery_id = "msg_" + secrets.token_hex(13)
        self._begin(verifier_id, endpoint, delivery_id, "ping", {})
        return delivery_id

    def replay(self, verifier_id: str, delivery_id: str) -> None:
        """Send a delivery again, under its own id, so that a receiver who had it knows.

        Raises:
            WebhookError: unknown_delivery.
        """
        key = _delivery(verifier_id, delivery_id)
        if b"h" not in read(self._redis, key):
            raise WebhookError("unknown_delivery")
        with guard():
            together = self._redis.pipeline(transaction=True)
            together.hset(key, mapping={"s": "waiting", "n": 0, "l": 0})
            together.expire(key, KEPT_S)
            together.execute()
        self._later(verifier_id, delivery_id, 0.0)

    def deliveries(self, verifier_id: str, limit: int = 100) -> list[Delivery]:
        """What was told, newest first."""
        with guard():
            ids: Any = self._redis.zrange(_sent(verifier_id), 0, limit - 1, desc=True)
        names = [one.decode() for one in ids]
        found = (self.delivery(verifier_id, name) for name in names)
        return [delivery for delivery in found if delivery is not None]

    def delivery(self, verifier_id: str, delivery_id: str) -> Delivery | None:
        """One delivery."""
        fields = read(self._redis, _delivery(verifier_id, delivery_id))
        if b"h" not in fields:  # none, or what an attempt left of one whose time ended meanwhile
            return None
        told = {name.decode(): value.decode() for name, value in fields.items()}
        return Delivery(
            delivery_id, told["h"], told["y"], told["b"], int(told["t"]) / 1000, told["s"],
            int(told.get("n", 0)), told.get("c", ""),
        )  # fmt: skip

    def deliver(self, verifier_id: str, delivery_id: str) -> None:
        """The job: one attempt, and the next one later if it fails.

        While another attempt is under way it looks again once that must have ended: the broker
        gives the job of a worker that was killed to another, who is then the only one to know.
        """
        key = _delivery(verifier_id, delivery_id)
        with guard():
            number, rest_ms = map(int, self._attempt(keys=[key], args=[ATTEMPTS, ATTEMPT_MS]))
        if rest_ms:
            self._later(verifier_id, delivery_id, rest_ms / 1000 + 1)
        delivery = self.delivery(verifier_id, delivery_id) if number else None
        if delivery is None:
            return
        try:
            endpoint = self._endpoint(verifier_id, delivery.endpoint_id)
        except WebhookError:
            write(self._redis, key, {"s": "failed", "c": "unknown_endpoint", "l": 0})
            return
        answer, done, final = self._try(endpoint, delivery)
        state = "delivered" if done else "failed" if final or number >= ATTEMPTS else "waiting"
        write(self._redis, key, {"s": state, "c": answer, "l": 0})
        _log.info("webhook sent", verifier=verifier_id, answer=answer, attempt=number, state=state)
        if state == "waiting":
            pause = PAUSES_S[number - 1]
            self._later(verifier_id, delivery_id, pause * random.uniform(0.75, 1.25))  # noqa: S311

    def _try(self, endpoint: Endpoint, delivery: Delivery) -> tuple[str, bool, bool]:
        """What came back, whether it was received, and whether trying again is of no use."""
        body, now = delivery.body.encode(), int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "virtual-identity-card-webhooks/1",
            "webhook-id": delivery.delivery_id,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(endpoint.secret, delivery.delivery_id, now, body),
        }
        try:
            status = self._poster.post(endpoint.url, body, headers)
        except PostError as error:
            return error.code, False, error.code in {"internal_address", "bad_url"}
        return str(status), status // 100 == 2, status == GONE

    def _begin(
        self, verifier_id: str, endpoint: Endpoint, delivery_id: str, kind: str, data: object
    ) -> None:
        key, now = _delivery(verifier_id, delivery_id), time.time()
        stamp = datetime.datetime.fromtimestamp(round(now, 3), datetime.UTC).isoformat()
        body = json.dumps({"type": kind, "timestamp": stamp, "data": data}, separators=(",", ":"))
        said = {"h": endpoint.endpoint_id, "y": kind, "b": body, "t": int(now * 1000)}
        with guard():
            together: Any = self._redis.pipeline(transaction=True)
            for name, value in (*said.items(), ("s", "waiting")):
                together.hsetnx(key, name, value)
            together.expire(key, KEPT_S)
            together.zadd(_sent(verifier_id), {delivery_id: now * 1000}, nx=True)
            together.zremrangebyrank(_sent(verifier_id), 0, -KEPT - 1)
            together.hmget(key, "s", "n")
            state, attempts = together.execute()[-1]
        # Begun before, and never tried: its job could not be enqueued then. Two jobs send it once.
        if state == b"waiting" and not attempts:
            self._later(verifier_id, delivery_id, 0.0)

    def _later(self, verifier_id: str, delivery_id: str, delay_s: float) -> None:
        self._enqueue(JOB, delay_s=delay_s, verifier_id=verifier_id, delivery_id=delivery_id)

    def _endpoint(self, verifier_id: str, endpoint_id: str) -> Endpoint:
        for endpoint in self.endpoints(verifier_id):
            if endpoint.endpoint_id == endpoint_id:
                return endpoint
        raise WebhookError


def _hooks(verifier_id: str) -> str:
    return f"{{v:{verifier_id}}}:hooks"


def _sent(verifier_id: str) -> str:
    return f"{{v:{verifier_id}}}:sent"


def _delivery(verifier_id: str, delivery_id: str) -> str:
    return f"{{v:{verifier_id}}}:w:{delivery_id}"
