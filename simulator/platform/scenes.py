"""QR scenes, OAuth codes and mini-program codes."""

from __future__ import annotations

import dataclasses
import io
import secrets
import threading
from collections.abc import Mapping
from typing import Any

import qrcode

from simulator.platform.errors import ApiError
from simulator.platform.world import World

LONGEST_LIFE = 2_592_000
DEFAULT_LIFE = 60
CODE_LIFE = 300.0
SCENE_HOST = "http://weixin.qq.com/q/"
NUMBERED = {"QR_SCENE", "QR_LIMIT_SCENE"}
NAMED = {"QR_STR_SCENE", "QR_LIMIT_STR_SCENE"}


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """What a scene QR says; `until` 0: for ever."""

    scene: str
    ticket: str
    url: str
    until: float


class Scenes:
    """The scene QR codes that the account has made."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._scenes = {ticket: Scene(**body) for ticket, body in world.shelf.all("scene")}

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a scene QR.

        Raises:
            ApiError: 40053 for a wrong action, name or lifetime.
        """
        action = body.get("action_name")
        info = body.get("action_info")
        inside = info.get("scene") if isinstance(info, dict) else None
        if action not in NUMBERED | NAMED or not isinstance(inside, dict):
            raise ApiError(40053)
        scene = inside.get("scene_id" if action in NUMBERED else "scene_str")
        wanted = int if action in NUMBERED else str
        if type(scene) is not wanted or not 1 <= len(str(scene)) <= 64:
            raise ApiError(40053)
        if action in NUMBERED and not 1 <= int(scene) <= (100_000 if "LIMIT" in action else 2**32):
            raise ApiError(40053)
        life = body.get("expire_seconds", DEFAULT_LIFE)
        if not isinstance(life, int) or not 1 <= life <= LONGEST_LIFE:
            raise ApiError(40053)
        lasting = "LIMIT" in action
        ticket = "gQ" + secrets.token_urlsafe(60)
        kept = Scene(
            str(scene),
            ticket,
            SCENE_HOST + secrets.token_urlsafe(16),
            0.0 if lasting else self._world.now() + life,
        )
        self._scenes[ticket] = kept
        self._world.shelf.put("scene", ticket, dataclasses.asdict(kept))
        answer: dict[str, Any] = {"ticket": ticket, "url": kept.url}
        return answer if lasting else {**answer, "expire_seconds": life}

    def find(self, what: str) -> Scene | None:
        """The scene with this ticket, address or name that is still good."""
        now = self._world.now()
        for scene in reversed(list(self._scenes.values())):
            if what in {scene.ticket, scene.url, scene.scene} and (
                not scene.until or scene.until > now
            ):
                return scene
        return None

    def all(self) -> list[dict[str, Any]]:
        """The scenes that are still good, newest first."""
        now = self._world.now()
        return [
            {"scene": each.scene, "ticket": each.ticket, "url": each.url}
            for each in reversed(list(self._scenes.values()))
            if not each.until or each.until > now
        ][:20]


class Codes:
    """Codes that work once and for five minutes: OAuth's and the mini-program's."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._codes: dict[str, tuple[str, str, float]] = {}
        self._used: set[str] = set()

    def make(self, purpose: str, openid: str, scope: str = "") -> str:
        """A code for a person; `purpose` keeps the two kinds apart."""
        code = secrets.token_urlsafe(24)
        with self._lock:
            self._codes[code] = (f"{purpose}:{openid}", scope, self._world.now() + CODE_LIFE)
        return code

    def spend(self, purpose: str, code: str) -> tuple[str, str]:
        """The openid and scope behind a code.

        Raises:
            ApiError: 41008 missing, 40163 used before, 40029 unknown, expired or of the other
                kind.
        """
        if not code:
            raise ApiError(41008)
        with self._lock:
            if code in self._used:
                raise ApiError(40163)
            who, scope, until = self._codes.get(code, ("", "", 0.0))
            kind, _, openid = who.partition(":")
            if kind != purpose or until <= self._world.now():
                raise ApiError(40029)
            del self._codes[code]
            self._used.add(code)
        return openid, scope


def picture(content: str) -> bytes:
    """A QR picture, as a JPEG file, of the size that the platform draws."""
    code = qrcode.QRCode(box_size=10, border=4)
    code.add_data(content)
    file = io.BytesIO()
    code.make_image().get_image().convert("L").save(file, "JPEG", quality=90)
    return file.getvalue()
