"""What the tests of commands share."""

import pytest
import redis

from tests.commands.shell import Shell, build


@pytest.fixture
def shell(database: redis.Redis) -> Shell:
    return Shell(build(database))
