from __future__ import annotations

import dataclasses

import redis

from bot.engine import Conversation
from bot.figures import Figures
from credentials.model import Holder
from web.console_flow import PERIODS

HOLDER = Holder("wechat", "oPhone")


def test_the_hours_of_the_week_before_are_still_there_to_compare_with(
    database: redis.Redis,
) -> None:
    begun = Conversation(HOLDER, step="consent", since=1_800_000_000.0, last=1_800_000_000.0)
    pipeline = database.pipeline(transaction=False)
    Figures(database).count(pipeline, dataclasses.replace(begun, step="home"), begun, ())
    pipeline.execute()
    (hour,) = database.scan_iter("{flow}:real:h:*")
    assert database.ttl(hour) > 2 * PERIODS["week"] + 3600
