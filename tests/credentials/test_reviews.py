from __future__ import annotations

import base64
import dataclasses
import time

import pytest
import redis

from credentials.audit import Audit
from credentials.errors import UnavailableError
from credentials.keyring import Keyring
from credentials.model import Actor, Holder
from credentials.resealing import Resealing
from credentials.reviews import (
    DEADLINE_SECONDS,
    Case,
    Facts,
    ReviewError,
    ReviewKind,
    Reviews,
    ReviewState,
)
from credentials.sealing import BlindIndex, Sealer
from credentials.store import Store
from tests.credentials.issuer import ring

HOLDER = Holder("wechat", "oApplicant")
ANNA, BELA = Actor("operator", "anna"), Actor("operator", "bela")
FACTS = Facts(HOLDER, "张三丰", "110105194912310000", images=("portrait", "frame1"))
PICTURES = {"portrait": b"\xff\xd8 portrait", "frame1": b"\xff\xd8 frame"}


@dataclasses.dataclass
class Bench:
    """The reviewers' bench, its clock, and who was told."""

    database: redis.Redis
    told: list[Holder]
    later_s: float = 0.0
    trouble: BaseException | None = None

    def __post_init__(self) -> None:
        sealer = Sealer(ring())
        store = Store(self.database)
        self.audit = Audit(store, sealer.keyring)
        self.reviews = Reviews(
            self.database,
            sealer,
            BlindIndex(self.database, sealer),
            self.audit,
            told=self.tell,
            clock=lambda: time.time() + self.later_s,
        )

    def tell(self, holder: Holder) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.told.append(holder)

    def open(self, *, against: bool = False, name: str = "m1") -> str:
        case = Case(ReviewKind.DOUBTFUL, FACTS, {"distance": "0.510"}, PICTURES, against)
        return self.reviews.open(name, case)


@pytest.fixture
def bench(database: redis.Redis) -> Bench:
    return Bench(database, [])


def code_of(bench: Bench, review_id: str, who: Actor, *, approve: bool = True) -> str:
    with pytest.raises(ReviewError) as refused:
        bench.reviews.decide(review_id, who, "a reason", approve=approve)
    return refused.value.code


def test_waits_with_its_pictures(bench: Bench) -> None:
    review_id = bench.open()
    (waiting,) = bench.reviews.waiting()
    assert (waiting.review_id, waiting.state) == (review_id, ReviewState.WAITING)
    assert waiting.facts == FACTS
    assert bench.reviews.picture(review_id, "frame1") == PICTURES["frame1"]
    count, age = bench.reviews.figures()
    assert count == 1
    assert 0 <= age < 60


def test_the_same_pictures_are_one_case(bench: Bench) -> None:
    assert bench.open() == bench.open()
    assert bench.open(name="m2") != bench.open()
    assert len(bench.reviews.waiting()) == 2


def test_a_case_that_was_opened_and_not_listed_is_listed_by_the_repeat(bench: Bench) -> None:
    review_id = bench.open()
    bench.database.zrem("{reviews}:waiting", review_id)  # the worker was killed before
    bench.later_s = 60
    assert bench.open() == review_id
    (waiting,) = bench.reviews.waiting()
    assert waiting.review_id == review_id
    assert bench.database.zscore("{reviews}:waiting", review_id) == waiting.opened_at


@pytest.mark.parametrize("approve", [True, False])
def test_a_decided_case_is_not_listed_again(bench: Bench, approve: bool) -> None:
    review_id = bench.open()
    bench.reviews.decide(review_id, ANNA, "looked", approve=approve)
    assert bench.open() == review_id
    assert bench.database.zcard("{reviews}:waiting") == 0


def test_one_is_enough_where_the_machine_does_not_object(bench: Bench) -> None:
    review_id = bench.open()
    assert bench.reviews.decide(review_id, ANNA, "the same", approve=True).decided_by == "anna"
    assert bench.told == [HOLDER]


def test_four_eyes_against_the_machine(bench: Bench) -> None:
    review_id = bench.open(against=True)
    first = bench.reviews.decide(review_id, ANNA, "twins", approve=True)
    assert (first.state, first.first) == (ReviewState.WAITING, "anna")
    assert bench.told == []
    assert code_of(bench, review_id, ANNA) == "same_reviewer"
    second = bench.reviews.decide(review_id, BELA, "twins indeed", approve=True)
    assert second.state is ReviewState.APPROVED
    assert bench.told == [HOLDER]


def test_one_rejects(bench: Bench) -> None:
    review_id = bench.open(against=True)
    bench.reviews.decide(review_id, ANNA, "twins", approve=True)
    rejected = bench.reviews.decide(review_id, BELA, "no", approve=False)
    assert rejected.state is ReviewState.REJECTED


@pytest.mark.parametrize("approve", [True, False])
def test_is_decided_once(bench: Bench, approve: bool) -> None:
    review_id = bench.open()
    bench.reviews.decide(review_id, ANNA, "the same", approve=approve)
    assert code_of(bench, review_id, BELA, approve=not approve) == "decided"
    assert code_of(bench, "nothing", BELA) == "gone"
    assert len(bench.told) == 1


def test_a_decision_erases_what_is_personal(bench: Bench) -> None:
    review_id = bench.open()
    bench.reviews.decide(review_id, ANNA, "another person", approve=False)
    assert bench.reviews.picture(review_id, "portrait") is None
    fields = bench.database.hgetall(f"{{review:{review_id}}}")
    assert b"d" not in fields
    known = bench.reviews.get(review_id)
    assert known is not None
    assert known.facts is None
    assert known.reason == "another person"
    assert bench.reviews.waiting() == []
    assert [each.review_id for each in bench.reviews.decided()] == [review_id]


def test_the_deadline_ends_it(bench: Bench) -> None:
    review_id = bench.open()
    bench.reviews.tend()
    assert bench.told == []
    bench.later_s = DEADLINE_SECONDS + 1
    assert code_of(bench, review_id, ANNA) == "expired"
    assert bench.reviews.picture(review_id, "portrait") is None
    assert bench.told == [HOLDER]
    bench.reviews.tend()
    assert bench.told == [HOLDER]


def test_whoever_is_not_told_is_told_later(bench: Bench) -> None:
    review_id = bench.open()
    bench.trouble = UnavailableError(what="jobs", why="gone")
    decided = bench.reviews.decide(review_id, ANNA, "the same", approve=True)
    assert decided.state is ReviewState.APPROVED  # the reviewer is not asked to do it again
    bench.reviews.tend()
    assert (bench.told, bench.reviews.waiting()) == ([], [])
    bench.trouble = None
    bench.reviews.tend()
    assert bench.told == [HOLDER]
    bench.reviews.tend()
    assert bench.told == [HOLDER]
    assert b"h" not in bench.database.hgetall(f"{{review:{review_id}}}")
    assert bench.reviews.figures()[0] == 0


@pytest.mark.parametrize("approve", [True, False])
def test_a_process_killed_behind_the_decision(bench: Bench, approve: bool) -> None:
    review_id = bench.open()
    bench.trouble = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        bench.reviews.decide(review_id, ANNA, "looked", approve=approve)
    bench.database.delete("{reviews}:decided")  # or a little earlier
    bench.trouble = None
    bench.reviews.tend()
    assert bench.told == [HOLDER]
    assert [each.review_id for each in bench.reviews.decided()] == [review_id]
    assert bench.reviews.figures()[0] == 0


def test_whoever_does_not_wait_has_it_erased(bench: Bench) -> None:
    review_id = bench.open(against=True)
    bench.reviews.decide(review_id, ANNA, "twins", approve=True)
    withdrawn = bench.reviews.withdraw(review_id)
    assert withdrawn is not None
    assert withdrawn.facts == FACTS
    assert bench.reviews.picture(review_id, "portrait") is None
    assert not {b"d", b"h"} & set(bench.database.hgetall(f"{{review:{review_id}}}"))
    assert code_of(bench, review_id, BELA) == "withdrawn"
    assert bench.told == []
    assert (bench.reviews.waiting(), bench.reviews.figures()[0]) == ([], 0)
    (ended,) = bench.reviews.decided()
    assert (ended.state, ended.decided_by) == (ReviewState.WITHDRAWN, "")
    assert bench.audit.recent(1)[0].kind == "review_withdrawn"


@pytest.mark.parametrize("approve", [True, False])
def test_what_is_decided_is_not_withdrawn(bench: Bench, approve: bool) -> None:
    review_id = bench.open()
    bench.reviews.decide(review_id, ANNA, "looked", approve=approve)
    before = bench.reviews.get(review_id)
    assert bench.reviews.withdraw(review_id) is None
    assert bench.reviews.withdraw("nothing") is None
    assert bench.reviews.get(review_id) == before


def test_a_withdrawn_case_does_not_open_again(bench: Bench) -> None:
    review_id = bench.open()
    bench.reviews.withdraw(review_id)
    assert bench.open() == review_id
    assert bench.reviews.waiting() == []


def test_tending_tells_who_waits_in_vain(bench: Bench) -> None:
    review_id = bench.open()
    bench.later_s = DEADLINE_SECONDS + 1
    bench.reviews.tend()
    known = bench.reviews.get(review_id)
    assert known is not None
    assert known.state is ReviewState.EXPIRED
    assert bench.told == [HOLDER]
    assert bench.reviews.waiting() == []


def test_pictures_fade_without_anybody(bench: Bench) -> None:
    review_id = bench.open()
    left = bench.database.ttl(f"{{review:{review_id}}}:images")
    assert 0 < left <= DEADLINE_SECONDS


def test_redis_holds_nothing_in_plain(bench: Bench) -> None:
    bench.open()
    for key in bench.database.keys("{review*"):
        kind = bench.database.type(key)
        held = bench.database.hgetall(key) if kind == b"hash" else bench.database.dump(key)
        for plain in ("张三丰", FACTS.id_number, HOLDER.openid, b"portrait".decode()):
            if plain == "portrait":
                assert PICTURES["portrait"] not in str(held).encode()
                continue
            assert plain not in str(held)
            assert plain.encode() not in key


def test_the_audit_knows_who_and_why(bench: Bench) -> None:
    review_id = bench.open(against=True)
    bench.reviews.decide(review_id, ANNA, "ears agree", approve=True)
    bench.reviews.decide(review_id, BELA, "mole agrees", approve=True)
    told = [(note.kind, note.detail.get("by"), note.detail.get("reason")) for note in
            bench.audit.recent(3)]  # fmt: skip
    assert told == [
        ("review_approved", "operator:bela", "mole agrees"),
        ("review_approved", "operator:anna", "ears agree"),
        ("review_opened", "system", None),
    ]


def test_pictures_of_a_case_outlive_an_old_key(database: redis.Redis) -> None:
    old = base64.b64encode(b"o" * 32).decode()
    new = base64.b64encode(b"n" * 32).decode()
    before = Bench(database, [])
    before.reviews = _under(database, f"1:{old}")
    review_id = before.open()
    both = Sealer(Keyring.from_entries((f"2:{new}", f"1:{old}")))
    BlindIndex(database, both).reseal()
    list(Resealing(Store(database), both).run())
    after = _under(database, f"2:{new}")
    assert after.picture(review_id, "frame1") == PICTURES["frame1"]
    known = after.get(review_id)
    assert known is not None
    assert known.facts == FACTS


def _under(database: redis.Redis, entry: str) -> Reviews:
    sealer = Sealer(Keyring.from_entries((entry,)))
    audit = Audit(Store(database), sealer.keyring)
    return Reviews(database, sealer, BlindIndex(database, sealer), audit, told=lambda _: None)
