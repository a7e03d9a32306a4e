"""The index finds the nearest exactly, and forgets what is removed."""

from __future__ import annotations

import numpy as np
import pytest

from faces.encode import Template
from faces.search import FIRST_ROWS, NEAR, Index


def template(seed: int) -> Template:
    """A direction of length 1.4, as real templates are; two of them are 1.4 to 2.2 apart."""
    vector = np.random.default_rng(seed).normal(size=128)
    return np.asarray(vector / np.linalg.norm(vector) * 1.4)


def moved(start: Template, distance: float, seed: int = 99) -> Template:
    step = np.random.default_rng(seed).normal(size=128)
    return np.asarray(start + step / np.linalg.norm(step) * distance)


@pytest.fixture
def index() -> Index:
    return Index((f"card{seed}", template(seed)) for seed in range(3000))


def test_nothing_in_an_empty_index() -> None:
    assert Index().search(template(1)) == []
    assert not Index().remove("nobody")


@pytest.mark.parametrize("distance", [0.0, 0.001, 0.3, 0.549])
def test_a_near_twin_is_found_with_its_distance(index: Index, distance: float) -> None:
    found = index.search(moved(template(1234), distance))
    assert [each.key for each in found] == ["card1234"]
    assert found[0].distance == pytest.approx(distance, abs=1e-5)


def test_nobody_near(index: Index) -> None:
    assert index.search(moved(template(5), NEAR + 0.01)) == []
    assert index.search(template(77_777)) == []


def test_ones_own_template_does_not_count(index: Index) -> None:
    assert index.search(template(7), but="card7") == []
    index.add("twin", moved(template(7), 0.2))
    assert [each.key for each in index.search(template(7), but="card7")] == ["twin"]


def test_the_nearest_come_first_and_only_so_many(index: Index) -> None:
    for i in range(9):
        index.add(f"twin{i}", moved(template(3), 0.5 - i * 0.05, seed=i))
    found = index.search(template(3), most=4, but="card3")
    assert [each.key for each in found] == ["twin8", "twin7", "twin6", "twin5"]


def test_what_is_removed_is_gone_and_the_rest_stays(index: Index) -> None:
    for seed in range(0, 3000, 2):
        assert index.remove(f"card{seed}")
    assert len(index) == 1500
    assert "card0" not in index
    assert index.search(template(0)) == []
    for seed in (1, 1501, 2999):
        assert [each.key for each in index.search(template(seed))] == [f"card{seed}"]
    assert not index.remove("card0")


def test_a_key_added_again_has_its_new_template(index: Index) -> None:
    index.add("card5", template(50_000))
    assert len(index) == 3000
    assert index.search(template(5)) == []
    assert [each.key for each in index.search(template(50_000))] == ["card5"]


def test_it_agrees_with_looking_at_every_one(index: Index) -> None:
    everything = np.array([template(seed) for seed in range(3000)], dtype=np.float32)
    for seed in range(20):
        wanted = moved(template(seed * 100), 0.9, seed=seed)
        apart = np.linalg.norm(everything - wanted, axis=1)
        found = index.search(wanted, within=1.5, most=3000)
        assert len(found) == int((apart <= 1.5).sum())
        assert found[0].distance == pytest.approx(float(apart.min()), abs=1e-5)


@pytest.mark.parametrize("bad", [np.zeros(127), np.full(128, np.nan), np.zeros((2, 128))])
def test_what_is_no_template_is_not_taken_in(bad: Template) -> None:
    index = Index()
    with pytest.raises(ValueError, match="128 finite numbers"):
        index.add("x", bad)
    assert len(index) == 0


def test_memory_is_what_the_docs_say() -> None:
    index = Index()
    assert index.nbytes == FIRST_ROWS * (128 + 1) * 4
