"""Read the photo of a resident identity card (second generation, GA 448): front or back.

The number carries a check character (GB 11643), the date of birth and the sex. They are read
from elsewhere on the card too, so each is held against the other: what does not agree is a
problem with a name, and nothing that was read is ever changed to fit. Only where the picture of
the number itself gives several readings does the check character choose among them.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from faces import find, ocr, photo
from faces.errors import CardPhotoError, PhotoError
from faces.ocr import Line, Page
from faces.photo import Pixels

LONGEST: Final = 1280
ASKEW: Final = 25.0  # degrees off the nearest axis
SURE: Final = 0.85  # a field read with less is shown for confirmation as doubtful
LEAST_SURE: Final = 0.5
FRONT: Final = ("name", "sex", "ethnicity", "birth", "address", "id_number")
BACK: Final = ("authority", "valid_from", "valid_until")
# GB/T 3304: the names of the 56 nationalities as they are printed on cards.
ETHNICITY_NAMES: Final = (
    "汉 蒙古 回 藏 维吾尔 苗 彝 壮 布依 朝鲜 满 侗 瑶 白 土家 哈尼 哈萨克 "
    "傣 黎 傈僳 佤 畲 高山 拉祜 水 东乡 纳西 景颇 柯尔克孜 土 达斡尔 仫佬 羌 布朗 "
    "撒拉 毛南 仡佬 锡伯 阿昌 普米 塔吉克 怒 乌孜别克 俄罗斯 鄂温克 德昂 保安 裕固 京 塔塔尔 独龙 "
    "鄂伦春 赫哲 门巴 珞巴 基诺 "
)
ETHNICITIES: Final = frozenset(ETHNICITY_NAMES.split())
# What has neither is no print but a pattern, in the portrait's background for one.
WORD: Final = re.compile(r"[\u3400-\u9fff]|\d\d")
NAME: Final = re.compile(r"姓\s*名\s*[::]?\s*(.+)$")
SEX: Final = re.compile(r"性\s*别\s*[::]?\s*([男女])")
ETHNICITY: Final = re.compile(r"民\s*族\s*[::]?\s*([\u4e00-\u9fff]{1,4})")
BIRTH: Final = re.compile(r"(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*日?")
ADDRESS: Final = re.compile(r"住\s*址\s*[::]?\s*(.*)$")
NUMBER: Final = re.compile(r"[0-9]{17}[0-9X]")
AUTHORITY: Final = re.compile(r"签\s*发\s*机\s*关\s*[::]?\s*(.+)$")
VALIDITY: Final = re.compile(
    r"(\d{4})[.\s]*(\d{2})[.\s]*(\d{2})\s*[-—–~至一]+\s*(长期|\d{4}[.\s]*\d{2}[.\s]*\d{2})"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """One thing that was read: as text, and how surely, 0 to 1."""

    value: str
    confidence: float


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What the photo of a card says.

    Attributes:
        side: `front` or `back`.
        fields: by name, those of `FRONT` or `BACK` that were read. Dates are ISO 8601; a card
            without an end has `long_term` as `valid_until`.
        problems: what is missing, doubtful or contradicts itself: `missing_<field>`,
            `doubtful_<field>`, `id_number_checksum`, `birth_differs`, `sex_differs`,
            `validity_order`.
        advice: how a better photo would be taken, most helpful first: `closer`, `light`, `focus`.
        turned: degrees clockwise that the photo was turned to stand upright.
        portrait: the card's own portrait, upright, to be measured like any photo; None on the
            back or where no face was found.
    """

    side: str
    fields: Mapping[str, Field]
    problems: tuple[str, ...]
    advice: tuple[str, ...]
    turned: float
    portrait: Pixels | None

    @property
    def confidence(self) -> float:
        """That of the least sure field; 0 if one is missing."""
        expected = FRONT if self.side == "front" else BACK
        if any(name not in self.fields for name in expected):
            return 0.0
        return min(field.confidence for field in self.fields.values())

    def as_json(self) -> dict[str, Any]:
        """The reading as `app.py faces read-card` prints it, without the portrait."""
        return {
            "side": self.side,
            "confidence": round(self.confidence, 3),
            "fields": {
                name: {"value": field.value, "confidence": round(field.confidence, 3)}
                for name, field in self.fields.items()
            },
            "problems": list(self.problems),
            "advice": list(self.advice),
        }


def read_card(data: bytes) -> Reading:
    """Read an ID card's photo, whichever way it lies.

    Raises:
        PhotoError: for a file that is no usable picture.
        CardPhotoError: `no_card` when neither side of a card is recognised in it.
    """
    opened = photo.open_photo(data, longest=LONGEST)
    pixels = opened.pixels
    page = ocr.read_page(pixels)
    turned = page.turn
    if abs((turned + 45) % 90 - 45) > ASKEW:
        # Rows are told apart by their height on the page: far off the axes, set it upright first.
        pixels = _upright(pixels, turned)
        page = ocr.read_page(pixels)
        turned += page.turn
    side, fields = _read(page)
    if side is None or _wanting(side, fields):
        # Half in shadow, or faint: once more with the light evened out.
        again, better = _read(ocr.read_page(_evened(pixels)))
        if again is not None:
            side, fields = again, _surer(fields if again == side else {}, better)
    if side is None:
        raise CardPhotoError("no_card")
    problems = _problems(side, fields)
    return Reading(
        side=side,
        fields=fields,
        problems=problems,
        advice=_advice(pixels, page) if problems else (),
        turned=(turned + 180) % 360 - 180,
        portrait=_portrait(_upright(pixels, page.turn)) if side == "front" else None,
    )


def valid_number(number: str) -> bool:
    """Whether 18 characters are an ID number's: its date exists, its check character agrees."""
    if not NUMBER.fullmatch(number) or _birth_of(number) is None:
        return False
    total = sum(int(digit) * (2 ** (17 - i) % 11) for i, digit in enumerate(number[:17]))
    return "10X98765432"[total % 11] == number[17]


def _read(page: Page) -> tuple[str | None, dict[str, Field]]:
    """Which side it is and what can be read of it; (None, {}) when it is neither."""
    rows = _rows(page.lines)
    everything = "".join(re.sub(r"\s", "", line.text) for line in page.lines)
    if any(word in everything for word in ("签发机关", "有效期限", "居民身份证")):
        return "back", _read_back(rows)
    front = sum(
        word in everything
        for word in ("姓名", "性别", "民族", "出生", "住址", "公民身份", "身份号码")
    )
    if front >= 2 or (front and NUMBER.search(everything.upper())):
        return "front", _read_front(rows)
    return None, {}


def _rows(lines: Iterable[Line]) -> list[list[Line]]:
    """Lines that stand beside each other, top to bottom, each from left to right."""
    rows: list[list[Line]] = []
    printed = (each for each in lines if each.confidence >= LEAST_SURE and WORD.search(each.text))
    for line in sorted(printed, key=lambda each: each.y):
        for row in rows:
            middle = sum(each.y for each in row) / len(row)
            if abs(line.y - middle) < 0.5 * max(line.height, row[0].height):
                row.append(line)
                break
        else:
            rows.append([line])
    return [sorted(row, key=lambda each: each.left) for row in rows]


def _read_front(rows: Sequence[Sequence[Line]]) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    address: list[Line] = []
    in_address = False
    for row in rows:
        text = " ".join(line.text for line in row)
        sure = min(line.confidence for line in row)
        digits = _digits(text)
        if NUMBER.search(digits) or re.search(r"公\s*民|身\s*份|号\s*码", text):
            in_address = False
            _put(fields, "id_number", _number(row))
            continue
        if match := ADDRESS.search(text):
            in_address = True
            address = [dataclasses.replace(row[-1], text=match[1], confidence=sure)]
        elif in_address:
            address.append(dataclasses.replace(row[0], text=text, confidence=sure))
        elif match := BIRTH.search(text):
            _put(fields, "birth", _date(match[1], match[2], match[3], sure))
        else:
            if match := NAME.search(text):
                name = re.sub(r"\s", "", match[1]).replace("•", "·").replace("・", "·")
                _put(fields, "name", Field(name, sure))
            if match := SEX.search(text):
                _put(fields, "sex", Field(match[1], sure))
            if (match := ETHNICITY.search(text)) and match[1] in ETHNICITIES:
                _put(fields, "ethnicity", Field(match[1], sure))
    joined = "".join(re.sub(r"\s", "", line.text) for line in address)
    if joined:
        fields["address"] = Field(joined, min(line.confidence for line in address if line.text))
    return {name: fields[name] for name in FRONT if name in fields}


def _read_back(rows: Sequence[Sequence[Line]]) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for row in rows:
        text = " ".join(line.text for line in row)
        sure = min(line.confidence for line in row)
        if match := AUTHORITY.search(text):
            _put(fields, "authority", Field(re.sub(r"\s", "", match[1]), sure))
        if match := VALIDITY.search(text):
            _put(fields, "valid_from", _date(match[1], match[2], match[3], sure))
            if match[4] == "长期":
                fields["valid_until"] = Field("long_term", sure)
            else:
                until = re.sub(r"\D", "", match[4])
                _put(fields, "valid_until", _date(until[:4], until[4:6], until[6:], sure))
    return fields


def _put(fields: dict[str, Field], name: str, field: Field | None) -> None:
    """Keep a field unless it is empty or a surer one is there already."""
    if field is None or not field.value:
        return
    if name not in fields or fields[name].confidence < field.confidence:
        fields[name] = field


def _number(row: Sequence[Line]) -> Field | None:
    """The ID number of a row; where its check fails, other readings of its picture are tried."""
    text = _digits(" ".join(line.text for line in row))
    sure = min(line.confidence for line in row)
    found = NUMBER.search(text)
    if found and valid_number(found[0]):
        return Field(found[0], sure)
    widest = max(row, key=lambda line: line.crop.shape[1])
    for crop in _variants(widest.crop):
        again, confidence = ocr.read_line(crop)
        match = NUMBER.search(_digits(again))
        if match and valid_number(match[0]):
            return Field(match[0], min(confidence, sure, SURE))
    return Field(found[0], sure) if found else None


def _variants(crop: Any) -> Iterable[Any]:
    """The picture of a line, made readable in other ways: contrast, size, sharpness, edge."""
    picture = Image.fromarray(crop)
    gray = ImageOps.autocontrast(picture.convert("L"), cutoff=2).convert("RGB")
    double = gray.resize((gray.width * 2, gray.height * 2), Image.Resampling.BICUBIC)
    edge = ImageOps.expand(gray, border=max(2, gray.height // 8), fill=(235, 235, 235))
    for variant in (gray, double, double.filter(ImageFilter.UnsharpMask(3, 150)), edge):
        yield np.ascontiguousarray(np.asarray(variant))


def _digits(text: str) -> str:
    """The text without blanks, the last letter of a number in its one form."""
    return re.sub(r"\s", "", text).upper().replace("×", "X")


def _date(year: str, month: str, day: str, sure: float) -> Field | None:
    """A date as ISO 8601; None if there is no such day."""
    try:
        return Field(datetime.date(int(year), int(month), int(day)).isoformat(), sure)
    except ValueError:
        return None


def _birth_of(number: str) -> str | None:
    field = _date(number[6:10], number[10:12], number[12:14], 1.0)
    return field.value if field else None


def _wanting(side: str, fields: Mapping[str, Field]) -> bool:
    """Whether a second reading is worth its second."""
    expected = FRONT if side == "front" else BACK
    if any(name not in fields or fields[name].confidence < SURE for name in expected):
        return True
    return side == "front" and not valid_number(fields["id_number"].value)


def _surer(first: Mapping[str, Field], second: Mapping[str, Field]) -> dict[str, Field]:
    """Of two readings the surer one, field by field; a number that checks comes first."""
    merged = dict(first)
    for name, field in second.items():
        _put(merged, name, field)
        if name == "id_number" and valid_number(field.value):
            merged[name] = field if not valid_number(merged[name].value) else merged[name]
    return merged


def _problems(side: str, fields: Mapping[str, Field]) -> tuple[str, ...]:
    """Everything that is missing, doubtful or contradicts itself."""
    expected = FRONT if side == "front" else BACK
    problems = [f"missing_{name}" for name in expected if name not in fields]
    problems += [f"doubtful_{name}" for name, field in fields.items() if field.confidence < SURE]
    if "id_number" in fields:
        number = fields["id_number"].value
        if not valid_number(number):
            problems.append("id_number_checksum")
        if "birth" in fields and fields["birth"].value != _birth_of(number):
            problems.append("birth_differs")
        if "sex" in fields and (fields["sex"].value == "男") != (int(number[16]) % 2 == 1):
            problems.append("sex_differs")
    if {"valid_from", "valid_until"} <= fields.keys():
        until = fields["valid_until"].value
        if until != "long_term" and until <= fields["valid_from"].value:
            problems.append("validity_order")
    return tuple(problems)


def _advice(pixels: Pixels, page: Page) -> tuple[str, ...]:
    """What a better photo would need."""
    advice = []
    heights = [line.height for line in page.lines]
    if not heights or float(np.median(heights)) < 14:
        advice.append("closer")
    gray = np.asarray(Image.fromarray(pixels).convert("L"), dtype=np.float64)
    quarters = [gray[:, i::4].mean() for i in range(4)]
    columns = gray.mean(0)
    half = len(columns) // 2
    uneven = abs(columns[:half].mean() - columns[half:].mean()) > 0.35 * gray.mean()
    if gray.mean() < 60 or gray.mean() > 235 or uneven or max(quarters) < 60:
        advice.append("light")
    advice.append("focus")
    return tuple(advice)


def _evened(pixels: Pixels) -> Pixels:
    """The picture with its light evened out: each pixel divided by its surroundings' brightness."""
    image = Image.fromarray(pixels)
    small = image.convert("L").resize((64, 64), Image.Resampling.BOX)
    around = small.filter(ImageFilter.GaussianBlur(5)).resize(image.size, Image.Resampling.BICUBIC)
    light = np.maximum(np.asarray(around, dtype=np.float32), 8.0)[..., None]
    evened = pixels.astype(np.float32) / light * 150.0
    return np.asarray(evened.clip(0, 255), dtype=np.uint8)


def _upright(pixels: Pixels, turn: float) -> Pixels:
    """The picture turned clockwise by so many degrees, none of it cut off."""
    turned = Image.fromarray(pixels).rotate(-turn, Image.Resampling.BICUBIC, expand=True)
    return np.asarray(turned, dtype=np.uint8)


def _portrait(upright: Pixels) -> Pixels | None:
    """The card's portrait with some room around it."""
    try:
        face = find.find_face(upright)
    except PhotoError:
        return None
    room = round(face.width * 0.6)
    top, left = max(0, face.top - room), max(0, face.left - room)
    return np.ascontiguousarray(upright[top : face.bottom + room, left : face.right + room])
