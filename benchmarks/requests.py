"""Requests against their limit: what share of a bare application's speed the product keeps."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence

import qrcode
import redis
from flask import Response
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.svg import SvgPathImage

from benchmarks import bare, stage
from benchmarks.harness import Ratio, drive, get, paired, post, publish, seconds_each, server, table
from bot.jobs import Jobs
from credentials import pictures
from credentials.model import Holder
from web.card_session import CardSessions, path_of

COUNT = 400
PRODUCT = "app:create_app_from_environment"
COLUMNS = ("what", "product", "limit", "ratio, median of 7 pairs", "lowest to highest", "goal")
NOTE = """\
Product and limit run under the same server (granian, one worker, one thread) over the same Redis,
four connections, in turn within one run. `one script` is a bare WSGI application that reads the
body and does one Redis script; `chat` one that opens, parses, does six scripts and seals an
answer; `code` one that does one script and makes the same code and picture (benchmarks/bare.py).
Rows in ms compare what something takes, so lower is better there."""


def main() -> None:
    """Measure each row and publish the table."""
    with stage.stage() as scene:
        rows = [*_served(scene), *_in_process(scene)]
    rows.append(
        ["QR picture of the page (SVG), to the `qrcode` library's", *_qr().row("ms"), "≤ 1"]
    )
    publish("requests", table("Requests against their limit", NOTE, COLUMNS, rows))


def _served(scene: stage.Stage) -> list[list[str]]:
    """The rows over HTTP."""
    holders = scene.holders(COUNT)
    _verifier, api_key = scene.services.verifiers.add("benchmark", ["internet_cafe", "hotel"])
    body = json.dumps({"code": "A" * 52, "purpose": "internet_cafe"}).encode()
    forged = [post("/api/v1/verifications", body, "application/json", _bearer(api_key))] * COUNT
    plain = [post("/", body, "application/json")] * COUNT
    pages = _code_pages(scene, holders)
    kept = stage.text_turns(COUNT, "帮助")
    with (
        server(PRODUCT, scene.environment) as product,
        server(f"{bare.__name__}:create", scene.environment) as one,
        server(f"{bare.__name__}:chat", scene.environment) as chat,
        server(f"{bare.__name__}:code", scene.environment) as code,
    ):
        used: list[bytes] = []

        def accepted() -> float:
            used[:] = scene.verifications(holders, api_key, "internet_cafe")
            return _rate(product, used)

        def first() -> float:
            kept[:] = stage.text_turns(COUNT, "申请")
            return _rate(product, kept)

        def again() -> float:
            fresh = [stage.again(each) for each in kept]
            return _rate(product, fresh)

        def bare_one() -> float:
            return _rate(one, plain)

        rows: list[tuple[str, Callable[[], float], Callable[[], float], str]] = [
            ("verification, accepted, to `one script`", accepted, bare_one, "≥ 0.45"),
            (
                "verification, replayed (409), to `one script`",
                lambda: _rate(product, used, 409),
                bare_one,
                "",
            ),
            (
                "verification, bad signature (422), to `one script`",
                lambda: _rate(product, forged, 422),
                bare_one,
                "",
            ),
            (
                "card page's code refresh, to `code`",
                lambda: _rate(product, pages),
                lambda: _rate(code, [get("/")] * COUNT),
                "≥ 0.7",
            ),
            (
                "chat text turn, safe mode, to `chat`",
                first,
                lambda: _rate(chat, stage.text_turns(COUNT, "申请")),
                "≥ 0.5",
            ),
            ("duplicate delivery, to the first delivery", again, first, "≥ 2"),
        ]
        return [[name, *paired(thing, limit).row("/s"), goal] for name, thing, limit, goal in rows]


def _in_process(scene: stage.Stage) -> list[list[str]]:
    """The rows without HTTP, in the product's own calls against single scripts."""
    services = scene.services
    database = services.redis
    script = database.register_script(bare.SCRIPT)
    verifier = services.verifiers.authenticate(services.verifiers.add("rounds", ["hotel"])[1])
    holders = itertools.cycle([Holder("wechat", f"bench{number:06d}") for number in range(100)])
    jobs = Jobs.at("", scene.environment["REDIS_URL"])

    def one() -> None:
        script(keys=["bare"], args=[1])

    def approval() -> None:
        holder = next(holders)
        code = services.cards.mint(holder).code
        asked = services.verifications.verify(verifier, "desk", code, "hotel")
        services.verifications.approve(holder, asked.verification_id)
        services.verifications.look(verifier, asked.verification_id)

    def enqueue() -> None:
        jobs.enqueue("aftermath", verification_id="0" * 20)

    def each(act: Callable[[], None]) -> Callable[[], float]:
        return lambda: 1000 * seconds_each(act, 100)

    rows = [
        ("approval round: code, scan, approval, result; to one script", approval, "≤ 12"),
        ("job put into its queue, to one script", enqueue, "≤ 2"),
    ]
    made = [[name, *paired(each(act), each(one)).row("ms"), goal] for name, act, goal in rows]
    redis.Redis.from_url(scene.environment["REDIS_URL"], db=1).flushdb()
    return made


def _code_pages(scene: stage.Stage, holders: Sequence[Holder]) -> list[bytes]:
    """One request for a fresh code by each holder's open card page."""
    sessions = CardSessions(scene.services.sealer, secure=False)
    made = []
    for holder in holders:
        session, put = sessions.begin(holder)
        answer = Response()
        put(answer)
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        made.append(get(f"{path_of(session.tag)}code", {"Cookie": cookie}))
    return made


def _bearer(api_key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key}"}


def _rate(port: int, requests: Sequence[bytes], status: int = 200) -> float:
    load = drive(port, requests)
    if set(load.statuses) != {status}:
        raise RuntimeError(f"answers other than {status}: {load.statuses}")
    return load.rate


def _qr() -> Ratio:
    address = "HTTP://127.0.0.1:8000/V/" + "A7" * 26

    def ours() -> float:
        return 1000 * seconds_each(lambda: pictures.qr_svg(address, random=True), 200)

    def with_library() -> None:
        code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=4, mask_pattern=3)
        code.add_data(address)
        code.make_image(image_factory=SvgPathImage).to_string()

    def library() -> float:
        return 1000 * seconds_each(with_library, 50)

    return paired(ours, library)
