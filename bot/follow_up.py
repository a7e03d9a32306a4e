"""What a worker does after a verification was decided: receipts, webhooks, the look for patterns.

A verification leaves a receipt in Redis (`credentials/receipts.py`), and so does the holder's
answer to one. Each worker has a thread that takes them from there, some at a time: the holder is
told, the verifier's software, and patterns are looked for, so that a scan's answer waits for none
of it. What is sent is sent by jobs. Webhooks have a worker of their own: a slow receiver holds up
neither the talk nor the faces.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Collection, Mapping, Sequence

import structlog

from bot.jobs import WEBHOOKS, Jobs, start_beside
from credentials.errors import CredentialError
from credentials.patterns import Aftermath
from credentials.receipts import Receipt, Receipts
from credentials.sealing import SealBrokenError
from credentials.webhooks import JOB, Webhooks

WEBHOOK_THREADS = 4
RECEIPT_WAIT_MS = 500
REDIS_OUT_SECONDS = 1.0
log = structlog.get_logger(__name__)
Tell = Callable[[Sequence[Receipt]], Collection[Receipt]]


def start_webhooks(jobs: Jobs, webhooks: Webhooks, stop: threading.Event) -> threading.Thread:
    """Send webhooks in a thread until `stop` is set; `jobs` are for this alone."""

    def give_up(*_: object) -> None:
        """A delivery that could not even be read: its own record says how far it came."""

    done: Mapping[str, Callable[..., None]] = {JOB: webhooks.deliver, "give_up": give_up}
    return start_beside(jobs, done, stop, queue=WEBHOOKS, threads=WEBHOOK_THREADS)


def start_receipts(receipts: Receipts, tell: Tell, stop: threading.Event) -> threading.Thread:
    """Pass receipts on in a thread until `stop` is set; it waits in Redis on their connection."""
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


def teller(notify: Callable[[Receipt], None], aftermath: Aftermath) -> Tell:
    """What is done with receipts: the holder is told by `notify`, and the rest follows.

    Each may be done twice. A receipt that cannot be told holds up no other. One for which a
    CredentialError was raised is told once more: it is given back, or, where it was so with all of
    them, the error is raised.
    """

    def tell(receipts: Sequence[Receipt]) -> list[Receipt]:
        waits: dict[bytes, CredentialError] = {}
        for receipt in receipts:
            for does in (follow,) if receipt.answered else (notify, follow):
                try:
                    does(receipt)
                except SealBrokenError:  # nor can it be told at any other time
                    log.exception("receipt lost", verification=receipt.decided.verification_id)
                except CredentialError as error:
                    known = receipt.decided.verification_id
                    log.warning("receipt waits", verification=known, reason=str(error))
                    waits[receipt.entry] = error
                except Exception:
                    log.exception("receipt lost", verification=receipt.decided.verification_id)
        if waits and len(waits) == len(receipts):
            raise next(iter(waits.values()))
        return [receipt for receipt in receipts if receipt.entry in waits]

    def follow(receipt: Receipt) -> None:
        aftermath.follow(receipt.decided, answered=receipt.answered)

    return tell
