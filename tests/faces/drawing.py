"""ID cards that never existed, drawn with made-up data and photographed by arithmetic."""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
SIMPLIFIED = 2  # the collection's face for mainland Chinese
SIZE = (1011, 638)  # 85.6 x 54 mm at 300 dpi
LABEL, INK = (70, 120, 170), (25, 25, 30)


@dataclasses.dataclass(frozen=True)
class MadeUpCard:
    """What is printed on a card."""

    name: str = "张晓明"
    sex: str = "女"
    ethnicity: str = "汉"
    birth: tuple[int, int, int] = (1988, 3, 5)
    address: tuple[str, ...] = ("广东省广州市南沙区进港大道", "12号3栋402房")
    id_number: str = "440115198803050027"
    authority: str = "广州市公安局南沙分局"
    validity: str = "2017.12.25-2037.12.25"


def check_character(seventeen: str) -> str:
    """The last character of an ID number (ISO 7064 MOD 11-2)."""
    total = sum(int(digit) * (2 ** (17 - i) % 11) for i, digit in enumerate(seventeen))
    return "10X98765432"[total % 11]


def front(card: MadeUpCard, portrait: Image.Image | None = None) -> Image.Image:
    """The side with the portrait."""
    image, pen = _blank()
    year, month, day = card.birth
    for x, y, text, color, size in (
        (60, 70, "姓 名", LABEL, 34),
        (180, 64, card.name, INK, 44),
        (60, 155, "性 别", LABEL, 34),
        (180, 150, card.sex, INK, 40),
        (300, 155, "民 族", LABEL, 34),
        (420, 150, card.ethnicity, INK, 40),
        (60, 240, "出 生", LABEL, 34),
        (180, 235, str(year), INK, 40),
        (285, 240, "年", LABEL, 34),
        (350, 235, str(month), INK, 40),
        (405, 240, "月", LABEL, 34),
        (460, 235, str(day), INK, 40),
        (515, 240, "日", LABEL, 34),
        (60, 325, "住 址", LABEL, 34),
        (60, 540, "公民身份号码", LABEL, 34),
        (340, 532, " ".join(card.id_number), INK, 44),
    ):
        pen.text((x, y), text, fill=color, font=_font(size))
    for i, line in enumerate(card.address):
        pen.text((180, 320 + i * 56), line, fill=INK, font=_font(36))
    if portrait is not None:
        image.paste(portrait.resize((300, 370), Image.Resampling.LANCZOS), (660, 110))
    return image


def back(card: MadeUpCard) -> Image.Image:
    """The side with the emblem and the validity."""
    image, pen = _blank()
    pen.ellipse((70, 60, 230, 220), outline=(190, 40, 40), width=10)
    pen.text((300, 60), "中华人民共和国", fill=INK, font=_font(64))
    pen.text((330, 170), "居 民 身 份 证", fill=INK, font=_font(72))
    pen.text((150, 430), "签发机关", fill=LABEL, font=_font(36))
    pen.text((330, 426), card.authority, fill=INK, font=_font(40))
    pen.text((150, 520), "有效期限", fill=LABEL, font=_font(36))
    pen.text((330, 516), card.validity, fill=INK, font=_font(40))
    return image


def photographed(
    card: Image.Image,
    *,
    degrees: float = 0.0,
    tilt: float = 0.0,
    shade: float = 0.0,
    blur: float = 0.8,
    noise: float = 5.0,
    size: tuple[int, int] = (1600, 1200),
) -> Image.Image:
    """The card on a desk: turned, seen from a side (`tilt` 0 to 0.3), half in shadow (`shade`)."""
    width, height = size
    desk = np.full((height, width, 3), (96, 82, 70), np.uint8)
    reach = (
        0.62 * min(width / card.width, height / card.height) * (1.2 if degrees % 180 < 20 else 1)
    )
    half = np.array([card.width, card.height]) * reach / 2
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
    corners[[1, 2], 1] *= 1 - tilt  # the right edge is farther away
    corners[[1, 2], 0] *= 1 - tilt / 2
    angle = np.radians(degrees)
    turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    target = corners @ turn.T + (width / 2, height / 2)
    source = np.array([(0, 0), (card.width, 0), (card.width, card.height), (0, card.height)])
    view = cv2.getPerspectiveTransform(source.astype(np.float32), target.astype(np.float32))
    laid = cv2.warpPerspective(
        np.asarray(card),
        view,
        size,
        dst=desk,
        flags=cv2.INTER_AREA,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    light: npt.NDArray[Any] = np.linspace(1.0, 1.0 - shade, width)[None, :, None]
    dice = np.random.default_rng(5)
    seen = cv2.GaussianBlur(laid, (0, 0), blur) * light + dice.normal(0, noise, laid.shape)
    return Image.fromarray(seen.clip(0, 255).astype(np.uint8))


def _blank() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", SIZE, (228, 236, 240))
    pen = ImageDraw.Draw(image)
    for y in range(0, SIZE[1], 9):  # the guilloche, in plain
        pen.line((0, y, SIZE[0], y + 40), fill=(216, 226, 233), width=1)
    return image, pen


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT, size, index=SIMPLIFIED)
