"""All that a Redis holds, as one who stole it would read it."""

from typing import Any

import redis


def everything(database: redis.Redis) -> bytes:
    """Every key and every value of hashes, sets and strings, one after another."""
    client: Any = database
    held: list[bytes] = []
    for key in client.scan_iter():
        kind = client.type(key)
        held.append(key)
        if kind == b"hash":
            held += [part for pair in client.hgetall(key).items() for part in pair]
        elif kind == b"set":
            held += client.smembers(key)
        elif kind == b"string":
            held.append(client.get(key) or b"")  # nothing: over since it was listed
        elif kind != b"none":  # gone since it was listed
            raise AssertionError(f"{key!r} is a {kind!r}, which is not read here")
    return b"\n".join(held)
