"""SIGTERM under load: what the web has begun it answers, and what it cannot take it refuses."""

from __future__ import annotations

import http.client
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from benchmarks import stage
from benchmarks.harness import await_port
from commands.player.product import free_port
from tests.product.actors import ROOT


@pytest.fixture(autouse=True)
def any_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy disk would hold up the answers."""
    monkeypatch.setattr(stage, "APPENDFSYNC", "no")


def test_every_request_that_was_taken_is_answered() -> None:
    with stage.stage() as scene:
        holders = scene.holders(60)
        key = scene.services.verifiers.add("drain", ["internet_cafe"])[1]
        port = free_port()
        web = subprocess.Popen(
            [sys.executable, str(Path(ROOT) / "app.py"), "web"],
            env={**os.environ, **scene.environment, "PORT": str(port), "WEB_WORKERS": "1"},
        )
        answers: list[int] = []
        torn: list[str] = []
        some = threading.Event()

        def scan(share: list[str]) -> None:
            """Each scan on a connection of its own, until nobody listens any more."""
            for code in share:
                try:
                    answer = httpx.post(
                        f"http://127.0.0.1:{port}/api/v1/verifications",
                        json={"code": code, "purpose": "internet_cafe"},
                        headers={"Authorization": f"Bearer {key}"},
                        timeout=60,
                    )
                except httpx.ConnectError:
                    return  # never taken
                except httpx.HTTPError as error:
                    torn.append(type(error).__name__)
                    return
                answers.append(answer.status_code)
                if len(answers) == 10:
                    some.set()

        try:
            await_port(port)
            codes = [scene.services.cards.mint(holder).code for holder in holders]
            desks = [threading.Thread(target=scan, args=(codes[at::4],)) for at in range(4)]
            for desk in desks:
                desk.start()
            assert some.wait(120)
            web.send_signal(signal.SIGTERM)
            for desk in desks:
                desk.join(120)
            assert web.wait(60) == 0
        finally:
            web.kill()
        assert set(answers) == {200}
        # A connection that was not read from is closed; what was done is answered.
        assert len(scene.services.verifications.recent_everywhere(100)) == len(answers)


@pytest.mark.parametrize("path", ["/api/v1/verifications", "/desk/sign-out"])
def test_a_connection_outlives_an_answer_that_needed_no_body(path: str) -> None:
    """Refused before its body was asked for; the body comes late, and another request after it."""
    body = b'{"code": "A", "purpose": "hotel"}'
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    with stage.stage() as scene:
        port = free_port()
        web = subprocess.Popen(
            [sys.executable, str(Path(ROOT) / "app.py"), "web"],
            env={**os.environ, **scene.environment, "PORT": str(port), "WEB_WORKERS": "1"},
        )
        try:
            await_port(port)
            with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
                for _ in range(3):
                    line.sendall(head.encode())
                    early, _, _ = select.select([line], [], [], 0.3)
                    assert early == []  # the answer waits for the body
                    line.sendall(body)
                    answer = http.client.HTTPResponse(line)
                    answer.begin()
                    assert answer.status in {400, 401, 403}
                    answer.read()
        finally:
            web.terminate()  # killed, it would leave its worker process behind
            web.wait(60)
