"""The services of this package, built once and passed on: what web pages and handlers work with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping

import redis

from credentials.accounts import Accounts
from credentials.audit import Audit
from credentials.authority import Authority
from credentials.cards import Cards
from credentials.cases import Cases
from credentials.codes import Codes
from credentials.expiry import Expiry
from credentials.keyring import Keyring
from credentials.limits import Limits
from credentials.pins import Pins
from credentials.purposes import PURPOSES, Purpose
from credentials.renewal import Renewals, Tell, tell_no_account
from credentials.resealing import Resealing
from credentials.rollout import Rollout
from credentials.sealing import BlindIndex, Sealer
from credentials.store import Store
from credentials.terminals import Terminals
from credentials.upgrade import Upgrades
from credentials.verification import Receipt, Verifications, tell_nobody
from credentials.verifiers import Verifiers
from credentials.waiting import Waiting
from texts import Texts


@dataclasses.dataclass(frozen=True, slots=True)
class Services:
    """Everything the parts above may ask; each is safe to share between threads."""

    redis: redis.Redis
    keyring: Keyring
    sealer: Sealer
    index: BlindIndex
    codes: Codes
    cards: Cards
    verifications: Verifications
    verifiers: Verifiers
    staff: Accounts
    operators: Accounts
    purposes: Mapping[str, Purpose]
    rollout: Rollout
    limits: Limits
    authority: Authority
    audit: Audit
    texts: Texts
    address: str
    pins: Pins
    terminals: Terminals
    upgrades: Upgrades
    cases: Cases
    renewals: Renewals
    expiry: Expiry
    waiting: Waiting
    resealing: Resealing


def build(
    database: redis.Redis,
    keyring: Keyring,
    *,
    address: str,
    authority: Authority,
    rollout: Iterable[str] = (),
    texts: Texts | None = None,
    told: Callable[[Receipt], None] = tell_nobody,
    tell: Tell = tell_no_account,
) -> Services:
    """Put the services together.

    Args:
        database: a client of `connection.connect`.
        keyring: the master keys.
        address: the public address in links and codes, without a slash at its end.
        authority: the population registry; `Sealer(keyring)` and `BlindIndex(database, sealer)`
            for an embedded one may be made beforehand, they hold nothing of their own.
        rollout: division prefixes that hold until others are put in force.
        texts: the catalogues; read anew when not given.
        told: whom receipts are passed to, to reach the holder in the chat.
        tell: whom news for an account is passed to (see renewal.py), for the same.
    """
    store = Store(database)
    sealer = Sealer(keyring)
    index = BlindIndex(database, sealer)
    codes = Codes(keyring, address)
    terminals = Terminals(database)
    cards = Cards(store, sealer, index, codes)
    where = Rollout(database, rollout)
    return Services(
        redis=database,
        keyring=keyring,
        sealer=sealer,
        index=index,
        codes=codes,
        cards=cards,
        verifications=Verifications(store, sealer, codes, told=told),
        verifiers=Verifiers(database),
        staff=Accounts(database, "staff"),
        operators=Accounts(database, "operator"),
        purposes=PURPOSES,
        rollout=where,
        limits=Limits(database),
        authority=authority,
        audit=Audit(store, keyring),
        texts=texts or Texts(),
        address=address,
        pins=Pins(store, sealer),
        terminals=terminals,
        cases=Cases(store, sealer),
        renewals=Renewals(store, sealer, cards, authority, tell),
        expiry=Expiry(store, cards, tell),
        resealing=Resealing(store, sealer),
        waiting=Waiting(database, sealer, index, where, tell),
        upgrades=Upgrades(store, sealer, index, terminals, Limits(database)),
    )
