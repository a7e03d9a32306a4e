"""A camera's frame that the browser cannot read itself: JPEG in, the QR's text out. Pure."""

from __future__ import annotations

import io

import zxingcpp
from PIL import Image, UnidentifiedImageError

LARGEST_FRAME = 300 * 1024  # bytes
MOST_PIXELS = 1920 * 1080  # a webcam's full picture
LONGEST_TEXT = 512
QR_ALONE = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)


class FrameError(Exception):
    """A frame that is not a small JPEG; `code` is not_an_image, too_large or too_many_pixels."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


def read_code(frame: bytes) -> str | None:
    """The text of the QR code in a frame, or None where there is none.

    Nothing is kept. Size and format are checked before anything is decoded.

    Raises:
        FrameError: when the frame is not a JPEG, or larger than allowed.
    """
    if len(frame) > LARGEST_FRAME:
        raise FrameError("too_large")
    try:
        with Image.open(io.BytesIO(frame), formats=["JPEG"]) as image:
            if image.width * image.height > MOST_PIXELS:
                raise FrameError("too_many_pixels")
            grey = image.convert("L")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise FrameError("not_an_image") from error
    except Image.DecompressionBombError as error:
        raise FrameError("too_many_pixels") from error
    for found in zxingcpp.read_barcodes(grey, formats=QR_ALONE):
        if found.valid and 0 < len(found.text) <= LONGEST_TEXT:
            return str(found.text)
    return None
