"""The platform's HTTP API, as an account's server calls it."""

from __future__ import annotations

from flask import Blueprint

from simulator.platform.api import codes, media, menu, messages, oauth, tokens, users, wrap
from simulator.platform.core import Platform


def blueprint(platform: Platform) -> Blueprint:
    """Every endpoint under /cgi-bin, /sns, /wxa and /mmbiz."""
    api = Blueprint("platform", __name__)
    wrap.add(api, platform)
    for part in (tokens, media, messages, menu, codes, users, oauth):
        part.add(api, platform)
    return api
