"""Organisations: they ask to scan, an operator decides purpose by purpose, they run their desks.

Whoever runs a hotel asks on a page of the desk: for which purposes, on which legal ground, and
under which name they will sign in. Nothing works until an operator approves; then the
organisation is a verifier, and who asked is its manager. Each purpose is granted alone, with its
ground and, where it has one, its end.

| key | holds |
|---|---|
| `{org}:r:<request id>` | hash: n name, i division, d desk, w user name, h password hash, \
  p JSON: ground by purpose, e sealed contact, s status, t asked (s), b by, y why, v verifier |
| `{org}:waiting` | sorted set: ids of requests that wait, by when |
| `{org}:lock:<request id>` | one operator at a time decides; five seconds at most |
| `{v:<verifier id>}:grants` | hash: JSON of each grant by purpose: g ground, u until, b by, t at |
| `{v:<verifier id>}:desks` | set: the names of its desks |
| `{v:<verifier id>}:acts` | stream: what its people changed: b by, k kind, a about; the last 1000 |
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any, cast

import redis

from credentials import passwords
from credentials.accounts import LONGEST_DESK, Accounts, checked_username
from credentials.audit import Audit
from credentials.connection import guard
from credentials.errors import CredentialError, UnavailableError
from credentials.hashes import Changes, Fields, read, read_many, write
from credentials.model import Actor, Verifier
from credentials.sealing import Sealer
from credentials.verifiers import Verifiers, checked_name, checked_purposes

MANAGER, STAFF = "manager", "staff"
DECIDED_S = 30 * 24 * 3600
ASKED_S = 90 * 24 * 3600
MOST_WAITING = 1000
MOST_DESKS = 100
ACTS_KEPT = 1000
LOCK_S = 5
LONGEST_TEXT = 120
_WAITING = "{org}:waiting"
_ID = re.compile(r"[0-9a-f]{32}")
_DIVISION = re.compile(r"[1-8][0-9]{5}")


class OrganisationError(CredentialError):
    """What was asked of an organisation and is refused.

    unknown_request, already_decided, too_many_waiting, bad_day; bad_field, with its `field`;
    too_many_desks and too_many_people, with their `limit`.
    """

    code = "unknown_request"


class RequestStatus(enum.StrEnum):
    """How far a request has come."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """What an organisation asked; `grounds` is the legal ground of each purpose."""

    request_id: str
    name: str
    division: str
    desk: str
    username: str
    contact: str
    grounds: Mapping[str, str]
    status: RequestStatus
    asked_at: float
    why: str
    verifier_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """One purpose of an organisation: on which ground, until when (s; 0 for ever), by whom."""

    ground: str
    until: float
    by: str
    at: float


@dataclasses.dataclass(frozen=True, slots=True)
class Act:
    """One line of an organisation's activity log."""

    at: float
    by: str
    kind: str
    about: str


class Organisations:
    """All organisations. Every method raises UnavailableError when Redis cannot be asked."""

    def __init__(
        self,
        database: redis.Redis,
        sealer: Sealer,
        verifiers: Verifiers,
        staff: Accounts,
        audit: Audit,
    ) -> None:
        self._redis = database
        self._sealer = sealer
        self._verifiers = verifiers
        self._staff = staff
        self._audit = audit

    # Asking, and being answered.

    def ask(
        self,
        *,
        name: str,
        division: str,
        contact: str,
        grounds: Mapping[str, str],
        desk: str,
        username: str,
        password: str,
    ) -> str:
        """Put a request before the operators; gives its id, which only who asked knows.

        Raises:
            OrganisationError: bad_field, too_many_waiting.
            VerifierError: bad_verifier_name, no_purpose, unknown_purpose.
            AccountError: bad_username, account_exists.
            PasswordError: when the password is too weak.
        """
        if not _DIVISION.fullmatch(division):
            raise OrganisationError("bad_field", field="division")
        said = {"contact": _tidy("contact", contact), "desk": _tidy("desk", desk, LONGEST_DESK)}
        chosen = {
            purpose: _tidy(f"ground_{purpose}", grounds[purpose])
            for purpose in checked_purposes(grounds)
        }
        user = self._staff.free(checked_username(username))
        passwords.check_new(password, user)
        request_id = secrets.token_hex(16)
        key = _request(request_id)
        now = time.time()
        fields: dict[str, str | bytes | int | float] = {
            "n": checked_name(name), "i": division, "d": said["desk"], "w": user,
            "h": passwords.hashed(password), "p": json.dumps(chosen, ensure_ascii=False),
            "s": RequestStatus.WAITING.value, "t": f"{now:.0f}",
            "e": self._sealer.seal(key, said["contact"].encode()),
        }  # fmt: skip
        with guard():
            # What ended without an answer must not count for ever.
            self._redis.zremrangebyscore(_WAITING, "-inf", now - ASKED_S)
            if int(self._redis.zcard(_WAITING)) >= MOST_WAITING:
                raise OrganisationError("too_many_waiting")
            together = self._redis.pipeline(transaction=True)
            together.hset(key, mapping=cast("Changes", fields))
            together.expire(key, ASKED_S)
            together.zadd(_WAITING, {request_id: now})
            together.execute()
        return request_id

    def request(self, request_id: str) -> Request:
        """One request.

        Raises:
            OrganisationError: unknown_request.
        """
        fields = read(self._redis, _request(request_id)) if _ID.fullmatch(request_id) else {}
        if not fields:
            raise OrganisationError
        return self._read(request_id, fields)

    def waiting(self) -> list[Request]:
        """The requests that wait, the longest waiting first."""
        with guard():
            found: Any = self._redis.zrange(_WAITING, 0, -1)
        ids = [one.decode() for one in found]
        records = read_many(self._redis, map(_request, ids))
        return [
            self._read(request_id, fields)
            for request_id, fields in zip(ids, records, strict=True)
            if fields
        ]

    def approve(self, request_id: str, actor: Actor, until: Mapping[str, float]) -> Verifier:
        """Make the organisation a verifier and who asked its manager.

        What was cut short is done to its end by approving again: the request keeps the id of the
        verifier that it becomes, so that there is one, and its manager is not taken for another.

        Args:
            request_id: which request.
            actor: the operator.
            until: the purposes that are granted, each with its end (s; 0 without one).

        Raises:
            OrganisationError: unknown_request, already_decided.
            VerifierError: no_purpose, or one that was not asked for.
            AccountError: account_exists, when the name was taken meanwhile.
        """
        with self._claimed(request_id) as asked:
            granted = {purpose: until[purpose] for purpose in until if purpose in asked.grounds}
            checked_purposes(granted)
            verifier = self._verifiers.get(asked.verifier_id) if asked.verifier_id else None
            there = self._staff.get(asked.username)
            if there is None or verifier is None or there.verifier_id != verifier.verifier_id:
                self._staff.free(asked.username)
            if verifier is None:
                verifier = self._verifiers.register(asked.name, granted)
                write(self._redis, _request(request_id), {"v": verifier.verifier_id})
            told = {"purposes": ",".join(granted), "request": request_id}
            self._audit.note("organisation_approved", actor, verifier.verifier_id, **told)
            for purpose, end in granted.items():
                self._put_grant(verifier.verifier_id, purpose, asked.grounds[purpose], end, actor)
            self._enforce(verifier.verifier_id)
            self._verifiers.settle(verifier.verifier_id, asked.division)
            if there is None:
                kept = read(self._redis, _request(request_id))[b"h"].decode()
                self._staff.add(
                    asked.username, verifier_id=verifier.verifier_id, desk="", role=MANAGER,
                    password_hash=kept,
                )  # fmt: skip
            self.add_desk(verifier.verifier_id, asked.desk)
            self.act(verifier.verifier_id, actor.name, "approved", asked.name)
            self._decide(request_id, RequestStatus.APPROVED, actor)
        return verifier

    def refuse(self, request_id: str, actor: Actor, why: str) -> None:
        """Refuse a request; who asked reads why.

        Raises:
            OrganisationError: unknown_request, already_decided, bad_field.
        """
        reason = _tidy("why", why)
        with self._claimed(request_id) as asked:
            self._audit.note("organisation_refused", actor, request_id)
            if asked.verifier_id:  # its approval was cut short
                self._verifiers.block(asked.verifier_id)
            self._decide(request_id, RequestStatus.REFUSED, actor, y=reason)

    # Purposes, one by one.

    def grants(self, verifier_id: str) -> dict[str, Grant]:
        """The grants of an organisation, also those that have ended."""
        found = read(self._redis, _own(verifier_id, "grants"))
        told = {name.decode(): json.loads(value) for name, value in found.items()}
        return {
            name: Grant(one["g"], float(one["u"]), one["b"], float(one["t"]))
            for name, one in told.items()
        }

    def grant(
        self, verifier_id: str, purpose: str, ground: str, until: float, actor: Actor
    ) -> Verifier:
        """Grant one purpose, or change its ground and end; holds from the next request on.

        Raises:
            OrganisationError: bad_field.
            VerifierError: unknown_purpose, unknown_verifier.
        """
        checked_purposes([purpose])
        self._put_grant(verifier_id, purpose, _tidy("ground", ground), until, actor)
        self._audit.note("purpose_granted", actor, verifier_id, purpose=purpose)
        self.act(verifier_id, actor.name, "granted", purpose)
        return self._enforce(verifier_id)

    def withdraw(self, verifier_id: str, purpose: str, actor: Actor) -> Verifier:
        """Take one purpose back; the last one cannot be taken: block the verifier instead.

        Raises:
            VerifierError: no_purpose, unknown_verifier.
        """
        kept = self._verifiers.find(verifier_id).purposes
        checked_purposes(name for name in kept if name != purpose)
        with guard():
            self._redis.hdel(_own(verifier_id, "grants"), purpose)
        self._audit.note("purpose_withdrawn", actor, verifier_id, purpose=purpose)
        self.act(verifier_id, actor.name, "withdrawn", purpose)
        return self._enforce(verifier_id, without=purpose)

    # Desks, and who did what.

    def desks(self, verifier_id: str) -> list[str]:
        """The names of an organisation's desks."""
        with guard():
            found: Any = self._redis.smembers(_own(verifier_id, "desks"))
        return sorted(name.decode() for name in found)

    def add_desk(self, verifier_id: str, desk: str) -> None:
        """Add a desk.

        Raises:
            OrganisationError: bad_field, too_many_desks.
        """
        name = _tidy("desk", desk, LONGEST_DESK)
        if len(self.desks(verifier_id)) >= MOST_DESKS:
            raise OrganisationError("too_many_desks", limit=MOST_DESKS)
        with guard():
            self._redis.sadd(_own(verifier_id, "desks"), name)

    def drop_desk(self, verifier_id: str, desk: str) -> None:
        """Take a desk away; its book stays."""
        with guard():
            self._redis.srem(_own(verifier_id, "desks"), desk)

    def act(self, verifier_id: str, by: str, kind: str, about: str = "") -> None:
        """Write a line of the activity log; no value of a guest's data."""
        said: dict[Any, Any] = {"t": f"{time.time():.0f}", "b": by, "k": kind, "a": about[:80]}
        with guard():
            self._redis.xadd(_own(verifier_id, "acts"), said, maxlen=ACTS_KEPT, approximate=True)

    def acts(self, verifier_id: str, limit: int = 200) -> list[Act]:
        """The activity log, newest first."""
        with guard():
            found: Any = self._redis.xrevrange(_own(verifier_id, "acts"), count=limit)
        return [
            Act(float(one[b"t"]), one[b"b"].decode(), one[b"k"].decode(), one[b"a"].decode())
            for _, one in found
        ]

    @contextlib.contextmanager
    def _claimed(self, request_id: str) -> Iterator[Request]:
        """The request, for one operator alone; let go at once where nothing was decided."""
        self.request(request_id)
        lock = f"{{org}}:lock:{request_id}"
        with guard():
            mine = self._redis.set(lock, "1", nx=True, ex=LOCK_S)
        asked = self.request(request_id)
        if not mine or asked.status is not RequestStatus.WAITING:
            raise OrganisationError("already_decided")
        try:
            yield asked
        except CredentialError:
            # Whoever mends what was wrong must not read that somebody else has decided.
            with contextlib.suppress(UnavailableError), guard():
                self._redis.delete(lock)
            raise

    def _decide(self, request_id: str, status: RequestStatus, actor: Actor, **more: str) -> None:
        key = _request(request_id)
        write(self._redis, key, {"s": status.value, "b": actor.name, **more})
        with guard():
            self._redis.hdel(key, "h")
            self._redis.expire(key, DECIDED_S)
            self._redis.zrem(_WAITING, request_id)

    def _put_grant(
        self, verifier_id: str, purpose: str, ground: str, until: float, actor: Actor
    ) -> None:
        told = {"g": ground, "u": until, "b": actor.name, "t": int(time.time())}
        said = json.dumps(told, ensure_ascii=False)
        write(self._redis, _own(verifier_id, "grants"), {purpose: said})

    def _enforce(self, verifier_id: str, without: str = "") -> Verifier:
        """Put the grants in force; purposes from before there were grants stay."""
        grants = self.grants(verifier_id)
        before = self._verifiers.find(verifier_id).purposes
        names = {name for name in (*before, *grants) if name != without}
        ends = {name: grant.until for name, grant in grants.items() if grant.until}
        return self._verifiers.grant(verifier_id, names, ends)

    def _read(self, request_id: str, fields: Fields) -> Request:
        told = {name: value.decode() for name, value in fields.items() if name not in {b"e", b"h"}}
        key = _request(request_id)
        return Request(
            request_id=request_id,
            name=told[b"n"],
            division=told[b"i"],
            desk=told[b"d"],
            username=told[b"w"],
            contact=self._sealer.unseal(key, fields[b"e"]).decode(),
            grounds=json.loads(told[b"p"]),
            status=RequestStatus(told[b"s"]),
            asked_at=float(told[b"t"]),
            why=told.get(b"y", ""),
            verifier_id=told.get(b"v", ""),
        )


def _tidy(field: str, text: str, longest: int = LONGEST_TEXT) -> str:
    tidy = " ".join(text.split())
    if not 0 < len(tidy) <= longest or not tidy.isprintable():
        raise OrganisationError("bad_field", field=field)
    return tidy


def _request(request_id: str) -> str:
    return f"{{org}}:r:{request_id}"


def _own(verifier_id: str, what: str) -> str:
    return f"{{v:{verifier_id}}}:{what}"
