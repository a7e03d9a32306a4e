"""Alerts: told once when they begin and once when they end; a bad receiver hurts nobody."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from tests.faults.test_row_37_outbound_webhook import Receiver
from tests.web.whole import Readings
from web import alerts
from web.alerts import Alerts, NotToldError
from web.condition import Condition


class Ear:
    """A receiver of alerts that may be deaf."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, object]] = []
        self.asked = 0
        self.deaf = False

    def __call__(self, body: Mapping[str, object]) -> None:
        self.asked += 1
        if self.deaf:
            raise NotToldError("503")
        self.heard.append((body["alert"], body["state"]))


@pytest.fixture
def readings() -> Readings:
    readings = Readings()
    readings.values = {"reviews": 0.0, "platform_errors": {"45009": 0.0, "45015": 0.0}}
    return readings


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def watch(database: redis.Redis, readings: Readings, ear: Ear) -> Alerts:
    gauges = [readings.gauge("reviews", warn=2, bad=5), readings.gauge("platform_errors", bad=9)]
    return Alerts(database, Condition(gauges), ear)


def test_told_once_when_it_begins_and_once_when_it_ends(
    watch: Alerts, readings: Readings, ear: Ear
) -> None:
    readings.values["platform_errors"] = {"45009": 9.0, "45015": 0.0}
    began = watch.check()
    assert began.keys() == {"platform_errors:45009"}
    assert watch.check() == {name: round(since) for name, since in began.items()}
    readings.values["platform_errors"] = {"45009": 0.0, "45015": 0.0}
    assert watch.check() == watch.check() == {}
    assert ear.heard == [("platform_errors:45009", "firing"), ("platform_errors:45009", "resolved")]


@pytest.mark.parametrize("value", [0.0, 2.0, 4.9, None])
def test_what_is_no_alert(watch: Alerts, readings: Readings, ear: Ear, value: float | None) -> None:
    readings.values["reviews"] = value
    assert watch.check() == {}
    assert ear.asked == 0


class TestDeaf:
    def test_it_is_on_the_pages_all_the_same_and_told_later(
        self, database: redis.Redis, watch: Alerts, readings: Readings, ear: Ear
    ) -> None:
        ear.deaf, readings.values["reviews"] = True, 5.0
        assert watch.check().keys() == alerts.on(database).keys() == {"reviews"}
        ear.deaf = False
        watch.check()
        watch.check()
        assert ear.heard == [("reviews", "firing")]

    def test_the_end_is_told_later_too(self, watch: Alerts, readings: Readings, ear: Ear) -> None:
        readings.values["reviews"] = 5.0
        watch.check()
        ear.deaf, readings.values["reviews"] = True, 0.0
        assert watch.check() == {}
        ear.deaf = False
        watch.check()
        assert ear.heard == [("reviews", "firing"), ("reviews", "resolved")]

    def test_what_came_and_went_unheard_is_not_told(
        self, watch: Alerts, readings: Readings, ear: Ear
    ) -> None:
        ear.deaf, readings.values["reviews"] = True, 5.0
        watch.check()
        ear.deaf, readings.values["reviews"] = False, 0.0
        watch.check()
        assert ear.heard == []

    def test_it_is_asked_once_a_turn_however_many_alerts_there_are(
        self, watch: Alerts, readings: Readings, ear: Ear
    ) -> None:
        ear.deaf = True
        readings.values = {"reviews": 5.0, "platform_errors": {str(n): 9.0 for n in range(50)}}
        assert len(watch.check()) == 51
        assert ear.asked == 1


def test_what_cannot_be_read_ends_nothing(watch: Alerts, readings: Readings, ear: Ear) -> None:
    readings.values |= {"reviews": 5.0, "platform_errors": {"45009": 9.0}}
    watch.check()
    readings.broken = {"reviews", "platform_errors"}
    assert watch.check().keys() == {"reviews", "platform_errors:45009"}
    assert [state for _, state in ear.heard] == ["firing", "firing"]


def test_one_process_takes_the_turn(database: redis.Redis, watch: Alerts, ear: Ear) -> None:
    other = Alerts(database, Condition([]), ear)
    assert [watch.mine(), other.mine(), watch.mine()] == [True, False, False]


class TestWebhook:
    @pytest.fixture
    def receiver(self, tmp_path: Path) -> Iterator[Receiver]:
        receiver = Receiver(tmp_path)
        thread = threading.Thread(target=receiver.server.serve_forever)
        thread.start()
        yield receiver
        receiver.server.shutdown()
        thread.join()
        receiver.server.server_close()

    def test_a_post_of_json_over_tls(self, receiver: Receiver) -> None:
        alerts.webhook(receiver.url, receiver.poster())({"alert": "reviews", "value": 5.0})
        ((headers, body),) = receiver.heard
        assert headers["content-type"] == "application/json"
        assert json.loads(body) == {"alert": "reviews", "value": 5.0}

    @pytest.mark.parametrize("status", [301, 302, 400, 404, 500, 503])
    def test_anything_but_a_yes_is_a_no(self, receiver: Receiver, status: int) -> None:
        receiver.answers = [status]
        with pytest.raises(NotToldError) as refused:
            alerts.webhook(receiver.url, receiver.poster())({})
        assert str(refused.value) == str(status)
        assert len(receiver.heard) == 1

    def test_one_that_takes_the_call_and_says_nothing_is_left(self, receiver: Receiver) -> None:
        with socket.create_server(("127.0.0.1", 0)) as mute:
            address = f"https://127.0.0.1:{mute.getsockname()[1]}/"
            with pytest.raises(NotToldError, match="too_slow"):
                alerts.webhook(address, receiver.poster(deadline_s=0.3, check=urlsplit))({})
            # Left while it was still mute: the time is the poster's own, and never the other's.

    def test_a_certificate_of_nobody_we_know(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(alerts, "WAIT_S", 60.0)  # or a slow machine's handshake is "too_slow"
        with pytest.raises(NotToldError, match="tls"):
            alerts.webhook(f"https://127.0.0.1:{receiver.port}/")({})
        assert receiver.heard == []

    @pytest.mark.parametrize(
        "address",
        ["http://127.0.0.1:9/", "ftp://x", "https://", "https://x:99999/", "https://[", "nonsense"],
    )
    def test_only_https(self, address: str) -> None:
        with pytest.raises(NotToldError, match="bad_url"):
            alerts.webhook(address)({})

    def test_nobody_there(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]  # nobody else's meanwhile, and nobody listens
            with pytest.raises(NotToldError, match="unreachable") as refused:
                alerts.webhook(f"https://127.0.0.1:{port}/a-secret")({})
        assert "a-secret" not in str(refused.value)

    def test_without_an_address_nothing_is_told(self) -> None:
        alerts.webhook("")({"alert": "reviews"})
