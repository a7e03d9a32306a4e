"""Sealing and unsealing: microseconds for a record, a template and a portrait."""

from __future__ import annotations

import base64
import os
import statistics

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.harness import PAIRS, publish, seconds_each, table
from credentials.keyring import Keyring
from credentials.sealing import Sealer

TIMES = 20_000
TARGET_US = 30.0
SIZES = (("a record, 300 B", 300), ("a face template, 1 KB", 1024), ("a portrait, 8 KB", 8192))
COLUMNS = ("what", "seal", "unseal", "AES-256-GCM alone", "target")


def main(times: int = TIMES) -> None:
    """Measure each size, and publish the table."""
    publish(
        "sealing",
        table(
            "Sealing and unsealing",
            f"Medians of {PAIRS} rounds of {times:,} calls each, in microseconds. Sealing is the "
            "record's own key (HKDF-Expand), a nonce from the system, and AES-256-GCM with the "
            "record's id; the fourth column is the encryption alone, under one key kept ready.",
            COLUMNS,
            rows(times),
        ),
    )


def rows(times: int) -> list[list[str]]:
    """One row for each size."""
    keyring = Keyring.from_entries([f"1:{base64.b64encode(os.urandom(32)).decode()}"])
    sealer = Sealer(keyring)
    made = []
    for what, size in SIZES:
        plain = os.urandom(size)
        sealed = sealer.seal("00a1b2c3d4e5f607", plain)
        bare, nonce = AESGCM(os.urandom(32)), os.urandom(12)

        def seal(plain: bytes = plain) -> bytes:
            return sealer.seal("00a1b2c3d4e5f607", plain)

        def unseal(sealed: bytes = sealed) -> bytes:
            return sealer.unseal("00a1b2c3d4e5f607", sealed)

        def alone(plain: bytes = plain, bare: AESGCM = bare, nonce: bytes = nonce) -> bytes:
            return bare.encrypt(nonce, plain, b"00a1b2c3d4e5f607")

        taken: list[list[float]] = [[], [], []]
        for _ in range(PAIRS):
            for place, act in enumerate((seal, unseal, alone)):
                taken[place].append(1e6 * seconds_each(act, times))
        medians = [statistics.median(each) for each in taken]
        met = "met" if max(medians[:2]) < TARGET_US else "missed"
        made.append([what, *(f"{each:.1f}" for each in medians), f"under {TARGET_US:.0f}: {met}"])
    return made
