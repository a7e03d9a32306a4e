"""Pictures: the QR of a code, the card as it is sent in the chat, and the portrait that is kept.

Two makers of QR codes (measured for the same 82 characters): zxing-cpp takes under a
millisecond and draws the page that refreshes every 15 seconds; `qrcode` takes many, and gives
the modules that the designed picture is drawn from.

The page's picture is made thousands of times a second at the evening's check-in, so two things
that zxing-cpp does are left out: its own SVG, which costs ten times the path written here and is
twice as long; and, for a code's address, its search among the eight masks. The search is there
so that no text makes large even areas or false finder patterns; a code is random, which does as
much for it as a mask: at the edge of what a reader makes out (blurred, noisy, turned, 2.4 pixels
a module), 300 such codes were read under one fixed mask as often as under the chosen one.

The designed picture has the proportions of an ID-1 card (ISO/IEC 7810: 85.60 x 53.98 mm). It
depends on no font by luck: where this machine has a font with the name's characters it writes
in Chinese, elsewhere in English with the font inside Pillow, and leaves the name out.
"""

from __future__ import annotations

import functools
import io
import itertools
import math
from pathlib import Path
from typing import Any

import qrcode
import zxingcpp
from PIL import Image, ImageColor, ImageDraw, ImageFont, ImageOps
from qrcode.constants import ERROR_CORRECT_M

from credentials.codes import LIFE_SECONDS
from credentials.errors import UnusableError
from credentials.model import Card, Level

QUIET_ZONE = 4  # modules, ISO/IEC 18004, 9.1
_MASK = 3
_PIECE = 11  # modules: a third of a row of version 4; so many have few enough shapes to remember
CARD_SIZE = (1028, 648)
PORTRAIT_SIZE = (240, 300)
PORTRAIT_BYTES = 12_000
_LARGEST_PORTRAIT = 40_000_000  # pixels
_FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/System/Library/Fonts")
_FONT_NAMES = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansSC-Regular.otf",
    "NotoSansCJKsc-Regular.otf",
    "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "PingFang.ttc",
)
# The same card as on the holder's page: light in black and white, upgraded in colour.
_INK = {Level.LIGHT: "#15181a", Level.UPGRADED: "#14224f"}
_MUTED = {Level.LIGHT: "#4c5256", Level.UPGRADED: "#3c4770"}
_TAG = {Level.LIGHT: "#15181a", Level.UPGRADED: "#1f3a93"}
_PAPER = {
    Level.LIGHT: ("#ffffff", "#fcfcfb", "#e9ebea"),
    Level.UPGRADED: ("#cfe0ff", "#e6dcff", "#ffd9e6", "#cfeeff"),
}
_WORDS = {
    "zh": {
        "title": "虚拟身份证",
        Level.LIGHT: "轻量版",
        Level.UPGRADED: "升级版",
        "name": "姓名",
        "number": "公民身份号码",
        "valid": "{seconds} 秒内有效，仅可使用一次",
        "hint": "请勿截图转发",
    },
    "en": {
        "title": "Virtual Identity Card",
        Level.LIGHT: "Light",
        Level.UPGRADED: "Upgraded",
        "name": "Name",
        "number": "ID number",
        "valid": "Good for {seconds} seconds, once",
        "hint": "Do not forward",
    },
}
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def qr_svg(text: str, *, random: bool = False) -> str:
    """The QR of a text as an SVG element that fills its place, quiet zone included.

    One unit is a module; the dark modules of a row are strokes of one path.

    Args:
        text: what it holds.
        random: whether most of the text is, as a code is: no mask has then to be looked for.
    """
    barcode = _barcode(text, **({"data_mask": _MASK} if random else {}))
    pixels: Any = zxingcpp.write_barcode_to_image(barcode, scale=1, add_quiet_zones=False)
    flat = memoryview(pixels).tobytes()
    width = math.isqrt(len(flat))
    side = width + 2 * QUIET_ZONE
    path = []
    for top in range(width):
        path.append(f"M{QUIET_ZONE} {top + QUIET_ZONE}.5")
        row = flat[top * width : (top + 1) * width]
        path += [_strokes(row[left : left + _PIECE]) for left in range(0, width, _PIECE)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" '
        f'shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{side}v{side}H0z"/>'
        f'<path stroke="#000" d="{"".join(path)}"/></svg>'
    )


def qr_png(address: str, scale: int = 8) -> bytes:
    """The QR of an address as a 1-bit PNG, `scale` pixels a module, quiet zone included."""
    pixels = zxingcpp.write_barcode_to_image(_barcode(address), scale=scale, add_quiet_zones=True)
    return _png(Image.fromarray(_array(pixels)).convert("1", dither=Image.Dither.NONE))


def card_picture(card: Card, address: str, *, language: str = "zh_CN") -> bytes:
    """The card with a fresh code, as a PNG of 1028 x 648 pixels, for the chat.

    Args:
        card: whose masked name, masked ID number and level are shown.
        address: what the QR holds.
        language: Chinese, for `zh_CN`, needs a font; English is what remains.
    """
    script = _chinese_font() if language == "zh_CN" else None
    words = _WORDS["zh" if script else "en"]
    name = card.name_masked if _can_write(card.name_masked) else ""
    picture = _paper(card.level)
    draw = ImageDraw.Draw(picture)
    ink, muted = _INK[card.level], _MUTED[card.level]
    width, height = CARD_SIZE
    draw.text((48, 84), words["title"], ink, _font(54), anchor="lm")
    _place_tag(draw, words[card.level], _TAG[card.level], right=width - 48, middle=84)
    left = 48
    rows = [("number", card.id_number_masked)]
    if name:
        rows.insert(0, ("name", name))
    for place, (label, value) in enumerate(rows):
        top = 186 + 126 * place
        draw.text((left, top), words[label], muted, _font(28), anchor="lt")
        draw.text((left, top + 42), value, ink, _fitting(value, 44, 500), anchor="lt")
    draw.line((left, 470, 530, 470), fill=muted, width=2)
    valid = words["valid"].format(seconds=LIFE_SECONDS)
    draw.text((left, 500), valid, ink, _fitting(valid, 32, 500), anchor="lt")
    draw.text((left, 556), words["hint"], muted, _font(26), anchor="lt")
    _place_qr(picture, address, (570, 150, width - 40, height - 34))
    return _png(picture)


def portrait(image: bytes) -> bytes:
    """A portrait as it is kept and disclosed: a JPEG of at most 240 x 300 pixels, about 12 kB.

    Everything beside the pixels (place, camera, time) is left behind.

    Raises:
        UnusableError: when the authority sent what is no picture.
    """
    try:
        with Image.open(io.BytesIO(image), formats=("JPEG", "PNG", "WEBP")) as opened:
            if opened.width * opened.height > _LARGEST_PORTRAIT:
                raise UnusableError(what="authority", why="portrait")
            opened.draft("RGB", (2 * PORTRAIT_SIZE[0], 2 * PORTRAIT_SIZE[1]))  # JPEG: decode small
            upright = ImageOps.exif_transpose(opened).convert("RGB")
            upright.info.clear()  # a comment would be written again
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnusableError(what="authority", why="portrait") from error
    upright.thumbnail(PORTRAIT_SIZE, Image.Resampling.LANCZOS)
    made = b""
    for quality in (85, 75, 65, 50, 35, 20):
        buffer = io.BytesIO()
        upright.save(buffer, "JPEG", quality=quality, optimize=True)
        made = buffer.getvalue()
        if len(made) <= PORTRAIT_BYTES:
            break
    return made


def _barcode(text: str, **options: int) -> Any:
    return zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M", **options)


@functools.lru_cache(maxsize=2048)
def _strokes(modules: bytes) -> str:
    """The part of a path over some modules of a row: `h` along the dark, `m` over the light."""
    runs = ((dark == 0, len(list(run))) for dark, run in itertools.groupby(modules))
    return "".join(f"h{length}" if dark else f"m{length} 0" for dark, length in runs)


def _array(pixels: Any) -> Any:
    import numpy as np  # noqa: PLC0415 - a page that only draws SVG does without

    return np.asarray(pixels)


def _paper(level: Level) -> Image.Image:
    """The card's ground: its colours from the left to the right, one flowing into the next."""
    colours = [ImageColor.getrgb(colour) for colour in _PAPER[level]]
    strip = Image.new("RGB", (len(colours), 1))
    strip.putdata(colours)
    return strip.resize(CARD_SIZE, Image.Resampling.BICUBIC)


def _place_tag(
    draw: ImageDraw.ImageDraw, text: str, colour: str, *, right: int, middle: int
) -> None:
    font = _font(36)
    left = right - font.getlength(text) - 48
    draw.rounded_rectangle((left, middle - 32, right, middle + 32), 32, fill=colour)
    draw.text(((left + right) / 2, middle), text, "white", font, anchor="mm")


def _place_qr(picture: Image.Image, address: str, box: tuple[int, int, int, int]) -> None:
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=QUIET_ZONE)
    code.add_data(address)
    code.make(fit=True)
    modules = code.get_matrix()
    left, top, right, bottom = box
    scale = min(right - left, bottom - top) // len(modules)
    side = scale * len(modules)
    left, top = left + (right - left - side) // 2, top + (bottom - top - side) // 2
    flat = bytes(0 if dark else 255 for row in modules for dark in row)
    drawn = Image.frombytes("L", (len(modules), len(modules)), flat)
    picture.paste(drawn.resize((side, side), Image.Resampling.NEAREST), (left, top))


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=False, compress_level=4)
    return buffer.getvalue()


@functools.cache
def _chinese_font() -> str | None:
    """A font file with Chinese characters, if this machine has one."""
    for folder in _FONT_FOLDERS:
        for name in _FONT_NAMES:
            found = next(iter(sorted(Path(folder).rglob(name))), None)
            if found is not None:
                return str(found)
    return None


@functools.cache
def _font(size: int) -> Font:
    path = _chinese_font()
    return ImageFont.truetype(path, size) if path else ImageFont.load_default(size)


def _fitting(text: str, size: int, width: int) -> Font:
    """The font at a size, or smaller, so that a text fits a width in pixels."""
    length = _font(size).getlength(text)
    return _font(max(12, math.floor(size * width / length))) if length > width else _font(size)


def _can_write(text: str) -> bool:
    """Whether the font has every character: one it lacks is drawn as the one nobody has."""
    font = _font(32)
    lacking = bytes(font.getmask("\U0010fffd"))
    return all(bytes(font.getmask(character)) != lacking for character in text)
