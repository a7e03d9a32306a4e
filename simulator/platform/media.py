"""Photos, voices and videos: kept three days, within the platform's sizes."""

from __future__ import annotations

import dataclasses
import secrets

from simulator.platform.errors import ApiError
from simulator.platform.world import World

MEGABYTE = 1024 * 1024
LIMITS = {
    "image": (10 * MEGABYTE, 40009),
    "voice": (2 * MEGABYTE, 40010),
    "video": (10 * MEGABYTE, 40011),
    "thumb": (64 * 1024, 40012),
}
# The first bytes of what each type may be.
SIGNS: dict[str, tuple[tuple[bytes, str], ...]] = {
    "image": (
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF8", "image/gif"),
        (b"BM", "image/bmp"),
    ),
    "voice": ((b"#!AMR", "audio/amr"), (b"ID3", "audio/mpeg"), (b"\xff\xfb", "audio/mpeg")),
    "thumb": ((b"\xff\xd8\xff", "image/jpeg"),),
}
KIND_OF_PHONE = {"video": "video/mp4", "voice": "audio/amr", "image": "image/jpeg"}


@dataclasses.dataclass(slots=True)
class Medium:
    """One file and until when it is kept."""

    id: str
    type: str
    content_type: str
    size: int
    until: float
    filename: str = ""


class Media:
    """The files of both sides."""

    def __init__(self, world: World) -> None:
        self._world = world

    def upload(self, kind: str, data: bytes, filename: str = "") -> Medium:
        """Take a file from the account.

        Raises:
            ApiError: 40004 unknown type, 41005 empty, 40009 to 40012 too large, 40005 not a
                file of that type.
        """
        if kind not in LIMITS:
            raise ApiError(40004)
        if not data:
            raise ApiError(41005)
        limit, code = LIMITS[kind]
        if len(data) > limit:
            raise ApiError(code)
        content_type = _content_type(kind, data)
        if not content_type:
            raise ApiError(40005)
        return self._keep(kind, data, content_type, filename)

    def take(self, kind: str, data: bytes, content_type: str = "", filename: str = "") -> Medium:
        """Take a file from a phone, which sends what it has."""
        found = _content_type(kind, data) or content_type or KIND_OF_PHONE.get(kind, "")
        return self._keep(kind, data, found or "application/octet-stream", filename)

    def get(self, media_id: str) -> Medium:
        """What is known of a file.

        Raises:
            ApiError: 40007 for an unknown or expired one.
        """
        body = self._world.shelf.get("media", media_id)
        if body is None:
            raise ApiError(40007)
        medium = Medium(**body)
        if medium.until <= self._world.now():
            raise ApiError(40007)
        return medium

    def data(self, media_id: str) -> bytes:
        """The file itself; expired files are gone for the API, not for who looks at a chat."""
        return self._world.shelf.file(media_id)

    def known(self, media_id: str) -> Medium | None:
        """What is known of a file, expired or not."""
        body = self._world.shelf.get("media", media_id)
        return Medium(**body) if body else None

    def _keep(self, kind: str, data: bytes, content_type: str, filename: str) -> Medium:
        medium = Medium(
            secrets.token_urlsafe(48),
            kind,
            content_type,
            len(data),
            self._world.now() + self._world.config.media_life,
            filename,
        )
        self._world.shelf.put_file(medium.id, data)
        self._world.shelf.put("media", medium.id, dataclasses.asdict(medium))
        return medium


def _content_type(kind: str, data: bytes) -> str:
    if kind == "video":
        return "video/mp4" if data[4:8] == b"ftyp" else ""
    for sign, content_type in SIGNS.get(kind, ()):
        if data.startswith(sign):
            return content_type
    return ""
