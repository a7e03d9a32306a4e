"""The sealed part of a credential: what is known of the holder, packed into one value.

The value is a JSON list, deflated before it is sealed with the words that most of them share
(RFC 1951; a preset dictionary): a third less memory for every card there will ever be. Its first
byte says which dictionary, so that a better one can follow; a list that begins with `[` was not
deflated. What is deflated holds one person's data only, nothing that anybody else chose, so its
length tells nobody anything (as it would of a page, CRIME).
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from credentials import id_number, lifecycle, names
from credentials.disclosure import Record
from credentials.model import Card, Consent, Holder, Level, Person, Status
from credentials.sealing import SealBrokenError, Sealer

_DICTIONARY = (
    "自治区自治州镇村路号栋单元室街道办事处大道小区花园社区居委会公寓大厦新村"
    "北京市上海市天津市重庆市浙江省杭州市江苏省南京市四川省成都市湖北省武汉市湖南省长沙市"
    "福建省广西壮族自治区江西省海南省深圳市佛山市东莞市珠海市中山市惠州市"
    '"440106","广东省广州市天河区","440115","广东省广州市南沙区进港大道",'
    '"","alipay","2031-12-31","2036-12-31","wechat","o[["data","2024-01",17'
    '"],["face","2026-11",179'
).encode()
_DEFLATED = b"\x01"
_WINDOW = -11  # 2 KB, without a frame: no more to set up than the dictionary needs
CHINA = datetime.timezone(datetime.timedelta(hours=8))


@dataclasses.dataclass(frozen=True, slots=True)
class Sealed:
    """What a record keeps sealed: the person, the account, and what was agreed to."""

    name: str
    id_number: str
    residence: str
    address: str
    valid_until: datetime.date | None
    holder: Holder
    consents: tuple[Consent, ...]

    def disclosable(self, portrait: bytes | None) -> Record:
        """As `disclosure` takes it."""
        return Record(
            name=self.name,
            id_number=self.id_number,
            address=self.address,
            valid_until=self.valid_until,
            portrait=portrait,
            residence=self.residence,
        )


def seal(
    sealer: Sealer,
    credential_id: str,
    holder: Holder,
    person: Person,
    consents: tuple[Consent, ...],
) -> bytes:
    """What is known of a person, packed and sealed for a credential."""
    until = person.valid_until.isoformat() if person.valid_until else ""
    packed = [
        person.name,
        person.id_number,
        person.residence,
        person.address,
        until,
        holder.channel,
        holder.openid,
        [[consent.kind, consent.version, round(consent.at)] for consent in consents],
    ]
    return sealer.seal(credential_id, _tight(packed))


def unseal(sealer: Sealer, credential_id: str, sealed: bytes) -> Sealed:
    """What `seal` packed.

    Raises:
        SealBrokenError: when it does not open, or is not of this form.
    """
    plain = sealer.unseal(credential_id, sealed)
    try:
        packed = _loose(plain)
        name, number, residence, address, until, channel, openid, consents = packed
        return Sealed(
            name=name,
            id_number=number,
            residence=residence,
            address=address,
            valid_until=datetime.date.fromisoformat(until) if until else None,
            holder=Holder(channel, openid),
            consents=tuple(Consent(kind, version, at) for kind, version, at in consents),
        )
    except (TypeError, ValueError, zlib.error) as error:
        raise SealBrokenError(what="seal", why="form") from error


def _tight(packed: Sequence[object]) -> bytes:
    plain = json.dumps(packed, ensure_ascii=False, separators=(",", ":")).encode()
    deflate = zlib.compressobj(9, zlib.DEFLATED, _WINDOW, 1, zlib.Z_DEFAULT_STRATEGY, _DICTIONARY)
    return _DEFLATED + deflate.compress(plain) + deflate.flush()


def _loose(plain: bytes) -> list[Any]:
    if plain[:1] == _DEFLATED:
        inflate = zlib.decompressobj(_WINDOW, _DICTIONARY)
        plain = inflate.decompress(plain[1:]) + inflate.flush()
    found: list[Any] = json.loads(plain)
    return found


def portrait_name(credential_id: str) -> str:
    """The record id that a portrait is sealed for: moved into a record it does not open."""
    return f"{credential_id}:portrait"


def belongs_to(
    sealer: Sealer, credential_id: str, fields: Mapping[str, bytes], holder: Holder
) -> bool:
    """Whether a record is of this account; one whose data was erased is of whoever points to it.

    An account only says which card it holds; the record says whose it is, and both must agree.
    """
    return "e" not in fields or unseal(sealer, credential_id, fields["e"]).holder == holder


def end_of(valid_until: datetime.date | None) -> str:
    """The last second of a day in China, since 1970, as the record keeps it; '' without end."""
    if valid_until is None:
        return ""
    try:
        after = datetime.datetime.combine(
            valid_until + datetime.timedelta(days=1), datetime.time(), CHINA
        )
    except OverflowError:  # 9999-12-31: a registry's way of saying that there is no end
        return ""
    return str(int(after.timestamp()) - 1)


def status_at(fields: Mapping[str, bytes], now: int) -> Status | None:
    """The status of a record at a moment (µs since 1970); None where there is no record."""
    if "s" not in fields:
        return None
    end = fields.get("x", b"")
    return lifecycle.at(
        Status(fields["s"].decode()), valid_until=float(end) if end else None, now=now / 1e6
    )


def card(sealer: Sealer, credential_id: str, fields: Mapping[str, bytes], now: int) -> Card | None:
    """A record as its holder sees it, without name and account where those were erased."""
    status = status_at(fields, now)
    if status is None:
        return None
    known = unseal(sealer, credential_id, fields["e"]) if "e" in fields else None
    return Card(
        credential_id=credential_id,
        holder=known.holder if known else Holder("", ""),
        status=status,
        level=Level(fields["l"].decode()),
        name_masked=names.mask(known.name) if known else "",
        id_number_masked=id_number.mask(known.id_number) if known else "",
        issued_at=float(fields["t"]),
        valid_until=known.valid_until if known else None,
        change=int(fields["n"]),
        frozen_by=fields.get("b", b"").decode() if status is Status.FROZEN else "",
    )
