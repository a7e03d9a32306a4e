"""What a card may be asked for: eight purposes as data, and nothing about them elsewhere.

`index` is the byte that a rotating code carries for its purpose; it is stable for ever, a
number is never given twice, and 0 means that the code is bound to no purpose. `approval` is
true where the attributes tell who the holder is: then the holder picks the purpose before
showing the code, or approves the scan. `retention_days` is how long the verifier may keep what
it was told. The names of purposes and attributes in each language are in the catalogues
(`purpose.<name>`, `purpose.<name>.explains`, `attribute.<name>`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from credentials.model import Level


@dataclasses.dataclass(frozen=True, slots=True)
class Purpose:
    """One reason to ask for a card, and all that may be told for it."""

    index: int
    name: str
    level: Level
    pin: bool
    approval: bool
    attributes: tuple[str, ...]
    retention_days: int
    legal_ground: str


_TABLE = (
    Purpose(
        index=1,
        name="internet_cafe",
        level=Level.LIGHT,
        pin=False,
        approval=False,
        attributes=("age_over_18", "name_masked", "portrait"),
        retention_days=60,
        legal_ground="《互联网上网服务营业场所管理条例》第二十一条、第二十三条",
    ),
    Purpose(
        index=2,
        name="courier",
        level=Level.LIGHT,
        pin=False,
        approval=True,
        attributes=("name", "id_number_masked"),
        retention_days=180,
        legal_ground="《中华人民共和国反恐怖主义法》第二十条",
    ),
    Purpose(
        index=3,
        name="ticketing",
        level=Level.LIGHT,
        pin=False,
        approval=True,
        attributes=("name", "id_number"),
        retention_days=180,
        legal_ground="《中华人民共和国反恐怖主义法》第二十一条",
    ),
    Purpose(
        index=4,
        name="hotel",
        level=Level.LIGHT,
        pin=False,
        approval=True,
        attributes=("name", "sex", "birth_date", "id_number", "portrait", "valid_until"),
        retention_days=365,
        legal_ground="《旅馆业治安管理办法》第六条",
    ),
    Purpose(
        index=5,
        name="security_check",
        level=Level.LIGHT,
        pin=False,
        approval=True,
        attributes=("name", "id_number", "portrait"),
        retention_days=30,
        legal_ground="《中华人民共和国居民身份证法》第十三条、第十五条",
    ),
    Purpose(
        index=6,
        name="banking",
        level=Level.UPGRADED,
        pin=True,
        approval=True,
        attributes=("name", "id_number", "address", "valid_until", "portrait"),
        retention_days=3653,
        legal_ground="《中华人民共和国反洗钱法》第二十九条、第三十四条",
    ),
    Purpose(
        index=7,
        name="government_service",
        level=Level.UPGRADED,
        pin=True,
        approval=True,
        attributes=("name", "id_number", "sex", "birth_date", "address"),
        retention_days=1826,
        legal_ground="《中华人民共和国居民身份证法》第十三条、第十四条",
    ),
    Purpose(
        index=8,
        name="business_registration",
        level=Level.UPGRADED,
        pin=True,
        approval=True,
        attributes=("name", "id_number", "address"),
        retention_days=3653,
        legal_ground="《中华人民共和国市场主体登记管理条例》第十五条、第十六条",
    ),
)

PURPOSES: Mapping[str, Purpose] = MappingProxyType({purpose.name: purpose for purpose in _TABLE})
_BY_INDEX = MappingProxyType({purpose.index: purpose for purpose in _TABLE})


def by_index(index: int) -> Purpose | None:
    """The purpose that a code's byte means; None for 0 and for a byte never given."""
    return _BY_INDEX.get(index)
