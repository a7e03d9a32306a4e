"""Unit costs: processor time of one request of each kind, by who spends it; what sizing rests on.

Processor time does not depend on how busy a machine is otherwise, as a rate does. The web is one
granian process; Redis is the embedded one, over a socket. What both use with nothing to do is left
out.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence

import psutil

from benchmarks import stage
from benchmarks.harness import PAIRS, RESULTS, Served, drive, get, publish, server, table
from benchmarks.pages import code_pages
from benchmarks.sheet import Sheet
from credentials.model import Holder

COUNT = 200
IDLE_S = 0.5
KEPT = RESULTS / "units.json"
VERIFICATION = "a verification, accepted"
FRESH_CODE = "a fresh code with its picture"
QUESTION = "a question whether anything changed (304)"
TURN = "a chat text turn"
COLUMNS = ("one request", "web process", "Redis", "web's share")
Make = Callable[[], list[bytes]]


def main(sheet: Sheet) -> None:
    """Measure each kind, and publish the table."""
    with stage.stage() as scene:
        holders = scene.holders(COUNT)
        key = scene.services.verifiers.add("units", ["internet_cafe"])[1]
        kinds: tuple[tuple[str, Make, int], ...] = (
            (VERIFICATION, lambda: scene.verifications(holders, key, "internet_cafe"), 200),
            (FRESH_CODE, lambda: code_pages(scene, holders), 200),
            (QUESTION, lambda: questions(scene, holders), 304),
            (TURN, lambda: stage.text_turns(stage.strangers(COUNT), "申请"), 200),
        )
        with server("app:create_app_from_environment", scene.environment) as web:
            for what, make, status in kinds:
                sheet.keep(what, spent(scene, web, make, status), against="Redis", unit="ms")
    found = {row.what: [_median(row.pairs, 0), _median(row.pairs, 1)] for row in sheet.rows}
    KEPT.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    rows = [
        [what, f"{web:.2f} ms", f"{redis:.2f} ms", f"{web / (web + redis):.0%}"]
        for what, (web, redis) in found.items()
    ]
    note = (__doc__ or "").partition("\n\n")[2].strip() + f" Medians of {PAIRS} rounds."
    publish("units", table("Unit costs, in processor time", note, COLUMNS, rows))


def spent(scene: stage.Stage, web: Served, make: Make, status: int) -> list[tuple[float, float]]:
    """Rounds of processor milliseconds of one request: of the web, and of Redis."""
    rounds = [spent_on(scene, web, make(), status) for _ in range(PAIRS + 1)]
    return rounds[1:]


def spent_on(
    scene: stage.Stage, web: Served, requests: Sequence[bytes], status: int
) -> tuple[float, float]:
    """Processor milliseconds of one of these requests: of the web, and of Redis."""
    process = psutil.Process(web.pid)
    idle = _between(scene, process, lambda: time.sleep(IDLE_S))
    began = time.monotonic()
    busy = _between(scene, process, lambda: _send(web, requests, status))
    took = (time.monotonic() - began) / IDLE_S
    of_web, of_redis = (
        1000 * (spent - unused * took) / len(requests)
        for spent, unused in zip(busy, idle, strict=True)
    )
    return max(of_web, 1e-3), max(of_redis, 1e-3)


def questions(scene: stage.Stage, holders: Sequence[Holder]) -> list[bytes]:
    """An open card page of each holder asks whether anything changed; nothing did."""
    made = []
    for holder, page in zip(holders, code_pages(scene, holders), strict=True):
        path = page.split(b" ", 2)[1].decode()
        cookie = page.partition(b"Cookie: ")[2].partition(b"\r\n")[0].decode()
        change = scene.services.cards.change(holder)
        asked = f"{path.partition('code?')[0]}state?change={change}"
        made.append(get(asked, {"Cookie": cookie}))
    return made


def _send(port: int, requests: Sequence[bytes], status: int) -> None:
    seen = drive(port, requests).statuses
    if set(seen) != {status}:
        raise RuntimeError(f"answers other than {status}: {seen}")


def _between(
    scene: stage.Stage, process: psutil.Process, act: Callable[[], object]
) -> tuple[float, float]:
    """Processor seconds that the web and Redis spend while something is done."""
    web, redis = _web(process), _redis(scene)
    act()
    return _web(process) - web, _redis(scene) - redis


def _web(process: psutil.Process) -> float:
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def _redis(scene: stage.Stage) -> float:
    said = scene.services.redis.info("cpu")
    return float(said["used_cpu_user"]) + float(said["used_cpu_sys"])


def _median(pairs: Sequence[tuple[float, float]], place: int) -> float:
    return float(f"{statistics.median(pair[place] for pair in pairs):.4g}")
