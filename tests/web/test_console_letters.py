"""What never arrived, what the platform answered, and how far the reminders are."""

from __future__ import annotations

import datetime

import pytest
import redis

from bot.channel import UnreachableError
from bot.outbox import Outbox
from credentials.model import Holder
from handlers.turn import Reply, Say
from tests.web.office import Person
from tests.web.whole import WholeOffice

NOBODY = Holder("wechat", "oNobody")


class Gone:
    """A platform on which nobody of this name is."""

    name = "wechat"
    hands_over = False

    def send(self, _openid: str, _reply: Reply) -> None:
        raise UnreachableError("40003: invalid openid", 40003)


@pytest.fixture
def office(database: redis.Redis) -> WholeOffice:
    return WholeOffice(database)


@pytest.fixture
def viewer(office: WholeOffice) -> Person:
    return office.operator("viewer", "vera").sign_in()


def bury(office: WholeOffice, words: str) -> None:
    services = office.services
    outbox = Outbox(services.redis, services.sealer, {"wechat": Gone()}, lambda *_, **__: None)  # type: ignore[dict-item] # nothing else of a channel is asked
    outbox.put(NOBODY, [Say(words)], words)
    outbox.deliver(NOBODY)


def test_it_says_that_everything_arrived(viewer: Person) -> None:
    page = viewer.see("/console/letters").text
    assert "Every message arrived" in page
    assert "refused nothing" in page
    assert "have not run yet" in page


def test_a_letter_is_listed_with_its_reason_and_leads_to_the_person(
    office: WholeOffice, viewer: Person
) -> None:
    bury(office, "Your number 440115198806203025 <b>is known")
    page = viewer.see("/console/letters").text
    assert "1 messages will never arrive" in page
    assert "40003: invalid openid" in page
    assert "/console/holders/wechat/oNobody" in page
    assert "440115198806203025" not in page
    assert "&lt;b&gt;is known" in page
    assert "1 refusals; 0 messages were kept" in page


def test_how_far_the_reminders_are(office: WholeOffice, viewer: Person) -> None:
    run = office.services.expiry.remind(datetime.date(2030, 1, 1))
    first = next(run)
    page = viewer.see("/console/letters").text
    assert f"{first.done} of {first.total} groups" in page
    list(run)
    assert "The last run looked at all: 0 people reminded" in viewer.see("/console/letters").text


def test_health_leads_to_it(viewer: Person) -> None:
    assert "/console/letters" in viewer.see("/console/health").text


def test_a_stranger_sees_nothing(office: WholeOffice) -> None:
    assert office.operator("viewer", "olga").see("/console/letters").status_code == 303
