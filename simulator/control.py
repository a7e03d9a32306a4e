"""The JSON under /simulator/api, by which the phone page and the actors steer a simulator."""

from __future__ import annotations

import dataclasses
from typing import Any

from flask import Blueprint, Response, jsonify, request

from simulator import engineer, terminal
from simulator.citizens import Citizens, CitizensError
from simulator.control_phone import add_phone_acts
from simulator.platform.core import Platform
from simulator.platform.errors import ApiError
from simulator.platform.faults import FaultError
from simulator.platform.hand import HandError
from simulator.platform.people import Person
from simulator.platform.push import ReplyError

LONGEST_WAIT = 25.0


def blueprint(platform: Platform, citizens: Citizens, kiosk: terminal.Terminal) -> Blueprint:
    """Every control, under /simulator/api."""
    control = Blueprint("control", __name__, url_prefix="/simulator/api")
    _guard(control)
    _add_state(control, platform, citizens)
    add_phone_acts(control, platform, citizens)
    engineer.add(control, platform)
    _add_citizens(control, citizens)
    terminal.add(control, kiosk, citizens)
    return control


def _guard(control: Blueprint) -> None:
    @control.before_request
    def refuse_other_sites() -> Response | None:
        # No cookie protects these; a page of another site must not steer a phone here.
        if request.headers.get("Sec-Fetch-Site", "none") == "cross-site":
            return _problem("other sites may not steer this simulator", 403)
        return None

    @control.errorhandler(ApiError)
    def unknown(error: ApiError) -> Response:
        return _problem(error.sentence, 404)

    @control.errorhandler(HandError)
    @control.errorhandler(FaultError)
    @control.errorhandler(ReplyError)
    @control.errorhandler(CitizensError)
    def refused(error: Exception) -> Response:
        return _problem(str(error), 422)

    @control.after_request
    def keep_nothing(answer: Response) -> Response:
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer


def _problem(sentence: str, status: int) -> Response:
    answer = jsonify({"detail": sentence})
    answer.status_code = status
    return answer


def _add_state(control: Blueprint, platform: Platform, citizens: Citizens) -> None:
    world = platform.world

    @control.get("/state")
    def state() -> Response:
        """Everything that the page shows and that changed after `after`."""
        after = request.args.get("after", 0, int)
        log = request.args.get("log", -1, int)
        change = world.change
        people = world.people(visible_only=True)
        return jsonify(
            {
                "change": change,
                "now": world.now(),
                "account": {
                    "name": platform.config.account_name,
                    "app_id": platform.config.app_id,
                    "mode": platform.writer.mode,
                    "format": platform.writer.format,
                    "citizens": citizens.available,
                },
                "phones": [_phone(platform, each) for each in people],
                "messages": [
                    dataclasses.asdict(message)
                    for each in people
                    for message in world.messages(each.openid, after)
                ],
                "log": platform.wire.after(log) if log >= 0 else [],
            }
        )

    @control.post("/phones")
    def add_phone() -> Response:
        body = request.get_json(silent=True) or {}
        language = "en" if str(body.get("language", "")).startswith("en") else "zh_CN"
        name = str(body.get("name") or "")[:40] or f"{len(world.people()) + 1}"
        visible = body.get("visible") is not False
        return jsonify(_phone(platform, world.add_person(name, language=language, visible=visible)))

    @control.get("/phones/<openid>")
    def one(openid: str) -> Response:
        """A phone and its messages that changed after `after`; waits `wait` seconds for one."""
        after = request.args.get("after", 0, int)
        wait = min(request.args.get("wait", 0.0, float), LONGEST_WAIT)
        person = world.person(openid)
        world.wait_for_message(openid, after, wait)
        messages = world.messages(openid, after)
        return jsonify(
            {
                **_phone(platform, person),
                "messages": [dataclasses.asdict(each) for each in messages],
                "change": max((each.change for each in messages), default=after),
            }
        )

    @control.delete("/phones/<openid>")
    def remove(openid: str) -> Response:
        world.remove_person(openid)
        return jsonify({})


def _phone(platform: Platform, person: Person) -> dict[str, Any]:
    return {
        "openid": person.openid,
        "name": person.name,
        "language": person.language,
        "following": person.following,
        "typing": person.typing_until > platform.world.now(),
        "menu": platform.menus.of(person) if person.following else [],
        "message_left": person.message_left,
    }


def _add_citizens(control: Blueprint, citizens: Citizens) -> None:
    @control.get("/citizens")
    def listed() -> Response:
        return jsonify(
            [
                {
                    "name": each.get("name", ""),
                    "id_number": each.get("id_number", ""),
                    "photo": f"/simulator/api/citizens/{place}/photo"
                    if each.get("photo_url")
                    else "",
                    "gestures": each.get("gestures") or [],
                }
                for place, each in enumerate(citizens.all())
            ]
        )

    @control.post("/citizens")
    def add_citizen() -> Response:
        file = request.files.get("photo")
        if file is None:
            raise CitizensError("send the photo as the file `photo`")
        return jsonify(citizens.add(file.read(), file.content_type or "image/jpeg"))

    @control.get("/citizens/<int:place>/photo")
    def photo(place: int) -> Response:
        data, content_type = citizens.photo(place)
        return Response(data, content_type=content_type)
