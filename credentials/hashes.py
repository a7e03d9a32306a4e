"""Small hashes in Redis as bytes, many at once, and the Lua scripts in `scripts/`.

The client's replies are bytes (see `connection.connect`); its types also allow for text, which
is settled here once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

import redis
from redis.commands.core import Script

from credentials.connection import guard

FOLDER = Path(__file__).parent / "scripts"
Fields = dict[bytes, bytes]
Changes = Mapping[str | bytes | bytearray | memoryview | int | float, str | bytes | int | float]


def script(database: redis.Redis, name: str) -> Script:
    """The script `scripts/<name>.lua`, ready to be called; it is sent to a server only once."""
    return database.register_script((FOLDER / f"{name}.lua").read_text(encoding="utf-8"))


def read(database: redis.Redis, key: str) -> Fields:
    """The fields of one hash; none if there is no such key.

    Raises:
        UnavailableError: when Redis cannot be asked.
    """
    with guard():
        return cast("Fields", database.hgetall(key))


def read_many(database: redis.Redis, keys: Iterable[str]) -> list[Fields]:
    """The fields of several hashes, wherever in a cluster they are, in one go.

    Raises:
        UnavailableError: when Redis cannot be asked.
    """
    with guard():
        together = database.pipeline(transaction=False)
        for key in keys:
            together.hgetall(key)
        return cast("list[Fields]", together.execute())


def write(database: redis.Redis, key: str, fields: Mapping[str, str | bytes | int | float]) -> None:
    """Set fields of one hash.

    Raises:
        UnavailableError: when Redis cannot be asked.
    """
    with guard():
        database.hset(key, mapping=cast("Changes", fields))
