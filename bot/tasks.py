"""Tasks: what a work of the dialog is handed, whichever channel the person writes from."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from bot.channel import Channel, MediaGoneError, PlatformUnavailableError
from bot.engine import Conversation
from credentials.frames import PREFIX
from credentials.model import Holder
from credentials.services import Services
from handlers.steps import MediaError, Task, always
from handlers.twins import Twins
from texts import DEFAULT_LANGUAGE


class Tasks:
    """Makes the task of a conversation.

    Args:
        services: the card's services.
        channels: the platforms by name; `/card` alone is the page of the first one's accounts.
        home: the step at which no question is open.
        liveness: `challenge` or `unsafe-none`.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        services: Services,
        channels: Mapping[str, Channel],
        *,
        home: str,
        liveness: str,
        clock: Callable[[], float],
    ) -> None:
        self._services = services
        self._channels = channels
        self._home = home
        self._liveness = liveness
        self._clock = clock
        self.twins = Twins(services.templates)

    def of(self, conversation: Conversation, *, wanted: Callable[[], bool] = always) -> Task:
        """What a work needs to know of this conversation, and may use."""
        return Task(
            holder=conversation.holder,
            given=conversation.given,
            services=self._services,
            liveness=self._liveness,
            now=self._clock(),
            fetch=functools.partial(self._fetch, conversation.holder),
            twins=self.twins,
            paused="" if conversation.step in ("", self._home) else conversation.step,
            language=conversation.language or DEFAULT_LANGUAGE,
            card_page=self._card_page(conversation.holder),
            wanted=wanted,
        )

    def _card_page(self, holder: Holder) -> str:
        """The card page's address, which asks the account's own platform who is looking."""
        first = next(iter(self._channels))
        which = "" if holder.channel == first else f"?channel={holder.channel}"
        return f"{self._services.address}/card{which}"

    def _fetch(self, holder: Holder, media_id: str, limit: int) -> bytes:
        if media_id.startswith(PREFIX):
            data = self._services.frames.get(holder, media_id)
            if data is None or len(data) > limit:
                raise MediaError("gone")
            return data
        try:
            return self._channels[holder.channel].fetch(media_id, limit=limit)
        except MediaGoneError as error:
            raise MediaError("gone") from error
        except PlatformUnavailableError as error:
            raise MediaError("unavailable") from error
