"""Somebody at the command line, with the real groups of commands and real services."""

import base64
import contextlib
import secrets
from collections.abc import Iterator

import click
import redis
from click.testing import CliRunner, Result

from commands.parties import operator, staff, verifier
from commands.people import person
from commands.rollout import rollout
from commands.terminals import terminal
from credentials import services as services_module
from credentials.authority import EmbeddedRegistry, HttpAuthority
from credentials.keyring import Keyring
from credentials.sealing import Sealer
from credentials.services import Services

APP = click.Group("app", commands=[person, verifier, staff, operator, rollout, terminal])


def build(database: redis.Redis, *, embedded: bool = True) -> Services:
    keyring = Keyring.from_entries(("1:" + base64.b64encode(secrets.token_bytes(32)).decode(),))
    registry = EmbeddedRegistry(database, Sealer(keyring))
    authority = registry if embedded else HttpAuthority("http://127.0.0.1:1", "key")
    return services_module.build(database, keyring, address="http://card", authority=authority)


class Shell:
    """Somebody at the command line."""

    def __init__(self, services: Services) -> None:
        self.services = services

    def runs(self, *words: str) -> str:
        result = self._type(*words)
        assert result.exit_code == 0, result.output
        return result.stdout

    def ends_with(self, status: int, *words: str) -> tuple[str, str]:
        """What it says, and of what it complains, with this status."""
        result = self._type(*words)
        assert result.exit_code == status, result.output
        assert "Traceback" not in result.stderr
        return result.stdout, result.stderr

    def is_refused(self, *words: str, status: int = 2) -> str:
        result = self._type(*words)
        assert result.exit_code == status, result.output
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
        return result.stderr

    def _type(self, *words: str) -> Result:
        @contextlib.contextmanager
        def opener() -> Iterator[Services]:
            yield self.services

        return CliRunner().invoke(APP, words, obj=opener, terminal_width=300)
