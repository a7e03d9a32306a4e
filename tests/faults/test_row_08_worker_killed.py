"""Row 8. kill -9 of a worker in mid-job: the job is done once."""

from __future__ import annotations

import os
import signal
import time

from credentials.model import Holder
from tests.faults.acts import (
    END_SECONDS,
    Office,
    office_of,
    strike,
    strike_no_more,
    strikes,
    up_to_the_photo,
)
from tests.faults.conftest import Figure, Phones
from tests.product.actors import Product, wait_until
from web.demo import CITIZENS

HOPPER = CITIZENS[0]


def test_the_next_worker_does_it_once(product: Product, phones: Phones, figure: Figure) -> None:
    phone = phones(product)
    up_to_the_photo(phone, HOPPER.name, HOPPER.id_number)
    with office_of(product) as office:
        # The platform takes its time to hand the photo out: the job is under way meanwhile, and
        # not done before anybody has looked.
        strike(product, kind="api_latency", target="/cgi-bin/media/get", seconds=10)
        worker = product.children()["worker"]
        phone.send_photo(HOPPER.selfie())
        assert wait_until(lambda: strikes(product) > 0, END_SECONDS)
        assert _under_way(office, phone.openid)
        os.kill(worker, signal.SIGKILL)
        strike_no_more(product)
        began = time.monotonic()
        phone.wait_for("办好了", seconds=END_SECONDS)
        took = time.monotonic() - began
        phone.wait_for_photo(seconds=END_SECONDS)
        phone.settle()
        phone.look()
        assert str(phone.from_account()).count("办好了") == 1
        card = office.services.cards.of(Holder("wechat", phone.openid))
        assert card is not None
        kinds = [use.kind for use in office.services.cards.history(card.credential_id)]
        assert (kinds.count("issued"), kinds.count("activated")) == (1, 1)
    figure("until the person's card was there", took, "s")


def _under_way(office: Office, openid: str) -> bool:
    """Whether a worker holds the photo's job: it has left the queue, and nothing came of it."""
    talk = office.database.hgetall(f"{{wechat:{openid}}}:talk")
    jobs = office.jobs_database()
    try:
        waiting = jobs.llen("jobs:faces")
    finally:
        jobs.close()
    return talk.get(b"s") == b"match_photo" and waiting == 0
