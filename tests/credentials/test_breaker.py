from __future__ import annotations

import pytest

from credentials.authority import GuardedAuthority, NotRegisteredError
from credentials.breaker import Breaker
from credentials.errors import UnavailableError
from credentials.model import Person


class Registry:
    """An authority that is ill while told so."""

    def __init__(self) -> None:
        self.ill = False
        self.asked = 0

    def check(self, name: str, id_number: str) -> Person:  # noqa: ARG002 - one answer for all
        self.asked += 1
        if self.ill:
            raise UnavailableError(what="authority", why="ReadTimeout")
        raise NotRegisteredError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """Somebody who asks, again and again."""

    def __init__(self) -> None:
        self.registry, self.clock = Registry(), Clock()
        breaker = Breaker("authority", failures=3, pause_s=5.0, clock=self.clock)
        self.authority = GuardedAuthority(self.registry, breaker)

    def hears(self) -> str:
        try:
            self.authority.check("张三", "11010519491231002X")
        except UnavailableError as error:
            return str(error.details["why"])
        except NotRegisteredError:
            return "no"
        raise AssertionError

    @property
    def state(self) -> str:
        return self.authority.breaker.state


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_well_authority_is_asked_each_time_whatever_it_says(desk: Desk) -> None:
    assert [desk.hears() for _ in range(10)] == ["no"] * 10
    assert (desk.registry.asked, desk.state) == (10, "closed")


def test_an_ill_one_is_left_alone(desk: Desk) -> None:
    desk.registry.ill = True
    assert [desk.hears() for _ in range(3)] == ["ReadTimeout"] * 3
    assert desk.state == "open"
    assert [desk.hears() for _ in range(50)] == ["circuit open"] * 50
    assert desk.registry.asked == 3


def test_failures_that_are_not_in_a_row_open_nothing(desk: Desk) -> None:
    for _ in range(5):
        desk.registry.ill = True
        desk.hears(), desk.hears()
        desk.registry.ill = False
        assert desk.hears() == "no"
    assert desk.state == "closed"


def test_after_the_pause_one_tries_and_the_others_wait(desk: Desk) -> None:
    desk.registry.ill = True
    for _ in range(3):
        desk.hears()
    desk.clock.now = 4.9
    assert desk.hears() == "circuit open"
    desk.clock.now = 5.0
    assert desk.state == "half open"
    breaker = desk.authority.breaker
    with breaker.call(), pytest.raises(UnavailableError), breaker.call():
        pass
    assert desk.state == "closed"


def test_a_try_that_fails_means_another_pause(desk: Desk) -> None:
    desk.registry.ill = True
    for _ in range(3):
        desk.hears()
    desk.clock.now = 6.0
    assert desk.hears() == "ReadTimeout"
    assert (desk.hears(), desk.state) == ("circuit open", "open")
    desk.clock.now = 10.9
    assert desk.hears() == "circuit open"
    desk.clock.now = 11.0
    desk.registry.ill = False
    assert [desk.hears(), desk.hears()] == ["no", "no"]
    assert desk.state == "closed"


def test_who_is_refused_is_told_how_long(desk: Desk) -> None:
    desk.registry.ill = True
    for _ in range(3):
        desk.hears()
    with pytest.raises(UnavailableError) as refused:
        desk.authority.check("张三", "11010519491231002X")
    assert refused.value.details["wait_s"] == 5.0


def test_an_error_of_ours_does_not_count_against_it() -> None:
    breaker = Breaker("x", failures=1)
    with pytest.raises(ValueError, match="ours"), breaker.call():
        raise ValueError("ours")
    assert breaker.state == "closed"
