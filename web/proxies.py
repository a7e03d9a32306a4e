"""Whose request it is, behind servers that pass requests on, and as limits count callers."""

from __future__ import annotations

import ipaddress

from flask import Flask, request
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


def caller() -> str:
    """Who counts as one caller: an IPv4 address, or the 64 bits of an IPv6 network.

    A customer is given that many addresses at least (RFC 6177, section 2), and would otherwise
    have as many tries as addresses.
    """
    address = request.remote_addr or "-"
    try:
        known = ipaddress.ip_address(address)
    except ValueError:  # a Unix socket
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return address
    return str(known.ipv4_mapped or ipaddress.ip_network((known, 64), strict=False))
