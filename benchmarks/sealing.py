"""Sealing and unsealing: what the product's sealer takes to the same primitives called by hand."""

from __future__ import annotations

import hmac
import os
from base64 import b64encode
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.harness import publish, seconds_each, table
from benchmarks.sheet import COLUMNS, Goal, Sheet
from credentials.keyring import Keyring
from credentials.sealing import Sealer

TIMES = 20_000
TARGET_US = 30.0
RECORD = "00a1b2c3d4e5f607"
SIZES = (("a record, 300 B", 300), ("a face template, 1 KB", 1024), ("a portrait, 8 KB", 8192))
NOTE = f"""\
Microseconds of one call, of {TIMES:,} in a row. The product's sealer gives each record a key of its
own (HKDF-Expand: one HMAC-SHA256), a nonce from the system, and AES-256-GCM with the record's id.
The limit calls the same primitives by hand and checks nothing. `{TARGET_US:.0f} µs` is what a
sealing may take at all."""


def main(sheet: Sheet, times: int = TIMES) -> None:
    """Measure each size, and publish the table."""
    sealer = Sealer(Keyring.from_entries([f"1:{b64encode(os.urandom(32)).decode()}"]))
    for what, size in SIZES:
        _measure(sheet, sealer, what, os.urandom(size), times)
    publish("sealing", table("Sealing and unsealing", NOTE, COLUMNS, sheet.table()))


def _measure(sheet: Sheet, sealer: Sealer, what: str, plain: bytes, times: int) -> None:
    master, sealed = os.urandom(32), sealer.seal(RECORD, plain)
    nonce = os.urandom(12)
    closed = AESGCM(_key(master)).encrypt(nonce, plain, RECORD.encode())

    def seal_by_hand() -> object:
        return AESGCM(_key(master)).encrypt(os.urandom(12), plain, RECORD.encode())

    def unseal_by_hand() -> object:
        return AESGCM(_key(master)).decrypt(nonce, closed, RECORD.encode())

    for verb, ours, by_hand in (
        ("seal", lambda: sealer.seal(RECORD, plain), seal_by_hand),
        ("unseal", lambda: sealer.unseal(RECORD, sealed), unseal_by_hand),
    ):
        found = sheet.pair(
            f"{verb} {what}",
            _microseconds(ours, times),
            _microseconds(by_hand, times),
            against="the primitives by hand",
            unit="µs",
        )
        pairs = [(thing, TARGET_US) for thing, _ in found.pairs]
        against = f"{TARGET_US:.0f} µs"
        sheet.keep(f"{verb} {what}, at all", pairs, against=against, unit="µs", goal=Goal("≤", 1))


def _key(master: bytes) -> bytes:
    """A record's key, as HKDF-Expand (RFC 5869) makes one block of it."""
    return hmac.digest(master, RECORD.encode() + b"\x01", "sha256")


def _microseconds(act: Callable[[], object], times: int) -> Callable[[], float]:
    return lambda: 1e6 * seconds_each(act, times)
