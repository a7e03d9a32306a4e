"""What a worker does after a verification was decided: webhooks, and the look for patterns.

The web server enqueues one job for a verification, to tell the holder; the rest hangs on that
job, so that a scan's answer never waits for it. Webhooks have a worker of their own: a slow
receiver holds up neither the talk nor the faces.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from bot.jobs import WEBHOOKS, Jobs, run_worker
from credentials.patterns import Aftermath
from credentials.webhooks import JOB, Webhooks

FOLLOWED = ("notify_approval", "notify_receipt")
WEBHOOK_THREADS = 4
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

    def work() -> None:
        run_worker(
            jobs,
            {JOB: webhooks.deliver, "give_up": give_up},
            stop,
            threads=WEBHOOK_THREADS,
            queues={WEBHOOKS},
        )

    thread = threading.Thread(target=work, name="webhooks")
    thread.start()
    return thread
