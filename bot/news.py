"""News for an account that nobody asked for just then: a card that moved, an end that is near.

The services below say *what* is to be told, by a text's key; here it becomes a sentence in the
person's language and goes the way of every message, the outbox.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.conversations import Conversations
from bot.jobs import Jobs
from bot.outbox import Outbox
from credentials.model import Holder
from credentials.renewal import Tell
from handlers.turn import Say
from texts import DEFAULT_LANGUAGE, Texts


def teller(jobs: Jobs) -> Tell:
    """What `services.build` takes as `tell`: each piece of news becomes a job."""

    def tell(holder: Holder, key: str, values: Mapping[str, object], once: str) -> None:
        whose = {"channel": holder.channel, "openid": holder.openid}
        jobs.enqueue("news", holder=whose, key=key, values=dict(values), once=once)

    return tell


def functions(
    conversations: Conversations, outbox: Outbox, texts: Texts
) -> Mapping[str, Callable[..., None]]:
    """The job of news, for a worker; may be done twice."""

    def news(holder: Mapping[str, str], key: str, values: Mapping[str, object], once: str) -> None:
        whose = Holder(**holder)
        language = conversations.look(whose).language or DEFAULT_LANGUAGE
        outbox.put(whose, [Say(texts.say(language, key, **values))], f"news:{once}")

    return {"news": news}
