"""Keys and scripts: what a cluster, and a reader, must be able to rely on."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import pytest

from credentials import store
from credentials.model import Holder
from credentials.store import Argument, Store
from tests.credentials.issuer import HOLDER, Issuer

OWN = (
    "answer", "claim", "issue", "look", "note", "receipt", "settle", "transition", "verify",
)  # fmt: skip
NEWER_THAN_6_2 = ("EXPIRETIME", "FUNCTION", "FCALL", "SINTERCARD", "HEXPIRE", "HSETEX", "HGETEX")


class WatchedStore(Store):
    """A store that keeps the keys of every script, and is as in a cluster."""

    def __init__(self, database: Any, seen: list[tuple[str, tuple[str, ...]]]) -> None:
        super().__init__(database)
        self.together = False
        self.seen = seen

    def run(self, name: str, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        self.seen.append((name, tuple(keys)))
        return super().run(name, keys, args)

    def confirm(self, credential_id: str, status: str, by: str, word: str = "") -> None:
        """There is no replica here to ask."""


def tag(key: str) -> str:
    """The part of a key that decides where in a cluster it is."""
    found = re.match(r"[^{]*\{([^}]+)\}", key)
    assert found, key
    return found[1]


def test_all_keys_of_a_script_are_in_one_slot(issuer: Issuer, monkeypatch: Any) -> None:
    seen: list[tuple[str, tuple[str, ...]]] = []
    watched = WatchedStore(issuer.database, seen)
    monkeypatch.setattr("tests.credentials.issuer.Store", lambda _: watched)
    here = Issuer(issuer.database)
    phone, desk = here.phone(), here.desk()
    desk.scan(phone.show(), "internet_cafe", "one")
    desk.scan(phone.show(), "hotel")
    phone.approve()
    here.cards.freeze(phone.credential_id, HOLDER)
    here.cards.erase(phone.holder, HOLDER)
    here.audit.note("signed_in", HOLDER)
    assert {name for name, _ in seen} == set(OWN)
    for name, keys in seen:
        assert len({tag(key) for key in keys}) == 1, name


@pytest.mark.parametrize("name", OWN)
def test_a_script_names_its_keys_and_arguments(name: str) -> None:
    text = (store.SCRIPTS / f"{name}.lua").read_text(encoding="utf-8")
    head = "\n".join(line for line in text.splitlines() if line.startswith("--"))
    assert "-- KEYS" in head
    assert "-- ARGV" in head
    for kind in ("KEYS", "ARGV"):
        for used in set(re.findall(rf"{kind}\[(\d+)\]", text)):
            named = re.search(rf"(?s){kind}.*\b{used}\b", head)
            assert named, f"{kind}[{used}] of {name} is not named"
    assert not [word for word in NEWER_THAN_6_2 if f"'{word}'" in text]


def test_every_key_is_in_the_table(issuer: Issuer) -> None:
    phone, desk = issuer.phone(), issuer.desk()
    desk.scan(phone.show(), "internet_cafe", "one")
    table = store.__doc__ or ""
    shapes = [
        re.escape(shape).replace(re.escape("{b0042}"), r"\{b\d{4}\}").replace("wechat", r"\w+")
        for shape in re.findall(r"`(\{[^`]*)`", table)
    ]
    patterns = [re.compile(re.sub(r"<[^>]*>", "[^{}]+", shape)) for shape in shapes]
    for key in issuer.database.scan_iter():
        assert any(pattern.fullmatch(key.decode()) for pattern in patterns), key


def test_a_server_that_forgot_the_scripts_is_told_again(issuer: Issuer) -> None:
    phone, desk = issuer.phone(), issuer.desk()
    issuer.database.script_flush()
    code = phone.show()
    issuer.database.script_flush()
    assert desk.scan(code, "internet_cafe").attributes


def test_buckets() -> None:
    assert store.place_of("000" + "f" * 13).tag == "{b0000}"
    assert store.place_of("fff" + "0" * 13).tag == "{b4095}"
    made = store.new_verification_id("abc0123456789def")
    assert store.is_verification_id(made)
    assert store.place_of(made) == store.place_of("abc0123456789def")
    assert store.card_key(Holder("wechat", "oA")) == "{wechat:oA}:card"


@pytest.mark.skipif("CARD_CLUSTER" in os.environ, reason="counts what one server was asked")
def test_what_is_asked_of_redis_by_one_verification(issuer: Issuer) -> None:
    phone, desk = issuer.phone(), issuer.desk()
    code = phone.show()
    desk.scan(phone.show(), "internet_cafe")
    issuer.index.of("id_number", "1")
    commands: dict[str, Any] = issuer.database.info("commandstats")
    before = sum(stat["calls"] for name, stat in commands.items() if "evalsha" in name)
    desk.refused(code, "internet_cafe")
    commands = issuer.database.info("commandstats")
    assert sum(stat["calls"] for name, stat in commands.items() if "evalsha" in name) == before + 1
