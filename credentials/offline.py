"""The offline check: a code that a desk without a network can read, within stated limits.

    token   = BASE32( payload 20 · Ed25519 signature 64 )        135 characters
    payload = form 1 · key version 1 · issued s 4 · purpose 1 · answers 1 · level 1
              · handle 8 · random 3

Nothing of a person is in it but the purpose's yes/no answers. The handle is an HMAC of the
credential's id and the day (UTC), under a key of the issuer's: desks recognise a card within a
day, and cannot link it from one day to the next. The key that signs is derived from the master
key of the version named; its public half is public.

A desk keeps the status list: the handles, of today and tomorrow, of the cards that are stopped
among those that showed such a code in the last two days (no other card can have a token that
still lives), with its time, signed. What the check can not know: whether a card was stopped
since the list was made, and whether the same token is shown at another desk in its minute. So
uses are told when the network returns; each goes into the holder's history, and a token that two
desks used opens a case.

| key | holds | lives |
|---|---|---|
| `{offline}:cards` | sorted set: credentials by when they last took a token (s) | two days |
| `{offline:<handle>}` | the credential's id | 30 days |
| `{b0042}:off:<token id>` | hash: desk to when it told of the use (µs) | 30 days |
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import enum
import hashlib
import hmac
import json
import re
import secrets
import struct
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from credentials import record
from credentials.audit import Audit
from credentials.cases import Cases, Kind
from credentials.connection import guard
from credentials.disclosure import BUILDERS
from credentials.errors import CredentialError, NoCardError, RefusalError, UnavailableError
from credentials.keyring import Keyring
from credentials.model import Actor, Holder, Level, Status, Verifier
from credentials.purposes import PURPOSES
from credentials.sealing import Sealer
from credentials.store import Store, card_key, is_credential_id, place_of, record_key

FORM = 1
LIFE_SECONDS = 60
SKEW_SECONDS = 10
EPOCH_SECONDS = 24 * 3600
OLDEST_LIST_SECONDS = 24 * 3600
KEPT_SECONDS = 30 * 24 * 3600
TAKEN_SECONDS = 2 * EPOCH_SECONDS
TOKEN_CHARACTERS = 135
OFFERED = frozenset({"internet_cafe"})
ANSWERS = ("age_over_18",)
LEVELS = {1: Level.LIGHT, 2: Level.UPGRADED}
TOKEN_CONTEXT, LIST_CONTEXT = b"offline-token-1\n", b"offline-status-1\n"
CARDS = "{offline}:cards"
CHINA = datetime.timezone(datetime.timedelta(hours=8))
_PAYLOAD = struct.Struct(">BBIBBB8s3s")
_TOKEN = re.compile(r"[A-Z2-7]{135}")
_HANDLE_BYTES = 8


class OfflineError(CredentialError):
    """Why a token is not good.

    malformed, bad_signature, expired, other_purpose, revoked, stale_list; not_offered for a
    purpose without an offline code.
    """

    code = "malformed"


class Told(enum.StrEnum):
    """What became of a use that a desk told of."""

    NEW = "new"
    AGAIN = "again"
    DOUBLE = "double"
    REFUSED = "refused"


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """What a token says; `issued` in seconds since 1970."""

    version: int
    issued: int
    purpose: int
    answers: Mapping[str, bool]
    level: Level
    handle: bytes

    @property
    def ends(self) -> int:
        """When it ends."""
        return self.issued + LIFE_SECONDS


@dataclasses.dataclass(frozen=True, slots=True)
class StatusList:
    """The signed list as a desk keeps it: the text that is signed, by which key, the signature."""

    signed: str
    key: int
    signature: bytes


class Offline:
    """Gives tokens and the status list, and hears of the uses.

    Methods raise UnavailableError when they cannot know.
    """

    def __init__(self, store: Store, sealer: Sealer, cases: Cases) -> None:
        self._store = store
        self._sealer = sealer
        self._keyring = sealer.keyring
        self._cases = cases
        self._audit = Audit(store, sealer.keyring)

    def token(self, holder: Holder, purpose: str) -> str:
        """A token for the account's card, good for one minute.

        Raises:
            NoCardError: when the account holds no card.
            OfflineError: not_offered.
            RefusalError: frozen, revoked or expired.
        """
        if purpose not in OFFERED:
            raise OfflineError("not_offered")
        credential_id = self._store.get(card_key(holder))
        if credential_id is None or not is_credential_id(credential_id):
            raise NoCardError
        glance = self._store.glance(credential_id)
        status = record.status_at(glance.record, glance.now)
        if status is None or status is Status.PENDING or "e" not in glance.record:
            raise NoCardError
        known = record.unseal(self._sealer, credential_id, glance.record["e"])
        if known.holder != holder:
            raise NoCardError
        if status is not Status.ACTIVE:
            raise RefusalError(status.value)
        issued = int(glance.now // 1_000_000)
        today = datetime.datetime.fromtimestamp(issued, CHINA).date()
        answers = sum(
            bool(BUILDERS[name](known.disclosable(None), today)) << place
            for place, name in enumerate(ANSWERS)
            if name in PURPOSES[purpose].attributes
        )
        version = self._keyring.current
        handle = self._handle(version, credential_id, issued // EPOCH_SECONDS)
        self._remember(credential_id, handle, issued)
        level = 2 if glance.record.get("l") == Level.UPGRADED.encode() else 1
        payload = _PAYLOAD.pack(
            FORM, version, issued, PURPOSES[purpose].index, answers, level, handle,
            secrets.token_bytes(3),
        )  # fmt: skip
        signature = signing_key(self._keyring, version).sign(TOKEN_CONTEXT + payload)
        return base64.b32encode(payload + signature).rstrip(b"=").decode()

    def status(self) -> StatusList:
        """The status list of this moment, signed with the current key."""
        now = self._store.now(CARDS) // 1_000_000
        epoch = now // EPOCH_SECONDS
        with guard():
            self._store.redis.zremrangebyscore(CARDS, 0, now - TAKEN_SECONDS)
            found: Any = self._store.redis.zrange(CARDS, 0, -1)
        ids = [raw.decode() for raw in found]
        records = self._store.fields(*map(record_key, ids)) if ids else []
        stopped = [
            credential_id
            for credential_id, fields in zip(ids, records, strict=True)
            if record.status_at(fields, now * 1_000_000) is not Status.ACTIVE
        ]
        handles = sorted(
            self._handle(version, credential_id, each)
            for credential_id in stopped
            for each in (epoch - 1, epoch, epoch + 1)  # a token may be from just before midnight
            for version in self._keyring.versions
        )
        said = {
            "version": FORM,
            "time": now,
            "epoch": epoch,
            "life": LIFE_SECONDS,
            "oldest": OLDEST_LIST_SECONDS,
            "purposes": {name: PURPOSES[name].index for name in sorted(OFFERED)},
            "stopped": base64.b64encode(b"".join(handles)).decode(),
        }
        text = json.dumps(said, separators=(",", ":"))
        version = self._keyring.current
        signature = signing_key(self._keyring, version).sign(LIST_CONTEXT + text.encode())
        return StatusList(text, version, signature)

    def public_keys(self) -> dict[int, bytes]:
        """The public half of every key that tokens may be signed with, by version."""
        return {
            version: signing_key(self._keyring, version).public_key().public_bytes_raw()
            for version in self._keyring.versions
        }

    def use(self, verifier: Verifier, desk: str, text: str, used_at: float) -> Told:
        """Hear of a use; hearing of it again changes nothing.

        Args:
            verifier: whose desk it was.
            desk: which.
            text: the token.
            used_at: when, by the desk's clock (seconds since 1970); only for the log.
        """
        try:
            token = opened(text, self.public_keys())
        except OfflineError:
            return Told.REFUSED
        purpose = next((name for name in OFFERED if PURPOSES[name].index == token.purpose), "")
        credential_id = self._store.get(_handle_key(token.handle)) or ""
        if purpose not in verifier.purposes or not is_credential_id(credential_id):
            return Told.REFUSED
        place, token_id, pen = place_of(credential_id), token_id_of(text), self._audit.pen()
        entry = pen.entry(
            credential_id,
            "offline_used",
            by="verifier",
            n=verifier.name,
            v=verifier.verifier_id,
            d=desk,
            p=purpose,
            f=",".join(token.answers),
            token=token_id,
            shown=str(token.issued),
            late="1" if not -SKEW_SECONDS <= used_at - token.issued <= LIFE_SECONDS else "",
        )
        new, desks = self._store.run(
            "offline_use",
            (record_key(credential_id), place.log, place.head, f"{place.tag}:off:{token_id}"),
            (
                *pen.chain(place),
                credential_id,
                *entry,
                f"{verifier.verifier_id}\0{desk}",
                KEPT_SECONDS,
            ),
        )
        if new < 0:
            return Told.REFUSED
        if desks > 1:
            actor = Actor("verifier", verifier.verifier_id)
            detail = f"offline token used at {desks} desks"
            self._cases.open(
                Kind.DOUBLE_USE, credential_id, actor, verification_id=token_id, detail=detail
            )
            return Told.DOUBLE
        return Told.NEW if new else Told.AGAIN

    def _remember(self, credential_id: str, handle: bytes, now: int) -> None:
        """What makes the card stoppable in the list, and the handle known when it is told of."""
        key = _handle_key(handle)
        new = self._store.put(key, credential_id, KEPT_SECONDS, new=True)
        if not new and self._store.get(key) != credential_id:
            raise UnavailableError(what="offline", why="handle")
        with guard():
            self._store.redis.zadd(CARDS, {credential_id: now})

    def _handle(self, version: int, credential_id: str, epoch: int) -> bytes:
        key = self._keyring.derive(version, "offline-handle", struct.pack(">I", epoch))
        return hmac.digest(key, bytes.fromhex(credential_id), "sha256")[:_HANDLE_BYTES]


def signing_key(keyring: Keyring, version: int) -> Ed25519PrivateKey:
    """The key that signs tokens and lists under a master key."""
    return Ed25519PrivateKey.from_private_bytes(keyring.derive(version, "offline-signing"))


def token_id_of(text: str) -> str:
    """Twenty characters that name a token."""
    return hashlib.sha256(text.strip().upper().encode()).hexdigest()[:20]


def opened(text: str, keys: Mapping[int, bytes]) -> Token:
    """What a token says, if one of these keys signed it.

    Raises:
        OfflineError: malformed, bad_signature.
    """
    code = text.strip().upper()
    if not _TOKEN.fullmatch(code):
        raise OfflineError("malformed")
    raw = base64.b32decode(code + "=")
    if base64.b32encode(raw).rstrip(b"=").decode() != code:
        raise OfflineError("malformed")  # bits beyond the last byte: the same token, named anew
    payload, signature = raw[: _PAYLOAD.size], raw[_PAYLOAD.size :]
    form, version, issued, purpose, answers, level, handle, _ = _PAYLOAD.unpack(payload)
    if form != FORM or level not in LEVELS:
        raise OfflineError("malformed")
    _checked(keys, version, signature, TOKEN_CONTEXT + payload)
    told = {name: bool(answers >> place & 1) for place, name in enumerate(ANSWERS)}
    return Token(version, issued, purpose, told, LEVELS[level], handle)


def check(
    text: str, kept: StatusList, keys: Mapping[int, bytes], purpose: str, now: float
) -> Token:
    """What a desk without a network does; `static/desk-offline.js` does the same.

    Raises:
        OfflineError: stale_list, malformed, bad_signature, other_purpose, expired, revoked.
    """
    _checked(keys, kept.key, kept.signature, LIST_CONTEXT + kept.signed.encode())
    said = json.loads(kept.signed)
    if not -SKEW_SECONDS <= now - said["time"] <= OLDEST_LIST_SECONDS:
        raise OfflineError("stale_list")
    token = opened(text, keys)
    if said["purposes"].get(purpose) != token.purpose:
        raise OfflineError("other_purpose")
    if not -SKEW_SECONDS <= now - token.issued <= LIFE_SECONDS:
        raise OfflineError("expired")
    handles = base64.b64decode(said["stopped"])
    size = _HANDLE_BYTES
    if token.handle in {handles[at : at + size] for at in range(0, len(handles), size)}:
        raise OfflineError("revoked")
    return token


def _checked(keys: Mapping[int, bytes], version: int, signature: bytes, said: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(keys[version]).verify(signature, said)
    except (KeyError, InvalidSignature):
        raise OfflineError("bad_signature") from None


def _handle_key(handle: bytes) -> str:
    return f"{{offline:{handle.hex()}}}"
