"""The table that `make faults` prints: nothing that is missing or failed is hidden."""

from __future__ import annotations

import ast
from pathlib import Path

from benchmarks.faults import FOLDER, Outcome, rows, summary, table

KNOWN = {1: ("a fault", "refused"), 2: ("another", "kept"), 3: ("a third", "once")}


def test_every_row_of_the_table_is_known() -> None:
    assert sorted(rows()) == list(range(1, 39))


def test_a_row_without_a_test_is_missing() -> None:
    shown = table(KNOWN, {1: Outcome(passed=2), 3: Outcome(skipped=1)})
    assert "| 2 | another | kept | missing |" in shown
    assert "| 3 | a third | once | skipped |" in shown


def test_one_failure_makes_a_row_fail() -> None:
    shown = table(KNOWN, {1: Outcome(passed=5, failed=1)})
    assert "| 1 | a fault | refused | FAILS (1 of 6) |" in shown


def test_figures_stand_with_their_units() -> None:
    outcome = Outcome(passed=1, figures=[("slowest", 0.1234, "s"), ("scans", 1000, "")])
    assert "slowest 0.123 s; scans 1,000" in table(KNOWN, {1: outcome})


def test_the_summary_counts_all() -> None:
    told = summary(KNOWN, {1: Outcome(passed=1), 2: Outcome(passed=1, failed=1)})
    assert told == "3 rows: 1 stand, 1 fail, 0 skipped, 1 missing."


def test_each_file_says_which_row_it_is() -> None:
    for path in Path(FOLDER).glob("test_row_*.py"):
        number = int(path.name.split("_")[2])
        told = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        assert str(number) in told.partition("\n")[0], path.name
