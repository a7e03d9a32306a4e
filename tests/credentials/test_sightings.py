from __future__ import annotations

import pytest
import redis

from credentials.sealing import BlindIndex, Sealer
from credentials.sightings import KEPT_SECONDS, Look, Sightings
from faces import photo, reuse
from faces.reuse import Fingerprint
from tests.credentials.issuer import ring
from tests.faces import warping


def near(a: str, b: str) -> bool:
    return reuse.differing_bits(Fingerprint("", a), Fingerprint("", b)) <= reuse.NEAR


def look(data: bytes) -> Look:
    seen = reuse.fingerprint(data, photo.open_photo(data).pixels)
    return Look(seen.exact, seen.perceptual, seen.bands)


EILEEN = warping.jpeg(warping.portrait("eileen"))
SAVED_ANEW = warping.jpeg(warping.lit(warping.portrait("eileen").resize((400, 400)), 1.1), 60)
ANOTHER = warping.jpeg(warping.tilted(warping.portrait("eileen"), 4))


@pytest.fixture
def seen(database: redis.Redis) -> Sightings:
    sealer = Sealer(ring())
    return Sightings(database, sealer, BlindIndex(database, sealer))


def test_a_new_picture(seen: Sightings) -> None:
    assert seen.before(look(EILEEN), "a:1", near) is None


@pytest.mark.parametrize(("again", "exact"), [(EILEEN, True), (SAVED_ANEW, False)])
def test_a_picture_sent_before(seen: Sightings, again: bytes, exact: bool) -> None:
    seen.note(look(EILEEN), "a:1")
    for source in ("a:2", "b:1"):
        found = seen.before(look(again), source, near)
        assert found is not None
        assert found.exact is exact


def test_the_same_sending_is_no_second_one(seen: Sightings) -> None:
    seen.note(look(EILEEN), "a:1")
    assert seen.before(look(EILEEN), "a:1", near) is None
    seen.note(look(EILEEN), "a:1")
    assert seen.before(look(EILEEN), "a:1", near) is None


def test_another_picture_of_the_same_person(seen: Sightings) -> None:
    seen.note(look(EILEEN), "a:1")
    assert seen.before(look(ANOTHER), "a:2", near) is None
    assert seen.before(look(warping.jpeg(warping.portrait("grace"))), "a:2", near) is None


def test_what_is_kept_tells_nothing_and_fades(seen: Sightings, database: redis.Redis) -> None:
    told = look(EILEEN)
    seen.note(told, "{wechat:oAnna}:m1")
    keys = database.keys("{seen:*") + database.keys("{band:*")
    assert len(keys) >= 17
    for key in keys:
        assert 0 < database.ttl(key) <= KEPT_SECONDS
        held = str(database.get(key) if database.type(key) == b"string" else
                   database.zrange(key, 0, -1))  # fmt: skip
        for plain in (told.exact, told.shape, "oAnna", *told.bands):
            assert plain not in held
            assert plain.encode() not in key
