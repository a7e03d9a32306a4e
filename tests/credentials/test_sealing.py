"""Sealed values, and values that are only looked up."""

from __future__ import annotations

import pytest
import redis

from credentials.keyring import KeyringError
from credentials.sealing import KEYS, BlindIndex, SealBrokenError, Sealer
from tests.credentials.issuer import ring

PLAIN = "张三丰 440115199003070019".encode()


def test_what_is_sealed_opens() -> None:
    sealer = Sealer(ring())
    sealed = sealer.seal("record", PLAIN)
    assert PLAIN not in sealed
    assert len(sealed) == len(PLAIN) + 29
    assert sealer.unseal("record", sealed) == PLAIN


def test_no_two_seals_are_alike() -> None:
    sealer = Sealer(ring())
    assert sealer.seal("record", PLAIN) != sealer.seal("record", PLAIN)


def test_it_opens_for_its_own_record_only() -> None:
    sealer = Sealer(ring())
    with pytest.raises(SealBrokenError):
        sealer.unseal("another", sealer.seal("record", PLAIN))


@pytest.mark.parametrize("place", [1, 12, 13, 20, -1])
def test_a_flipped_bit_is_noticed(place: int) -> None:
    sealer = Sealer(ring())
    sealed = bytearray(sealer.seal("record", PLAIN))
    sealed[place] ^= 1
    with pytest.raises(SealBrokenError):
        sealer.unseal("record", bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" * 28])
def test_what_is_too_short_is_no_seal(sealed: bytes) -> None:
    with pytest.raises(SealBrokenError):
        Sealer(ring()).unseal("record", sealed)


def test_an_unknown_key_is_not_guessed() -> None:
    sealed = Sealer(ring(5)).seal("record", PLAIN)
    with pytest.raises(KeyringError):
        Sealer(ring(1)).unseal("record", sealed)


def test_an_older_key_still_opens() -> None:
    sealed = Sealer(ring(1)).seal("record", PLAIN)
    rotated = Sealer(ring(2, 1))
    assert rotated.unseal("record", sealed) == PLAIN
    assert rotated.seal("record", PLAIN)[0] == 2


def test_json_that_is_none() -> None:
    sealer = Sealer(ring())
    assert sealer.unseal_json("r", sealer.seal_json("r", ["张", 1, None])) == ["张", 1, None]
    with pytest.raises(SealBrokenError):
        sealer.unseal_json("r", sealer.seal("r", b"{"))


def test_the_blind_index_is_one_for_all_processes(database: redis.Redis) -> None:
    here, there = (BlindIndex(database, Sealer(ring())) for _ in range(2))
    assert here.of("id_number", "1") == there.of("id_number", "1")
    assert here.of("id_number", "1") != here.of("id_number", "2")
    assert here.of("id_number", "1") != here.of("openid", "1")
    assert len(here.of("id_number", "1")) == 22
    assert len(here.credential_id("x")) == 16


def test_the_blind_index_outlives_rotation(database: redis.Redis) -> None:
    before = BlindIndex(database, Sealer(ring(1))).of("id_number", "1")
    rotated = BlindIndex(database, Sealer(ring(2, 1)))
    assert rotated.of("id_number", "1") == before
    assert rotated.reseal()
    assert not rotated.reseal()
    assert BlindIndex(database, Sealer(ring(2))).of("id_number", "1") == before


def test_an_index_key_that_was_tampered_with(database: redis.Redis) -> None:
    BlindIndex(database, Sealer(ring())).of("id_number", "1")
    database.hset(KEYS, "index", b"\x01" + b"0" * 60)
    with pytest.raises(SealBrokenError):
        BlindIndex(database, Sealer(ring())).of("id_number", "1")
