"""What a worker does after a verification was decided: receipts, webhooks, the look for patterns.

A verification leaves a receipt in Redis (`credentials/receipts.py`). Each worker has a thread that
makes a job of it, to tell the holder; the rest hangs on that job, so that a scan's answer never
waits for it. Webhooks have a worker of their own: a slow receiver holds up neither the talk nor
the faces.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping

import structlog

from bot.jobs import WEBHOOKS, Jobs, start_beside
from credentials.model import State
from credentials.patterns import Aftermath
from credentials.receipts import Receipt, Receipts
from credentials.webhooks import JOB, Webhooks

FOLLOWED = ("notify_approval", "notify_receipt")
WEBHOOK_THREADS = 4
RECEIPT_WAIT_MS = 500
REDIS_OUT_SECONDS = 1.0
log = structlog.get_logger(__name__)
Functions = Mapping[str, Callable[..., None]]


def functions(talk: Functions, jobs: Jobs, aftermath: Aftermath) -> Functions:
    """The jobs of the talk, with what follows a verification behind those that tell of one."""

    def followed(tell: Callable[..., None]) -> Callable[..., None]:
        def both(**arguments: object) -> None:
            jobs.enqueue("aftermath", verification_id=arguments["verification_id"])
            tell(**arguments)

        return both

    def after(*, verification_id: str) -> None:
        aftermath.of(verification_id)

    wrapped = {name: followed(talk[name]) for name in FOLLOWED}
    return {**talk, **wrapped, "aftermath": after}


def start_webhooks(jobs: Jobs, webhooks: Webhooks, stop: threading.Event) -> threading.Thread:
    """Send webhooks in a thread until `stop` is set; `jobs` are for this alone."""

    def give_up(*_: object) -> None:
        """A delivery that could not even be read: its own record says how far it came."""

    done: Functions = {JOB: webhooks.deliver, "give_up": give_up}
    return start_beside(jobs, done, stop, queue=WEBHOOKS, threads=WEBHOOK_THREADS)


def start_receipts(jobs: Jobs, receipts: Receipts, stop: threading.Event) -> threading.Thread:
    """Make jobs of receipts in a thread until `stop` is set; `jobs` are for this alone."""
    tell = teller(jobs)
    reader = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"

    def work() -> None:
        while not stop.is_set():
            try:
                receipts.pass_on(reader, tell, RECEIPT_WAIT_MS)
            except Exception as error:  # noqa: BLE001 - a thread that ended would tell nobody
                log.warning("no receipts", reason=str(error))
                stop.wait(REDIS_OUT_SECONDS)

    thread = threading.Thread(target=work, name="receipts")
    thread.start()
    return thread


def teller(jobs: Jobs) -> Callable[[Receipt], None]:
    """What makes a job of a receipt; raises UnavailableError when the broker cannot take it."""

    def tell(receipt: Receipt) -> None:
        name = "notify_approval" if receipt.state is State.AWAITING_HOLDER else "notify_receipt"
        jobs.enqueue(
            name,
            holder=dataclasses.asdict(receipt.holder),
            verification_id=receipt.verification_id,
        )

    return tell
