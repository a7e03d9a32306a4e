"""Bytes per credential: light cards with their log, on a real Redis, and what takes how much."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import datetime
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from benchmarks.harness import publish, table
from benchmarks.sheet import Goal, Sheet
from commands import embedded
from credentials import pictures
from credentials.authority import EmbeddedRegistry
from credentials.connection import connect
from credentials.id_number import check_character
from credentials.keyring import Keyring
from credentials.model import Consent, Holder, Person
from credentials.sealing import Sealer
from credentials.services import Services, build

COUNT = 100_000
TARGET = 700
PAGE = 2000
TODAY = datetime.date(2026, 11, 23)
PLANNED = (400_000, 980_000_000)
ENTRIES = 50  # scans of one card, for the plan
COLUMNS = ("what", "keys", "bytes a card", "400 thousand cards", "980 million cards")
APART = "portrait (apart)"
LOG = "log: 2 entries a card, in its bucket's stream, until archived"
KINDS = (
    ("record: state fields and one sealed blob", re.compile(rb"\{b\d+\}:c:")),
    (APART, re.compile(rb"\{b\d+\}:p:")),
    (LOG, re.compile(rb"\{b\d+\}:log")),
    ("log heads, one a bucket", re.compile(rb"\{b\d+\}:head")),
    ("index of ends, one a bucket", re.compile(rb"\{b\d+\}:due")),
    ("ID number to credential", re.compile(rb"\{id:")),
    ("account to credential", re.compile(rb"\{[a-z]+:[^}]+\}:card")),
    ("everything else", re.compile(rb"")),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """Bytes by kind of key, as Redis counts them, and what the whole server grew by."""

    count: int
    version: str
    keys: dict[str, int]
    bytes: dict[str, int]
    grown: int

    def each(self, kind: str) -> float:
        """Bytes a card of one kind."""
        return self.bytes.get(kind, 0) / self.count

    @property
    def overhead(self) -> float:
        """What the server grew by a card beyond what it says of its keys: tables of keys."""
        return (self.grown - sum(self.bytes.values())) / self.count

    @property
    def card(self) -> float:
        """All of a light card but its portrait and its live entries, which an archive takes."""
        return self.grown / self.count - self.each(APART) - self.each(LOG)


def main(sheet: Sheet, count: int = COUNT) -> None:
    """Measure, and publish the table."""
    found = measure(count)
    for what, size, goal in (
        ("a light card with its log's head, portrait apart", found.card, Goal("≤", 1)),
        ("the same with its first two log entries", found.card + found.each(LOG), None),
    ):
        pair = (round(size, 1), float(TARGET))
        sheet.keep(what, [pair], against=f"{TARGET} B", unit="B", goal=goal)
    rows = [_row(kind, found.keys.get(kind, 0), found.each(kind)) for kind, _ in KINDS]
    rows = [row for row in rows if row[1] != "0"]
    rows.append(_row("tables of keys, rounding by the allocator", 0, found.overhead))
    rows.append(_row("**a light card with its log's head, portrait apart**", 0, found.card))
    rows.append(_row("the same with its first two entries", 0, found.card + found.each(LOG)))
    scans = found.each(LOG) / 2 * ENTRIES
    rows.append(_row(f"{ENTRIES} scans, until archived", 0, scans))
    publish(
        "bytes",
        table(
            "Bytes per credential",
            f"{found.count:,} light cards issued as the product issues them, on Redis "
            f"{found.version} with `hash-max-listpack-value 512`. The kinds are sums of `MEMORY "
            "USAGE`; the whole is what `used_memory` grew by. The portrait here is a stand-in of "
            "1 KB (a real one is 6 to 12 KB) and, like the face template (600 B sealed), stands "
            f"apart. The target is {TARGET} B: "
            f"{'met' if found.card < TARGET else 'missed'} with {found.card:.0f} B. "
            "Buckets are 4096, so at 980 million cards a bucket holds 240 thousand and its index "
            "of ends becomes a skip list, about 100 B a card more; that many take a cluster of "
            "some dozen machines, and the portraits belong on disks there.",
            COLUMNS,
            rows,
        ),
    )


def measure(count: int) -> Measured:
    """Issue so many cards into an empty Redis, and ask it what they take."""
    with _redis() as url, contextlib.closing(connect(url)) as database:
        services = _services(database)
        services.index.of("warm", "up")
        before = _used(database)
        _issue(services, count)
        grown = _used(database) - before
        keys: dict[str, int] = {}
        taken: dict[str, int] = {}
        for kind, size in _sizes(database):
            keys[kind] = keys.get(kind, 0) + 1
            taken[kind] = taken.get(kind, 0) + size
        info: Any = database.info("server")
        return Measured(count, info["redis_version"], keys, taken, grown)


def _issue(services: Services, count: int) -> None:
    picture = os.urandom(1000)
    kept = pictures.portrait

    def stand_in(image: bytes) -> bytes:
        return image or picture

    pictures.portrait = stand_in
    try:
        for number in range(count):
            openid = "o" + base64.urlsafe_b64encode(os.urandom(21)).decode()[:27]
            now = time.time()
            consents = [Consent("data", "2026-11", now), Consent("face", "2026-11", now)]
            evidence = {"distance": "0.412", "liveness": "challenge"}
            services.cards.issue(
                Holder("wechat", openid), _person(number), consents, evidence=evidence
            )
    finally:
        pictures.portrait = kept


def _person(number: int) -> Person:
    day, sequence = divmod(number, 1000)
    first = f"440115{1950 + day // 336:04d}{day // 28 % 12 + 1:02d}{day % 28 + 1:02d}{sequence:03d}"
    return Person(
        name="欧阳测试",
        id_number=first + check_character(first),
        residence="440115",
        address="广东省广州市南沙区进港大道8号天汇花园3栋1201室",
        valid_until=None if number % 5 == 0 else TODAY + datetime.timedelta(30 + number % 7000),
        portrait=b"",
    )


def _sizes(database: redis.Redis) -> Iterator[tuple[str, int]]:
    found: list[bytes] = list(database.scan_iter(count=PAGE))
    for start in range(0, len(found), PAGE):
        some = found[start : start + PAGE]
        pipe: Any = database.pipeline(transaction=False)
        for key in some:
            pipe.memory_usage(key, samples=0)
        for key, size in zip(some, pipe.execute(), strict=True):
            yield next(kind for kind, shape in KINDS if shape.match(key)), int(size or 0)


def _used(database: redis.Redis) -> int:
    info: Any = database.info("memory")
    return int(info["used_memory"])


def _services(database: redis.Redis) -> Services:
    keyring = Keyring.from_entries([f"1:{base64.b64encode(os.urandom(32)).decode()}"])
    authority = EmbeddedRegistry(database, Sealer(keyring))
    return build(database, keyring, address="https://card.example.gov.cn", authority=authority)


@contextlib.contextmanager
def _redis() -> Iterator[str]:
    """Debian's Redis where it is installed, else the embedded one; gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        system = shutil.which("redis-server")
        if system is None:
            server = embedded.start(Path(folder), appendfsync="everysec")
            try:
                yield embedded.url(Path(folder))
            finally:
                embedded.stop(server)
            return
        line = Path(folder) / "redis.sock"
        options = ["--port", "0", "--unixsocket", str(line), "--save", "", "--dir", folder]
        options += ["--hash-max-listpack-value", "512", "--loglevel", "warning"]
        process = subprocess.Popen([system, *options], stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 20
            while not line.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            yield f"unix://{line}"
        finally:
            process.terminate()
            process.wait(20)


def _row(what: str, keys: int, each: float) -> list[str]:
    return [what, f"{keys:,}" if keys else "", f"{each:,.0f}", *(_size(each * n) for n in PLANNED)]


def _size(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
