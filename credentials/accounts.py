"""The accounts of those who sign in with a password: staff of verifiers, and operators.

A new account has a one-time password, which must be changed before anything else. Five wrong
passwords lock an account for 15 minutes; names that do not exist are locked and answered just
the same, so nobody finds out which names there are. `epoch` is written into each session and
grows whenever all sessions of an account must end.

| key | holds |
|---|---|
| `{accounts:<kind>}` | set: the usernames |
| `{a:<kind>:<username>}` | hash: h password hash, m must change, e epoch, x disabled, r, v, d |
| `{limit:sign_in:<kind>:<username>}` | attempts, see `limits.py` |

r is the role: an operator's, or `manager` for who runs a verifier's desks; v the verifier's id
and d the desk of a staff member.
"""

from __future__ import annotations

import dataclasses
import enum
import re
import unicodedata
from typing import Literal, cast

import redis

from credentials import passwords
from credentials.connection import guard
from credentials.errors import CredentialError, SignInError
from credentials.hashes import Changes, Fields, read, read_many, script
from credentials.limits import Limits

Kind = Literal["staff", "operator"]
ATTEMPTS = 5
LOCK_S = 15 * 60
LONGEST_DESK = 40
STAFF_ROLES = ("staff", "manager")
_RENEW = """
-- Keep a password's hash of today's strength, unless the password was changed meanwhile.
-- KEYS[1] {a}   ARGV[1] the hash as it was   ARGV[2] as it is now
if redis.call('HGET', KEYS[1], 'h') == ARGV[1] then redis.call('HSET', KEYS[1], 'h', ARGV[2]) end
"""
_USERNAME = re.compile(r"[\w][\w.@-]{1,63}")


class Role(enum.StrEnum):
    """What an operator may do: look, also decide reviews, also everything else."""

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Whether this role may do all that `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


class AccountError(CredentialError):
    """What an account cannot be made or changed with.

    bad_username, bad_desk, bad_role, account_exists, no_such_account.
    """

    code = "no_such_account"


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """One account; `role` is an operator's, `verifier_id` and `desk` are a staff member's."""

    username: str
    kind: Kind
    role: str
    verifier_id: str
    desk: str
    must_change_password: bool
    epoch: int
    disabled: bool = False


class Accounts:
    """The accounts of one kind; every method raises UnavailableError when Redis cannot be asked."""

    def __init__(self, database: redis.Redis, kind: Kind) -> None:
        self._database = database
        self._kind: Kind = kind
        self._limits = Limits(database)
        self._create = script(database, "create")
        self._renew = database.register_script(_RENEW)

    def add(
        self,
        username: str,
        *,
        verifier_id: str = "",
        desk: str = "",
        role: str = "",
        password_hash: str = "",
    ) -> str:
        """Make an account; gives its one-time password, which nobody can read again.

        With `password_hash`, of a password that its owner chose, that one opens it instead.

        Raises:
            AccountError: bad_username, bad_desk, bad_role, account_exists.
        """
        name = checked_username(username)
        place = " ".join(desk.split())
        if len(place) > LONGEST_DESK or not place.isprintable():
            raise AccountError("bad_desk", limit=LONGEST_DESK)
        if self._kind == "operator" and role not in set(Role):
            raise AccountError("bad_role", role=role, roles=", ".join(Role))
        password = passwords.one_time()
        fields: dict[str, str | int] = {"m": 1, "e": 1, "r": role, "v": verifier_id, "d": place}
        fields["h"] = password_hash or passwords.hashed(password)
        if password_hash:
            fields["m"] = 0
        with guard():
            # Listed first: a name that is listed and has no record is passed over.
            self._database.sadd(self._all, name)
            added = self._create(
                keys=[self._place(name)], args=[part for pair in fields.items() for part in pair]
            )
        if not added:
            raise AccountError("account_exists", username=name)
        return password

    def sign_in(self, username: str, password: str) -> Account:
        """The account that this name and password open.

        1. Count the attempt, before anything is compared. 2. Compare, with a hash of nobody's
        if there is no such account. 3. Only then say that an account is disabled. 4. Forget the
        attempts.

        Raises:
            SignInError: locked (`details["wait_minutes"]`), wrong_password (`details["left"]`
                attempts), disabled.
        """
        name = normalise(username)
        allowance = self._limits.attempt(self._scope, name, ATTEMPTS, LOCK_S, LOCK_S)  # 1
        if not allowance.allowed:
            raise SignInError("locked", wait_minutes=allowance.wait_minutes)
        fields = self._fields(name)
        kept = fields[b"h"].decode() if fields else None
        if not passwords.matches(kept, password) or kept is None:  # 2
            if not allowance.left:
                raise SignInError("locked", wait_minutes=LOCK_S // 60)
            raise SignInError("wrong_password", left=allowance.left)
        account = self._account(name, fields)
        if account.disabled:  # 3
            raise SignInError("disabled")
        self._limits.forget(self._scope, name)  # 4
        if passwords.is_outdated(kept):
            renewed = passwords.hashed(password)
            with guard():
                self._renew(keys=[self._place(name)], args=[kept, renewed])
        return account

    def set_password(self, username: str, new: str) -> Account:
        """Give an account the password that its owner chose; all its sessions end.

        Raises:
            AccountError: no_such_account.
            PasswordError: when the password is too weak, or is the present one.
        """
        name = normalise(username)
        passwords.check_new(new, name)
        fields = self._existing(name)
        if passwords.matches(fields[b"h"].decode(), new):
            raise passwords.PasswordError("password_same")
        return self._replace_password(name, new, must_change=False)

    def reset_password(self, username: str) -> str:
        """Give an account a new one-time password; all its sessions end, its lock opens.

        Raises:
            AccountError: no_such_account.
        """
        name = normalise(username)
        self._existing(name)
        password = passwords.one_time()
        self._replace_password(name, password, must_change=True)
        self._limits.forget(self._scope, name)
        return password

    def disable(self, username: str, *, disabled: bool = True) -> Account:
        """Keep an account from signing in, and end its sessions; or let it in again.

        Raises:
            AccountError: no_such_account.
        """
        return self._change(username, x=int(disabled))

    def assign(self, username: str, *, role: str = "", desk: str = "") -> Account:
        """Give an operator another role, or a staff member another desk; their sessions end.

        Raises:
            AccountError: no_such_account, bad_role, bad_desk.
        """
        roles = tuple(Role) if self._kind == "operator" else STAFF_ROLES
        if role and role not in roles:
            raise AccountError("bad_role", role=role, roles=", ".join(roles))
        if len(desk) > LONGEST_DESK or not desk.isprintable():
            raise AccountError("bad_desk", limit=LONGEST_DESK)
        return self._change(
            username, **({"r": role} if role else {}), **({"d": desk} if desk else {})
        )

    def end_sessions(self, username: str) -> Account:
        """End all sessions of an account at once.

        Raises:
            AccountError: no_such_account.
        """
        return self._change(username)

    def free(self, username: str) -> str:
        """A name that nobody has yet.

        Raises:
            AccountError: account_exists, bad_username.
        """
        name = checked_username(username)
        if self.get(name) is not None:
            raise AccountError("account_exists", username=name)
        return name

    def get(self, username: str) -> Account | None:
        """The account of this name."""
        name = normalise(username)
        fields = self._fields(name)
        return self._account(name, fields) if fields else None

    def of_session(self, username: str, epoch: int) -> Account | None:
        """The account of a session that began in `epoch`; None if it has ended since."""
        account = self.get(username)
        return account if account and account.epoch == epoch and not account.disabled else None

    def all(self) -> list[Account]:
        """Every account of this kind, by name."""
        with guard():
            listed = self._database.smembers(self._all)
        names = sorted(name.decode() for name in listed if isinstance(name, bytes))
        records = read_many(self._database, map(self._place, names))
        return [
            self._account(name, fields)
            for name, fields in zip(names, records, strict=True)
            if b"h" in fields
        ]

    @property
    def _all(self) -> str:
        return f"{{accounts:{self._kind}}}"

    @property
    def _scope(self) -> str:
        return f"sign_in:{self._kind}"

    def _place(self, name: str) -> str:
        return f"{{a:{self._kind}:{name}}}"

    def _fields(self, name: str) -> Fields:
        if not _USERNAME.fullmatch(name):
            return {}
        fields = read(self._database, self._place(name))
        return fields if b"h" in fields else {}

    def _existing(self, name: str) -> Fields:
        fields = self._fields(name)
        if not fields:
            raise AccountError("no_such_account", username=name)
        return fields

    def _replace_password(self, name: str, password: str, *, must_change: bool) -> Account:
        return self._change(name, h=passwords.hashed(password), m=int(must_change))

    def _change(self, username: str, **fields: str | int) -> Account:
        name = normalise(username)
        self._existing(name)
        with guard():
            together = self._database.pipeline(transaction=True)
            if fields:
                together.hset(self._place(name), mapping=cast("Changes", fields))
            together.hincrby(self._place(name), "e", 1)
            together.execute()
        return self._account(name, self._existing(name))

    def _account(self, name: str, fields: Fields) -> Account:
        def text(field: bytes) -> str:
            return fields.get(field, b"").decode()

        return Account(
            username=name,
            kind=self._kind,
            role=text(b"r"),
            verifier_id=text(b"v"),
            desk=text(b"d"),
            must_change_password=text(b"m") == "1",
            epoch=int(text(b"e") or 0),
            disabled=text(b"x") == "1",
        )


def normalise(username: str) -> str:
    """One way of writing for a name: half-width, lower case, no blanks around; at most 64."""
    return unicodedata.normalize("NFKC", username[:200]).strip().casefold()[:64]


def checked_username(username: str) -> str:
    """The name as it is kept.

    Raises:
        AccountError: bad_username, unless it has 2 to 64 letters, digits, dots, @, - and _.
    """
    name = unicodedata.normalize("NFKC", username[:200]).strip().casefold()
    if not _USERNAME.fullmatch(name):
        raise AccountError("bad_username", username=username[:64])
    return name
