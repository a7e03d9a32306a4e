"""Redis as this package sees it: every key in one table, every script run from one place.

A credential's id is 8 random-looking bytes, shown as 16 hexadecimal characters; the first three
of them are its bucket, written `{b0042}` with four decimal digits, the hash tag of all that one
script touches. Redis 6.2 commands only; every key of a script is named to Redis.

| key | type | holds | lives |
|---|---|---|---|
| `{b0042}:c:<cid>` | hash | the record, fields below | pending: a day, else for good |
| `{b0042}:p:<cid>` | string | sealed portrait | as the record, until erased |
| `{b0042}:pin:<cid>` | hash | the PIN, see pins.py | until erased |
| `{b0042}:f:<vid>` | hash | a comparison of faces, see comparisons.py | ten minutes |
| `{b0042}:u:<cid>` | hash | an upgrade under way, see upgrade.py | 30 minutes |
| `{bind:<digits>}` | string | `<cid> <session>` of a binding code | 5 minutes, once |
| `{nonce:<hex>}` | string | cid of a terminal's nonce | 5 minutes, once |
| `{b0042}:due` | sorted set | cids by when they end (s) | while they are not over |
| `{b0042}:log` | stream | audit entries, see scripts/chain.lua | until archived |
| `{b0042}:head` | hash | n, m number and mac of the last entry; an, am last archived | ever |
| `{b0042}:v:<vid>` | hash | a verification, fields below | a day |
| `{v:<verifier id>}:r:<request>` | string | `<vid> <fingerprint>` to answer again; in a cluster \
  `{b0042}:r:<verifier>:<request>` | a day |
| `{id:<blind>}` | string | cid of an ID number | reserved 60 s, then for good |
| `{wechat:<openid>}:card` | string | cid of an account | reserved 60 s, then for good |
| `{v:<verifier id>}:recent` | stream | vids of a verifier's last scans | the last 1000 |
| `{recent}` | stream | vids of everybody's last scans | the last 1000 |
| `{recent}:receipts` | stream | state and vid of what is to be told, see receipts.py | until told |
| `{audit}:log`, `{audit}:head` | as above | the administration chain | for good |
| `{keys}` | hash | index: sealed key of the blind index | for good |

Record: s status, l level, t issued (s), x valid until (s), n change counter, a time of the last
accepted code (µs), g number of its last log entry, w waiting verification, f verification whose
face comparison the page shows, b by whom it is frozen (holder, system, operator; only while it is),
e sealed data.
Verification: st state, at decided (µs), ex waits until (µs), nu number, lv level, c cid,
vr verifier's id, vn its name, dk desk, pu purpose, fi fields, pn 1 if the holder's PIN is asked.

A verification's id (vid) is its bucket's three characters and 17 random ones. Keys of other
services of this package stand in the docstrings of `verifiers`, `accounts`, `limits`,
`rollout` and `authority`.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import redis
import structlog
from redis.cluster import RedisCluster
from redis.exceptions import NoScriptError

from credentials import replicas
from credentials.connection import guard
from credentials.lines import ClusterLines, Lines
from credentials.model import Holder

SCRIPTS = Path(__file__).parent / "scripts"
BUCKET_CHARACTERS = 3
BUCKETS = 16**BUCKET_CHARACTERS
RECENT = "{recent}"
RECENT_KEPT = 1000
RECEIPTS = "{recent}:receipts"
BEFORE: Mapping[str, tuple[str, ...]] = {"admit": ("door",), "verify": ("chain", "door")}
"""The functions that are put before a script; the chain's before every other."""
_CREDENTIAL_ID = re.compile(r"[0-9a-f]{16}")
_VERIFICATION_ID = re.compile(r"[0-9a-f]{20}")

_log = structlog.get_logger(__name__)

Argument = str | bytes | int | float
Fields = Mapping[str, bytes]


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """One chain of the audit: of a bucket, or of the administration."""

    tag: str

    @property
    def log(self) -> str:
        """The stream of its entries."""
        return f"{self.tag}:log"

    @property
    def head(self) -> str:
        """The hash of its last entry's number and mac."""
        return f"{self.tag}:head"


ADMINISTRATION = Place("{audit}")


@functools.cache
def bucket(number: int) -> Place:
    """The place of the bucket with a number from 0 to 4095."""
    return Place(f"{{b{number:04d}}}")


def place_of(identifier: str) -> Place:
    """The bucket of a credential's or a verification's id."""
    return bucket(int(identifier[:BUCKET_CHARACTERS], 16))


def record_key(credential_id: str) -> str:
    """Where a credential's record is."""
    return f"{place_of(credential_id).tag}:c:{credential_id}"


def portrait_key(credential_id: str) -> str:
    """Where a credential's sealed portrait is."""
    return f"{place_of(credential_id).tag}:p:{credential_id}"


def pin_key(credential_id: str) -> str:
    """Where the PIN of a credential is."""
    return f"{place_of(credential_id).tag}:pin:{credential_id}"


def upgrade_key(credential_id: str) -> str:
    """Where an upgrade that is under way is."""
    return f"{place_of(credential_id).tag}:u:{credential_id}"


def due_key(credential_id: str) -> str:
    """The index of a bucket's credentials by when they end."""
    return f"{place_of(credential_id).tag}:due"


def binding_key(digits: str) -> str:
    """Which upgrade a binding code opens."""
    return f"{{bind:{digits}}}"


def verification_key(verification_id: str) -> str:
    """Where a verification is."""
    return f"{place_of(verification_id).tag}:v:{verification_id}"


def request_key(credential_id: str, verifier_id: str, request_id: str, *, together: bool) -> str:
    """Where the answer to a verifier's request is remembered; braces would move the tag.

    In a cluster (not `together`) it has to lie where the card does: there a request's id tells
    requests apart among the cards of one bucket only.
    """
    if together:
        return f"{{v:{verifier_id}}}:r:{request_id}"
    return f"{place_of(credential_id).tag}:r:{verifier_id}:{request_id}"


def person_key(blind: str) -> str:
    """Which credential an ID number has, by its blind index."""
    return f"{{id:{blind}}}"


def card_key(holder: Holder) -> str:
    """Which credential an account holds."""
    return f"{holder.tag}:card"


def recent_key(verifier_id: str) -> str:
    """The last scans of a verifier."""
    return f"{{v:{verifier_id}}}:recent"


def is_credential_id(text: str) -> bool:
    """Whether a text has the shape of a credential's id."""
    return _CREDENTIAL_ID.fullmatch(text) is not None


def is_verification_id(text: str) -> bool:
    """Whether a text has the shape of a verification's id."""
    return _VERIFICATION_ID.fullmatch(text) is not None


def new_verification_id(credential_id: str) -> str:
    """A verification id in a credential's bucket, impossible to guess (68 random bits)."""
    return credential_id[:BUCKET_CHARACTERS] + secrets.token_hex(9)[:17]


@dataclasses.dataclass(frozen=True, slots=True)
class Glance:
    """A credential's record and last log entries at one moment (µs since 1970)."""

    now: int
    record: Fields
    entries: tuple[Fields, ...]


class Store:
    """Runs the scripts and reads what they wrote; everything it raises is UnavailableError."""

    def __init__(self, database: redis.Redis) -> None:
        self.redis = database
        self.together = not isinstance(cast("object", database), RedisCluster)
        """Whether one script may touch keys of different tags: on a single server."""
        self._lines = (
            Lines(database) if self.together else ClusterLines(cast("RedisCluster", database))
        )

    def run(self, name: str, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """One script in one round trip; it is sent in full only to a server that lacks it."""
        source, digest = _script(name)
        with guard():
            try:
                return self._lines.ask(("EVALSHA", digest, len(keys), *keys, *args))
            except NoScriptError:
                return self._lines.ask(("EVAL", source, len(keys), *keys, *args))

    def note(self, stream: str, field: str, value: str, most: int) -> None:
        """Add to a stream that keeps about so many entries."""
        with guard():
            self._lines.ask(("XADD", stream, "MAXLEN", "~", most, "*", field, value))

    def confirm(self, credential_id: str, status: str, by: str, word: str = "") -> None:
        """Wait until what stops a card would outlive the server that it was written to.

        It is said in the log, too, as the status or as another word for what was done, with whose
        act it is (an actor's kind): from there a restored backup learns of it (commands/backup.py).
        A server alone has nothing to wait for. In a cluster a replica must say that it has the
        record with this status: the one server that has it could die, and the replica that takes
        its place would let the card be used again.

        Raises:
            UnavailableError: when no replica says so; what was written is in force all the same,
                and confirmed by the same call again.
        """
        said = word or str(status)
        _log.warning("card_stopped", credential_id=credential_id, status=said, by=by)
        if not self.together:
            source, _ = _script("confirm")
            replicas.confirm(cast("Any", self.redis), source, record_key(credential_id), status)

    def get(self, key: str) -> str | None:
        """A string, or None."""
        value = self.get_bytes(key)
        return value.decode() if value is not None else None

    def get_bytes(self, key: str) -> bytes | None:
        """A string as it is, or None."""
        with guard():
            value = self.redis.get(key)
        return value if isinstance(value, bytes) else None

    def put(self, key: str, value: str, seconds: int, *, new: bool = False) -> bool:
        """Keep a string for a while; with `new` only where there is none: whether it was kept."""
        with guard():
            return bool(self.redis.set(key, value, ex=seconds, nx=new))

    def take(self, key: str) -> str | None:
        """A string, gone from now on: of many who take it at once, one gets it."""
        with guard():
            value: Any = self.redis.getdel(key)
        return value.decode() if value is not None else None

    def now(self, key: str) -> int:
        """The time of the server that has a key (µs since 1970)."""
        return int(self.run("clock", (key,), ()))

    def drop(self, *keys: str) -> None:
        """Forget keys, wherever in a cluster they are."""
        with guard():
            for key in keys:
                self.redis.delete(key)

    def fields(self, *keys: str) -> list[Fields]:
        """Several hashes in one round trip; an empty one for a key that is not there."""
        with guard():
            if len(keys) == 1:
                return [_hash(self._lines.ask(("HGETALL", *keys)))]
            pipe = self.redis.pipeline(transaction=False)
            for key in keys:
                pipe.hgetall(key)
            return [_fields(found) for found in pipe.execute()]

    def glance(self, credential_id: str, entries: int = 0) -> Glance:
        """A credential's record, the time, and its last log entries, newest first."""
        keys = (record_key(credential_id), place_of(credential_id).log)
        return _glance(self.run("look", keys, (entries,)))

    def glance_held(self, holder: Holder, credential_id: str, entries: int = 0) -> Glance | None:
        """The same, if the account still holds that credential; None if it does not.

        One round trip, and two in a cluster, where the account is on another server.
        """
        keys: tuple[str, ...] = (record_key(credential_id), place_of(credential_id).log)
        args: tuple[Argument, ...] = (entries,)
        if self.together:
            keys, args = (*keys, card_key(holder)), (entries, credential_id)
        elif self.get(card_key(holder)) != credential_id:
            return None
        found = self.run("look", keys, args)
        return _glance(found) if found else None

    def newest(self, stream: str, limit: int) -> list[str]:
        """The values noted last in a list of scans, newest first."""
        with guard():
            found: Any = self.redis.xrevrange(stream, count=limit)
        return [fields[b"v"].decode() for _, fields in found]


@functools.cache
def _script(name: str) -> tuple[str, str]:
    """The text of a script, the functions that it needs before it, and its SHA-1."""
    parts = (*BEFORE.get(name, ("chain",)), name)
    source = "".join((SCRIPTS / f"{part}.lua").read_text(encoding="utf-8") for part in parts)
    return source, hashlib.sha1(source.encode()).hexdigest()  # noqa: S324 - Redis names them so


def _glance(found: Sequence[Any]) -> Glance:
    now, record, log = found
    return Glance(now, _pairs(record), tuple(_pairs(entry) for entry in log))


def _hash(found: Any) -> Fields:
    """A hash as RESP3 answers it, or as RESP2 does."""
    return _fields(found) if isinstance(found, Mapping) else _pairs(found)


def _fields(found: Mapping[bytes, bytes]) -> Fields:
    return {name.decode(): value for name, value in found.items()}


def _pairs(flat: Sequence[bytes]) -> Fields:
    return {flat[at].decode(): flat[at + 1] for at in range(0, len(flat), 2)}
