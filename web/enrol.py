"""The page `/enrol`: the face step with a live camera, for whoever would rather not send photos.

It belongs to a visit as the card's page does (`holder.py`): who looks is found out by the
platform, and the page lives below the visit's path. It decides nothing. The challenge is the
conversation's, pictures are looked at by the same workers as in the chat, and the result is told
in both.

| path under `/card/s/<tag>/` | does |
|---|---|
| `enrol` | the page |
| `enrol/state` | how things stand: the gesture, what the last picture needs, the last result |
| `enrol/frame` | POST a small picture of the camera (JPEG); answers its id |
| `enrol/upload` | POST a photo or a video, as if it was sent in the chat |

`/enrol/gestures/<name>.png` are the drawings of the gestures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from flask import Blueprint, Response, jsonify, make_response, render_template, request
from werkzeug.exceptions import NotFound, RequestEntityTooLarge, UnsupportedMediaType

from credentials.errors import CredentialError
from credentials.model import Holder, Status
from faces import photo, video
from faces.errors import PhotoError
from faces.gestures import Gesture
from web import pages

if TYPE_CHECKING:
    from credentials.services import Services
    from web.card_session import CardSession

LARGEST_FRAME = 512 * 1024
View = Callable[..., Response]


class Enrolling(Protocol):
    """The face step, as the conversation has it; `bot.enrolling.Enrolling` is one."""

    def state(self, holder: Holder) -> Mapping[str, object]:
        """How things stand."""

    def look(self, holder: Holder, picture: bytes) -> str:
        """Have a picture of the camera looked at; its id."""

    def send(self, holder: Holder, file: bytes, *, video: bool = False) -> None:
        """Have a photo or a video heard."""


class EnrolPages:
    """The views of the page.

    Args:
        services: the product's services.
        enrolling: the face step.
    """

    def __init__(self, services: Services, enrolling: Enrolling) -> None:
        self._services = services
        self._enrolling = enrolling

    def views(self) -> list[tuple[str, str, View]]:
        """Path, method and view, as `holder.blueprint` takes them."""
        return [
            ("enrol", "GET", self.enrol),
            ("enrol/state", "GET", self.enrol_state),
            ("enrol/frame", "POST", self.enrol_frame),
            ("enrol/upload", "POST", self.enrol_upload),
        ]

    def enrol(self, session: CardSession) -> Response:
        """The page itself."""
        page = render_template(
            "enrol.html",
            token=session.token,
            state=self._state(session),
            gestures=[str(gesture) for gesture in Gesture],
        )
        return make_response(page)

    def enrol_state(self, session: CardSession) -> Response:
        """How things stand."""
        return jsonify(self._state(session))

    def enrol_frame(self, session: CardSession) -> Response:
        """A picture of the camera; it is looked at by a worker, not here."""
        data = request.get_data(cache=False)
        if not _is_photo(data):
            raise UnsupportedMediaType
        return jsonify(id=self._enrolling.look(session.holder, data))

    def enrol_upload(self, session: CardSession) -> Response:
        """A photo or a video from a file."""
        data = request.get_data(cache=False)
        film = video.is_video(data)
        if not film and not _is_photo(data):
            raise UnsupportedMediaType
        if len(data) > (video.MAX_BYTES if film else photo.MAX_BYTES):
            raise RequestEntityTooLarge
        self._enrolling.send(session.holder, data, video=film)
        return jsonify(self._state(session))

    def _state(self, session: CardSession) -> dict[str, object]:
        state = dict(self._enrolling.state(session.holder))
        if state["step"] == "chat":
            try:
                card = self._services.cards.of(session.holder)
            except CredentialError:
                card = None
            if card is not None and card.status is Status.ACTIVE:
                state["step"] = "done"
        return state

    enrol_frame.largest = LARGEST_FRAME  # type: ignore[attr-defined]  # read by `holder`
    enrol_upload.largest = video.MAX_BYTES + 1  # type: ignore[attr-defined]


def drawings(draw: Callable[[Gesture], bytes]) -> Blueprint:
    """The drawings of the gestures, as `draw` makes them."""
    routes = Blueprint("enrol_drawings", __name__)

    @routes.get("/enrol/gestures/<name>.png")
    def drawing(name: str) -> Response:
        if name not in set(Gesture):
            raise NotFound
        answer = Response(draw(Gesture(name)), content_type="image/png")
        answer.headers["Cache-Control"] = f"public, max-age={pages.YEAR_SECONDS // 12}"
        return answer

    return routes


def _is_photo(data: bytes) -> bool:
    try:
        photo.sniff(data)
    except PhotoError:
        return False
    return True
