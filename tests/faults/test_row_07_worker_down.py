"""Row 7. Worker down or slow: webhook under 1 s, the job kept, the person told."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator

import psutil

from tests.faults.acts import END_SECONDS, office_of
from tests.faults.conftest import Figure, Phones
from tests.faults.wire import Wire, said
from tests.product.actors import Product, wait_until
from web.demo import CITIZENS

HOPPER = CITIZENS[0]
MOST_SECONDS = 1.0


@contextlib.contextmanager
def stopped_worker(product: Product) -> Iterator[None]:
    """Stop the worker as a machine that hangs would, and let it go on at the end."""
    worker = product.children()["worker"]
    os.kill(worker, signal.SIGSTOP)
    try:
        assert wait_until(
            lambda: psutil.Process(worker).status() == psutil.STATUS_STOPPED, END_SECONDS
        )
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


def test_the_webhook_answers_the_job_waits_and_the_person_knows(
    product: Product, phones: Phones, figure: Figure
) -> None:
    phone = phones(product)
    for say, expected in (("申请", "1/4"), ("同意", "2/4"), (HOPPER.name, "3/4")):
        phone.say(say)
        phone.wait_for(expected)
    wire = Wire(product, phone.openid)
    took: list[float] = []

    def push(words: str, told: str) -> float:
        began = time.monotonic()
        assert told in said(wire.push(wire.text(words)))
        took.append(time.monotonic() - began)
        return took[-1]

    with stopped_worker(product), office_of(product) as office:
        push(HOPPER.id_number, "正在向登记机关核实")
        push("好了吗", "请稍等")
        # The shortest of some, since a busy machine disturbs the rest.
        assert wait_until(lambda: push("？？？", "请稍等") < MOST_SECONDS, END_SECONDS)
        talk = office.database.hgetall(f"{{wechat:{phone.openid}}}:talk")
        assert talk[b"s"] == b"registry"
    phone.wait_for("4/4", seconds=END_SECONDS)
    assert str(phone.from_account()).count("身份核实通过") == 1
    figure("slowest answer without a worker", max(took), "s")
