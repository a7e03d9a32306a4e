from __future__ import annotations

import numpy as np
import pytest
import redis

from credentials import templates as module
from credentials.sealing import BlindIndex, Sealer
from credentials.templates import UNDECIDED_SECONDS, Templates
from faces import encode
from faces.encode import Template
from handlers.twins import Twins
from tests.credentials.issuer import id_number, ring

ANNA, BELA, CARL = (id_number(number) for number in (1, 2, 3))


def face(seed: int, apart: float = 0.0) -> Template:
    """A made-up template; `apart` moves it that far."""
    dice = np.random.default_rng(seed)
    template = dice.normal(0, 0.12, encode.SIZE)
    step = dice.normal(size=encode.SIZE)
    return np.asarray(template + apart * step / np.linalg.norm(step), dtype=np.float64)


@pytest.fixture
def kept(database: redis.Redis) -> Templates:
    sealer = Sealer(ring())
    return Templates(database, sealer, BlindIndex(database, sealer))


def test_a_new_face_has_no_twin(kept: Templates) -> None:
    twins = Twins(kept)
    assert twins.keep_and_find(ANNA, face(1)) == []
    assert twins.keep_and_find(BELA, face(2)) == []
    assert len(twins) == 2


def test_a_near_face_is_found_by_every_worker(kept: Templates) -> None:
    one, other = Twins(kept), Twins(kept)
    other.prepare()
    one.keep_and_find(ANNA, face(1))
    ((person, distance),) = other.keep_and_find(BELA, face(1, apart=0.4))
    assert distance == pytest.approx(0.4, abs=1e-3)
    assert [each.person for each in kept.get([kept.id_of(ANNA)])] == [person]


def test_one_s_own_face_is_no_twin(kept: Templates) -> None:
    twins = Twins(kept)
    twins.keep_and_find(ANNA, face(1))
    assert twins.keep_and_find(ANNA, face(1, apart=0.1)) == []
    assert len(twins) == 1


def test_a_dropped_face_is_forgotten(kept: Templates) -> None:
    twins = Twins(kept)
    twins.keep_and_find(ANNA, face(1))
    kept.drop(ANNA)
    assert twins.keep_and_find(BELA, face(1)) == []
    assert len(twins) == 1


def test_a_face_without_a_card_fades(kept: Templates, database: redis.Redis) -> None:
    twins = Twins(kept)
    template_id = kept.put(ANNA, encode.pack(face(1)))
    assert 0 < database.ttl(f"{{t:{template_id}}}") <= UNDECIDED_SECONDS
    twins.prepare()
    database.delete(f"{{t:{template_id}}}")  # as its time passes, without a word
    assert twins.keep_and_find(BELA, face(1)) == []


def test_a_settled_face_stays(kept: Templates, database: redis.Redis) -> None:
    template_id = kept.put(ANNA, encode.pack(face(1)))
    kept.settle(ANNA)
    kept.drop_undecided(ANNA)
    kept.put(ANNA, encode.pack(face(2)))
    assert database.ttl(f"{{t:{template_id}}}") == -1
    (still,) = kept.get([template_id])
    assert still.vector == encode.pack(face(1))


def test_an_undecided_face_is_dropped(kept: Templates) -> None:
    template_id = kept.put(ANNA, encode.pack(face(1)))
    kept.drop_undecided(ANNA)
    assert list(kept.get([template_id])) == []


def test_changes_that_were_trimmed_away_are_made_good(
    kept: Templates, database: redis.Redis
) -> None:
    twins = Twins(kept)
    twins.prepare()
    kept.put(ANNA, encode.pack(face(1)))
    kept.put(BELA, encode.pack(face(2)))
    database.xtrim(module.CHANGES, maxlen=1, approximate=False)
    assert len(twins.keep_and_find(CARL, face(1))) == 1
    assert len(twins) == 3


def test_all_changes_lost_are_made_good(kept: Templates, database: redis.Redis) -> None:
    twins = Twins(kept)
    twins.prepare()
    kept.put(ANNA, encode.pack(face(1)))
    database.delete(module.CHANGES)
    twins.prepare()
    assert len(twins) == 1


def test_an_altered_template_is_nobody_s(kept: Templates, database: redis.Redis) -> None:
    template_id = kept.put(ANNA, encode.pack(face(1)))
    database.setrange(f"{{t:{template_id}}}", 40, b"altered")
    assert list(kept.get([template_id])) == []


@pytest.mark.parametrize("vector", [b"", b"x" * 511, b"x" * 513])
def test_only_templates_are_kept(kept: Templates, vector: bytes) -> None:
    with pytest.raises(ValueError, match="128"):
        kept.put(ANNA, vector)
