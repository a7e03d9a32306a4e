"""Row 12. One ID number enrolled by two accounts in parallel: exactly one credential."""

from __future__ import annotations

from collections import Counter

import pytest
import redis

from credentials.errors import CredentialError
from credentials.model import Consent, Holder
from tests.bot.talking import World, make_world, selfie
from tests.credentials.issuer import person
from tests.faults.acts import Office, all_at_once
from tests.faults.conftest import Figure

ACCOUNTS = 16
CONSENTS = (Consent("data", "1", 1.0), Consent("face", "1", 2.0))


@pytest.mark.parametrize("number", [901, 902, 903])
def test_sixteen_accounts_at_once_make_one_card(
    shared_office: Office, figure: Figure, number: int
) -> None:
    cards, who = shared_office.services.cards, person(number)
    told: list[str] = []

    def enrol(place: int) -> None:
        holder = Holder("wechat", f"oTwin{number}x{place}")
        try:
            cards.issue(holder, who, CONSENTS, evidence={})
            told.append("issued")
        except CredentialError as error:
            told.append(error.code)

    all_at_once([lambda place=place: enrol(place) for place in range(ACCOUNTS)])  # type: ignore[misc]
    answers = Counter(told)  # not counted by the threads, which could lose a count
    assert answers == {"issued": 1, "id_number_taken": ACCOUNTS - 1}
    held = [
        card
        for place in range(ACCOUNTS)
        if (card := cards.of(Holder("wechat", f"oTwin{number}x{place}")))
    ]
    assert [card.credential_id for card in held] == [
        card.credential_id for card in [cards.find(who.id_number)] if card
    ]
    figure("accounts at once", ACCOUNTS, "")
    figure("cards", answers["issued"], "")


def test_two_people_in_the_chat_at_the_same_step(database: redis.Redis, redis_url: str) -> None:
    """Both passed the registry before either had a card; the second is told at the end."""
    world: World = make_world(database, redis_url)
    who, one, other = world.register(), world.phone("oOne"), world.phone("oOther")
    for phone in (one, other):
        for said in ("申请", "同意", who.name, who.id_number):
            phone.say(said)
        phone.hears()
    one.send_photo(selfie())
    other.send_photo(selfie(factor=1.2))
    heard = [one.hears(), other.hears()]
    assert sum("另一个账号" in told for told in heard) == 1
    assert sum(world.services.cards.of(phone.holder) is not None for phone in (one, other)) == 1
