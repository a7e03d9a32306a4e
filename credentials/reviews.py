"""Manual review: faces that a machine must not decide about, put before people.

A case comes here when a match is doubtful, when the challenge failed again and again although
the face is right, when pictures look like prints or screens, and when the face is already on
another card. It waits with its pictures, sealed; both are erased with the decision, at the
deadline when nobody decided, or when the person goes on to something else. Who decides against
the machine needs a second reviewer, another person, for it (four eyes). The conversation waits,
hears the decision, and issues the card itself: whoever cancels meanwhile gets none. Whom to tell
is kept, sealed, until they were told: a case is struck off the waiting last, and what a killed
process or a lost broker left undone is done within two minutes (`tend`).

| key | holds | lives |
|---|---|---|
| `{review:<id>}` | hash, fields below | 30 days after the deadline |
| `{review:<id>}:images` | hash: name to sealed JPEG | until decided or the deadline |
| `{review:<id>}:seen` | set: who looked at it | 24 h |
| `{reviews}:waiting`, `{reviews}:decided` | sorted sets: ids by time | decided: the last 500 |

Fields: k kind, s state, t opened, e deadline, q approvals needed, d sealed facts (erased with the
end), h sealed account (erased once it is told), m the machine's figures; a first approver and ar
why; b who decided, br why, at when.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import redis
import structlog

from credentials.audit import Audit
from credentials.connection import guard
from credentials.errors import CredentialError, UnavailableError
from credentials.hashes import read, read_many, script
from credentials.model import Actor, Holder
from credentials.sealing import BlindIndex, Sealer

DEADLINE_SECONDS = 24 * 3600
SERVICE_SECONDS = 30 * 60  # how soon a person should have an answer; the console counts it down
FORGOTTEN_SECONDS = 30 * 24 * 3600
DECIDED_KEPT = 500
WAITING, DECIDED = "{reviews}:waiting", "{reviews}:decided"
ENDED = frozenset({"approved", "rejected", "expired", "withdrawn"})
log = structlog.get_logger("credentials.reviews")


class ReviewKind(enum.StrEnum):
    """Why a case is here."""

    DOUBTFUL = "doubtful"  # the distance lies in the grey band around the threshold
    LIVENESS = "liveness"  # the right face, but the challenge failed N times
    SUSPICIOUS = "suspicious"  # signs of a print, a screen or an edited picture, twice
    DUPLICATE = "duplicate"  # this face is on another ID number's card


class ReviewState(enum.StrEnum):
    """How a case stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"  # the person did not wait for it


class ReviewError(CredentialError):
    """A decision that is not taken: gone, decided, same_reviewer, expired, withdrawn."""

    code = "gone"


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What reviewers see of a case besides the pictures; sealed, and erased with the decision.

    Attributes:
        holder: the account that applies.
        name: the person's, as registered.
        id_number: in full: a reviewer compares it with the other card's.
        reasons: what the machine found, by its codes.
        others: credentials whose face is near, if any.
        images: the names of the pictures, in the order to show.
    """

    holder: Holder
    name: str
    id_number: str
    reasons: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Review:
    """One case. `facts` are None once it has ended."""

    review_id: str
    kind: ReviewKind
    state: ReviewState
    opened_at: float
    deadline: float
    approvals: int
    figures: Mapping[str, str]
    facts: Facts | None
    first: str = ""
    first_reason: str = ""
    decided_by: str = ""
    reason: str = ""
    decided_at: float = 0.0

    @property
    def due_at(self) -> float:
        """When the person should have the answer."""
        return self.opened_at + SERVICE_SECONDS


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """A case to be put before the reviewers.

    Attributes:
        kind: why.
        facts: what they see.
        figures: the machine's, without personal data: distance, reasons; kept.
        pictures: JPEG files by name.
        against: whether approving it goes against the machine, so that two have to.
    """

    kind: ReviewKind
    facts: Facts
    figures: Mapping[str, str]
    pictures: Mapping[str, bytes]
    against: bool


class Reviews:
    """The cases. Each method raises UnavailableError without Redis.

    Args:
        database: where they are.
        sealer: seals facts and pictures.
        index: makes ids that tell nothing.
        audit: decisions are written there before they hold.
        told: called with the holder when a case is decided, to have the conversation go on.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        database: redis.Redis,
        sealer: Sealer,
        index: BlindIndex,
        audit: Audit,
        *,
        told: Callable[[Holder], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._redis = database
        self._sealer = sealer
        self._index = index
        self._audit = audit
        self._told = told
        self._clock = clock
        self._open = script(database, "review_open")
        self._decide = script(database, "review_decide")

    def open(self, name: str, case: Case) -> str:
        """Put a case before the reviewers; its id.

        Args:
            name: of what it is about, such as the pictures' media ids; the same name is the
                same case, so that a job that is done twice opens one.
            case: what it is.
        """
        review_id = self._index.of("review", name)
        key, now = _key(review_id), self._clock()
        facts = dataclasses.asdict(case.facts)
        record = {
            "k": case.kind,
            "t": f"{now:.3f}",
            "q": "2" if case.against else "1",
            "d": self._sealer.seal_json(key, facts),
            "h": self._sealer.seal_json(key, facts["holder"]),
            "m": json.dumps(dict(case.figures)),
        }
        images = {
            name: self._sealer.seal(_image_name(review_id, name), picture)
            for name, picture in case.pictures.items()
        }
        pairs = [part for pair in (*record.items(), *images.items()) for part in pair]
        forgotten = DEADLINE_SECONDS + FORGOTTEN_SECONDS
        ends: list[str | int] = [f"{now + DEADLINE_SECONDS:.3f}", DEADLINE_SECONDS, forgotten]
        self._audit.note("review_opened", Actor("system"), review_id, review=case.kind)
        with guard():
            state, since = cast(
                "list[bytes]",
                self._open(keys=[key, f"{key}:images"], args=[*ends, len(record), *pairs]),
            )
            if state.decode() == ReviewState.WAITING:
                self._list(review_id, float(since))
        return review_id

    def opened(self, name: str) -> str:
        """The id of the case of this name; empty if there is none.

        One that a killed worker opened and did not list is listed now.
        """
        review_id = self._index.of("review", name)
        known = self.get(review_id)
        if known is not None and known.state is ReviewState.WAITING:
            with guard():
                self._list(review_id, known.opened_at)
        return review_id if known is not None else ""

    def get(self, review_id: str) -> Review | None:
        """One case; None when there is none."""
        fields = read(self._redis, _key(review_id))
        return self._review(review_id, fields) if fields else None

    def first_look(self, review_id: str, by: Actor) -> bool:
        """Whether a reviewer looks at a case for the first time."""
        key = f"{_key(review_id)}:seen"
        with guard():
            pipe: Any = self._redis.pipeline(transaction=False)
            pipe.sadd(key, f"{by.kind}:{by.name}")
            pipe.expire(key, DEADLINE_SECONDS)
            return bool(pipe.execute()[0])

    def picture(self, review_id: str, name: str) -> bytes | None:
        """A picture of a case that waits."""
        with guard():
            sealed = cast("bytes | None", self._redis.hget(f"{_key(review_id)}:images", name))
        if sealed is None:
            return None
        return self._sealer.unseal(_image_name(review_id, name), sealed)

    def waiting(self, limit: int = 100) -> list[Review]:
        """The cases that wait, longest first."""
        with guard():
            ids = cast("list[bytes]", self._redis.zrange(WAITING, 0, limit - 1))
        found = self._all(ids)
        return [each for each in found if each.state is ReviewState.WAITING]

    def decided(self, limit: int = 50) -> list[Review]:
        """The cases that were decided last, newest first."""
        with guard():
            ids = cast("list[bytes]", self._redis.zrevrange(DECIDED, 0, limit - 1))
        return self._all(ids)

    def figures(self) -> tuple[int, float]:
        """How many cases wait, and for how long the oldest has, in seconds."""
        with guard():
            count = self._redis.zcard(WAITING)
            oldest: Any = self._redis.zrange(WAITING, 0, 0, withscores=True)
        return count, max(0.0, self._clock() - oldest[0][1]) if oldest else 0.0

    def decide(self, review_id: str, reviewer: Actor, reason: str, *, approve: bool) -> Review:
        """Approve or reject a case.

        Approving against the machine holds only when a second reviewer approves, too: until
        then the case goes on waiting, and `first` tells who was the first.

        Raises:
            ReviewError: gone, decided (by somebody else), same_reviewer, expired, withdrawn.
        """
        known = self.get(review_id)
        if known is None:
            raise ReviewError("gone")
        if known.state is ReviewState.WITHDRAWN:
            raise ReviewError("withdrawn")
        if known.state is not ReviewState.WAITING:
            raise ReviewError("decided")
        verdict = "approved" if approve else "rejected"
        if approve and known.first == reviewer.name and known.approvals > 1:
            raise ReviewError("same_reviewer")
        self._audit.note(f"review_{verdict}", reviewer, review_id, reason=reason)
        outcome = self._settle(known, verdict, reviewer.name, reason)
        if outcome in {"gone", "decided", "expired", "same"}:
            raise ReviewError("same_reviewer" if outcome == "same" else outcome)
        decided = self.get(review_id)
        if decided is None:
            raise ReviewError("gone")
        return decided

    def withdraw(self, review_id: str) -> Review | None:
        """End a case that nobody waits for any more; as it was, or None if it had ended already.

        What was sealed of the person is erased; nobody is told.
        """
        known = self.get(review_id)
        if known is None or known.state is not ReviewState.WAITING:
            return None
        self._audit.note("review_withdrawn", Actor("holder"), review_id)
        return known if self._settle(known, "withdrawn", "", "") == "withdrawn" else None

    def tend(self) -> None:
        """End the cases whose deadline has passed, and tell those who were not told yet."""
        with guard():
            ids = cast("list[bytes]", self._redis.zrange(WAITING, 0, -1))
        for raw in ids:
            known = self.get(raw.decode())
            if known is None:
                with guard():
                    self._redis.zrem(WAITING, raw)
            elif known.state is not ReviewState.WAITING:
                self._end(known.review_id, known.decided_at)
            elif self._clock() >= known.deadline:
                self._audit.note("review_expired", Actor("system"), known.review_id)
                self._settle(known, "expired", "", "deadline")

    def _settle(self, known: Review, verdict: str, who: str, why: str) -> str:
        key, now = _key(known.review_id), self._clock()
        with guard():
            answer = self._decide(
                keys=[key, f"{key}:images"], args=[verdict, who, why, f"{now:.3f}"]
            )
        outcome = cast("bytes", answer).decode()
        if outcome in ENDED:
            self._end(known.review_id, now)
        return outcome

    def _end(self, review_id: str, at: float) -> None:
        """List a case that has ended as decided, tell who waits for it, and only then strike it."""
        key = _key(review_id)
        with guard():
            self._redis.zadd(DECIDED, {review_id: at})
            self._redis.zremrangebyrank(DECIDED, 0, -DECIDED_KEPT - 1)
            sealed = cast("bytes | None", self._redis.hget(key, "h"))
        if sealed is not None:
            try:
                self._told(Holder(**self._sealer.unseal_json(key, sealed)))
            except UnavailableError:  # the decision holds all the same
                log.warning("review not told yet", review=review_id)
                return
        with guard():
            self._redis.hdel(key, "h")
            self._redis.zrem(WAITING, review_id)

    def _list(self, review_id: str, since: float) -> None:
        self._redis.zadd(WAITING, {review_id: since}, nx=True)

    def _all(self, ids: Sequence[bytes]) -> list[Review]:
        names = [each.decode() for each in ids]
        records = read_many(self._redis, [_key(name) for name in names])
        return [
            self._review(name, fields)
            for name, fields in zip(names, records, strict=True)
            if fields
        ]

    def _review(self, review_id: str, fields: Mapping[bytes, bytes]) -> Review:
        told = {name.decode(): value for name, value in fields.items() if name not in {b"d", b"h"}}
        text = {name: value.decode() for name, value in told.items()}
        return Review(
            review_id=review_id,
            kind=ReviewKind(text["k"]),
            state=ReviewState(text["s"]),
            opened_at=float(text["t"]),
            deadline=float(text["e"]),
            approvals=int(text["q"]),
            figures=json.loads(text["m"]),
            facts=self._facts(review_id, fields.get(b"d")),
            first=text.get("a", ""),
            first_reason=text.get("ar", ""),
            decided_by=text.get("b", ""),
            reason=text.get("br", ""),
            decided_at=float(text.get("at", 0)),
        )

    def _facts(self, review_id: str, sealed: bytes | None) -> Facts | None:
        if sealed is None:
            return None
        told = self._sealer.unseal_json(_key(review_id), sealed)
        lists = {name: tuple(told[name]) for name in ("reasons", "others", "images")}
        return Facts(Holder(**told["holder"]), told["name"], told["id_number"], **lists)


def tell_nobody(holder: Holder) -> None:
    """For commands and tests: a decided case is heard with the person's next message."""
    del holder


def _key(review_id: str) -> str:
    return f"{{review:{review_id}}}"


def _image_name(review_id: str, name: str) -> str:
    return f"{_key(review_id)}:images:{name}"
