"""The face step on a page with a live camera: the same challenge, the same works as in the chat.

The page shows the gesture that the conversation asks for, and sends small pictures while the
person makes it. A worker looks at each: it says what the picture needs (closer, more light, the
gesture itself), and the first one that shows the gesture is heard by the conversation like a
photo that was sent in the chat. The page decides nothing: it only asks how things stand.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

import redis

from bot.conversations import Conversations
from bot.engine import Conversation
from bot.jobs import Jobs
from bot.talk import FACE_WORKS, IN_REVIEW, QUIET, Talk
from credentials.connection import guard
from credentials.errors import RefusalError
from credentials.model import Holder
from credentials.services import Services
from faces.gestures import Gesture
from handlers.hints import TAKEN, look_at
from handlers.turn import Kind, Turn

GESTURE_STEPS: Final = frozenset({"gesture", "upgrade_gesture"})
PHOTO_STEPS: Final = frozenset({"face", "upgrade_face"})
CHECK_STEPS: Final = FACE_WORKS - {"card_photo"}
PICTURES: Final = 600  # of one person's camera in `WINDOW_SECONDS`: two a second
WINDOW_SECONDS: Final = 300.0
LOOKING_SECONDS: Final = 10
TAKEN_HINT: Final = "taken"


class Enrolling:
    """What the page asks for. Each method raises UnavailableError when Redis is out.

    Args:
        talk: hears what the page sends.
        conversations: where each person is.
        services: frames and limits.
        jobs: has a worker look at pictures.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        talk: Talk,
        conversations: Conversations,
        services: Services,
        jobs: Jobs,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._talk = talk
        self._conversations = conversations
        self._services = services
        self._redis: redis.Redis = services.redis
        self._jobs = jobs
        self._clock = clock

    def state(self, holder: Holder) -> dict[str, object]:
        """How things stand, for the page.

        `step` is `gesture`, `photo`, `checking`, `review`, or `chat` when the chat has to go on
        first; `gesture`, `place`, `all` and `left` (seconds) tell the challenge; `hint` the last
        picture's id and what it needs; `told` the last result's number and words.
        """
        conversation = self._conversations.look(holder)
        # What was given has its deadline, and the challenge with it: the chat says so, once.
        step = "" if conversation.lost else conversation.step
        told: dict[str, object] = {
            "step": "chat",
            "hint": self._services.frames.last_hint(holder),
            "told": self._services.frames.last_told(holder),
        }
        if step in GESTURE_STEPS:
            asked, frames = _asked(conversation)
            left = round(max(0.0, _until(conversation) - self._clock()), 1)
            told |= {"step": "gesture", "gesture": asked[len(frames)], "place": len(frames) + 1}
            told |= {"all": len(asked), "left": left}
        elif step in PHOTO_STEPS:
            told["step"] = "photo"
        elif step in CHECK_STEPS:
            told |= {"step": "checking", "ahead": self._talk.ahead(holder)}
        elif step in IN_REVIEW:
            told["step"] = "review"
        return told

    def look(self, holder: Holder, picture: bytes) -> str:
        """Have a picture of the camera looked at; the id that `hint` will name.

        Raises:
            RefusalError: too_many_requests.
        """
        media_id = self._put(holder, picture)
        self._jobs.enqueue("hint", holder=_pack(holder), media_id=media_id)
        return media_id

    def send(self, holder: Holder, file: bytes, *, video: bool = False) -> None:
        """Have a photo, or a video, heard as if it was sent in the chat.

        Raises:
            RefusalError: too_many_requests.
        """
        media_id = self._put(holder, file)
        self._hear(holder, media_id, Kind.VIDEO if video else Kind.IMAGE)

    def functions(self) -> Mapping[str, Callable[..., None]]:
        """The jobs of the page, for a worker, by the names of `bot.jobs.QUEUES`."""
        return {"hint": self._do_hint}

    def _put(self, holder: Holder, file: bytes) -> str:
        allowance = self._services.limits.attempt(
            "camera", holder.tag, PICTURES, WINDOW_SECONDS, WINDOW_SECONDS
        )
        if not allowance.allowed:
            raise RefusalError("too_many_requests")
        return self._services.frames.put(holder, file)

    def _hear(self, holder: Holder, media_id: str, kind: Kind, key: str = "") -> None:
        turn = Turn(holder, kind, "", media_id, self._clock(), key or media_id, {QUIET: "1"})
        self._talk.receive(turn)

    def _do_hint(self, holder: Mapping[str, str], media_id: str) -> None:
        """Look at a picture, and take it if it shows the gesture; one at a time."""
        whose = Holder(**holder)
        key = f"{whose.tag}:looking"
        with guard():
            alone = self._redis.set(key, media_id, nx=True, ex=LOOKING_SECONDS)
        if not alone:
            return  # the page sends another one
        try:
            code = self._look(whose, media_id)
        finally:
            with guard():
                self._redis.delete(key)
        if code != TAKEN_HINT:
            self._services.frames.drop(whose, media_id)
        self._services.frames.hint(whose, media_id, code)

    def _look(self, holder: Holder, media_id: str) -> str:
        conversation = self._conversations.look(holder)
        data = self._services.frames.get(holder, media_id)
        if data is None or conversation.step not in GESTURE_STEPS:
            return "over"
        if self._clock() > _until(conversation):
            self._hear(holder, media_id, Kind.IMAGE)  # the conversation begins a new challenge
            return "late"
        asked, frames = _asked(conversation)
        code = look_at(data, Gesture(asked[len(frames)]))
        if code != TAKEN:
            return code
        # Looking takes a while: a picture that another overtook shows a gesture that is done.
        if _asked(self._conversations.look(holder)) != (asked, frames):
            return "over"
        once = (
            f"gesture:{_until(conversation)}:{len(frames)}"  # two that are looked at side by side
        )
        self._hear(holder, media_id, Kind.IMAGE, once)
        return TAKEN_HINT


def _asked(conversation: Conversation) -> tuple[list[str], list[str]]:
    """The gestures of the challenge, and the pictures that were taken already."""
    lists = []
    for key in ("gestures", "frames"):
        value = conversation.given.get(key)
        lists.append([str(part) for part in value] if isinstance(value, list) else [])
    return lists[0], lists[1]


def _until(conversation: Conversation) -> float:
    return float(str(conversation.given.get("until", 0)))


def _pack(holder: Holder) -> dict[str, str]:
    return {"channel": holder.channel, "openid": holder.openid}
