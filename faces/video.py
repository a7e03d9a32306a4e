"""Take a few frames out of an untrusted video, with bounds on everything.

Bytes before reading, container by its first bytes, codec, length and resolution by the header
before decoding; then again while decoding, because a header may lie or (from a browser's
recorder) say nothing. Only sampled frames are converted and kept: at most 40 of 640 pixels, 37 MB.
"""

from __future__ import annotations

import dataclasses
import io
from typing import Any, Final

import numpy as np

from faces.errors import VideoError
from faces.photo import Pixels

MAX_BYTES: Final = 25 * 1024 * 1024
LONGEST_SECONDS: Final = 15.0
SHORTEST_SECONDS: Final = 0.5
MAX_SIDE: Final = 1920
MAX_RATE: Final = 61  # frames decoded per second of the longest length, whatever the header says
MAX_FRAMES: Final = 40
FRAME_SIDE: Final = 640
SAMPLES_PER_SECOND: Final = 5.0
CODECS: Final = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "mpeg4"})


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """One frame: when (seconds from the start), and (height, width, 3) uint8 RGB, upright."""

    at: float
    pixels: Pixels


def is_video(data: bytes) -> bool:
    """Whether the first bytes are those of a video that `read_frames` tries."""
    return _container(data) is not None


def read_frames(data: bytes) -> list[Frame]:
    """Five frames a second, or fewer of a long video: 40 at most, from its beginning to its end.

    Their longest side is at most 640.

    Raises:
        VideoError: too_large, not_a_video, too_many_pixels, too_long or too_short.
    """
    import av  # noqa: PLC0415 - loads ffmpeg; only for videos

    if len(data) > MAX_BYTES:
        raise VideoError("too_large", limit=MAX_BYTES)
    container = _container(data)
    if container is None:
        raise VideoError("not_a_video")
    try:
        with av.open(io.BytesIO(data), "r", format=container) as video:
            stream = _checked_stream(video)
            frames = _sampled(video, stream)
    except (av.FFmpegError, ValueError, IndexError, OSError) as error:
        raise VideoError("not_a_video") from error
    if len(frames) < 2 or frames[-1].at - frames[0].at < SHORTEST_SECONDS:
        raise VideoError("too_short")
    return frames


def _container(data: bytes) -> str | None:
    """The demuxer for these first bytes: no other one is ever tried."""
    if data[4:8] == b"ftyp" and data[8:12] not in {b"heic", b"heix", b"mif1", b"msf1", b"avif"}:
        return "mov"
    if data.startswith(b"\x1aE\xdf\xa3"):
        return "matroska"
    return None


def _checked_stream(video: Any) -> Any:
    """The one video stream, after everything its header says has been held against the limits."""
    if len(video.streams.video) != 1:
        raise VideoError("not_a_video")
    stream = video.streams.video[0]
    codec = stream.codec_context
    if codec.name not in CODECS:
        # libdav1d and the like decode the codec whose name they carry inside.
        canonical = getattr(codec.codec, "canonical_name", codec.name)
        if canonical not in CODECS:
            raise VideoError("not_a_video")
    _require_few_pixels(codec.width, codec.height)
    # The container counts in microseconds, the stream in its own time base.
    seconds = (video.duration or 0) / 1_000_000
    if stream.duration and stream.time_base:
        seconds = max(seconds, float(stream.duration * stream.time_base))
    if seconds > LONGEST_SECONDS:
        raise VideoError("too_long", seconds=round(seconds, 1), limit=LONGEST_SECONDS)
    codec.thread_count = 2
    return stream


def _require_few_pixels(width: int, height: int) -> None:
    if max(width, height) > MAX_SIDE:
        raise VideoError("too_many_pixels", width=width, height=height)


def _sampled(video: Any, stream: Any) -> list[Frame]:
    """Decode, keeping one frame per fifth of a second.

    When there is room for no more, every other one goes and the rest come half as often: whoever
    does the gestures slowly does the last of them after the fortieth.
    """
    frames: list[Frame] = []
    step, following = 1 / SAMPLES_PER_SECOND, 0.0
    first: float | None = None
    for number, frame in enumerate(video.decode(stream)):
        _require_few_pixels(frame.width, frame.height)
        at = float(frame.time) if frame.time is not None else number / 30
        first = at if first is None else first
        at -= first
        if at > LONGEST_SECONDS or number > LONGEST_SECONDS * MAX_RATE:
            raise VideoError("too_long", limit=LONGEST_SECONDS)
        if at < following:
            continue
        if len(frames) == MAX_FRAMES:
            frames, step = frames[::2], step * 2
            following = frames[-1].at + step - 0.001
            if at < following:
                continue
        following = at + step - 0.001
        frames.append(Frame(at, _pixels(frame)))
    return frames


def _pixels(frame: Any) -> Pixels:
    """The frame reduced, as RGB, turned as its header says."""
    ratio = min(1.0, FRAME_SIDE / max(frame.width, frame.height))
    width, height = (max(2, round(side * ratio / 2) * 2) for side in (frame.width, frame.height))
    pixels = frame.to_ndarray(width=width, height=height, format="rgb24")
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns))
