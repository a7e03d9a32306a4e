"""The engineer's controls: faults, the push's mode, scenes, the webhook's check."""

from __future__ import annotations

import dataclasses

from flask import Blueprint, Response, jsonify, request

from simulator.platform.core import Platform
from simulator.platform.faults import KINDS, FaultError


def add(control: Blueprint, platform: Platform) -> None:
    """Hang the controls on the blueprint."""
    _add_faults(control, platform)
    _add_pushes(control, platform)

    @control.get("/scenes")
    def scenes() -> Response:
        return jsonify(platform.scenes.all())

    @control.get("/log")
    def log() -> Response:
        return jsonify(platform.wire.after(request.args.get("after", 0, int), 500))


def _add_faults(control: Blueprint, platform: Platform) -> None:
    @control.get("/faults")
    def faults() -> Response:
        return jsonify({"on": platform.faults.all(), "kinds": KINDS})

    @control.post("/faults")
    def switch_on() -> Response:
        """`kind`, and `target`, `code`, `seconds`, `times` as the kind needs them."""
        body = request.get_json(silent=True)
        if not isinstance(body, dict):
            raise FaultError("a fault is a JSON object with `kind`")
        try:
            fault = platform.faults.switch_on(
                str(body.get("kind", "")),
                target=str(body.get("target") or "*"),
                code=int(body.get("code", -1)),
                seconds=float(body.get("seconds", 0)),
                times=None if body.get("times") is None else int(body["times"]),
            )
        except (TypeError, ValueError) as error:
            raise FaultError("code, seconds and times are numbers") from error
        return jsonify(dataclasses.asdict(fault))

    @control.delete("/faults")
    def all_off() -> Response:
        platform.faults.switch_off()
        return jsonify({})

    @control.delete("/faults/<int:fault_id>")
    def one_off(fault_id: int) -> Response:
        platform.faults.switch_off(fault_id)
        return jsonify({})

    @control.post("/tokens/invalidate")
    def invalidate() -> Response:
        kind = (request.get_json(silent=True) or {}).get("kind", "")
        return jsonify({"invalidated": platform.tokens.invalidate(str(kind))})


def _add_pushes(control: Blueprint, platform: Platform) -> None:
    @control.post("/pushes")
    def pushes() -> Response:
        """Switch the `mode` (safe, compat, plain) and `format` (xml, json) of pushes."""
        body = request.get_json(silent=True) or {}
        writer = platform.writer
        writer.switch(str(body.get("mode", writer.mode)), str(body.get("format", writer.format)))
        return jsonify({"mode": writer.mode, "format": writer.format})

    @control.post("/webhook/check")
    def check() -> Response:
        problem = platform.courier.check_webhook()
        return jsonify({"good": not problem, "problem": problem})
