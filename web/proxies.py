"""Whose request it is, behind servers that pass requests on."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix


def trust(app: Flask, proxies: int) -> None:
    """Take the caller's address from what the nearest `proxies` servers wrote; 0: from nobody.

    Limits are counted by address: behind a proxy that is not counted here all people are one
    caller, and with one too many anybody may write an address of their own (X-Forwarded-For).
    Wraps what the application is then; call it last.
    """
    if proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign] # Flask's own way
            app.wsgi_app, x_for=proxies, x_proto=0
        )
