"""The health page, the readings behind it and `/metrics`: a figure, its limit, how it stands."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from credentials.audit import Audit
from credentials.connection import connect
from credentials.store import ADMINISTRATION
from tests.web.office import Person
from tests.web.whole import WholeOffice
from web import alerts
from web.condition import (
    AUDIT,
    KEYS,
    Condition,
    Gauge,
    State,
    check_audit,
    of_audit,
    of_deliveries,
    of_keys,
    of_redis,
)
from web.console_health import shown

NOWHERE = "unix:///nowhere/redis.sock"


@pytest.fixture
def office(database: redis.Redis) -> WholeOffice:
    office = WholeOffice(database)
    office.readings.values = {
        "queue_age_seconds": {"talk": 0.5, "faces": 29.0},
        "platform_errors": {},
        "quota_left": {"send": 0.9},
        "redis_persists": 1.0,
        "redis_memory_bytes": 5 * 1024.0**2,
    }
    return office


@pytest.fixture
def viewer(office: WholeOffice) -> Person:
    return office.operator("viewer", "vera").sign_in()


def states(condition: Condition) -> dict[str, State]:
    return {reading.alert: reading.state for reading in condition.readings()}


class TestPage:
    def test_all_is_well(self, viewer: Person) -> None:
        page = viewer.see("/console/health").text
        assert "Everything is well" in page
        assert "Platform calls left today" in page
        assert "90%" in page
        assert "5.0 MB" in page

    def test_what_is_beyond_its_limit(self, office: WholeOffice, viewer: Person) -> None:
        office.readings.values["queue_age_seconds"] = {"talk": 400.0}
        office.readings.values["redis_persists"] = 0.0
        page = viewer.see("/console/health").text
        assert "Readings beyond their limits: 2" in page
        assert "7 min" in page

    @pytest.mark.parametrize("broken", ["queue_age_seconds", "quota_left", "redis_persists"])
    def test_what_cannot_be_seen_is_not_well(
        self, office: WholeOffice, viewer: Person, broken: str
    ) -> None:
        office.readings.broken = {broken}
        page = viewer.see("/console/health").text
        assert "Everything is well" not in page
        assert "Readings that cannot be had: 1" in page

    def test_every_page_says_how_many_alerts_are_on(
        self, database: redis.Redis, office: WholeOffice, viewer: Person
    ) -> None:
        badge = '<span class="mark denied">1</span>'
        assert badge not in viewer.see("/console/cards").text
        office.readings.values["redis_persists"] = 0.0
        alerts.Alerts(database, office.condition, alerts.webhook("")).check()
        assert badge in viewer.see("/console/cards").text
        assert "redis_persists" in viewer.see("/console/health").text

    def test_a_code_with_markup_is_text(self, office: WholeOffice, viewer: Person) -> None:
        office.readings.values["platform_errors"] = {"<b>45009</b>": 501.0}
        assert "<b>45009" not in viewer.see("/console/health").text

    @pytest.mark.parametrize("language", ["en", "zh-CN"])
    def test_every_reading_of_the_product_has_its_words(
        self, office: WholeOffice, language: str
    ) -> None:
        spoken = language.replace("-", "_")
        known = office.texts.known(spoken)
        said = {key.removeprefix("health.") for key in known if key.startswith("health.")}
        assert said >= {
            "webhook_seconds", "platform_errors", "quota_refusals", "quota_left",
            "messages_kept", "dead_letters", "token_seconds_left", "queue_length",
            "queue_age_seconds", "reviews", "review_age_seconds", "redis_memory_bytes",
            "redis_memory_share", "redis_persists", "key_age_seconds", "audit_faults",
            "audit_checked_seconds_ago", "conversations", "people",
        }  # fmt: skip

    def test_nobody_who_is_not_an_operator(self, office: WholeOffice) -> None:
        assert office.app.test_client().get("/console/health").status_code == 303


class TestFigures:
    @pytest.mark.parametrize(
        ("value", "unit", "text"),
        [
            (None, "s", "—"),
            (0.256, "share", "26%"),
            (1.5, "s", "1.50 s"),
            (119.0, "s", "119 s"),
            (120.0, "s", "2 min"),
            (7200.0, "s", "2 h"),
            (200_000.0, "s", "2 d"),
            (1_234_567.0, "count", "1,234,567"),
        ],
    )
    def test_as_people_read_it(self, value: float | None, unit: str, text: str) -> None:
        assert shown(value, unit) == text


class TestReadings:
    @pytest.mark.parametrize(
        ("value", "low", "state"),
        [
            (29.9, False, State.GOOD),
            (30.0, False, State.WARN),
            (119.9, False, State.WARN),
            (120.0, False, State.BAD),
            (121.0, True, State.GOOD),
            (120.0, True, State.WARN),
            (30.0, True, State.BAD),
        ],
    )
    def test_limits(self, value: float, low: bool, state: State) -> None:
        warn, bad = (120, 30) if low else (30, 120)
        gauge = Gauge("queue_length", lambda: value, warn=warn, bad=bad, low=low)
        assert [reading.state for reading in gauge.readings()] == [state]

    @pytest.mark.parametrize("error", [OSError, ValueError, KeyError])
    def test_what_fails_is_unknown_and_hides_no_other(self, error: type[Exception]) -> None:
        def fails() -> float:
            raise error

        condition = Condition([Gauge("reviews", fails), Gauge("people", lambda: 1.0)])
        assert states(condition) == {"reviews": State.UNKNOWN, "people": State.GOOD}

    def test_without_redis_all_of_it_is_unknown(self, office: WholeOffice) -> None:
        gone = connect(NOWHERE)
        keyring = office.services.keyring
        condition = Condition([*of_redis(gone), *of_keys(gone, keyring), *of_audit(gone)])
        assert set(states(condition).values()) == {State.UNKNOWN}

    def test_an_old_key_is_told(self, database: redis.Redis, office: WholeOffice) -> None:
        condition = Condition(of_keys(database, office.services.keyring))
        assert states(condition) == {"key_age_seconds": State.GOOD}
        database.hset(KEYS, str(office.services.keyring.current), "1")
        assert states(condition) == {"key_age_seconds": State.BAD}

    def test_a_redis_that_keeps_nothing_is_told(self, database: redis.Redis) -> None:
        before = str(database.config_get("appendonly")["appendonly"])
        database.config_set("appendonly", "no")
        try:
            assert states(Condition(of_redis(database)))["redis_persists"] is State.BAD
        finally:
            database.config_set("appendonly", before)

    def test_metrics_say_the_same_and_leave_out_what_is_unknown(self, office: WholeOffice) -> None:
        office.readings.broken = {"redis_persists"}
        registry = CollectorRegistry()
        registry.register(office.condition)
        told = generate_latest(registry).decode()
        assert 'card_queue_age_seconds{of="faces"} 29.0' in told
        assert 'card_quota_left{of="send"} 0.9' in told
        assert "card_redis_persists{" not in told


class TestDeliveries:
    def test_answers_by_code_apart_from_what_was_kept(self) -> None:
        told = {"-1": 3, "45047": 20, "kept:45047": 31, "UnreachableError": 1, "dead": 2}
        condition = Condition(of_deliveries(lambda hours: told if hours else {"dead": 2}))
        values = {reading.alert: reading.value for reading in condition.readings()}
        assert values == {
            "platform_errors:-1": 3,
            "platform_errors:45047": 20,
            "platform_errors:UnreachableError": 1,
            "quota_refusals:45009": 0,
            "quota_refusals:45015": 0,
            "quota_refusals:45047": 20,
            "messages_kept:45047": 31,
            "dead_letters": 2,
        }
        assert states(condition)["quota_refusals:45047"] is State.WARN


class TestAudit:
    @pytest.fixture
    def audit(self, office: WholeOffice) -> Audit:
        return office.services.audit

    def test_a_chain_that_holds(self, database: redis.Redis, audit: Audit, viewer: Person) -> None:
        assert viewer.username
        condition = Condition(of_audit(database))
        assert states(condition)["audit_checked_seconds_ago"] is State.UNKNOWN
        assert check_audit(database, audit) == 0
        assert set(states(condition).values()) == {State.GOOD}

    def test_one_that_does_not_stays_on_until_somebody_looked(
        self, database: redis.Redis, audit: Audit, viewer: Person
    ) -> None:
        assert viewer.username
        entries: Any = database.xrange(ADMINISTRATION.log)
        database.xdel(ADMINISTRATION.log, entries[0][0])
        assert check_audit(database, audit) == 1
        condition = Condition(of_audit(database))
        assert states(condition)["audit_faults"] is State.BAD
        database.delete(ADMINISTRATION.log, ADMINISTRATION.head)
        check_audit(database, audit)
        assert states(condition)["audit_faults"] is State.BAD
        database.delete(AUDIT)
        assert states(condition)["audit_faults"] is State.GOOD
