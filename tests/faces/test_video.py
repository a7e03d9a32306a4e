"""Videos: a few small frames of a good one, and every bound of a bad one."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from PIL import Image

from faces import video
from faces.errors import VideoError
from tests.faces import warping


def refusal(data: bytes) -> str:
    with pytest.raises(VideoError) as caught:
        video.read_frames(data)
    return caught.value.code


def plain(
    *, seconds: float, size: tuple[int, int] = (320, 240), kind: str = "mp4", codec: str = "libx264"
) -> bytes:
    """Gray that gets lighter, at 10 frames a second."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=10)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(round(seconds * 10)):
            pixels = np.full((size[1], size[0], 3), number * 3 % 255, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(stream.encode())
    return file.getvalue()


def test_five_small_frames_a_second() -> None:
    grace = warping.portrait("grace")
    frames = video.read_frames(warping.film([grace] * 3, size=(1280, 720)))
    assert 14 <= len(frames) <= 16
    assert all(frame.pixels.shape == (360, 640, 3) for frame in frames)
    times = [frame.at for frame in frames]
    assert times == sorted(times)
    assert times[0] == 0
    middle = Image.fromarray(frames[0].pixels)
    wanted = warping.fitted(grace, (640, 360))
    assert np.abs(np.asarray(middle).astype(int) - np.asarray(wanted).astype(int)).mean() < 8


@pytest.mark.parametrize(
    ("kind", "codec"), [("mov", "libx264"), ("webm", "libvpx"), ("mp4", "mpeg4")]
)
def test_what_phones_and_browsers_record(kind: str, codec: str) -> None:
    assert len(video.read_frames(plain(seconds=1.5, kind=kind, codec=codec))) >= 7


@pytest.mark.parametrize("seconds", [7.5, 8.5, 14.5])
def test_never_more_than_forty_frames_and_always_to_the_end(seconds: float) -> None:
    times = [frame.at for frame in video.read_frames(plain(seconds=seconds))]
    assert 20 <= len(times) <= video.MAX_FRAMES
    assert times[0] == 0
    assert times[-1] > seconds - 0.6
    apart = np.diff(times)
    assert apart.max() - apart.min() < 0.11  # what was kept before lies as far apart


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain text",
        b"\x00\x00\x00\x18ftypheic" + b"\x00" * 100,
        b"RIFF\x00\x00\x00\x00AVI " + b"\x00" * 100,
        b"#EXTM3U\nfile:///etc/passwd\n",
        b"\x00\x00\x00\x18ftypisom" + b"\x01" * 500,
        b"\x1aE\xdf\xa3" + b"\x01" * 500,
    ],
)
def test_other_files_are_no_videos(data: bytes) -> None:
    assert refusal(data) == "not_a_video"


def test_a_list_of_other_files_is_never_followed(tmp_path: object) -> None:
    assert refusal(f"ffconcat version 1.0\nfile {tmp_path}/x.mp4\n".encode()) == "not_a_video"


def test_sound_alone() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), "fltp", "mono")
        silence.sample_rate = 16_000
        container.mux(stream.encode(silence))
        container.mux(stream.encode())
    assert refusal(file.getvalue()) == "not_a_video"


def test_too_long() -> None:
    assert refusal(plain(seconds=video.LONGEST_SECONDS + 1)) == "too_long"


def test_too_long_though_the_header_does_not_say_so() -> None:
    data = plain(seconds=video.LONGEST_SECONDS + 1, kind="webm", codec="libvpx")
    at = data.find(b"\x44\x89")  # Matroska's Duration
    assert at > 0
    hidden = data[:at] + b"\xec\x89" + data[at + 2 :]  # Void, of the same length
    assert refusal(hidden) == "too_long"


@pytest.mark.parametrize("seconds", [0.1, 0.4])
def test_too_short(seconds: float) -> None:
    assert refusal(plain(seconds=seconds)) == "too_short"


@pytest.mark.parametrize("size", [(2560, 1440), (64, 2048)])
def test_too_many_pixels(size: tuple[int, int]) -> None:
    assert refusal(plain(seconds=1, size=size)) == "too_many_pixels"


def test_more_bytes_than_are_ever_read() -> None:
    assert refusal(b"\x00" * (video.MAX_BYTES + 1)) == "too_large"


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_video_that_ends_too_early(share: float) -> None:
    data = warping.film([warping.portrait("grace")] * 2)
    assert refusal(data[: int(len(data) * share)]) == "not_a_video"


def test_a_video_recorded_lying_down_comes_back_upright() -> None:
    file = io.BytesIO()
    upright = warping.fitted(warping.portrait("grace"), (240, 320))
    lying = np.asarray(upright.transpose(Image.Transpose.ROTATE_90))
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height = 320, 240
        stream.pix_fmt = "yuv420p"
        for _ in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(lying)))
        container.mux(stream.encode())
    data = bytearray(file.getvalue())
    # The matrix of the track header: (1 0; 0 1) becomes a quarter turn clockwise.
    at = data.index(b"tkhd") + 4 + 40
    one, none, minus = b"\x00\x01\x00\x00", b"\x00" * 4, b"\xff\xff\x00\x00"
    data[at : at + 36] = none + one + none + minus + none + none + none + none + b"\x40\x00\x00\x00"
    frame = video.read_frames(bytes(data))[0].pixels
    assert frame.shape == (320, 240, 3)
    assert np.abs(frame.astype(int) - np.asarray(upright).astype(int)).mean() < 12
