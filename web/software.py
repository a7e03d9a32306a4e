"""What connects an organisation's own software: API keys, webhooks, and a place to try the API.

A key and a webhook's secret are shown in the answer that makes them, and never again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from flask import Blueprint, redirect, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from credentials.errors import CredentialError, UnavailableError
from credentials.model import Actor
from web import office, sandbox, sign_in

if TYPE_CHECKING:
    from credentials.services import Services

OVERLAPS_S = {"0": 0.0, "1h": 3600.0, "1d": 86400.0, "7d": 604800.0}


def register(routes: Blueprint, services: Services) -> None:
    """Add these pages to the desk's."""
    _register_keys(routes, services)
    _register_webhooks(routes, services)

    @routes.get("/try")
    def try_it() -> BaseResponse:
        """A page that sends requests to the API and shows what comes back."""
        purposes = office.verifier_of(services).purposes
        return office.page(
            services,
            "desk_try.html",
            address=services.address,
            purposes=[services.purposes[name] for name in purposes],
            cases=sandbox.CODES,
        )


def _register_keys(routes: Blueprint, services: Services) -> None:
    managers = office.for_managers(services)

    @routes.get("/software")
    @managers
    def software() -> BaseResponse:
        """Show keys, webhooks and what was told to them."""
        return _page(services)

    @routes.post("/software/keys")
    @managers
    def make_key() -> BaseResponse:
        """Make a key and show it this once."""

        def make() -> BaseResponse:
            name, sandboxed = request.form.get("name", ""), request.form.get("kind") == "sandbox"
            key = services.api_keys.make(
                _own(), name, request.form.getlist("scope"), sandbox=sandboxed
            )
            _noted(services, "key_made", name)
            return _page(services, made_key=key)

        typed = {
            "name": request.form.get("name", "")[:200],
            "kind": request.form.get("kind", "")[:20],
            "scopes": request.form.getlist("scope"),
        }
        return _tried(services, make, typed)

    @routes.post("/software/keys/<key_id>/<act>")
    @managers
    def change_key(key_id: str, act: str) -> BaseResponse:
        """Replace a key, the old one good for a while; or make it worthless."""

        def change() -> BaseResponse:
            if act == "rotate":
                overlap = OVERLAPS_S.get(request.form.get("overlap", ""), 0.0)
                made = services.api_keys.rotate(_own(), key_id, overlap)
                _noted(services, "key_rotated", key_id)
                return _page(services, made_key=made)
            if act != "drop":
                raise NotFound
            dropped = services.api_keys.drop(_own(), key_id)
            _noted(services, "key_dropped", dropped.name or key_id)
            return redirect("/desk/software", 303)

        return _tried(services, change)


def _register_webhooks(routes: Blueprint, services: Services) -> None:
    managers = office.for_managers(services)

    @routes.post("/software/webhooks")
    @managers
    def add_webhook() -> BaseResponse:
        """Add an endpoint and show its secret this once."""

        def add() -> BaseResponse:
            made = services.webhooks.add(_own(), request.form.get("url", "").strip())
            _noted(services, "webhook_added", made.endpoint_id)
            return _page(services, made_secret=made.secret)

        return _tried(services, add, {"url": request.form.get("url", "")[:1000]})

    @routes.post("/software/webhooks/<endpoint_id>/<act>")
    @managers
    def change_webhook(endpoint_id: str, act: str) -> BaseResponse:
        """Send a trial, or tell the endpoint nothing more."""

        def change() -> BaseResponse:
            if act == "ping":
                services.webhooks.ping(_own(), endpoint_id)
            elif act == "drop":
                services.webhooks.drop(_own(), endpoint_id)
            else:
                raise NotFound
            _noted(services, f"webhook_{act}", endpoint_id)
            return redirect("/desk/software#deliveries", 303)

        return _tried(services, change)

    @routes.post("/software/deliveries/<delivery_id>/replay")
    @managers
    def replay(delivery_id: str) -> BaseResponse:
        """Send one delivery again."""

        def again() -> BaseResponse:
            services.webhooks.replay(_own(), delivery_id[:64])
            _noted(services, "webhook_replayed", delivery_id)
            return redirect("/desk/software#deliveries", 303)

        return _tried(services, again)


def _own() -> str:
    return sign_in.current().verifier_id


def _noted(services: Services, kind: str, about: str) -> None:
    """Both in the organisation's log and in the audit."""
    services.audit.note(kind, Actor("staff", sign_in.name()), _own(), what=about[:80])
    office.did(services, kind, about)


def _tried(
    services: Services, act: Callable[[], BaseResponse], typed: Mapping[str, object] | None = None
) -> BaseResponse:
    try:
        return act()
    except UnavailableError:
        raise
    except CredentialError as error:
        sentence = office.sentence_of(services, error)
        return _page(services, status=422, error=sentence, typed=typed or {})


def _page(services: Services, *, status: int = 200, **values: object) -> BaseResponse:
    return office.page(
        services,
        "desk_software.html",
        status=status,
        keys=services.api_keys.all(_own()),
        endpoints=services.webhooks.endpoints(_own()),
        deliveries=services.webhooks.deliveries(_own(), 50),
        overlaps=OVERLAPS_S,
        **values,
    )
