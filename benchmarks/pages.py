"""Requests of open card pages."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response

from benchmarks import stage
from benchmarks.harness import get
from credentials.model import Holder
from web.card_session import CardSessions, path_of


def code_pages(scene: stage.Stage, holders: Sequence[Holder]) -> list[bytes]:
    """One request for a fresh code by each holder's open card page."""
    sessions = CardSessions(scene.services.sealer, secure=False)
    made = []
    for holder in holders:
        session, put = sessions.begin(holder)
        answer = Response()
        put(answer)
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        made.append(get(f"{path_of(session.tag)}code?purpose=", {"Cookie": cookie}))
    return made
