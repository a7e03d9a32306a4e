"""The rows of `make bench`: judged by their goals, kept by group, and nothing missed is hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import sheet, sizing, units
from benchmarks.sheet import Goal, Row, Sheet, merged, page

ORDER = ("requests", "faces")


def row(group: str, what: str, ratio: float, goal: Goal | None) -> Row:
    return Row(group, what, "a limit", "ms", ((ratio, 1.0),) * 7, goal, "2026-01-01")


@pytest.mark.parametrize(
    ("goal", "ratio", "met"),
    [
        (Goal("≥", 0.45), 0.45, True), (Goal("≥", 0.45), 0.449, False),
        (Goal("≤", 1.25), 1.25, True), (Goal("≤", 1.25), 1.26, False), (None, 99.0, None),
    ],
)  # fmt: skip
def test_a_goal_is_met_on_its_own_side(goal: Goal | None, ratio: float, met: bool | None) -> None:
    assert row("faces", "a row", ratio, goal).met is met


def test_the_middle_pair_counts_not_the_best() -> None:
    made = Sheet("faces")
    things = iter([9.0, 1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 0.1])  # the first one warms up
    found = made.pair("a row", lambda: next(things), lambda: 1.0, against="one", unit="ms")
    assert found.median == 1.0
    assert len(made.rows[0].pairs) == 7


def test_what_is_missed_is_shown_and_counted() -> None:
    rows = [row("requests", "slow", 0.2, Goal("≥", 0.5)), row("faces", "quick", 1, Goal("≤", 2))]
    shown = page(rows)
    assert "1 of 2 goals met" in shown
    assert (
        "| slow | 0.2 ms | 1 ms (a limit) | **0.20** | 0.20 to 0.20 | ≥ 0.5 | **missed** |" in shown
    )


def test_a_run_of_one_group_leaves_the_others() -> None:
    before = [
        row("requests", "old", 1, None),
        row("faces", "old", 1, None),
        row("gone", "x", 1, None),
    ]
    found = merged(before, [row("faces", "new", 1, None)], ORDER)
    assert [(each.group, each.what) for each in found] == [("requests", "old"), ("faces", "new")]


def test_rows_come_back_as_they_were_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "RESULTS", tmp_path)
    monkeypatch.setattr(sheet, "KEPT", tmp_path / "bench.json")
    assert sheet.read() == []
    rows = [row("requests", "a", 0.5, Goal("≥", 0.45)), row("faces", "b", 2, None)]
    sheet.write(rows)
    assert sheet.read() == rows
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")
    assert "1 of 1 goals met" in (tmp_path / "bench.md").read_text("utf-8")


def test_an_unknown_group_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.main(["request"])
    assert "no such group: request; there are requests" in capsys.readouterr().err


def known(**changed: float) -> sizing.Costs:
    names = (units.VERIFICATION, units.FRESH_CODE, units.QUESTION, units.TURN)
    of = {"web": 1.0, "redis": 0.1, "card": 500.0, "selfie_s": 0.2, "cluster": 0.8} | changed
    web, redis = (dict.fromkeys(names, of[part]) for part in ("web", "redis"))
    return sizing.Costs(web, redis, of["card"], 500.0, of["selfie_s"], of["cluster"])


def test_sizing_is_arithmetic_on_unit_costs() -> None:
    shown = sizing.page(known())
    # 400 thousand: 8,000 check-ins an hour, three times that in its busiest seconds.
    assert "| scans a second at the peak | 6.7 | 167 | 16,333 |" in shown
    assert "| Redis: cards and first entries | 400 MB | 10 GB | 980 GB |" in shown
    assert "| web: cores at the peak | 0.6 | 15 | 1,470 |" in shown
    assert "| web: cores at the peak | 1.2 | 30 | 2,940 |" in sizing.page(known(web=2.0))


def test_sizing_waits_for_what_was_not_measured() -> None:
    with pytest.raises(LookupError):
        sizing.costs([row("faces", "face step for a 12-megapixel photo", 1, None)], {})
