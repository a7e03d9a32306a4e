"""The process and its page: starts, stops on SIGTERM, refuses other sites, passes citizens on."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

from commands.player.product import free_port
from simulator.config import Config, parse
from tests.simulator.account import AES_KEY, Account
from tests.simulator.conftest import Clock, Running

ROOT = Path(__file__).parents[2]


@pytest.fixture
def citizens_url() -> Iterator[str]:
    app = Flask("citizens")

    @app.route("/people", methods=["GET", "POST"])
    def people() -> tuple[Response, int]:
        if request.headers.get("authorization") != "Bearer key":
            return jsonify({"detail": "no"}), 401
        if request.method == "POST":
            if request.files["photo"].read() != b"\xff\xd8\xff me":
                return jsonify({"detail": "no face was found"}), 422
            return jsonify({"name": "新市民", "id_number": "440115199901010011"}), 200
        listed = {"name": "何佩霞", "id_number": "440115199003070028", "photo_url": "/p.jpg"}
        return jsonify([listed]), 200

    @app.get("/p.jpg")
    def portrait() -> Response:
        return Response(b"\xff\xd8\xff portrait", content_type="image/jpeg")

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/people"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def peopled(config: Config, citizens_url: str, clock: Clock) -> Iterator[Running]:
    told = dataclasses.replace(config, citizens_url=citizens_url, citizens_key="key")
    running = Running(told, clock)
    yield running
    running.close()


def test_secrets_come_from_the_environment() -> None:
    told = {"SIM_SECRET": "s", "SIM_TOKEN": "t", "SIM_AES_KEY": AES_KEY}
    config, host, port = parse(["--port", "8123", "--app-id", "wx1"], told)
    assert (config.secret, config.token, config.aes_key) == ("s", "t", AES_KEY)
    assert (host, port, config.base) == ("127.0.0.1", 8123, "http://127.0.0.1:8123")


def test_the_process_ends_on_sigterm(tmp_path: Path) -> None:
    port = free_port()
    told = {**os.environ, "SIM_TOKEN": "t", "SIM_AES_KEY": AES_KEY}
    command = [sys.executable, "-m", "simulator", "--port", str(port), "--folder", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, env=told, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert f":{port}/simulator" in process.stdout.readline()
        page = httpx.get(f"http://127.0.0.1:{port}/simulator", trust_env=False, timeout=60)
        assert page.status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert (tmp_path / "simulator.sqlite").exists()


def test_the_page_allows_no_inline_script(simulator: Running) -> None:
    answer = simulator.http.get("/simulator")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "<script>" not in answer.text
    assert " style=" not in answer.text


def test_other_sites_may_not_steer(simulator: Running) -> None:
    answer = simulator.http.post(
        "/simulator/api/phones", json={}, headers={"sec-fetch-site": "cross-site"}
    )
    assert answer.status_code == 403


@pytest.mark.parametrize("verb", ["say", "click", "view", "scan", "follow", "media/image"])
def test_an_unknown_phone(simulator: Running, verb: str) -> None:
    answer = simulator.http.post(
        f"/simulator/api/phones/nobody/{verb}", json={"text": "x"}, params={"wait": 0}
    )
    assert answer.status_code in {404, 422}


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("say", {"text": "  "}),
        ("scan", {"text": ""}),
        ("location", {"latitude": "north"}),
        ("media/hologram", {}),
        ("media/image", {}),
        ("follow", {"scene": "unknown"}),
    ],
)
def test_what_a_phone_refuses(simulator: Running, verb: str, body: dict[str, str]) -> None:
    phone = simulator.phone(following=verb != "follow")
    answer = simulator.http.post(f"/simulator/api/phones/{phone.openid}/{verb}", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_nothing_is_written_before_following(simulator: Running, account: Account) -> None:
    phone = simulator.phone(following=False)
    answer = simulator.http.post(f"/simulator/api/phones/{phone.openid}/say", json={"text": "x"})
    assert answer.status_code == 422
    assert account.received == []


def test_the_page_sees_visible_phones_only(simulator: Running) -> None:
    simulator.phone()
    assert simulator.http.get("/simulator/api/state").json()["phones"] == []
    simulator.http.post("/simulator/api/phones", json={"name": "手机 1"})
    (shown,) = simulator.http.get("/simulator/api/state").json()["phones"]
    assert shown["name"] == "手机 1"


def test_the_wire_log_hides_secrets(simulator: Running) -> None:
    simulator.phone().say("你好")
    token = simulator.token()
    simulator.get("/cgi-bin/ticket/getticket", type="jsapi")
    entries = simulator.http.get("/simulator/api/log").json()
    assert {each["kind"] for each in entries} >= {"push", "api"}
    assert all(token not in each["sent"] for each in entries)


def test_made_up_citizens(peopled: Running, account: Account) -> None:
    (person,) = peopled.http.get("/simulator/api/citizens").json()
    assert person["name"] == "何佩霞"
    assert peopled.http.get(person["photo"]).content == b"\xff\xd8\xff portrait"
    phone = peopled.phone()
    peopled.http.post(f"/simulator/api/phones/{phone.openid}/citizen-photo", json={"place": 0})
    phone.settle()
    sent = peopled.get("/cgi-bin/media/get", media_id=account.received[-1]["MediaId"])
    assert sent.content == b"\xff\xd8\xff portrait"


def test_a_photo_of_one_s_own_becomes_a_citizen(peopled: Running) -> None:
    files = {"photo": ("me.jpg", b"\xff\xd8\xff me", "image/jpeg")}
    answer = peopled.http.post("/simulator/api/citizens", files=files)
    assert answer.json() == {"name": "新市民", "id_number": "440115199901010011"}


def test_a_refused_photo_says_why(peopled: Running) -> None:
    files = {"photo": ("me.jpg", b"a wall", "image/jpeg")}
    answer = peopled.http.post("/simulator/api/citizens", files=files)
    assert (answer.status_code, answer.json()["detail"]) == (422, "no face was found")


def test_without_made_up_citizens(simulator: Running) -> None:
    assert simulator.http.get("/simulator/api/citizens").json() == []
    files = {"photo": ("me.jpg", b"x", "image/jpeg")}
    assert simulator.http.post("/simulator/api/citizens", files=files).status_code == 422
