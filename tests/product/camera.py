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
COLOURLESS = b"\x80" * (WIDTH * HEIGHT // 2)
TABLE = 120  # how bright it is where no phone is


class Camera:
    """One webcam; `flags` are what a Chromium is started with that has it."""

    def __init__(self, folder: Path) -> None:
        self._film = folder / "camera.y4m"
        table = bytes([TABLE]) * (WIDTH * HEIGHT)
        self._film.write_bytes(HEAD + table + COLOURLESS)

    @property
    def flags(self) -> list[str]:
        return [
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={self._film}",
        ]

    def look_at(self, screenshot: bytes, side: int = 420) -> None:
        """Hold what a screenshot shows before the camera, from now on."""
        shown = Image.open(io.BytesIO(screenshot)).convert("L")
        shown = shown.resize((side, round(side * shown.height / shown.width)))
        picture = Image.new("L", (WIDTH, HEIGHT), TABLE)
        picture.paste(shown, ((WIDTH - shown.width) // 2, (HEIGHT - shown.height) // 2))
        self._write(picture.tobytes())

    def look_away(self) -> None:
        """Hold nothing before it."""
        self._write(bytes([TABLE]) * (WIDTH * HEIGHT))

    def _write(self, brightness: bytes) -> None:
        with self._film.open("r+b") as film:
            film.seek(len(HEAD))
            film.write(brightness)
