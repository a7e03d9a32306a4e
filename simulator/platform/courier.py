"""Delivery of pushes: in order for each phone, five seconds, three tries, faults included."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import threading
import time
from typing import Any

import httpx

from simulator.config import Config
from simulator.platform.chat import NOTICE, Chat
from simulator.platform.errors import ApiError
from simulator.platform.faults import Faults
from simulator.platform.push import ReplyError, Writer
from simulator.platform.wire import Wire
from simulator.platform.world import World

REORDER_WAIT = 3.0  # how long a push that shall be overtaken waits for the next one


@dataclasses.dataclass(frozen=True, slots=True)
class Push:
    """One push. `message_id` names the chat's message it carries; `notice`: failing is shown."""

    number: int
    openid: str
    fields: dict[str, Any]
    message_id: int = 0
    notice: bool = True

    @property
    def title(self) -> str:
        """The MsgType, or the Event of an event."""
        kind = str(self.fields["MsgType"])
        return str(self.fields["Event"]) if kind == "event" else kind


class Courier:
    """Carries pushes to the webhook. What is not delivered at a stop is tried again at a start."""

    def __init__(
        self,
        config: Config,
        world: World,
        *,
        writer: Writer,
        chat: Chat,
        faults: Faults,
        wire: Wire,
    ) -> None:
        self._config = config
        self._world = world
        self._writer = writer
        self._chat = chat
        self._faults = faults
        self._wire = wire
        self._client = httpx.Client(
            timeout=config.deadline,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
            trust_env=False,
        )
        self._changed = threading.Condition()
        self._queues: dict[str, collections.deque[Push]] = {}
        self._stopped = threading.Event()
        for _, body in world.shelf.all("push"):
            self._enqueue(Push(**body))

    def send(self, push: Push) -> None:
        """Take a push for delivery, after those of the same phone."""
        self._world.shelf.put("push", _key(push.number), dataclasses.asdict(push))
        self._enqueue(push)

    def idle(self, openid: str, seconds: float) -> bool:
        """Wait until nothing is under way for a phone (or, with no openid, for any)."""
        with self._changed:
            return self._changed.wait_for(
                lambda: openid not in self._queues if openid else not self._queues, timeout=seconds
            )

    def check_webhook(self) -> str:
        """Do the platform's first call; empty when the echostr came back, else what was wrong."""
        query = self._writer.echo(int(time.time()))
        try:
            answer = self._client.get(self._config.webhook, params=query)
        except httpx.HTTPError as error:
            return f"{type(error).__name__}: {error}"
        if answer.status_code != 200 or answer.text.strip() != query["echostr"]:
            return f"status {answer.status_code}, and not the echostr: {answer.text[:80]!r}"
        return ""

    def close(self) -> None:
        """Stop; what is under way stays on the shelf."""
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()
        self._client.close()

    def _enqueue(self, push: Push) -> None:
        with self._changed:
            if self._stopped.is_set():
                return
            queue = self._queues.get(push.openid)
            if queue is not None:
                queue.append(push)
                self._changed.notify_all()
                return
            self._queues[push.openid] = collections.deque([push])
        threading.Thread(
            target=self._run, args=(push.openid,), name=f"phone {push.openid[:8]}", daemon=True
        ).start()

    def _run(self, openid: str) -> None:
        while push := self._next(openid):
            batch = [push]
            if self._faults.take("push_reorder", push.title):
                batch = self._overtaken(push)
            for each in batch:
                self._deliver(each)

    def _next(self, openid: str) -> Push | None:
        with self._changed:
            queue = self._queues[openid]
            if not queue or self._stopped.is_set():
                del self._queues[openid]
                self._changed.notify_all()
                return None
            return queue.popleft()

    def _overtaken(self, push: Push) -> list[Push]:
        with self._changed:
            queue = self._queues[push.openid]
            self._changed.wait_for(lambda: queue or self._stopped.is_set(), timeout=REORDER_WAIT)
            return [queue.popleft(), push] if queue else [push]

    def _deliver(self, push: Push) -> None:
        delay = self._faults.take("push_latency", push.title)
        if delay:
            self._stopped.wait(delay.seconds)
        if self._stopped.is_set():
            return
        if self._faults.take("push_drop", push.title):
            self._wire.record("push", push.title, openid=push.openid, good=False, received="drop")
            self._done(push, "lost")
            return
        if self._faults.take("push_duplicate", push.title):
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                answers = list(pool.map(self._tries, [push, push]))
        else:
            answers = [self._tries(push)]
        if self._stopped.is_set() and not any(answer.got for answer in answers):
            return  # stays on the shelf for the next start
        self._conclude(push, answers)

    def _conclude(self, push: Push, answers: list[Answer]) -> None:
        got = [answer for answer in answers if answer.got]
        reply = next((answer.reply for answer in got if answer.reply), None)
        broken = not got or any(answer.broken for answer in got)
        try:
            if reply:
                self._chat.show_reply(push.openid, reply)
        except ApiError as error:
            self._wire.record(
                "reply", push.title, openid=push.openid, good=False, received=str(error)
            )
            broken = True
        try:
            if broken and push.notice:
                self._chat.note(push.openid, NOTICE)
        except ApiError:
            pass  # the phone was removed meanwhile
        self._done(push, "delivered" if got else "lost")

    def _done(self, push: Push, state: str) -> None:
        self._world.shelf.drop("push", _key(push.number))
        if push.message_id:
            self._world.mark(push.openid, push.message_id, state)

    def _tries(self, push: Push) -> Answer:
        for attempt in range(1, self._config.deliveries + 1):
            answer = self._try(push, attempt)
            if answer.got or self._stopped.is_set():
                return answer
            if answer.refused and attempt < self._config.deliveries:
                self._stopped.wait(self._config.pause)
        return Answer()

    def _try(self, push: Push, attempt: int) -> Answer:
        forged = self._faults.take("push_forged", push.title) is not None
        request = self._writer.write(push.fields, push.openid, int(time.time()), forged=forged)
        plain = _shown(push.fields)
        started = time.monotonic()
        title = push.title if attempt == 1 else f"{push.title} ×{attempt}"
        try:
            response = self._client.post(
                self._config.webhook,
                params=request.query,
                content=request.body.encode(),
                headers={"content-type": request.content_type},
            )
        except (httpx.HTTPError, RuntimeError) as error:
            problem = f"{type(error).__name__}: {error}"
            answer = Answer(refused=isinstance(error, httpx.ConnectError))
            good = False
        else:
            answer, problem = self._read(push, response)
            good = answer.got and not answer.broken
        self._wire.record(
            "push",
            title,
            openid=push.openid,
            good=good,
            took=time.monotonic() - started,
            sent=f"{plain}\n\n{request.body}",
            received=problem,
        )
        return answer

    def _read(self, push: Push, response: httpx.Response) -> tuple[Answer, str]:
        if self._faults.take("reply_lost", push.title):
            self._stopped.wait(self._config.deadline)  # nobody tells that nothing will come
            return Answer(), "the answer was lost on its way (fault)"
        if response.status_code != 200:
            return Answer(), f"status {response.status_code}\n{response.text}"
        try:
            reply, text = self._writer.read(response.content, push.fields)
        except ReplyError as error:
            return Answer(got=True, broken=True), f"{error}\n{response.text}"
        return Answer(got=True, reply=reply), text or "(empty)"


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What came of a try.

    Attributes:
        got: the webhook answered in time, with status 200.
        broken: what it answered is no reply.
        refused: it could not even be connected to.
        reply: the reply's fields, if there was one.
    """

    got: bool = False
    broken: bool = False
    refused: bool = False
    reply: dict[str, Any] | None = None


def _shown(fields: dict[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in fields.items())


def _key(number: int) -> str:
    return f"{number:020}"
