"""The account's menu: a button for each of the six words, in each person's language.

The platform shows three buttons, each with up to five below it. What people need with a queue
behind them, the card, is one tap away; the rest is two.
"""

from __future__ import annotations

import difflib
from typing import Any

from bot.wechat.client import Api, RefusedError
from texts import DEFAULT_LANGUAGE, LANGUAGES, Texts

MOST_BUTTON_BYTES = 16
MOST_INNER_BUTTON_BYTES = 60
NO_MENU = {404, 46003}  # no such call; no menu yet

# A button is a key, or a name with the keys below it.
BUTTONS: tuple[str | tuple[str, tuple[str, ...]], ...] = (
    "CARD",
    ("start", ("APPLY", "UPGRADE")),
    ("more", ("HISTORY", "FREEZE", "HELP")),
)
# The platform's names of the languages, for menus that only their speakers see.
_PLATFORM_LANGUAGES = {"zh_CN": "zh_CN", "en": "en", "id": "id"}


def menu(texts: Texts, language: str) -> dict[str, Any]:
    """The menu in one language, as `/cgi-bin/menu/create` takes it."""

    def click(key: str) -> dict[str, Any]:
        name = texts.say(language, f"menu.{key.lower()}")
        return {"type": "click", "name": name, "key": key}

    buttons = []
    for button in BUTTONS:
        if isinstance(button, str):
            buttons.append(click(button))
        else:
            name, keys = button
            below = [click(key) for key in keys]
            buttons.append({"name": texts.say(language, f"menu.{name}"), "sub_button": below})
    return {"button": buttons}


def ensure(api: Api, texts: Texts) -> bool:
    """Publish the menus unless the account shows them already; whether it published them.

    Raises:
        PlatformUnavailableError: when the platform cannot be asked.
        RefusedError: when it refuses, as to an account without menus (48001).
    """
    if not difference(api, texts):
        return False
    publish(api, texts)
    return True


def difference(api: Api, texts: Texts) -> list[str]:
    """What `publish` would change, as the lines of a unified diff; nothing if nothing.

    Raises:
        PlatformUnavailableError, RefusedError: as `ensure`.
    """
    try:
        shown = api.get("/cgi-bin/menu/get")
    except RefusedError as error:
        if error.code not in NO_MENU:
            raise
        shown = {}
    now = {_rule_language(each): _essence(each) for each in _objects(shown.get("conditionalmenu"))}
    if "menu" in shown:
        now[DEFAULT_LANGUAGE] = _essence(shown["menu"])
    wanted = {
        _PLATFORM_LANGUAGES[language]: _essence(menu(texts, language)) for language in LANGUAGES
    }
    lines: list[str] = []
    for language in sorted(now.keys() | wanted.keys()):
        old, new = (_written(menus.get(language)) for menus in (now, wanted))
        lines += difflib.unified_diff(
            old,
            new,
            f"menu for {language}, as shown",
            f"menu for {language}, as set up",
            lineterm="",
        )
    return lines


def _written(shown: object) -> list[str]:
    """A menu as lines: a name for each button, with what it sets off."""
    lines: list[str] = []
    for button in _objects(shown.get("button") if isinstance(shown, dict) else None):
        lines.append(_button(button))
        lines += [f"  {_button(below)}" for below in _objects(button.get("sub_button"))]
    return lines


def _button(button: dict[str, Any]) -> str:
    acts = " ".join(str(button[name]) for name in ("key", "url") if button.get(name))
    return f"{button.get('name', '')} [{acts}]" if acts else str(button.get("name", ""))


def publish(api: Api, texts: Texts) -> None:
    """Replace the account's menus: the default one, and one for each other language.

    Raises:
        PlatformUnavailableError: when the platform cannot be asked; nothing may have changed.
        RefusedError: when it refuses, as an account without menus does (48001).
    """
    api.post("/cgi-bin/menu/create", menu(texts, DEFAULT_LANGUAGE))  # also removes the others
    for language in LANGUAGES:
        if language != DEFAULT_LANGUAGE:
            rule = {"matchrule": {"language": _PLATFORM_LANGUAGES[language]}}
            api.post("/cgi-bin/menu/addconditional", menu(texts, language) | rule)


def _essence(shown: object) -> object:
    """What a person sees and sets off, without what the platform adds to a menu."""
    if isinstance(shown, dict):
        kept = ("button", "sub_button", "name", "key", "url")
        return {name: _essence(shown[name]) for name in kept if shown.get(name)}
    if isinstance(shown, list):
        return [_essence(each) for each in shown]
    return shown


def _objects(shown: object) -> list[dict[str, Any]]:
    return [each for each in shown if isinstance(each, dict)] if isinstance(shown, list) else []


def _rule_language(conditional: dict[str, Any]) -> str:
    rule = conditional.get("matchrule")
    return str(rule.get("language")) if isinstance(rule, dict) else ""
