"""Requests over HTTP against their limit: what share of a bare application's speed is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from benchmarks import bare, peers, stage
from benchmarks.harness import drive, get, post, publish, server, table
from benchmarks.pages import code_pages
from benchmarks.sheet import COLUMNS, Goal, Sheet
from credentials.model import Holder

COUNT = 400
PRODUCT = "app:create_app_from_environment"
NOTE = """\
Product and limit run under the same server (granian, one worker, one thread) over the same Redis,
four connections, in turn within one run. `one script` is a bare WSGI application that reads the
body and does one Redis script; `chat` one that opens, parses, does five scripts and seals an
answer; `code` one that does one script and makes the same code and picture (benchmarks/bare.py).
The peers are WeRoBot's own application (benchmarks/peers.py). Rows in ms compare what something
takes, so lower is better there. Redis writes to the disk soon after it answers (`everysec`), for
a disk's wait in both halves would bring every ratio nearer to one; one row says what it costs."""


def main(sheet: Sheet) -> None:
    """Measure each row and publish the table."""
    with stage.stage() as scene:
        holders = scene.holders(COUNT)
        with server(PRODUCT, scene.environment) as product:
            _verifications(sheet, scene, product, holders)
            _pages(sheet, scene, product, holders)
            _chat(sheet, scene, product)
    publish("requests", table("Requests against their limit", NOTE, COLUMNS, sheet.table()))


def _verifications(
    sheet: Sheet, scene: stage.Stage, product: int, holders: Sequence[Holder]
) -> None:
    """One scan, accepted, repeated and forged, against one script."""
    _verifier, api_key = scene.services.verifiers.add("benchmark", ["internet_cafe", "hotel"])
    body = json.dumps({"code": "A" * 52, "purpose": "internet_cafe"}).encode()
    bearer = {"Authorization": f"Bearer {api_key}"}
    forged = [post("/api/v1/verifications", body, "application/json", bearer)] * COUNT
    plain = [post("/", body, "application/json")] * COUNT
    used: list[bytes] = []

    def accepted() -> float:
        used[:] = scene.verifications(list(holders), api_key, "internet_cafe")
        return _rate(product, used)

    rows: tuple[tuple[str, Callable[[], float], Goal | None], ...] = (
        ("verification, accepted", accepted, Goal("≥", 0.45)),
        ("verification, replayed (409)", lambda: _rate(product, used, 409), None),
        ("verification, bad signature (422)", lambda: _rate(product, forged, 422), None),
    )
    with server(f"{bare.__name__}:create", scene.environment) as one:
        for what, thing, goal in rows:
            sheet.pair(
                what, thing, lambda: _rate(one, plain), against="one script", unit="/s", goal=goal
            )
    sheet.pair(
        "verification, on the disk before it is answered",
        lambda: _on_disk(scene, accepted),
        accepted,
        against="on the disk soon after",
        unit="/s",
    )


def _pages(sheet: Sheet, scene: stage.Stage, product: int, holders: Sequence[Holder]) -> None:
    """The card page's fresh code with its picture, against the same code and picture."""
    pages = code_pages(scene, holders)
    with server(f"{bare.__name__}:code", scene.environment) as code:
        sheet.pair(
            "card page's code refresh",
            lambda: _rate(product, pages),
            lambda: _rate(code, [get("/")] * COUNT),
            against="code",
            unit="/s",
            goal=Goal("≥", 0.7),
        )


def _chat(sheet: Sheet, scene: stage.Stage, product: int) -> None:
    """A first text of somebody, in safe mode, against the bare floor and WeRoBot; a duplicate."""
    kept = stage.text_turns(stage.strangers(COUNT), "帮助")

    def first() -> float:
        kept[:] = stage.text_turns(stage.strangers(COUNT), "申请")
        return _rate(product, kept)

    def other(port: int, path: str) -> float:
        turns = stage.text_turns(stage.strangers(COUNT), "申请")
        return _rate(port, [turn.replace(b"POST /wechat?", path.encode(), 1) for turn in turns])

    rows = (
        (f"{bare.__name__}:chat", "chat", "chat text turn, safe mode", Goal("≥", 0.5)),
        (f"{peers.__name__}:sessions", "WeRoBot, sessions in Redis",
         "chat text turn, to WeRoBot with sessions", Goal("≥", 1)),
        (f"{peers.__name__}:echo", "WeRoBot's echo", "chat text turn, to WeRoBot's echo", None),
    )  # fmt: skip
    for target, against, what, goal in rows:
        path = "POST /wechat?" if target.startswith(bare.__name__) else "POST /?"
        with server(target, scene.environment) as port:

            def limit(port: int = port, path: str = path) -> float:
                return other(port, path)

            sheet.pair(what, first, limit, against=against, unit="/s", goal=goal)
    sheet.pair(
        "duplicate delivery",
        lambda: 1000 / _rate(product, [stage.again(each) for each in kept]),
        lambda: 1000 / first(),
        against="a first delivery",
        unit="ms",
        goal=Goal("≤", 0.5),
    )


def _on_disk(scene: stage.Stage, measure: Callable[[], float]) -> float:
    """A rate while Redis answers after each write is on the disk, as the product's own does."""
    scene.services.redis.config_set("appendfsync", "always")
    try:
        return measure()
    finally:
        scene.services.redis.config_set("appendfsync", stage.APPENDFSYNC)


def _rate(port: int, requests: Sequence[bytes], status: int = 200) -> float:
    load = drive(port, requests)
    if set(load.statuses) != {status}:
        raise RuntimeError(f"answers other than {status}: {load.statuses}")
    return load.rate
