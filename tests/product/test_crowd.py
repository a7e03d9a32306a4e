"""The console's figures against the crowd's own log, and one stuck person who is helped."""

from __future__ import annotations

import csv
import html
import io
import json
import os
import re
import threading
from collections.abc import Iterator

import pytest
import redis
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Page, sync_playwright
from werkzeug.serving import make_server

from bot.conversations import BusyError
from bot.figures import ways
from credentials import connection
from credentials.cases import Kind
from credentials.model import Actor, Holder
from credentials.services import Services
from credentials.wording import LiveTexts
from handlers.dialog import DIALOG
from settings import Settings
from tests.bot.talking import World, make_world
from tests.credentials.issuer import CONSENTS, person
from tests.product.crowd import play
from tests.serving import whole
from tests.web.office import PASSWORD, Person
from web import (
    console,
    console_cases,
    console_flow,
    console_health,
    console_letters,
    console_people,
    console_texts,
    console_verifiers,
    pages,
    reviews,
    sessions,
)
from web.condition import Condition, Gauge, of_audit, of_redis

PEOPLE = 120
SHOTS = os.environ.get("SHOTS", "")


@pytest.fixture
def world(database: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 30.0)  # a Redis may get no turn for a second
    return make_world(database, redis_url)


@pytest.fixture
def app(world: World) -> Flask:
    """The console over this world."""
    services = world.services
    settings = Settings(_env_file=None, profile="production", public_url="http://127.0.0.1")  # type: ignore[call-arg]
    app = Flask("card", static_folder=str(pages.STATIC))
    pages.install(app, services, settings)
    sessions.install(app, services.keyring, secure=False)
    assist = world.assist()
    name_of = console.step_names(services)
    figures = world.conversations.figures
    places = [
        console_people.register(services, assist, BusyError, name_of),
        console_flow.register(services, figures, ways(DIALOG), name_of),
        reviews.register(services),
        console_cases.register(services),
        console_verifiers.register(services),
        console_texts.register(services, LiveTexts(services.redis)),
        console_health.register(services.redis, condition_of(services)),
        console_letters.register(services, world.outbox),
    ]
    app.register_blueprint(console.blueprint(services, world.conversations, places))
    return app


def condition_of(services: Services) -> Condition:
    """Readings of every state: good, near its limit, beyond it, unknown."""
    return Condition(
        [
            *of_redis(services.redis),
            *of_audit(services.redis),
            Gauge("quota_left", lambda: {"send": 0.1, "upload": 0.9}, "share", 0.2, 0.05, low=True),
            Gauge("platform_errors", lambda: {"45009": 501.0}, warn=50, bad=500),
        ]
    )


def test_the_figures_are_the_crowds_own(world: World, app: Flask) -> None:
    log = play(world, PEOPLE)
    password = world.services.operators.add("adam", role="admin")
    admin = Person(app.test_client(), "console", "adam", password, world.services.operators)
    admin.sign_in()

    table = admin.see("/console/flow.csv?period=day").text.removeprefix("\ufeff")
    rows = {row["step"]: row for row in csv.DictReader(io.StringIO(table))}
    for name, counted in (
        ("entered", log.came),
        ("onward", log.onward),
        ("back", log.back),
        ("ended", log.ended),
    ):
        shown = {step: int(row[name]) for step, row in rows.items() if int(row[name])}
        assert shown == dict(counted), name
    there = {step: int(row["there"]) for step, row in rows.items() if int(row["there"])}
    stay = list(log.there.values())
    assert there == {step: stay.count(step) for step in set(stay)}

    live = csv.DictReader(io.StringIO(admin.see("/console/live.csv").text.removeprefix("\ufeff")))
    people = list(live)
    assert {row["openid"]: row["step"] for row in people} == log.there
    assert {row["openid"] for row in people if row["stuck"] == "True"} == log.stuck
    assert {row["openid"] for row in people if row["human"] == "True"} == log.human

    page = admin.see("/console/flow?period=day").text
    assert f"<b>{log.came['consent']}</b>" in page
    drawn = json.loads(html.unescape(page.split('data-figure="')[1].split('"')[0]))
    assert f"Consent {log.came['consent']}" in drawn["data"][0]["node"]["label"]
    visited = {step for step, count in log.came.items() if count}
    assert set(re.findall(r'<tr data-step="(\w+)"', page)) == visited
    whole = admin.see("/console/flow?period=day&steps=all").text
    assert set(re.findall(r'<tr data-step="(\w+)"', whole)) == set(rows)
    for (step, key), count in log.turned.items():
        words = admin.see(f"/console/flow/{step}?period=day").text
        assert f"{key}</span></th><td" in words
        after = words.split(f"{key}</span>")[1]
        assert after.split("</td>")[0].endswith(f">{count}"), (step, key)


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, whole(app), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as play_:
        browser = play_.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
        page = context.new_page()
        page.set_default_timeout(90_000)
        yield page
        browser.close()


@pytest.mark.browser
def test_a_stuck_person_is_found_taken_over_helped_and_handed_back(
    world: World, address: str, page: Page
) -> None:
    phone = world.phone("oStuck")
    for text in ("申请", "同意", "张三丰", "12345", "123456", "1234567"):
        phone.say(text)
    world.services.operators.add("rosa", role="reviewer")
    world.services.operators.set_password("rosa", PASSWORD)
    page.goto(f"{address}/console")
    page.fill("#username", "rosa")
    page.fill("#password", PASSWORD)
    page.click("form.sign .button.main")
    page.wait_for_selector(".rows .mark.denied")  # found: it is marked
    page.click(".rows a.open")  # one click
    page.click("text=Take over")  # and two
    page.wait_for_selector("#send")
    assert "12345" in page.inner_text(".talk")
    assert "张三丰" not in page.inner_text(".talk")

    assert phone.say("还在吗？") == ""  # the bot is silent
    page.wait_for_selector(".talk >> text=还在吗？")  # without a reload
    page.click(".chip >> nth=2")
    page.click("#send")
    page.wait_for_selector(".talk .said.operator")  # it was sent
    assert "18" in phone.hears()  # the operator's words arrive
    page.click("text=Hand back to the bot")
    page.wait_for_selector("text=Take over")  # the whole of it is done
    page.wait_for_selector("text=The bot is answering")
    assert "身份证" in phone.hears()  # the bot asks its question again
    person = world.register(1)
    assert phone.say(person.id_number) != ""  # and answers
    assert phone.step() == "registry"


def furnish(services: Services) -> tuple[str, str]:
    """Something to see on every page; gives a card and a case."""
    holder, system = Holder("wechat", "oHolder"), Actor("system", "patterns")
    card = services.cards.issue(holder, person(7), CONSENTS, evidence={"liveness": "unsafe-none"})
    verifier, _ = services.verifiers.add("海边旅馆", ("hotel", "courier"))
    services.verifications.verify(verifier, "前台", services.cards.mint(holder).code, "courier")
    services.organisations.ask(
        name="Corner Café",
        division="440100",
        contact="Li, 020-12345678",
        grounds={"courier": "Postal Law, article 25"},
        desk="door",
        username="corner",
        password=PASSWORD,
    )
    case = services.cases.open(Kind.NOT_ME, card.credential_id, system, detail="前台")
    services.cases.open(Kind.BUSY_DESK, "", system)
    services.cases.note(case.case_id, Actor("operator", "rosa"), "rang the holder")
    return card.credential_id, case.case_id


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_accessible(world: World, address: str, page: Page, scheme: str) -> None:
    play(world, 12)
    services = world.services
    card, case = furnish(services)
    services.operators.add("adam", role="admin")
    services.operators.set_password("adam", PASSWORD)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{address}/console")
    page.fill("#username", "adam")
    page.fill("#password", PASSWORD)
    page.click("form.sign .button.main")
    page.wait_for_selector(".rows")
    one = page.get_attribute(".rows a.open", "href") or ""
    assert one is not None
    found: dict[str, str] = {}
    places = [path for _, path in console.PLACES]
    further = [
        one,
        f"/console/cards/{card}",
        f"/console/cases/{case}",
        "/console/texts/chat.welcome",
        "/console/second",
    ]
    for path in places + further:
        answer = page.goto(f"{address}{path}")
        assert answer is not None
        assert answer.status == 200, path
        page.wait_for_load_state()
        if path == "/console/flow":
            page.wait_for_selector("#sankey .sankey-node")  # drawn
        rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}
        violations = Axe().run(page, options=rules).response["violations"]
        found |= {f"{path}: {each['id']}": each["nodes"][0]["html"] for each in violations}
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/{scheme}{path.replace('/', '_')}.png", full_page=True)
    assert found == {}
