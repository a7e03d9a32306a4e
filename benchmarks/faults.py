"""`make faults`: the table of faults and attacks, each row run and shown with its figures.

Runs tests/faults with pytest, collects what the tests recorded with the fixture `figure`, and
writes benchmarks/results/faults.md. The rows are those of tests/faults/rows.md; a row without a
test is shown as missing, so that the table never looks better than it is.

    python -m benchmarks.faults [row …]
"""

from __future__ import annotations

import dataclasses
import platform
import re
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

import pytest

FOLDER = Path("tests/faults")
RESULTS = Path("benchmarks/results/faults.md")
ROW = re.compile(r"^\| (\d+) \| (.+) \| (.+) \|$", re.MULTILINE)
OF_ROW = re.compile(r"test_row_(\d+)_\w+\.py")


@dataclasses.dataclass(slots=True)
class Outcome:
    """What became of the tests of one row."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    figures: list[tuple[str, float, str]] = dataclasses.field(default_factory=list)

    @property
    def stands(self) -> str:
        """One word for the row: stands, FAILS, skipped, or missing."""
        if self.failed:
            return f"FAILS ({self.failed} of {self.passed + self.failed})"
        if self.passed:
            return "stands" + (f" ({self.skipped} skipped)" if self.skipped else "")
        return "skipped" if self.skipped else "missing"


class Collector:
    """A plugin for pytest that keeps the outcomes by row."""

    def __init__(self) -> None:
        self.rows: dict[int, Outcome] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count one phase of one test; xdist brings the reports of its processes here, too."""
        found = OF_ROW.search(report.nodeid)
        if found is None:
            return
        outcome = self.rows.setdefault(int(found[1]), Outcome())
        outcome.seconds += report.duration
        if report.failed:
            outcome.failed += 1
        elif report.skipped:
            outcome.skipped += 1
        elif report.when == "call":
            outcome.passed += 1
        if report.when == "teardown":
            kept = [value for name, value in report.user_properties if name == "figure"]
            outcome.figures += cast("list[tuple[str, float, str]]", kept)


def rows() -> dict[int, tuple[str, str]]:
    """Every row's fault and what is expected, by its number."""
    text = (FOLDER / "rows.md").read_text()
    return {int(number): (fault, expected) for number, fault, expected in ROW.findall(text)}


def table(known: Mapping[int, tuple[str, str]], outcomes: Mapping[int, Outcome]) -> str:
    """The table in Markdown."""
    lines = ["| # | fault or attack | expected | here | tests | figures |", "|---|" + "---|" * 5]
    for number, (fault, expected) in known.items():
        outcome = outcomes.get(number, Outcome())
        figures = "; ".join(_figure(*each) for each in outcome.figures)
        tests = outcome.passed + outcome.failed
        lines.append(
            f"| {number} | {fault} | {expected} | {outcome.stands} | {tests or ''} | {figures} |"
        )
    return "\n".join(lines)


def _figure(name: str, value: float, unit: str) -> str:
    shown = f"{value:,.0f}" if value == int(value) else f"{value:,.3g}"
    return f"{name} {shown} {unit}".strip()


def summary(known: Iterable[int], outcomes: Mapping[int, Outcome]) -> str:
    """How many rows stand, fail, are skipped and are missing, in one sentence."""
    words = [outcomes.get(number, Outcome()).stands.split()[0] for number in known]
    return (
        f"{len(words)} rows: {words.count('stands')} stand, {words.count('FAILS')} fail, "
        f"{words.count('skipped')} skipped, {words.count('missing')} missing."
    )


def main(wanted: list[str]) -> int:
    """Run the rows, all or those named by number; print and keep the table."""
    files = sorted(
        str(path)
        for path in FOLDER.glob("test_row_*.py")
        if not wanted or path.name.split("_")[2].lstrip("0") in wanted
    )
    collector = Collector()
    began = time.monotonic()
    status = pytest.main(
        ["-q", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "--no-header", *files],
        plugins=[collector],
    )
    known = {number: row for number, row in rows().items() if not wanted or str(number) in wanted}
    shown = table(known, collector.rows)
    told = summary(known, collector.rows)
    took = time.monotonic() - began
    print(f"\n{shown}\n\n{told} {took:.0f} s.")
    if not wanted:
        RESULTS.write_text(
            "# Faults and attacks\n\nMade by `make faults`; figures are of this machine "
            f"({platform.machine()}, Python {platform.python_version()}), in {took:.0f} s.\n\n"
            f"{told}\n\n{shown}\n"
        )
        print(f"written to {RESULTS}")
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
