"""The upgrade: how a light card becomes bound to chip, fingerprint and face.

The holder opens a session, which lives half an hour. In it three bindings are made, in any
order, each recorded in the audit with its evidence; the one that completes them makes the card
upgraded, in the same script.

- *chip*: the holder shows a binding code (eight digits, five minutes, used once) at an
  accredited terminal. The terminal is given a nonce for it, reads the physical card, and signs
  an attestation with that nonce.
- *fingerprint*: matched at the terminal against the chip, which the same attestation says; or
  on the holder's own phone (SOTER), over a challenge of ours.
- *face*: a fresh look at the living face; the caller did it, this notes how.

The steps of `Upgrades.attest`, numbered here and beside the code:

1. The terminal is accredited, and signed exactly this.      unauthenticated, bad_signature
2. It says all that it must, in the form it must.            bad_attestation
3. It was said just now, by Redis's clock.                   attestation_stale
4. The nonce is of a session that this terminal opened, not
   over, and is used up now, whatever comes of it.           unknown_session
5. The physical card is within its dates.                    physical_card_ended
6. Name and ID number are the record's, and no finger was
   found to be another's.                                    not_this_person, logged
7. The card is active and light; the bindings are written.   its status, already_upgraded

| field of `{b0042}:u:<cid>` | holds |
|---|---|
| i, at | the session's name, and when it began (µs) |
| bc, be | the binding code, until when |
| tn, tt, te | the nonce given to a terminal, which one, until when |
| fc, fe | the challenge given to the phone, until when |
| chip, fingerprint, face | when each was bound |
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog

from credentials import attestation, names, record
from credentials.attestation import UpgradeError
from credentials.audit import Audit
from credentials.errors import CredentialError, NoCardError, RefusalError, UnavailableError
from credentials.limits import Limits
from credentials.model import Consent, Holder, Level
from credentials.pins import SETTING_SECONDS
from credentials.renewal import Tell, tell_no_account
from credentials.sealing import BlindIndex, Sealer
from credentials.store import (
    Store,
    binding_key,
    card_key,
    is_credential_id,
    pin_key,
    place_of,
    record_key,
    upgrade_key,
)
from credentials.terminals import Terminal, Terminals

SESSION_SECONDS: Final = 30 * 60
FRESH_SECONDS: Final = 30 * 60
CODE_SECONDS: Final = 5 * 60
NONCE_SECONDS: Final = 5 * 60
CHALLENGE_SECONDS: Final = 2 * 60
CODE_DIGITS: Final = 8
CODE_TRIES: Final = 10  # wrong binding codes of a terminal in a minute
BINDINGS: Final = ("chip", "fingerprint", "face")
_CODE = re.compile(r"[0-9]{8}")
_log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Upgrade:
    """An upgrade that is under way; times are seconds since 1970, by Redis's clock.

    `bound` has when each binding was made; `now` is the moment of looking.
    """

    bound: Mapping[str, float]
    expires_at: float
    now: float


@dataclasses.dataclass(frozen=True, slots=True)
class BindingCode:
    """What the holder shows at the terminal: eight digits, and until when (seconds since 1970)."""

    digits: str
    expires_at: float
    now: float


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """Whose face is to be seen, and what they agreed to."""

    credential_id: str
    level: Level
    name: str
    id_number: str
    consents: tuple[Consent, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    """A credential with its sealed part open."""

    credential_id: str
    level: Level
    known: record.Sealed


class Upgrades:
    """The upgrades. Every method raises UnavailableError when it cannot know."""

    def __init__(
        self,
        store: Store,
        sealer: Sealer,
        index: BlindIndex,
        terminals: Terminals,
        limits: Limits,
        *,
        tell: Tell = tell_no_account,
        page: str = "",
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._index = index
        self._terminals = terminals
        self._limits = limits
        self._tell = tell
        self._page = page
        self._audit = Audit(store, sealer.keyring)

    # --- the holder ---------------------------------------------------------------------------

    def open(self, holder: Holder) -> Upgrade:
        """Begin an upgrade, or go on with the one that is under way.

        Raises:
            NoCardError: when the account holds no card.
            UpgradeError: already_upgraded.
            RefusalError: the card's status, when it is not active.
        """
        self._open(self._held(holder))
        return self._look(self._held(holder))

    def look(self, holder: Holder) -> Upgrade | None:
        """The upgrade that is under way, if there is one."""
        credential_id = self._store.get(card_key(holder))
        if credential_id is None or not is_credential_id(credential_id):
            return None
        try:
            return self._look(credential_id)
        except UpgradeError:
            return None

    def binding_code(self, holder: Holder) -> BindingCode:
        """A fresh binding code for the terminal; begins the upgrade; raises as `open`.

        It takes the place of the code before it.
        """
        credential_id = self._held(holder)
        for _ in range(5):
            digits = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
            session = self._open(credential_id)[1]
            meant = f"{credential_id} {session}"
            if self._store.put(binding_key(digits), meant, CODE_SECONDS, new=True):
                now, _ = self._open(credential_id, digits)
                return BindingCode(digits, now + CODE_SECONDS, now)
        raise UnavailableError(what="upgrade", why="codes")

    def challenge(self, holder: Holder) -> str:
        """A challenge for the phone's fingerprint sensor; begins the upgrade; raises as `open`."""
        credential_id = self._held(holder)
        self._open(credential_id)
        challenge = secrets.token_hex(32)
        keys, times = (upgrade_key(credential_id),), ("fc", "fe", challenge, CHALLENGE_SECONDS)
        if not self._store.run("upgrade_put", keys, times):
            raise UpgradeError("no_upgrade")
        return challenge

    def fingerprint(self, holder: Holder, result: str, signed: Callable[[], bool]) -> Level:
        """The fingerprint that the holder's own phone matched.

        Args:
            holder: whose session it is; the platform is asked about this very account.
            result: the JSON text that the phone signed.
            signed: asks the platform whether this account's phone signed it.

        Raises:
            UpgradeError: bad_challenge when it is not the challenge that was given last;
                fingerprint_refused when the platform does not confirm it; no_upgrade.
        """
        credential_id = self._held(holder)
        challenge, session, _ = self._take(credential_id, "fc", "fe")
        raw = _challenge_in(result)
        if not challenge or not hmac.compare_digest(
            raw.encode(errors="replace"), challenge.encode()
        ):
            raise UpgradeError("bad_challenge")
        if not signed():
            self._refused(credential_id, "fingerprint", "signature")
            raise UpgradeError("fingerprint_refused")
        evidence = {"by": "phone", "proof": hashlib.sha256(result.encode()).hexdigest()[:32]}
        return self._bind(credential_id, session, [("fingerprint", evidence)])

    def face(self, holder: Holder, evidence: Mapping[str, str]) -> Level:
        """A fresh look at the living face was passed; how, is in the evidence.

        Raises:
            UpgradeError: no_upgrade, already_upgraded.
        """
        credential_id = self._held(holder)
        session = self._store.fields(upgrade_key(credential_id))[0].get("i", b"").decode()
        return self._bind(credential_id, session, [("face", {"by": "platform", **evidence})])

    def identity(self, holder: Holder) -> Identity:
        """Whose face has to be seen.

        Raises:
            NoCardError: when the account holds no card, or its data is erased.
        """
        found = self._found(self._held(holder))
        return Identity(
            credential_id=found.credential_id,
            level=found.level,
            name=found.known.name,
            id_number=found.known.id_number,
            consents=found.known.consents,
        )

    # --- the terminal -------------------------------------------------------------------------

    def claim(self, said: Mapping[str, object], signature: str) -> tuple[str, float]:
        """A terminal shows a binding code: a nonce for its attestation, and seconds it lives.

        Args:
            said: `{"type": "terminal-session", "terminal", "binding_code", "time"}`.
            signature: the terminal's, base64.

        Raises:
            RefusalError: unauthenticated, bad_signature; too_many_requests after many wrong
                codes.
            UpgradeError: bad_attestation, attestation_stale, unknown_binding_code.
        """
        terminal = self._signed(said, signature)
        code = said.get("binding_code")
        if said.get("type") != "terminal-session" or not isinstance(code, str):
            raise UpgradeError("bad_attestation", field="binding_code")
        attestation.check_time(said, self._now(terminal))
        limit = ("terminal_code", terminal.terminal_id, CODE_TRIES)
        allowance = self._limits.attempt(*limit, 60, 60)
        if not allowance.allowed:
            raise RefusalError("too_many_requests", wait_s=allowance.wait_s)
        meant = self._store.take(binding_key(code)) if _CODE.fullmatch(code) else None
        if meant is None:
            raise UpgradeError("unknown_binding_code")
        credential_id, _, session = meant.partition(" ")
        nonce = secrets.token_hex(16)
        arguments = (code, session, nonce, terminal.terminal_id, NONCE_SECONDS)
        if not self._store.run("upgrade_claim", (upgrade_key(credential_id),), arguments):
            raise UpgradeError("unknown_binding_code")
        self._store.put(_nonce_key(nonce), credential_id, NONCE_SECONDS)
        self._limits.give_back(*limit)
        return nonce, NONCE_SECONDS

    def attest(self, said: Mapping[str, object], signature: str) -> tuple[Level, tuple[str, ...]]:
        """What a terminal read; the card's level then, and what is still to be bound.

        See the list at the head of this file.

        Raises:
            RefusalError: unauthenticated, bad_signature, or the card's status.
            UpgradeError: with the code of what is wrong.
        """
        terminal = self._signed(said, signature)  # 1
        read = attestation.checked(said)  # 2
        now = self._now(terminal)
        attestation.check_time(said, now)  # 3
        credential_id, session = self._spend(terminal, read["session"])  # 4
        today = datetime.datetime.fromtimestamp(now, record.CHINA).date()
        if not attestation.in_force(read, today):  # 5
            self._refused(credential_id, "chip", "dates", terminal)
            raise UpgradeError("physical_card_ended")
        known = self._found(credential_id).known
        same = read["id_number"] == known.id_number and names.same(read["name"], known.name)
        if not same or read["fingerprint"] == "not_matched":  # 6
            reason = "fingerprint" if same else "person"
            self._refused(credential_id, "chip", reason, terminal)
            told = {"terminal": terminal.name}
            self._inform(known.holder, "upgrade.terminal_refused", told, read["session"])
            raise UpgradeError("not_this_person")
        evidence = {
            "by": f"terminal:{terminal.terminal_id}",
            "card": self._index.of("card_serial", read["card_serial"]),
            "portrait": self._index.of("chip_portrait", read["portrait_sha256"]),
        }
        bindings = [("chip", evidence)]
        if read["fingerprint"] == "matched":
            bindings.append(("fingerprint", {"by": evidence["by"]}))
        level = self._bind(credential_id, session, bindings)  # 7
        missing: tuple[str, ...] = ()
        if level is Level.LIGHT:
            bound = self._look(credential_id).bound
            missing = tuple(name for name in BINDINGS if name not in bound)
        key = "upgrade.terminal_bound" if missing else "upgrade.done"
        values = {"terminal": terminal.name, "link": self._page}
        self._inform(known.holder, key, values, read["session"])
        return level, missing

    # --- inside -------------------------------------------------------------------------------

    def _inform(self, holder: Holder, key: str, values: Mapping[str, object], once: str) -> None:
        """Tell the holder in the chat, too; the terminal's answer stands where that cannot be.

        The nonce is used up and what was read is bound: a terminal that were told to try again
        could not.
        """
        try:
            self._tell(holder, key, values, once)
        except UnavailableError as error:
            _log.warning("holder not told", text=key, why=str(error.details.get("why", "")))

    def _signed(self, said: Mapping[str, object], signature: str) -> Terminal:
        return self._terminals.authenticate(str(said.get("terminal", ""))[:40], said, signature)

    def _spend(self, terminal: Terminal, nonce: str) -> tuple[str, str]:
        credential_id = self._store.take(_nonce_key(nonce))
        if credential_id is None:
            raise UpgradeError("unknown_session")
        opened_by = self._store.fields(upgrade_key(credential_id))[0].get("tt")
        given, session, _ = self._take(credential_id, "tn", "te")
        if given != nonce or opened_by != terminal.terminal_id.encode():
            raise UpgradeError("unknown_session")
        return credential_id, session

    def _take(self, credential_id: str, field: str, end: str) -> tuple[str, str, int]:
        keys = (upgrade_key(credential_id),)
        value, session, now = self._store.run("upgrade_take", keys, (field, end))
        return value.decode(), session.decode(), int(now)

    def _now(self, terminal: Terminal) -> float:
        return self._store.now(terminal.terminal_id) / 1e6

    def _held(self, holder: Holder) -> str:
        credential_id = self._store.get(card_key(holder))
        if credential_id is None or not is_credential_id(credential_id):
            raise NoCardError
        fields = self._store.glance(credential_id).record
        if not record.belongs_to(self._sealer, credential_id, fields, holder):
            raise NoCardError
        return credential_id

    def _found(self, credential_id: str) -> _Found:
        fields = self._store.glance(credential_id).record
        if "e" not in fields:
            raise NoCardError
        known = record.unseal(self._sealer, credential_id, fields["e"])
        return _Found(credential_id, Level(fields["l"].decode()), known)

    def _look(self, credential_id: str) -> Upgrade:
        now = self._store.glance(credential_id).now
        fields = self._store.fields(upgrade_key(credential_id))[0]
        if "i" not in fields:
            raise UpgradeError("no_upgrade")
        oldest = now - FRESH_SECONDS * 1_000_000
        bound = {
            name: int(fields[name]) / 1e6
            for name in BINDINGS
            if name in fields and int(fields[name]) >= oldest
        }
        return Upgrade(bound, int(fields["at"]) / 1e6 + SESSION_SECONDS, now / 1e6)

    def _open(self, credential_id: str, code: str = "") -> tuple[float, str]:
        place, pen = place_of(credential_id), self._audit.pen()
        answer: list[Any] = self._store.run(
            "upgrade_open",
            (record_key(credential_id), upgrade_key(credential_id), place.log, place.head),
            (
                *pen.chain(place),
                credential_id,
                *pen.entry(credential_id, "upgrade_begun", by="holder"),
                secrets.token_hex(16),
                SESSION_SECONDS,
                code,
                CODE_SECONDS,
            ),
        )
        if answer[0] != b"ok":
            raise _refusal(answer[1].decode())
        return int(answer[1]) / 1e6, answer[2].decode()

    def _bind(
        self,
        credential_id: str,
        session: str,
        bindings: Sequence[tuple[str, Mapping[str, str]]],
    ) -> Level:
        place, pen = place_of(credential_id), self._audit.pen()
        entries: list[str | bytes] = []
        for kind, evidence in bindings:
            entries += [kind, *pen.entry(credential_id, "bound", what=kind, **evidence)]
        answer: list[Any] = self._store.run(
            "bind",
            (
                record_key(credential_id),
                upgrade_key(credential_id),
                place.log,
                place.head,
                pin_key(credential_id),
            ),
            (
                *pen.chain(place),
                credential_id,
                session,
                FRESH_SECONDS * 1_000_000,
                SETTING_SECONDS,
                *pen.entry(credential_id, "upgraded", by="system"),
                *entries,
            ),
        )
        if answer[0] != b"ok":
            raise _refusal(answer[1].decode())
        return Level(answer[1].decode())

    def _refused(
        self, credential_id: str, what: str, reason: str, terminal: Terminal | None = None
    ) -> None:
        place, pen = place_of(credential_id), self._audit.pen()
        by = f"terminal:{terminal.terminal_id}" if terminal else "phone"
        entry = pen.entry(credential_id, "binding_refused", by=by, what=what, reason=reason)
        keys = (record_key(credential_id), place.log, place.head)
        self._store.run("remark", keys, (*pen.chain(place), credential_id, *entry))


def _nonce_key(nonce: str) -> str:
    return f"{{nonce:{nonce}}}"


def _refusal(code: str) -> CredentialError:
    if code == "no_card":
        return NoCardError()
    if code in {"already_upgraded", "no_upgrade"}:
        return UpgradeError(code)
    return RefusalError(code)


def _challenge_in(result: str) -> str:
    """The challenge inside what a phone signed; '' where there is none."""
    try:
        told = json.loads(result)
    except ValueError:
        return ""
    raw = told.get("raw") if isinstance(told, dict) else None
    return raw if isinstance(raw, str) else ""
