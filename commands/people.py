"""`person`: the made-up people of the embedded registry."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import click

from commands import portrait
from commands.context import Opener, note, opened, sentence
from credentials import id_number, names
from credentials.authority import EmbeddedRegistry
from credentials.disclosure import LONG_TERM
from credentials.model import Person

# GB/T 2260, the first two digits; where a made-up person lives if nothing else is said.
PROVINCES = {
    "11": "北京市", "12": "天津市", "13": "河北省", "14": "山西省", "15": "内蒙古自治区",
    "21": "辽宁省", "22": "吉林省", "23": "黑龙江省", "31": "上海市", "32": "江苏省",
    "33": "浙江省", "34": "安徽省", "35": "福建省", "36": "江西省", "37": "山东省",
    "41": "河南省", "42": "湖北省", "43": "湖南省", "44": "广东省", "45": "广西壮族自治区",
    "46": "海南省", "50": "重庆市", "51": "四川省", "52": "贵州省", "53": "云南省",
    "54": "西藏自治区", "61": "陕西省", "62": "甘肃省", "63": "青海省",
    "64": "宁夏回族自治区", "65": "新疆维吾尔自治区", "71": "台湾省", "81": "香港特别行政区",
    "82": "澳门特别行政区",
}  # fmt: skip


@click.group()
def person() -> None:
    """Made-up people of the embedded registry (demo and tests)."""


def _name(_context: click.Context, _option: click.Parameter, value: str) -> str:
    try:
        return names.parse(value)
    except names.PersonNameError as error:
        raise click.BadParameter(sentence(error)) from error


def _id_number(_context: click.Context, _option: click.Parameter, value: str) -> str:
    try:
        return id_number.parse(value).value
    except id_number.IdNumberError as error:
        raise click.BadParameter(sentence(error)) from error


def _portrait(_context: click.Context, _option: click.Parameter, value: Path) -> bytes:
    try:
        return portrait.read(value)
    except portrait.PortraitError as error:
        raise click.BadParameter(str(error)) from error


def _division(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not (value.isascii() and value.isdigit() and len(value) == 6):
        raise click.BadParameter("a division code has six digits (GB/T 2260), such as 440115")
    return value


def _day(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> datetime.date | None:
    if value is None or value == LONG_TERM:
        return None
    try:
        return datetime.date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"write a day as 2036-12-31, or {LONG_TERM} for a card without an end date"
        ) from None


@person.command("add")
@click.option("--name", required=True, callback=_name, help="As on the ID card.")
@click.option(
    "--id-number", "number", required=True, callback=_id_number, help="18 characters, GB 11643."
)
@click.option(
    "--portrait",
    "picture",
    required=True,
    callback=_portrait,
    type=click.Path(path_type=Path),
    help="A photo: JPEG, PNG, WebP or HEIC.",
)
@click.option(
    "--residence",
    callback=_division,
    metavar="DIVISION",
    help="Division of the registered residence, six digits. [default: the number's first six]",
)
@click.option(
    "--valid-until",
    callback=_day,
    metavar="DAY",
    help=f"Last day of the ID card, as 2036-12-31. [default: {LONG_TERM}]",
)
@click.option("--address", default="", help="[default: the province of the residence]")
@click.pass_obj
def add(
    opener: Opener,
    *,
    name: str,
    number: str,
    picture: bytes,
    residence: str | None,
    valid_until: datetime.date | None,
    address: str,
) -> None:
    """Add a person, or replace the one with the same ID number.

    Prints one JSON object; a person's data is not repeated in full.
    """
    division = residence or number[:6]
    province = PROVINCES.get(division[:2], "")
    made = Person(
        name=name,
        id_number=number,
        residence=division,
        address=address.strip() or f"{province}（行政区划代码{division}）",
        valid_until=valid_until,
        portrait=picture,
    )
    with opened(opener) as services:
        if not isinstance(services.authority, EmbeddedRegistry):
            raise click.ClickException(
                "AUTHORITY_URL is set, so people are kept by that authority; "
                "add them there, or unset it to use the embedded registry"
            )
        note(services, "person_added", services.index.of("person", number))
        services.authority.add(made)
    about = {
        "name": names.mask(name),
        "id_number": id_number.mask(number),
        "residence": division,
        "valid_until": valid_until.isoformat() if valid_until else LONG_TERM,
    }
    click.echo(json.dumps(about, ensure_ascii=False))
