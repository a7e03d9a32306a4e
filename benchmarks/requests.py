"""Requests against their limit: what share of a bare application's speed the product keeps."""

from __future__ import annotations

import json

import qrcode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.svg import SvgPathImage

from benchmarks import bare, stage
from benchmarks.harness import Ratio, drive, paired, post, publish, seconds_each, server, table
from credentials import pictures

COUNT = 400
BARE = f"{bare.__name__}:create"
PRODUCT = "app:create_app_from_environment"
COLUMNS = ("what", "product", "limit", "ratio, median of 7 pairs", "lowest to highest")


def main() -> None:
    """Measure each row and publish the table."""
    with stage.stage() as scene:
        holders = scene.holders(COUNT)
        _verifier, api_key = scene.services.verifiers.add("benchmark", ["internet_cafe"])
        body = json.dumps({"code": "A" * 52, "purpose": "internet_cafe"}).encode()
        plain = [post("/", body, "application/json")] * COUNT
        with (
            server(PRODUCT, scene.environment) as product,
            server(BARE, scene.environment) as limit,
        ):

            def scans() -> float:
                return _rate(product, scene.verifications(holders, api_key, "internet_cafe"))

            def turns() -> float:
                return _rate(product, stage.text_turns(COUNT, "申请"))

            def least() -> float:
                return _rate(limit, plain)

            rows = [
                ["verification, accepted", *paired(scans, least).row("/s")],
                ["chat text turn, safe mode", *paired(turns, least).row("/s")],
            ]
    rows.append(["QR picture of the page (SVG)", *_qr().row("ms")])
    publish(
        "requests",
        table(
            "Requests against their limit",
            "Product and limit run under the same server (granian, one worker, one thread) over "
            "the same Redis, four connections, in turn within one run. The limit is a bare WSGI "
            "application that reads the body and does one Redis script. The QR row compares the "
            "page's picture with the `qrcode` library's at a fixed mask, so lower is better there.",
            COLUMNS,
            rows,
        ),
    )


def _rate(port: int, requests: list[bytes]) -> float:
    load = drive(port, requests)
    if set(load.statuses) != {200}:
        raise RuntimeError(f"answers other than 200: {load.statuses}")
    return load.rate


def _qr() -> Ratio:
    address = "HTTP://127.0.0.1:8000/V/" + "A7" * 26

    def ours() -> float:
        return 1000 * seconds_each(lambda: pictures.qr_svg(address), 200)

    def with_library() -> None:
        code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=4, mask_pattern=3)
        code.add_data(address)
        code.make_image(image_factory=SvgPathImage).to_string()

    def library() -> float:
        return 1000 * seconds_each(with_library, 50)

    return paired(ours, library)
