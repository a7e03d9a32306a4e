"""The rows of `make bench`: how each is measured, kept, judged against its goal, and drawn.

Every row is a ratio of a thing to its own limit within one run. `results/bench.json` keeps all
pairs; a run of some groups replaces those groups' rows and leaves the others as they were, each
with its date, and `results/bench.md` and `bench.png` show all.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Literal

from benchmarks.harness import PAIRS, RESULTS, Ratio, machine

KEPT = RESULTS / "bench.json"
COLUMNS = ("row", "measured", "its limit", "ratio", "lowest to highest", "goal", "")
Sign = Literal["≥", "≤"]
NOTE = """\
Each row is the ratio of what the product does to its own limit, measured in turn within one run;
the ratio is the median of the pairs' ratios. What each row measures, and how to read it, stands in
[docs/benchmarks.md](../../docs/benchmarks.md). Rows that take longer the higher they are (ms, B)
have goals with ≤, rates (/s) with ≥. Made by `make bench`; `python -m benchmarks GROUP …` makes
some groups anew and leaves the others' rows as they were."""


@dataclasses.dataclass(frozen=True, slots=True)
class Goal:
    """What a ratio is to reach: at least (≥) or at most (≤) so much."""

    sign: Sign
    value: float

    def share(self, ratio: float) -> float:
        """How far it is reached: 1 and more is met, whichever way the goal points."""
        return ratio / self.value if self.sign == "≥" else self.value / max(ratio, 1e-9)

    def __str__(self) -> str:
        return f"{self.sign} {self.value:g}"


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One row: what was measured, against which limit, in pairs; without a goal, not judged."""

    group: str
    what: str
    against: str
    unit: str
    pairs: tuple[tuple[float, float], ...]
    goal: Goal | None
    date: str

    @property
    def ratio(self) -> Ratio:
        """The pairs."""
        return Ratio(self.pairs)

    @property
    def met(self) -> bool | None:
        """Whether the median reaches the goal; None where there is none."""
        return None if self.goal is None else self.goal.share(self.ratio.median) >= 1


class Sheet:
    """The rows of one group while they are measured; says on stderr how far it is."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.rows: list[Row] = []
        self._began = time.monotonic()

    def pair(
        self,
        what: str,
        thing: Callable[[], float],
        limit: Callable[[], float],
        *,
        against: str,
        unit: str,
        goal: Goal | None = None,
        pairs: int = PAIRS,
    ) -> Ratio:
        """Measure the two in turn, once each beforehand to warm up; keep and give the row.

        Args:
            what: the row's name.
            thing: measures the product once.
            limit: measures its limit once, in the same unit.
            against: the limit's name.
            unit: of both, such as "/s" or "ms".
            goal: what the ratio is to reach.
            pairs: how many.
        """
        self._say(f"{what} …")
        thing()
        limit()
        taken = []
        for number in range(pairs):
            taken.append((thing(), limit()))
            self._say(f"{what}: {number + 1} of {pairs} pairs", line_ends=False)
        return self.keep(what, taken, against=against, unit=unit, goal=goal)

    def keep(
        self,
        what: str,
        pairs: Sequence[tuple[float, float]],
        *,
        against: str,
        unit: str,
        goal: Goal | None = None,
    ) -> Ratio:
        """Keep a row that was measured elsewhere; gives its ratio."""
        date = time.strftime("%Y-%m-%d")
        row = Row(self.group, what, against, unit, tuple(pairs), goal, date)
        self.rows.append(row)
        said = {None: "", True: f" (goal {goal}: met)", False: f" (goal {goal}: missed)"}[row.met]
        self._say(f"{what}: {row.ratio.median:.2f} of {against}{said}")
        return row.ratio

    def table(self) -> list[list[str]]:
        """The rows so far, as cells of `COLUMNS`."""
        return [cells(row) for row in self.rows]

    def _say(self, words: str, *, line_ends: bool = True) -> None:
        if not line_ends and not sys.stderr.isatty():
            return
        took = time.monotonic() - self._began
        start = "\r\x1b[K" if sys.stderr.isatty() else ""
        end = "\n" if line_ends and not words.endswith("…") else ""
        if not sys.stderr.isatty():
            end = "\n"
        print(f"{start}{self.group} {took:4.0f} s  {words}", end=end, file=sys.stderr, flush=True)


def cells(row: Row) -> list[str]:
    """A row of the table."""
    thing, limit, ratio, spread = row.ratio.row(row.unit)
    verdict = {None: "", True: "met", False: "**missed**"}[row.met]
    goal = str(row.goal) if row.goal else ""
    return [row.what, thing, f"{limit} ({row.against})", ratio, spread, goal, verdict]


def read() -> list[Row]:
    """The rows of the last runs."""
    if not KEPT.exists():
        return []
    return [
        Row(
            **{
                **kept,
                "pairs": tuple((thing, limit) for thing, limit in kept["pairs"]),
                "goal": Goal(*kept["goal"]) if kept["goal"] else None,
            }
        )
        for kept in json.loads(KEPT.read_text("utf-8"))
    ]


def merged(before: Sequence[Row], made: Sequence[Row], order: Sequence[str]) -> list[Row]:
    """All rows: those just made, and those of groups that were not; in the groups' order."""
    anew = {row.group for row in made}
    rows = [*made, *(row for row in before if row.group not in anew and row.group in order)]
    return sorted(rows, key=lambda row: order.index(row.group))


def write(rows: Sequence[Row]) -> None:
    """Keep the rows, and show them: a page and a plot."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    kept = []
    for row in rows:
        rounded = [[float(f"{value:.5g}") for value in pair] for pair in row.pairs]
        goal = [row.goal.sign, row.goal.value] if row.goal else None
        names = {"group": row.group, "what": row.what, "against": row.against, "unit": row.unit}
        kept.append({**names, "pairs": rounded, "goal": goal, "date": row.date})
    lines = ",\n".join(json.dumps(each, ensure_ascii=False) for each in kept)
    KEPT.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    (RESULTS / "bench.md").write_text(page(rows), encoding="utf-8")
    draw(rows)


def page(rows: Sequence[Row]) -> str:
    """The page of all rows, group by group."""
    judged = [row for row in rows if row.met is not None]
    lines = ["# Benchmarks", "", NOTE, "", f"{machine()}.", ""]
    lines += [
        f"**{sum(bool(row.met) for row in judged)} of {len(judged)} goals met.**",
        "",
        "![each row's ratios against its goal](bench.png)",
    ]
    for group in dict.fromkeys(row.group for row in rows):
        some = [row for row in rows if row.group == group]
        dates = " to ".join(dict.fromkeys([min(r.date for r in some), max(r.date for r in some)]))
        lines += ["", f"## {group}", "", f"Measured {dates}.", ""]
        lines += ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
        lines += ["| " + " | ".join(cells(row)) + " |" for row in some]
    return "\n".join(lines) + "\n"


def draw(rows: Sequence[Row]) -> None:
    """`bench.png`: for each row with a goal, how far each pair reached it; 1 is the goal."""
    import matplotlib as mpl  # noqa: PLC0415 - slow to load, and only for the plot

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    judged = [row for row in rows if row.goal is not None]
    if not judged:
        return
    figure, place = plt.subplots(figsize=(10, 1.2 + 0.36 * len(judged)))
    for height, row in enumerate(reversed(judged)):
        assert row.goal is not None
        shares = [row.goal.share(ratio) for ratio in row.ratio.ratios]
        color = "#1a7f37" if row.met else "#cf222e"
        place.plot(shares, [height] * len(shares), "o", color=color, alpha=0.35, markersize=5)
        place.plot([statistics.median(shares)], [height], "|", color=color, markersize=18, mew=3)
    place.axvline(1, color="#57606a", linewidth=1)
    place.set_xscale("log")
    ticks = (0.1, 0.2, 0.5, 1, 2, 5, 10)
    place.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    place.set_yticks(
        range(len(judged)),
        [f"{row.what.replace('*', '')}  ({row.goal})" for row in reversed(judged)],
    )
    place.set_xlabel("share of the goal: 1 and more is met; dots are pairs, bars their medians")
    place.grid(axis="x", alpha=0.3)
    figure.tight_layout()
    figure.savefig(RESULTS / "bench.png", dpi=100)
    plt.close(figure)
