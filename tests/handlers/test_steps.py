from __future__ import annotations

import dataclasses

import pytest

from handlers.steps import (
    Ask,
    Dialog,
    DialogError,
    Given,
    Outcome,
    Task,
    Work,
    again,
    back,
    checked,
    done,
    outcomes,
    places_of,
    plain,
    to,
)
from handlers.turn import Kind, Turn


@outcomes("yes", "no")
def ask(turn: Turn, given: Given) -> Outcome:
    return Outcome("yes")


@outcomes("found", "unavailable")
def look(task: Task) -> Outcome:
    return Outcome("found")


def undeclared(task: Task) -> Outcome:
    return Outcome("found")


KEYS = {
    *("home", "home.doing", "ask", "ask.doing", "work", "work.waiting", "work.kept"),
    *("bye", "sorry", "lost", "changed", "unheard"),
}
HOME = Ask(says="home", takes=ask, leads={"yes": "ask", "no": again("sorry")}, silent=True)
ASK = Ask(says="ask", takes=ask, leads={"yes": "work", "no": done("bye")})
WORK = Work(
    says="work",
    does=look,
    leads={"found": done("bye"), "unavailable": to("ask", "sorry")},
    keeps_early=True,
)
DIALOG = Dialog(
    version="1",
    home="home",
    steps={"home": HOME, "ask": ASK, "work": WORK},
    anywhere={"开始/start/START": "ask"},
    otherwise={kind: back("sorry") for kind in Kind},
    lost="lost",
    changed="changed",
    unheard="unheard",
)


def with_step(name: str, step: Ask | Work) -> Dialog:
    return dataclasses.replace(DIALOG, steps={**DIALOG.steps, name: step})


def test_a_whole_dialog_is_given_back() -> None:
    assert checked(DIALOG, KEYS) is DIALOG


@pytest.mark.parametrize(
    ("dialog", "gap"),
    [
        (
            with_step("ask", dataclasses.replace(ASK, leads={"yes": "work"})),
            "ask: the outcome no leads nowhere",
        ),
        (
            with_step("ask", dataclasses.replace(ASK, leads={**ASK.leads, "maybe": "home"})),
            "ask: ask never names the outcome maybe",
        ),
        (
            with_step("ask", dataclasses.replace(ASK, leads={**ASK.leads, "no": "nowhere"})),
            "there is no step nowhere",
        ),
        (with_step("lonely", ASK), "lonely: no way leads there"),
        (
            with_step("work", dataclasses.replace(WORK, does=undeclared)),
            "work: undeclared declares no outcomes",
        ),
        (
            with_step(
                "work", dataclasses.replace(WORK, leads={**WORK.leads, "found": again("bye")})
            ),
            "only a step that asks can be asked again",
        ),
        (
            with_step(
                "work",
                dataclasses.replace(WORK, leads={**WORK.leads, "found": done("bye", "paint")}),
            ),
            "there is no errand paint",
        ),
        (dataclasses.replace(DIALOG, home="work"), "home 'work' is not a step that asks"),
        (dataclasses.replace(DIALOG, anywhere={"go": "moon"}), "there is no step moon"),
        (dataclasses.replace(DIALOG, lost="unwritten"), "the text unwritten is not written"),
        (dataclasses.replace(DIALOG, words=frozenset({"w"})), "the text w is not written"),
    ],
)
def test_a_gap_stops_the_program(dialog: Dialog, gap: str) -> None:
    with pytest.raises(DialogError, match="not whole") as caught:
        checked(dialog, KEYS)
    assert gap in str(caught.value)


def test_a_slow_work_needs_a_place_for_unavailable() -> None:
    quiet = dataclasses.replace(WORK, leads={"found": done("bye")})
    with pytest.raises(DialogError, match="place for unavailable"):
        checked(with_step("work", quiet), KEYS)


@pytest.mark.parametrize("key", sorted(KEYS))
def test_every_sentence_must_be_written(key: str) -> None:
    with pytest.raises(DialogError, match=f"the text {key} is not written"):
        checked(DIALOG, KEYS - {key})


@pytest.mark.parametrize("text", ["开始", " START ", "ｓｔａｒｔ", "start.", "“开始”", "Start!"])
def test_words_are_heard_however_they_are_typed(text: str) -> None:
    assert DIALOG.heard_anywhere(text) == "ask"


@pytest.mark.parametrize("text", ["", "starting", "请开始", "st art", "/"])
def test_other_words_are_not(text: str) -> None:
    assert DIALOG.heard_anywhere(text) is None


def test_edges_for_the_flow_figure() -> None:
    assert dict(places_of(DIALOG, "home")) == {"yes": "ask", "no": "home"}
    assert dict(places_of(DIALOG, "work")) == {"found": "home", "unavailable": "ask"}


def test_plain_keeps_what_matters() -> None:
    assert plain(" Ｄeny   and\nfreeze。") == "deny and freeze"
