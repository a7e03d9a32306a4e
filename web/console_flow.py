"""How people flow through the dialog: where they go on, where they are lost, how long it takes.

The figure is drawn from the dialog's own table and from counts that are kept as people move;
nothing is recounted here. Plotly draws it; its JavaScript comes from inside the Python package.
"""

from __future__ import annotations

import dataclasses
import functools
import gzip
import json
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata, resources
from typing import TYPE_CHECKING, Protocol

from flask import Blueprint, Response, make_response, render_template
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from credentials.accounts import Role
from web import pages
from web.console_shared import actor, argument, require, table

if TYPE_CHECKING:
    from credentials.services import Services

DAY_S = 86400
PERIODS = {"day": DAY_S, "week": 7 * DAY_S, "month": 30 * DAY_S, "quarter": 90 * DAY_S}
FILTERS = ("language", "channel", "version")
SENTENCES = 20
LEAST = 5
"""Fewer people than this at a step are no finding."""


class Counts(Protocol):
    """The figures of one period; `bot.figures.Flow` is one."""

    moves: dict[tuple[str, str], int]
    turned: dict[str, dict[str, int]]
    seen: dict[str, set[str]]

    @property
    def begun(self) -> int:
        """How many conversations left home."""

    def entered(self, step: str) -> int:
        """How often somebody came to a step."""

    def left(self, step: str) -> int:
        """How often somebody left it."""

    def ended(self, how: str, step: str = "") -> int:
        """How many conversations ended `issued` or `ended`."""

    def median(self, step: str) -> float | None:
        """The median seconds at a step."""


class Source(Protocol):
    """Where the figures come from; `bot.figures.Figures` is one."""

    @property
    def demo(self) -> bool:
        """Whether there are only demo runs here."""

    def read(self, begin: float, end: float, **chosen: str) -> Counts:
        """The figures of a period, of the chosen language, channel, version, division, runs."""

    def divisions(self) -> list[str]:
        """The divisions that have figures."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One step's figures of a period."""

    step: str
    entered: int
    onward: int
    back: int
    issued: int
    ended: int
    there: int
    median: float | None

    @property
    def lost(self) -> float:
        """The share of those who came that did not go on, 0 to 1."""
        return 1 - min(1.0, (self.onward + self.issued) / self.entered) if self.entered else 0.0


def register(
    services: Services,
    source: Source,
    ways: Mapping[str, Sequence[str]],
    name_of: Callable[[str], str],
) -> Callable[[Blueprint], None]:
    """What adds the pages of the flow.

    Args:
        services: the card's services.
        source: the figures.
        ways: the dialog: each step where people wait, in order, and where it may lead; the first
            is home.
        name_of: names a step in the request's language.
    """
    order = list(ways)

    def add(routes: Blueprint) -> None:
        @routes.get("/flow")
        def flow() -> BaseResponse:
            """Show the figure and the table of one period against the one before."""
            period, chosen = _chosen(source)
            now, before = _both(source, PERIODS[period], chosen)
            rows, earlier = steps_of(now, order), {row.step: row for row in steps_of(before, order)}
            values = {
                "rows": rows,
                "earlier": earlier,
                "now": now,
                "before": before,
                "figure": figure(now, ways, name_of, services),
                "finding": _worst(rows),
                "quiet": {
                    row.step for row in rows if not (row.entered or earlier[row.step].entered)
                },
                "everything": argument("steps") == "all",
                "step_name": name_of,
            }
            page = render_template(
                "console_flow.html",
                place="flow",
                period=period,
                periods=list(PERIODS),
                chosen=chosen,
                offered=_offered(source, now, chosen),
                demo=source.demo,
                plotly=metadata.version("plotly"),
                **values,
            )
            return _with_styles(make_response(page), demo=services.address.startswith("http://"))

        @routes.get("/flow/<step>")
        def flow_step(step: str) -> str:
            """Show which sentences stood in the way at one step."""
            if step not in order[1:]:
                raise NotFound
            period, chosen = _chosen(source)
            now, _ = _both(source, PERIODS[period], chosen)
            turned = sorted(now.turned.get(step, {}).items(), key=lambda pair: -pair[1])
            sentences = [
                (key, services.texts.say(pages.language(), key), count)
                for key, count in turned[:SENTENCES]
                if key in services.texts
            ]
            (row,) = (row for row in steps_of(now, order) if row.step == step)
            return render_template(
                "console_flow_step.html",
                place="flow",
                step=step,
                row=row,
                sentences=sentences,
                step_name=name_of,
                period=period,
            )

        @routes.get("/flow.csv")
        def flow_file() -> BaseResponse:
            """The table as a file to keep; written into the audit."""
            require(services, Role.REVIEWER, "export")
            period, chosen = _chosen(source)
            services.audit.note("exported", actor(), "flow", period=period)
            now, _ = _both(source, PERIODS[period], chosen)
            head = [field.name for field in dataclasses.fields(Row)]
            return table("flow", head, (dataclasses.astuple(row) for row in steps_of(now, order)))

        @routes.get("/plotly.js")
        def plotly() -> BaseResponse:
            """Plotly's own JavaScript, as the installed package has it."""
            answer = Response(_plotly(), mimetype="text/javascript")
            answer.headers["Content-Encoding"] = "gzip"
            answer.headers["Cache-Control"] = "private, max-age=31536000, immutable"
            return answer

    return add


def figure(
    counts: Counts,
    ways: Mapping[str, Sequence[str]],
    name_of: Callable[[str], str],
    services: Services,
) -> str:
    """The Sankey of one period, as JSON that Plotly draws.

    Ways back are not drawn but stand in the table: a river that runs in circles shows nothing.
    """
    say, language = services.texts.say, pages.language()
    home, *order = ways
    sinks = ("issued", "ended", "there")
    names = ["", *order, *sinks]
    place = {name: number for number, name in enumerate(names)}
    links: list[tuple[int, int, int]] = []
    for (start, end), count in counts.moves.items():
        if end and place.get(start, -1) < place.get(end, -1) and end != home:
            links.append((place[start], place[end], count))
    for step in order:
        there = counts.entered(step) - counts.left(step)
        links += [
            (place[step], place["issued"], counts.ended("issued", step)),
            (place[step], place["ended"], counts.ended("ended", step)),
            (place[step], place["there"], there),
        ]
    links = [link for link in links if link[2] > 0]
    colours = {"issued": "#04703a", "ended": "#b3231a", "there": "#825000"}
    # A step shows how many people it saw: whatever reaches it, or for the first, leaves it.
    seen = [0] * len(names)
    for _, target, count in links:
        seen[target] += count
    seen[0] = sum(count for source, _, count in links if source == 0)
    labels = [
        say(language, "flow.begun")
        if not name
        else say(language, f"flow.{name}")
        if name in sinks
        else name_of(name)
        for name in names
    ]
    sankey = {
        "type": "sankey",
        "arrangement": "snap",
        "node": {
            "label": [
                f"{label} {count}" if count else ""
                for label, count in zip(labels, seen, strict=True)
            ],
            "color": [colours.get(name, "#535b60") for name in names],
            "customdata": names,
            "pad": 14,
            "thickness": 16,
            "hovertemplate": "%{label}<extra></extra>",
        },
        "link": {
            "source": [link[0] for link in links],
            "target": [link[1] for link in links],
            "value": [link[2] for link in links],
            "color": [_link_colour(names[link[1]]) for link in links],
            "hovertemplate": "%{source.label} → %{target.label}: %{value:d}<extra></extra>",
        },
    }
    return json.dumps({"data": [sankey] if links else [], "layout": {"height": 520}})


def _link_colour(target: str) -> str:
    shades = {"issued": "rgba(7,193,96,0.45)", "ended": "rgba(207,42,30,0.4)"}
    return shades.get(
        target, "rgba(245,165,36,0.4)" if target == "there" else "rgba(125,134,131,0.4)"
    )


def steps_of(counts: Counts, order: Sequence[str]) -> list[Row]:
    """Each step's figures, in the dialog's order; home is not a step to be stuck at."""
    place = {name: number for number, name in enumerate(order)}
    rows = []
    for step in order[1:]:
        moves = [(end, n) for (start, end), n in counts.moves.items() if start == step != end]
        onward = sum(n for end, n in moves if place.get(end, -1) > place[step])
        back = sum(n for end, n in moves if end and place.get(end, -1) < place[step])
        entered = counts.entered(step)
        rows.append(
            Row(
                step,
                entered,
                onward,
                back,
                counts.ended("issued", step),
                counts.ended("ended", step),
                max(0, entered - counts.left(step)),
                counts.median(step),
            )
        )
    return rows


def _worst(rows: Sequence[Row]) -> Row | None:
    """The step that loses most people, if any loses enough to speak of."""
    losing = [row for row in rows if row.entered >= LEAST and row.lost > 0]
    return max(losing, key=lambda row: row.ended + row.there + row.back, default=None)


def _both(source: Source, seconds: int, chosen: Mapping[str, str]) -> tuple[Counts, Counts]:
    size = 3600 if seconds <= 8 * DAY_S else DAY_S
    end = (time.time() // size + 1) * size
    now = source.read(end - seconds, end, **chosen)
    return now, source.read(end - 2 * seconds, end - seconds, **chosen)


def _chosen(source: Source) -> tuple[str, dict[str, str]]:
    """The period and the filters of the address; only values that could exist."""
    period = argument("period")
    chosen = {name: argument(name) for name in (*FILTERS, "division") if argument(name)}
    if "division" in chosen and not (chosen["division"].isdigit() and len(chosen["division"]) == 6):
        del chosen["division"]
    wanted = argument("runs")
    chosen["runs"] = "test" if wanted == "test" or (source.demo and not wanted) else "real"
    return period if period in PERIODS else "week", chosen


def _offered(source: Source, counts: Counts, chosen: Mapping[str, str]) -> dict[str, list[str]]:
    offered = {name: sorted(counts.seen[name] | {chosen.get(name, "")} - {""}) for name in FILTERS}
    return {**offered, "division": source.divisions()}


def _with_styles(answer: Response, *, demo: bool) -> Response:
    """Plotly writes styles as it draws; nothing else is allowed more than on any page."""
    answer.headers["Content-Security-Policy"] = pages.content_security_policy(
        demo=demo, style_src="'unsafe-inline'"
    )
    return answer


@functools.cache
def _plotly() -> bytes:
    script = resources.files("plotly") / "package_data" / "plotly.min.js"
    return gzip.compress(script.read_bytes(), 6)
