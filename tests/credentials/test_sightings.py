from __future__ import annotations

import pytest
import redis

from credentials.sealing import BlindIndex, Sealer
from credentials.sightings import KEPT_SECONDS, Look, Sightings
from faces import photo, reuse
from faces.reuse import near
from tests.credentials.issuer import ring
from tests.faces import warping


def look(data: bytes) -> Look:
    seen = reuse.fingerprint(data, photo.open_photo(data).pixels)
    return Look(seen.exact, seen.perceptual, seen.bands)


EILEEN = warping.jpeg(warping.portrait("eileen"))
SAVED_ANEW = warping.jpeg(warping.lit(warping.portrait("eileen").resize((400, 400)), 1.1), 60)
ANOTHER = warping.jpeg(warping.tilted(warping.portrait("eileen"), 4))


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seen(database: redis.Redis, clock: Clock) -> Sightings:
    sealer = Sealer(ring())
    return Sightings(database, sealer, BlindIndex(database, sealer), clock)


def test_a_new_picture(seen: Sightings) -> None:
    assert seen.before(look(EILEEN), "anna", "1", near) is None


@pytest.mark.parametrize(("again", "exact"), [(EILEEN, True), (SAVED_ANEW, False)])
@pytest.mark.parametrize("account", ["anna", "bela"])
def test_a_picture_sent_before(
    seen: Sightings, clock: Clock, again: bytes, exact: bool, account: str
) -> None:
    seen.note(look(EILEEN), "anna", "1")
    clock.now += 90
    found = seen.before(look(again), account, "2", near)
    assert found is not None
    assert (found.exact, found.own, found.seconds) == (exact, account == "anna", 90)


def test_the_same_sending_is_no_second_one(seen: Sightings) -> None:
    for _ in range(2):
        seen.note(look(EILEEN), "anna", "1")
        assert seen.before(look(EILEEN), "anna", "1", near) is None


def test_the_same_number_of_another_account_is_another_sending(seen: Sightings) -> None:
    seen.note(look(EILEEN), "anna", "1")
    assert seen.before(look(EILEEN), "bela", "1", near) is not None


def test_of_several_sendings_another_account_s_says_most(seen: Sightings, clock: Clock) -> None:
    seen.note(look(SAVED_ANEW), "anna", "1")
    clock.now += 5
    seen.note(look(EILEEN), "bela", "2")
    clock.now += 5
    third = look(warping.jpeg(warping.lit(warping.portrait("eileen"), 0.9), 70))
    found = seen.before(third, "anna", "3", near)
    assert found is not None
    assert (found.own, found.seconds) == (False, 5)
    found = seen.before(look(SAVED_ANEW), "anna", "4", near)
    assert found is not None
    assert (found.exact, found.seconds) == (True, 10)


def test_of_one_s_own_the_oldest_says_most(seen: Sightings, clock: Clock) -> None:
    """Or whoever sends one picture again and again would always have sent it just now."""
    seen.note(look(EILEEN), "anna", "1")
    clock.now += 3600
    seen.note(look(SAVED_ANEW), "anna", "2")
    third = look(warping.jpeg(warping.lit(warping.portrait("eileen"), 0.9), 70))
    found = seen.before(third, "anna", "3", near)
    assert found is not None
    assert (found.own, found.exact, found.seconds) == (True, False, 3600)


def test_another_picture_of_the_same_person(seen: Sightings) -> None:
    seen.note(look(EILEEN), "anna", "1")
    assert seen.before(look(ANOTHER), "anna", "2", near) is None
    assert seen.before(look(warping.jpeg(warping.portrait("grace"))), "anna", "2", near) is None


def test_what_is_kept_tells_nothing_and_fades(seen: Sightings, database: redis.Redis) -> None:
    told = look(EILEEN)
    seen.note(told, "{wechat:oAnna}", "m1")
    keys = database.keys("{seen:*") + database.keys("{band:*")
    assert len(keys) >= 17
    for key in keys:
        assert 0 < database.ttl(key) <= KEPT_SECONDS
        held = str(database.get(key) if database.type(key) == b"string" else
                   database.zrange(key, 0, -1))  # fmt: skip
        for plain in (told.exact, told.shape, "oAnna"):
            assert plain not in held
            assert plain.encode() not in key
    # A band has five characters, which chance writes somewhere into so many keyed hashes.
    assert not {f"{{band:{band}}}".encode() for band in told.bands} & set(keys)
