"""Rounds without HTTP: the product's own calls against single scripts and the libraries alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import qrcode
import redis
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.svg import SvgPathImage

from benchmarks import bare, stage
from benchmarks.harness import peer, publish, seconds_each, table
from benchmarks.sheet import COLUMNS, Goal, Sheet
from bot.jobs import Jobs
from credentials import pictures

TIMES = 100
ADDRESS = "HTTP://127.0.0.1:8000/V/" + "A7" * 26
NOTE = """\
Called in this process, over a Redis of its own on a socket; milliseconds, so lower is better.
`one script` is a single HINCRBY in a script. A QR picture is the card page's SVG of one code."""


def main(sheet: Sheet) -> None:
    """Measure each row and publish the table."""
    with stage.stage() as scene:
        script = scene.services.redis.register_script(bare.SCRIPT)
        one = _each(lambda: script(keys=["bare"], args=[1]))
        _approvals(sheet, scene, one)
        jobs = Jobs.at("", scene.environment["REDIS_URL"])
        sheet.pair(
            "job put into its queue",
            _each(
                lambda: jobs.enqueue("deliver", holder={"channel": "wechat", "openid": "oBench"})
            ),
            one,
            against="one script",
            unit="ms",
            goal=Goal("≤", 2),
        )
        redis.Redis.from_url(scene.environment["REDIS_URL"], db=1).flushdb()
    _pictures(sheet)
    publish("rounds", table("Rounds, jobs and pictures", NOTE, COLUMNS, sheet.table()))


def _approvals(sheet: Sheet, scene: stage.Stage, one: Callable[[], float]) -> None:
    """A scan that waits, with all that belongs to it."""
    services = scene.services
    verifier = services.verifiers.authenticate(services.verifiers.add("rounds", ["hotel"])[1])
    holders = itertools.cycle(scene.holders(TIMES))

    def approval() -> None:
        holder = next(holders)
        code = services.cards.mint(holder).code
        asked = services.verifications.verify(verifier, "desk", code, "hotel")
        services.verifications.approve(holder, asked.verification_id)
        services.verifications.look(verifier, asked.verification_id)

    sheet.pair(
        "approval round: code, scan, approval, result",
        _each(approval),
        one,
        against="one script",
        unit="ms",
        goal=Goal("≤", 12),
    )


def _pictures(sheet: Sheet) -> None:
    def ours() -> object:
        return pictures.qr_svg(ADDRESS, random=True)

    def library() -> None:
        code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=4, mask_pattern=3)
        code.add_data(ADDRESS)
        code.make_image(image_factory=SvgPathImage).to_string()

    sheet.pair(
        "QR picture",
        _each(ours),
        _each(library, 30),
        against="qrcode, with a fixed mask",
        unit="ms",
        goal=Goal("≤", 1),
    )
    if not peer("segno"):
        return
    import segno  # noqa: PLC0415 - a peer, which need not be there

    sheet.pair(
        "QR picture, to segno",
        _each(ours),
        _each(lambda: segno.make(ADDRESS, error="m", micro=False).svg_inline(), 30),
        against="segno",
        unit="ms",
        goal=Goal("≤", 1),
    )


def _each(act: Callable[[], object], times: int = TIMES) -> Callable[[], float]:
    return lambda: 1000 * seconds_each(act, times)
