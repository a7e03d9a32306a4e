"""Passkeys: keys that a device keeps and opens by a finger, a face or its own PIN (WebAuthn L2).

A passkey verifies the person as well as the device (`user_verification`), so it is both factors
at once. What is kept here is public: the key that checks signatures. A challenge is good for
five minutes and for one answer; Redis hands it out once.

| key | holds |
|---|---|
| `{pk:<kind>:<username>}` | hash: by credential id, JSON of k public key, n signature count, \
  w name, t added (s) |
| `{passkeys:<kind>}` | hash: whose a credential id is |
| `{pkc:<kind>:<challenge>}` | for whom a challenge was made, empty for whoever signs in |
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import ipaddress
import json
import re
import secrets
import time
from typing import Any
from urllib.parse import urlsplit

import redis
import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from credentials.accounts import Kind, normalise
from credentials.connection import guard
from credentials.errors import SignInError
from credentials.hashes import read, write

CHALLENGE_S = 5 * 60
MOST = 10
LONGEST_NAME = 40
LONGEST_ANSWER = 16 * 1024
NAME = "Virtual ID card"
_IDENTIFIER = re.compile(r"[\w-]{1,1400}", re.ASCII)  # base64url of at most 1023 bytes
_BROKEN = (WebAuthnException, ValueError, KeyError, TypeError, RecursionError)
_COUNT = """
-- Keep a passkey's new count, unless it was removed meanwhile. KEYS[1] {pk}
-- ARGV  1 credential id · 2 what is kept. Gives 1, or 0 if it is not there.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Passkey:
    """One passkey of an account; `added_at` in seconds since 1970."""

    identifier: str
    name: str
    added_at: float


class Passkeys:
    """The passkeys of one kind of account; every method raises UnavailableError."""

    def __init__(self, database: redis.Redis, kind: Kind, address: str) -> None:
        """Passkeys that are bound to the host of `address` (the relying party's id)."""
        self._redis = database
        self._kind = kind
        self._origin = "{0.scheme}://{0.netloc}".format(urlsplit(address))
        self._host = urlsplit(address).hostname or ""
        self._count = database.register_script(_COUNT)

    @property
    def possible(self) -> bool:
        """Whether browsers make passkeys for this address: a name, over https or on this machine.

        An IP address cannot be a relying party's id (WebAuthn 5.1.2, effective domain).
        """
        try:
            ipaddress.ip_address(self._host)
        except ValueError:
            return self._origin.startswith("https://") or self._host == "localhost"
        return False

    def of(self, username: str) -> list[Passkey]:
        """The passkeys of an account, the newest first."""
        found = [
            Passkey(identifier.decode(), told["w"], float(told["t"]))
            for identifier, kept in read(self._redis, self._place(username)).items()
            if (told := json.loads(kept))
        ]
        return sorted(found, key=lambda each: -each.added_at)

    def enrolled(self, username: str) -> bool:
        """Whether an account has a passkey."""
        with guard():
            return bool(self._redis.hlen(self._place(username)))

    def offer(self, username: str) -> str:
        """What a browser needs to make a passkey, as WebAuthn's JSON."""
        name = normalise(username)
        made = webauthn.generate_registration_options(
            rp_id=self._host,
            rp_name=NAME,
            user_name=name,
            # At most 64 bytes and nobody's name (WebAuthn 5.4.3).
            user_id=hashlib.sha256(f"{self._kind}:{name}".encode()).digest(),
            challenge=self._challenge(name),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[
                PublicKeyCredentialDescriptor(id=base64url_to_bytes(each.identifier))
                for each in self.of(name)
            ],
        )
        return options_to_json(made)

    def add(self, username: str, answer: str, name: str) -> Passkey:
        """Keep the passkey that a browser made (WebAuthn 7.1).

        Raises:
            SignInError: passkey_refused, or passkey_many for more than ten.
        """
        own = normalise(username)
        challenge = self._taken(answer, own)
        if len(self.of(own)) >= MOST:
            raise SignInError("passkey_many", limit=MOST)
        try:
            made = webauthn.verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except _BROKEN as error:
            raise SignInError("passkey_refused") from error
        identifier = bytes_to_base64url(made.credential_id)
        passkey = Passkey(
            identifier, " ".join(name.split())[:LONGEST_NAME] or "-", float(round(time.time()))
        )
        told = {
            "k": base64.b64encode(made.credential_public_key).decode(),
            "n": made.sign_count,
            "w": passkey.name,
            "t": passkey.added_at,
        }
        with guard():  # Listed first: an id that is listed and not kept opens nothing.
            fresh = self._redis.hsetnx(self._everybody, identifier, own)
        if not fresh:
            raise SignInError("passkey_refused")
        write(self._redis, self._place(own), {identifier: json.dumps(told, ensure_ascii=False)})
        return passkey

    def ask(self) -> str:
        """What a browser needs to sign in with whichever passkey its owner picks."""
        made = webauthn.generate_authentication_options(
            rp_id=self._host,
            challenge=self._challenge(""),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json(made)

    def check(self, answer: str) -> str:
        """The user name that a passkey's answer opens (WebAuthn 7.2).

        Raises:
            SignInError: passkey_refused, whatever is wrong.
        """
        challenge = self._taken(answer, "")
        identifier = str(_part(answer, "id"))
        if not _IDENTIFIER.fullmatch(identifier):
            raise SignInError("passkey_refused")
        with guard():
            whose: Any = self._redis.hget(self._everybody, identifier)
        username = whose.decode() if whose else ""
        kept = read(self._redis, self._place(username)).get(identifier.encode()) if whose else None
        if not kept:
            raise SignInError("passkey_refused")
        told = json.loads(kept)
        try:
            seen = webauthn.verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
                credential_public_key=base64.b64decode(told["k"]),
                credential_current_sign_count=told["n"],
                require_user_verification=True,
            )
        except _BROKEN as error:
            raise SignInError("passkey_refused") from error
        told["n"] = seen.new_sign_count
        with guard():
            place, said = self._place(username), json.dumps(told, ensure_ascii=False)
            if not self._count(keys=[place], args=[identifier, said]):
                raise SignInError("passkey_refused")
        return username

    def remove(self, username: str, identifier: str = "") -> None:
        """Make one passkey of an account worthless, or all of them."""
        place = self._place(username)
        wanted = [each.identifier for each in self.of(username)]
        with guard():
            for each in wanted:
                if identifier in {"", each}:
                    self._redis.hdel(place, each)
                    self._redis.hdel(self._everybody, each)

    def _challenge(self, username: str) -> bytes:
        challenge = secrets.token_bytes(32)
        with guard():
            self._redis.set(self._asked(bytes_to_base64url(challenge)), username, ex=CHALLENGE_S)
        return challenge

    def _taken(self, answer: str, username: str) -> bytes:
        """The challenge that an answer is for, gone from now on."""
        if len(answer) > LONGEST_ANSWER:
            raise SignInError("passkey_refused")
        try:
            said = json.loads(base64url_to_bytes(str(_part(answer, "response", "clientDataJSON"))))
            challenge = str(said["challenge"])[:100]
            plain = base64url_to_bytes(challenge)
        except _BROKEN as error:
            raise SignInError("passkey_refused") from error
        if not _IDENTIFIER.fullmatch(challenge):
            raise SignInError("passkey_refused")
        with guard():
            whose: Any = self._redis.getdel(self._asked(challenge))
        if whose is None or whose.decode() != username:
            raise SignInError("passkey_refused")
        return plain

    @property
    def _everybody(self) -> str:
        return f"{{passkeys:{self._kind}}}"

    def _place(self, username: str) -> str:
        return f"{{pk:{self._kind}:{normalise(username)}}}"

    def _asked(self, challenge: str) -> str:
        return f"{{pkc:{self._kind}:{challenge}}}"


def _part(answer: str, *path: str) -> object:
    """A part of an answer in JSON.

    Raises:
        SignInError: passkey_refused when it is not there.
    """
    try:
        found: Any = json.loads(answer)
        for name in path:
            found = found[name]
    except _BROKEN as error:
        raise SignInError("passkey_refused") from error
    return found
