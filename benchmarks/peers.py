"""Peers of the chat turn: WeRoBot's own web application, under the same server.

`echo` answers each text with itself, and keeps nothing. `sessions` does what a WeRoBot account
with state does: reads the person's session from Redis, counts, and writes it back. Neither
deduplicates, refuses replays, asks a dialog, seals what it keeps, or counts for operators.
"""

from __future__ import annotations

import os
from typing import Any

import redis
from werobot import WeRoBot
from werobot.session.redisstorage import RedisStorage

from benchmarks.bare import Application


def echo() -> Application:
    """WeRoBot without sessions."""
    robot = _robot(session_storage=False)
    robot.add_handler(lambda message: message.content, type="text")
    return _application(robot)


def sessions() -> Application:
    """WeRoBot with its sessions in the Redis of `REDIS_URL`."""
    store = RedisStorage(redis.Redis.from_url(os.environ["REDIS_URL"]))
    robot = _robot(session_storage=store)

    def count(_message: Any, session: dict[str, int]) -> str:
        session["turns"] = session.get("turns", 0) + 1
        return "好" * 200

    robot.add_handler(count, type="text")
    return _application(robot)


def _robot(*, session_storage: object) -> Any:
    robot = WeRoBot(
        token=os.environ["WECHAT_TOKEN"],
        app_id=os.environ["WECHAT_APP_ID"],
        encoding_aes_key=os.environ["WECHAT_AES_KEY"],
    )
    robot.config["SESSION_STORAGE"] = session_storage
    return robot


def _application(robot: Any) -> Application:
    made: Application = robot.wsgi
    return made
