"""Cards that move and renew: what the authority says by now, for one card and for all."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from credentials.authority import EmbeddedRegistry
from credentials.cards import Cards
from credentials.errors import CredentialError, LifecycleError, NoCardError, UnavailableError
from credentials.model import Actor, Holder, Level, Person, Status
from credentials.renewal import Finding, Renewals, Tell
from credentials.store import Argument, Store, card_key, pin_key, record_key
from tests.credentials.issuer import CONSENTS, HOLDER, Issuer, Phone, person, refusal

NEW = Holder("wechat", "oNew")


@pytest.fixture
def told() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def registry(issuer: Issuer) -> EmbeddedRegistry:
    return EmbeddedRegistry(issuer.database, issuer.sealer, issuer.index)


@pytest.fixture
def tell(told: list[tuple[str, str]]) -> Tell:
    """Carries news as the outbox does: each once, by its name."""
    names: set[str] = set()

    def tell(holder: Holder, key: str, values: Mapping[str, object], once: str) -> None:
        assert once
        if once not in names:
            names.add(once)
            told.append((holder.openid, key))

    return tell


@pytest.fixture
def renewals(issuer: Issuer, registry: EmbeddedRegistry, tell: Tell) -> Renewals:
    return Renewals(issuer.store, issuer.sealer, issuer.cards, registry, tell)


@pytest.fixture
def who(registry: EmbeddedRegistry) -> Person:
    known = person()
    registry.add(known)
    return known


class Meanwhile(Store):
    """Does something right before or after the first time that a script runs."""

    def __init__(
        self,
        issuer: Issuer,
        script: str,
        *,
        before: Callable[[], object] | None = None,
        after: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(issuer.database)
        self._script = script
        self._acts = [before, after]

    def run(self, name: str, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        if name != self._script:
            return super().run(name, keys, args)
        (before, after), self._acts = self._acts, [None, None]
        if before:
            before()
        answer = super().run(name, keys, args)
        if after:
            after()
        return answer


def cut_short() -> None:
    raise UnavailableError(what="redis", why="timeout")


def upgraded(issuer: Issuer, phone: Phone) -> None:
    issuer.database.hset(record_key(phone.credential_id), "l", "upgraded")
    issuer.database.hset(pin_key(phone.credential_id), "h", "sealed")


def test_a_move_ends_the_level_the_pin_and_every_code(
    issuer: Issuer, renewals: Renewals, who: Person, phone: Phone, told: list[tuple[str, str]]
) -> None:
    upgraded(issuer, phone)
    code = phone.show()
    card = renewals.move(NEW, who, CONSENTS, evidence={"distance": "0.4"})
    assert (card.credential_id, card.holder, card.level) == (
        phone.credential_id, NEW, Level.LIGHT,
    )  # fmt: skip
    assert not issuer.database.exists(pin_key(card.credential_id))
    assert not issuer.database.exists(card_key(phone.holder))
    desk = issuer.desk()
    assert refusal(lambda: desk.scan(code, "internet_cafe")) == "already_used"
    assert told == [(phone.holder.openid, "life.moved_away")]
    assert issuer.findings() == []


def test_a_move_made_twice_is_one(
    renewals: Renewals, who: Person, phone: Phone, told: list[tuple[str, str]]
) -> None:
    first = renewals.move(NEW, who, CONSENTS, evidence={})
    assert renewals.move(NEW, who, CONSENTS, evidence={}).change == first.change
    assert len(told) == 1
    assert phone.history().count("moved") == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_move_that_was_cut_short_is_finished_by_its_repetition(
    issuer: Issuer, registry: EmbeddedRegistry, tell: Tell, told: list[tuple[str, str]], moment: str
) -> None:
    who, old = person(), issuer.phone().holder
    registry.add(who)
    store = Meanwhile(issuer, "rebind", **{moment: cut_short})
    renewals = Renewals(store, issuer.sealer, issuer.cards, registry, tell)
    with pytest.raises(UnavailableError):
        renewals.move(NEW, who, CONSENTS, evidence={})
    assert issuer.cards.of(old) is None
    card = renewals.move(NEW, who, CONSENTS, evidence={})
    assert card.holder == NEW
    assert issuer.cards.of(NEW) == card
    assert issuer.cards.of(old) is None
    assert not issuer.database.exists(card_key(old))
    assert issuer.database.ttl(card_key(NEW)) == -1
    assert told == [(old.openid, "life.moved_away")]


def test_of_two_moves_at_once_the_last_has_the_card_alone(
    issuer: Issuer,
    registry: EmbeddedRegistry,
    renewals: Renewals,
    tell: Tell,
    told: list[tuple[str, str]],
) -> None:
    who, old, other = person(), issuer.phone().holder, Holder("wechat", "oOther")
    registry.add(who)
    first = functools.partial(renewals.move, other, who, CONSENTS, evidence={})
    second = Renewals(
        Meanwhile(issuer, "rebind", before=first), issuer.sealer, issuer.cards, registry, tell
    )
    card = second.move(NEW, who, CONSENTS, evidence={})
    assert issuer.cards.of(NEW) == card
    assert [issuer.cards.of(each) for each in (old, other)] == [None, None]
    assert not issuer.database.exists(card_key(old), card_key(other))
    assert told == [(old.openid, "life.moved_away"), (other.openid, "life.moved_away")]


def test_a_move_that_another_overtook_says_so(
    issuer: Issuer, registry: EmbeddedRegistry, renewals: Renewals, tell: Tell
) -> None:
    who, other = person(), Holder("wechat", "oOther")
    issuer.phone()
    registry.add(who)
    then = functools.partial(renewals.move, other, who, CONSENTS, evidence={})
    overtaken = Renewals(
        Meanwhile(issuer, "rebind", after=then), issuer.sealer, issuer.cards, registry, tell
    )
    with pytest.raises(NoCardError):
        overtaken.move(NEW, who, CONSENTS, evidence={})
    assert issuer.cards.of(NEW) is None
    assert issuer.cards.of(other) is not None


def test_a_card_that_ended_meanwhile_does_not_move(
    issuer: Issuer, registry: EmbeddedRegistry, tell: Tell, told: list[tuple[str, str]]
) -> None:
    who, phone = person(), issuer.phone()
    end = functools.partial(issuer.cards.revoke, phone.credential_id, HOLDER)
    renewals = Renewals(
        Meanwhile(issuer, "claim", after=end), issuer.sealer, issuer.cards, registry, tell
    )
    with pytest.raises(NoCardError):
        renewals.move(NEW, who, CONSENTS, evidence={})
    assert told == []
    assert issuer.cards.of(NEW) is None
    kept = issuer.cards.of(phone.holder)
    assert kept is not None
    assert kept.status is Status.REVOKED


def test_an_account_with_a_card_takes_no_other(
    issuer: Issuer, renewals: Renewals, who: Person, phone: Phone
) -> None:
    issuer.issue(person(2), NEW.openid)
    with pytest.raises(CredentialError, match="has_card"):
        renewals.move(NEW, who, CONSENTS, evidence={})
    card = issuer.cards.of(phone.holder)
    assert card is not None
    assert card.credential_id == phone.credential_id


def test_an_account_whose_card_is_over_takes_another(
    issuer: Issuer, renewals: Renewals, who: Person, phone: Phone
) -> None:
    over = issuer.issue(person(2), NEW.openid)
    issuer.cards.revoke(over.credential_id, HOLDER)
    assert renewals.move(NEW, who, CONSENTS, evidence={}).credential_id == phone.credential_id


@pytest.mark.parametrize("end", ["revoke", "expire"])
def test_what_is_over_does_not_move(
    issuer: Issuer, renewals: Renewals, who: Person, phone: Phone, end: str
) -> None:
    getattr(issuer.cards, end)(phone.credential_id, HOLDER)
    with pytest.raises(NoCardError):
        renewals.move(NEW, who, CONSENTS, evidence={})


def test_a_number_without_a_card_does_not_move(renewals: Renewals, who: Person) -> None:
    with pytest.raises(NoCardError):
        renewals.move(NEW, who, CONSENTS, evidence={})


@pytest.mark.parametrize(
    "case",
    [
        ({"address": "北京市东城区"}, False),
        ({"residence": "110101"}, False),
        ({"valid_until": datetime.date(2050, 1, 1)}, True),
        ({"valid_until": None}, True),
    ],
)
def test_what_the_authority_says_is_taken_over(
    issuer: Issuer,
    renewals: Renewals,
    registry: EmbeddedRegistry,
    phone: Phone,
    case: tuple[dict[str, object], bool],
) -> None:
    (changes, falls), who = case, person()
    registry.add(who)
    upgraded(issuer, phone)
    registry.add(dataclasses.replace(who, **changes))  # type: ignore[arg-type]
    found = renewals.recheck(phone.credential_id)
    assert (found.finding, found.fields) == (Finding.CHANGED, tuple(changes))
    card = issuer.cards.get(phone.credential_id)
    assert card is not None
    assert card.level is (Level.LIGHT if falls else Level.UPGRADED)
    assert renewals.recheck(phone.credential_id).finding is Finding.SAME
    assert issuer.findings() == []


def test_sync_finds_each(
    issuer: Issuer, renewals: Renewals, registry: EmbeddedRegistry, told: list[tuple[str, str]]
) -> None:
    phones = [issuer.phone(number) for number in range(1, 6)]
    for number in range(1, 6):
        registry.add(person(number))
    registry.end(person(1).id_number, "died")
    registry.add(person(2, name="张无忌"))
    registry.add(person(3, address="别处"))
    issuer.cards.freeze(phones[3].credential_id, HOLDER)
    issuer.cards.revoke(phones[4].credential_id, HOLDER)
    pauses: list[float] = []
    last = list(renewals.sync(rate=0.001, pause=pauses.append))[-1]
    assert (last.done, last.total) == (4, 4)
    assert last.findings == {"ended": 1, "renamed": 1, "changed": 1, "same": 1}
    assert len(pauses) == 3
    statuses = [card.status for each in phones if (card := issuer.cards.get(each.credential_id))]
    assert statuses == [
        Status.REVOKED, Status.FROZEN, Status.ACTIVE, Status.FROZEN, Status.REVOKED,
    ]  # fmt: skip
    assert sorted(told) == [("oPhone1", "life.ended"), ("oPhone2", "life.renamed")]
    again = list(renewals.sync(rate=1000, pause=pauses.append))[-1]
    assert again.findings == {"renamed": 1, "same": 2}
    assert len(told) == 2  # nobody is told again


def frozen_by(issuer: Issuer, phone: Phone) -> str:
    card = issuer.cards.get(phone.credential_id)
    assert card is not None
    assert card.status is Status.FROZEN
    return card.frozen_by


@pytest.mark.parametrize("first", ["nobody", "holder", "operator"])
def test_what_the_authority_froze_the_holder_unfreezes_with_the_new_name(
    issuer: Issuer, renewals: Renewals, registry: EmbeddedRegistry, phone: Phone, first: str
) -> None:
    if first != "nobody":
        issuer.cards.freeze(phone.credential_id, Actor(first))
    registry.add(person(name="张无忌"))
    assert renewals.recheck(phone.credential_id).finding is Finding.RENAMED
    assert frozen_by(issuer, phone) == ("operator" if first == "operator" else "system")
    assert refusal_of_unfreezing(phone) == "frozen_by_issuer"
    assert renewals.recheck(phone.credential_id, name="李四").finding is Finding.RENAMED
    assert refusal_of_unfreezing(phone) == "frozen_by_issuer"
    found = renewals.recheck(phone.credential_id, name="张无忌")
    assert (found.finding, found.fields) == (Finding.CHANGED, ("name",))
    if first == "operator":
        assert refusal_of_unfreezing(phone) == "frozen_by_issuer"
    else:
        assert phone.unfreeze().status is Status.ACTIVE
    assert issuer.findings() == []


def test_a_name_that_the_authority_confirms_after_all(
    issuer: Issuer, renewals: Renewals, registry: EmbeddedRegistry, phone: Phone
) -> None:
    registry.add(person(name="张无忌"))
    renewals.recheck(phone.credential_id)
    registry.add(person())
    renewals.recheck(phone.credential_id)  # the portrait was never kept for the other name
    assert renewals.recheck(phone.credential_id).finding is Finding.SAME
    assert frozen_by(issuer, phone) == "holder"
    assert phone.unfreeze().status is Status.ACTIVE


@pytest.mark.parametrize(
    ("by", "then"), [("holder", "holder"), ("system", "holder"), ("operator", "operator")]
)
def test_a_move_takes_the_freeze_along(
    issuer: Issuer, renewals: Renewals, phone: Phone, by: str, then: str
) -> None:
    issuer.cards.freeze(phone.credential_id, Actor(by))
    renewals.move(NEW, person(), CONSENTS, evidence={})
    assert frozen_by(issuer, phone) == then


def refusal_of_unfreezing(phone: Phone) -> str:
    with pytest.raises(LifecycleError) as caught:
        phone.unfreeze()
    return caught.value.code


class Refusing:
    """Carries no news the first time: the queue is full."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._refused = False

    def __call__(self, holder: Holder, key: str, values: Mapping[str, object], once: str) -> None:
        if not self._refused:
            self._refused = True
            raise UnavailableError(what="queue", why="full")
        self._tell(holder, key, values, once)


@pytest.mark.parametrize("cut", ["told", "before", "after"])
@pytest.mark.parametrize(
    ("happened", "news", "status"),
    [("ended", "life.ended", Status.REVOKED), ("renamed", "life.renamed", Status.FROZEN)],
)
def test_news_of_a_run_that_was_cut_short_comes_all_the_same(
    issuer: Issuer,
    registry: EmbeddedRegistry,
    tell: Tell,
    told: list[tuple[str, str]],
    *,
    cut: str,
    happened: str,
    news: str,
    status: Status,
) -> None:
    phone, who = issuer.phone(), person()
    registry.add(who if happened == "ended" else person(name="张无忌"))
    if happened == "ended":
        registry.end(who.id_number, "died")
    acts = {} if cut == "told" else {cut: cut_short}
    store = Meanwhile(issuer, "transition", **acts)
    cards = Cards(store, issuer.sealer, issuer.index, issuer.codes)
    telling = Refusing(tell) if cut == "told" else tell
    renewals = Renewals(issuer.store, issuer.sealer, cards, registry, telling)
    with pytest.raises(UnavailableError):
        list(renewals.sync())
    list(renewals.sync())
    assert told == [(phone.holder.openid, news)]
    card = issuer.cards.get(phone.credential_id)
    assert card is not None
    assert card.status is status
    list(renewals.sync())
    assert len(told) == 1


def test_who_froze_the_own_card_is_told_of_the_name_too(
    renewals: Renewals, registry: EmbeddedRegistry, phone: Phone, told: list[tuple[str, str]]
) -> None:
    registry.add(person(name="张无忌"))
    phone.freeze()
    list(renewals.sync())
    assert told == [(phone.holder.openid, "life.renamed")]


def test_what_an_operator_froze_is_not_news_of_a_name(
    issuer: Issuer,
    renewals: Renewals,
    registry: EmbeddedRegistry,
    phone: Phone,
    told: list[tuple[str, str]],
) -> None:
    registry.add(person(name="张无忌"))
    issuer.cards.freeze(phone.credential_id, Actor("operator"))
    assert renewals.recheck(phone.credential_id).finding is Finding.RENAMED
    assert told == []


def test_an_authority_that_is_out_revokes_nobody(issuer: Issuer, phone: Phone) -> None:
    class Out:
        def check(self, name: str, id_number: str) -> Person:
            raise UnavailableError(what="authority", why=f"{len(name)} {len(id_number)}")

    renewals = Renewals(issuer.store, issuer.sealer, issuer.cards, Out(), lambda *_: None)
    with pytest.raises(UnavailableError):
        list(renewals.sync())
    card = issuer.cards.get(phone.credential_id)
    assert card is not None
    assert card.status is Status.ACTIVE


@pytest.mark.parametrize("torn", ["short", "of another", "no record"])
def test_a_card_that_does_not_open_holds_up_no_other(
    issuer: Issuer, renewals: Renewals, registry: EmbeddedRegistry, torn: str
) -> None:
    phones = [issuer.phone(number) for number in range(1, 5)]
    for number in range(1, 5):
        registry.add(person(number))
    registry.end(person(4).id_number, "died")
    broken, other = phones[0].credential_id, record_key(phones[1].credential_id)
    sealed = {
        "short": b"torn",
        "of another": issuer.database.hget(other, "e"),
        "no record": issuer.sealer.seal(broken, b"[1, 2]"),
    }[torn]
    assert isinstance(sealed, bytes)
    issuer.database.hset(record_key(broken), "e", sealed)
    last = list(renewals.sync(rate=1000, pause=lambda _: None))[-1]
    assert (last.done, last.unreadable) == (4, (broken,))
    assert last.findings == {"unreadable": 1, "same": 2, "ended": 1}
    with pytest.raises(UnavailableError):
        renewals.recheck(broken)


def test_a_person_whose_answer_cannot_be_used_holds_up_no_other(
    issuer: Issuer, renewals: Renewals, registry: EmbeddedRegistry
) -> None:
    phones = [issuer.phone(number) for number in range(1, 5)]
    for number in range(1, 5):
        registry.add(person(number, portrait=b"no picture" if number == 2 else person().portrait))
    registry.end(person(4).id_number, "died")
    last = list(renewals.sync(rate=1000, pause=lambda _: None))[-1]
    assert (last.done, last.unreadable, last.unusable) == (4, (), (phones[1].credential_id,))
    assert last.findings == {"unusable": 1, "same": 2, "ended": 1}


@pytest.mark.parametrize("credential_id", ["0" * 16, "f" * 16])
def test_a_card_that_is_not_there(renewals: Renewals, credential_id: str) -> None:
    assert renewals.recheck(credential_id).finding is Finding.OVER
