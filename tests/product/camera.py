"""A desk's camera that really looks at the phone: what it is held before is what Chromium films.

Chromium's fake camera plays a film from a file, one picture after another, and begins again at
its end. This film has one picture, uncompressed, so every picture has the same place in the
file: writing over it there is holding something else before the camera.
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 1280, 720
HEAD = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F15:1 Ip A1:1 C420jpeg\nFRAME\n".encode()
TABLE = (120, 120, 120)  # what it looks at where nothing is held before it


class Camera:
    """One webcam; `flags` are what a Chromium is started with that has it."""

    def __init__(self, folder: Path) -> None:
        self._film = folder / "camera.y4m"
        self._film.write_bytes(HEAD + _frame(Image.new("RGB", (WIDTH, HEIGHT), TABLE)))

    @property
    def flags(self) -> list[str]:
        return [
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={self._film}",
        ]

    def look_at(self, picture: bytes, height: int = 420) -> None:
        """Hold a picture before the camera, a screenshot or a face, from now on."""
        shown = Image.open(io.BytesIO(picture)).convert("RGB")
        shown = shown.resize((round(height * shown.width / shown.height), height))
        seen = Image.new("RGB", (WIDTH, HEIGHT), TABLE)
        seen.paste(shown, ((WIDTH - shown.width) // 2, (HEIGHT - shown.height) // 2))
        self._write(seen)

    def look_away(self) -> None:
        """Hold nothing before it."""
        self._write(Image.new("RGB", (WIDTH, HEIGHT), TABLE))

    def _write(self, seen: Image.Image) -> None:
        with self._film.open("r+b") as film:
            film.seek(len(HEAD))
            film.write(_frame(seen))


def _frame(seen: Image.Image) -> bytes:
    """The planes of a picture: brightness, and two of colour at half its size (4:2:0)."""
    bright, blue, red = seen.convert("YCbCr").split()
    half = (WIDTH // 2, HEIGHT // 2)
    return bright.tobytes() + blue.resize(half).tobytes() + red.resize(half).tobytes()
