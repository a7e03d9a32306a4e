"""The services of this package, built once and passed on: what web pages and handlers work with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping

import redis

from credentials import reviews
from credentials.accounts import Accounts
from credentials.api_keys import ApiKeys
from credentials.audit import Audit
from credentials.authority import Authority
from credentials.cards import Cards
from credentials.cases import Cases
from credentials.codes import Codes
from credentials.comparisons import Comparisons
from credentials.desk_pins import DeskPins
from credentials.expiry import Expiry
from credentials.frames import Frames
from credentials.keyring import Keyring
from credentials.limits import Limits
from credentials.misuse import Misuse
from credentials.model import Holder
from credentials.offline import Offline
from credentials.organisations import Organisations
from credentials.patterns import Aftermath, Patterns
from credentials.pins import Pins
from credentials.purposes import PURPOSES, Purpose
from credentials.questions import Questions
from credentials.receipts import Receipts
from credentials.renewal import Renewals, Tell, tell_no_account
from credentials.resealing import Resealing
from credentials.reviews import Reviews
from credentials.rollout import Rollout
from credentials.sealing import BlindIndex, Sealer
from credentials.shifts import Shifts
from credentials.short_codes import ShortCodes
from credentials.sightings import Sightings
from credentials.store import Store
from credentials.templates import Templates
from credentials.terminals import Terminals
from credentials.upgrade import Upgrades
from credentials.verification import Verifications
from credentials.verifiers import Verifiers
from credentials.waiting import Waiting
from credentials.webhooks import Webhooks, later_never
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
    misuse: Misuse
    renewals: Renewals
    expiry: Expiry
    waiting: Waiting
    resealing: Resealing
    templates: Templates
    sightings: Sightings
    frames: Frames
    reviews: Reviews
    api_keys: ApiKeys
    shifts: Shifts
    desk_pins: DeskPins
    short_codes: ShortCodes
    organisations: Organisations
    webhooks: Webhooks
    aftermath: Aftermath
    offline: Offline
    receipts: Receipts
    comparisons: Comparisons
    questions: Questions


def build(
    database: redis.Redis,
    keyring: Keyring,
    *,
    address: str,
    authority: Authority,
    rollout: Iterable[str] = (),
    texts: Texts | None = None,
    tell: Tell = tell_no_account,
    decided: Callable[[Holder], None] = reviews.tell_nobody,
    later: Callable[..., object] = later_never,
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
        tell: whom news for an account is passed to (see renewal.py), for the same.
        decided: whom the account of a decided review is passed to, to hear it in the chat.
        later: has a job done, as `bot.jobs.Jobs.enqueue`; for webhooks.
    """
    store = Store(database)
    sealer = Sealer(keyring)
    index = BlindIndex(database, sealer)
    codes = Codes(keyring, address)
    terminals = Terminals(database)
    cards = Cards(store, sealer, index, codes)
    where = Rollout(database, rollout)
    audit = Audit(store, keyring)
    staff, verifiers, cases = Accounts(database, "staff"), Verifiers(database), Cases(store, sealer)
    webhooks = Webhooks(database, sealer, later)
    return Services(
        redis=database,
        keyring=keyring,
        sealer=sealer,
        index=index,
        codes=codes,
        cards=cards,
        verifications=Verifications(store, sealer, codes),
        verifiers=verifiers,
        staff=staff,
        operators=Accounts(database, "operator"),
        purposes=PURPOSES,
        rollout=where,
        limits=Limits(database),
        authority=authority,
        audit=audit,
        texts=texts or Texts(),
        address=address,
        pins=Pins(store, sealer),
        terminals=terminals,
        cases=cases,
        misuse=Misuse(cards, cases),
        renewals=Renewals(store, sealer, cards, authority, tell),
        expiry=Expiry(store, cards, tell),
        resealing=Resealing(store, sealer),
        waiting=Waiting(database, sealer, index, where, tell),
        templates=Templates(database, sealer, index),
        comparisons=Comparisons(store, sealer),
        offline=Offline(store, sealer, cases),
        sightings=Sightings(database, sealer, index),
        receipts=Receipts(store, sealer),
        frames=Frames(database, sealer),
        questions=Questions(database),
        api_keys=ApiKeys(database),
        shifts=Shifts(database, sealer),
        desk_pins=DeskPins(database, sealer, staff),
        short_codes=ShortCodes(store),
        organisations=Organisations(database, sealer, verifiers, staff, audit),
        webhooks=webhooks,
        aftermath=Aftermath(Patterns(store, cases, verifiers), webhooks),
        reviews=Reviews(database, sealer, index, audit, told=decided),
        upgrades=Upgrades(
            store, sealer, index, terminals, Limits(database), tell=tell, page=f"{address}/card"
        ),
    )
