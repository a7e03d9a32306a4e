"""The console's texts: what the product says, changed by operators, live within a second.

A viewer sees; an admin changes, for a reason, after a preview. Each change is in the audit, and
each version stays readable and can be put back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from credentials import wording
from credentials.accounts import Role
from credentials.wording import LiveTexts, WordingError
from texts import LANGUAGES
from web import pages
from web.console_shared import actor, allowed, argument, listed, reason, require

if TYPE_CHECKING:
    from credentials.services import Services

ROWS = 100
SAMPLE = "◇"


def register(services: Services, texts: LiveTexts) -> Callable[[Blueprint], None]:
    """What adds the pages below `/console/texts`."""

    def add(routes: Blueprint) -> None:
        @routes.get("/texts")
        def sentences() -> BaseResponse:
            """List sentences: those that were changed, or those that are searched for."""
            query = argument("q")
            language = argument("language") or pages.language()
            language = language if language in LANGUAGES else pages.language()
            changed = {key for _, key in texts.changed()}
            keys = sorted(texts.known())
            found = [
                key
                for key in keys
                if (query.lower() in key or query.lower() in texts.now(language, key).lower())
                and (query or key in changed or key.startswith("chat."))
            ]
            found.sort(key=lambda key: key not in changed)
            return listed(
                "console_texts.html",
                "texts",
                query=query,
                spoken=language,
                spoken_languages=LANGUAGES,
                rows=[(key, texts.now(language, key), key in changed) for key in found[:ROWS]],
                count=len(found),
                changed=len(texts.changed()),
            )

        @routes.route("/texts/<key>", methods=["GET", "POST"])
        def sentence(key: str) -> BaseResponse:
            """Show a sentence in each language, preview a change, and make it."""
            if key not in texts:
                raise NotFound
            if request.method == "GET":
                return _page(texts, key)
            require(services, Role.ADMIN, "text_changed", key)
            return _change(services, texts, key)

    return add


def _change(services: Services, texts: LiveTexts, key: str) -> BaseResponse:
    language = request.form.get("language", "")
    text = request.form.get("text", "").replace("\r\n", "\n").strip()
    why = reason()
    try:
        own = texts.original(language, key)
        if text:
            wording.check(own, text)
    except WordingError as error:
        return _page(texts, key, language, text, error=error, status=422)
    if request.form.get("do") != "change":
        return _page(texts, key, language, text, preview=_preview(text or own))
    if not why:
        return _page(texts, key, language, text, missing=True, status=422)
    services.audit.note("text_changed", actor(), key, language=language, reason=why)
    texts.change(language, key, text, actor().name, why)
    return redirect(url_for(".sentence", key=key), 303)


def _page(
    texts: LiveTexts,
    key: str,
    language: str = "",
    text: str = "",
    *,
    error: WordingError | None = None,
    missing: bool = False,
    preview: str = "",
    status: int = 200,
) -> BaseResponse:
    known = {each: key in texts.known(each) for each in LANGUAGES}
    page = render_template(
        "console_text.html",
        place="texts",
        key=key,
        now={each: texts.now(each, key) for each in LANGUAGES},
        own={each: texts.original(each, key) for each in LANGUAGES},
        known=known,
        history={each: texts.history(each, key) for each in LANGUAGES},
        spoken_languages=LANGUAGES,
        chosen=language,
        text=text,
        given=request.form.get("reason", ""),
        error=error,
        missing=missing,
        preview=preview,
        may=allowed(Role.ADMIN),
    )
    return make_response(page, status)


def _preview(text: str) -> str:
    """The sentence with something in its placeholders."""
    names = wording.placeholders(text)
    return text.format_map({name: SAMPLE + name + SAMPLE for name in names}) if names else text
